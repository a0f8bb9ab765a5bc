use super::{FAILED_MAX, PLAN_BITS_MAX};
use crate::record::SLOT_BYTES_MAX;

/// Why the slots of a record are not a plan. Their author is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The parts are not those that the head names.
    #[error("the parts of the plan are not those of its head: they are of different passes")]
    Mixed,
}

/// `plan_too_large`: a plan that no record can have. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlanTooLarge {
    /// The entries of some nodes do not fit a slot.
    #[error(
        "the plan does not fit {} slots: the fullest has {bytes} bytes, {} more than fit; fewer services on each node, \
         or several hordes, need less",
        1 << PLAN_BITS_MAX, .bytes - SLOT_BYTES_MAX
    )]
    Entries {
        /// How many bytes the fullest of 64 slots has.
        bytes: usize,
    },
    /// The entries of some nodes name more versions or terms than can be numbered.
    #[error("the plan names more versions on one part of the nodes than fit a slot")]
    Tables,
    /// More than [`FAILED_MAX`] versions failed.
    #[error("{0} versions of services failed, at most {FAILED_MAX} can be named")]
    Failed(usize),
    /// The term or the pass is out of its range.
    #[error("the term or the pass of the plan is out of its range")]
    Numbers,
}
