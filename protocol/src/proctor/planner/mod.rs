//! Parts of what a leader decides about the instances of a horde, beside where the solver places them.
//!
//! | part | decides |
//! |---|---|
//! | [`Deaths`] | which nodes are lost, and when a side of a partition replaces nothing |
//! | [`Rollout`] | which nodes run the new version of a service, and when it failed |
//! | [`stays`] | which instances of nodes that are being drained may end, because their replacements are ready |
//!
//! Each is a function of what the leader sees, and of times by the leader's own clock. A new leader begins those times
//! again: so it is later than the one before, never earlier.

mod deaths;
mod drain;
mod rollout;

pub use deaths::{Deaths, is_minority};
pub use drain::{Leaving, stays};
pub use rollout::{Memory, Place, Places, Rollout, Turn};
