//! The order of starts.

use super::{Number, PickId};
use crate::syntax::Stage;

/// No instance of a service starts for the first time before all conditions hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After {
    /// The service that waits.
    pub pick: PickId,
    /// The conditions, at least one.
    pub conds: Vec<Cond>,
}

/// A condition: so much of a service is in a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cond {
    /// How much.
    pub amount: Amount,
    /// Of what.
    pub pick: PickId,
    /// In which stage.
    pub stage: Stage,
}

/// How much of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Amount {
    /// At least that many instances.
    Count(Number),
    /// At least that share of the instances that the program wants, in percent.
    Percent(Number),
}
