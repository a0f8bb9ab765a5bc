//! Targets of hordes, and how they come about.
//!
//! ```text
//!   target document ─▶ leader: plan, in its record ─▶ each node: enactor ─▶ goals ─▶ picket
//!                        ▲                                                             │
//!                        └── each node's record: its instances ◀── enactor ◀── list ───┘
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`enactor`] | has a node run its part of the greatest plan, and says how far that is |
//! | [`planner`] | what a leader decides: what runs where, in which version, and what may start |
//! | [`NodeUse`] | how far an order to a node, as to drain it, is carried out |
//! | [`check_goals`] | what has to change so that what runs on a node is what its goals say |
//!
//! A plan is an order of what to start when, never a permission: a node starts only what a user signed. `docs/design/targets.md`
//! has the whole.

mod assignment;
mod check;
pub mod enactor;
mod held;
mod node_use;
pub mod planner;
mod reach;

pub use assignment::Assignment;
pub use check::{Check, Counts, check_goals};
pub use held::{Content, Held};
pub use node_use::NodeUse;

// The set that the picket is handed, and the list that it answers with.
pub use crate::picket::{
    Assigned, BATCHES_MAX, Batch, Batches, Goal, Goals, GoalsError, Order, Owned, OwnedRow,
};
pub use reach::Reach;
