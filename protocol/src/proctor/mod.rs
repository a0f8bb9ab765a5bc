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
//! | [`planner`] | parts of what a leader decides: losses, roll-outs, drains |
//! | [`check_goals`] | what has to change so that what runs on a node is what its goals say |
//!
//! A plan is an order of what to start when, never a permission: a node starts only what a user signed. `docs/design/targets.md`
//! has the whole.

mod assignment;
mod check;
pub mod enactor;
mod goals;
mod held;
pub mod planner;

pub use assignment::Assignment;
pub use check::{Check, Counts, check_goals};
pub use goals::{
    Assigned, BATCHES_MAX, Batch, Batches, Goal, Goals, GoalsError, Order, Owned, OwnedRow,
};
pub use held::{Content, Held};
