//! What must hold, one property a file.
//!
//! | property | file | when |
//! |---|---|---|
//! | all replicas of a flock hold the same bytes | `converged` | at quiescence |
//! | what was acknowledged is there, as it was last | `kept` | at quiescence |
//! | what was removed stays away | `removed` | at quiescence |
//! | a document that was acknowledged is there, or one that wins over it; and as a rival where it is one | `documents` | at quiescence; on a node that acknowledged it, when it starts, too |
//! | winners, rivals and states are what the definitions say; nobody holds more of a user than it may have | `documents` | at quiescence |
//! | a node takes no document that is behind, not granted or too much | `documents` | always |
//! | nobody holds a record or an act that its author did not make durable first, or a document that nobody signed | `authentic` | always |
//! | no replica goes back to what is older | `forward` | always |
//! | a component has one leader, one of it, whose fence everyone there accepts | `one_leader` | at quiescence |
//! | a join or a return changes no leader | `same_leader` | where a scenario says so |
//! | an accepted fence never decreases, and outlives the process; that of one who departed is forgotten | `fence` | always |
//! | everyone who lives stores the leader's claim when it commands | `obeyed` | at the end |
//! | a name that is claimed has one holder, the same for everyone | `names` | at quiescence |
//! | nobody stops by itself who was not told to leave, and has no clone | `stop` | always |
//! | who can write refuses no client without a reason | `refusal` | always |
//! | where healthy nodes were asked to write, something was acknowledged | `written` | at the end |
//! | who ran throughout the last 3 s is not shown dead | `false_death` | always |
//! | verdicts are true in time | `truthful` | where a scenario says so |
//! | no node runs a version that nobody signed; the order that it enacts never decreases; its report has what runs | `acted` | always |
//! | a plan continues the one before: nothing is lost, nothing goes too far, nothing starts too early | `plans` | each plan |
//! | what runs is what the plan says, and that is what the target wants, or the plan says why not | `placed` | at quiescence |
//! | who is at rest sends little, and keeps no more than there is to know | `bounded` | at rest |
//!
//! At quiescence is when a scenario expects a flock, or a component of those whom a cut or a death left
//! together, and at the end of every run.
//! Each file is a function of plain values, so that its tests need no world. [`Shot`] is what a
//! checker sees of a node.

mod acted;
mod authentic;
mod bounded;
mod converged;
mod documents;
mod false_death;
mod fence;
mod forward;
mod kept;
mod names;
mod obeyed;
mod one_leader;
mod placed;
mod plans;
mod refusal;
mod removed;
mod same_leader;
mod shot;
mod stop;
mod truthful;
mod violation;
mod written;

pub(super) use acted::Acted;
pub(super) use authentic::Authentic;
pub(super) use bounded::{Rest, at_rest};
pub(super) use converged::converged;
pub(super) use documents::{Papers, granted_in_all, ruled, written};
pub(super) use false_death::false_death;
pub(super) use fence::Fences;
pub(super) use forward::Forward;
pub(super) use kept::kept;
pub(super) use names::one_holder;
pub(super) use obeyed::obeyed;
pub(super) use one_leader::{fence_accepted, one_leader};
pub(super) use placed::{Stand, placed};
pub(super) use plans::{Planned, check_plan, same_for_all};
pub(super) use refusal::{Excuse, excused};
pub(super) use removed::removed;
pub(super) use same_leader::same_leader;
pub(super) use shot::Shot;
#[cfg(test)]
pub(super) use shot::testing;
pub(super) use stop::may_stop;
pub(super) use truthful::{Body, truthful};
pub use violation::Violation;
pub use written::Writes;
pub(super) use written::some_written;
