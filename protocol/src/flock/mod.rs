//! The whole node as one state machine: the engines, and what passes between them.
//!
//! ```text
//!                    ┌───────────────── flock::State ─────────────────┐
//!   Event::Link ────▶│ join ─acts─▶ ┌───────┐ ─members─▶ liveness      │──▶ Command::Link
//!   Event::Persisted▶│ sync ─both─▶ │ strew │ ─profiles─▶ leader, dial │──▶ Command::Persist
//!   Event::Control ─▶│ author ────▶ └───────┘ ─digest──▶ sync          │──▶ Command::Answer
//!   Event::Wake ────▶│                                                │──▶ Command::Notice …
//!                    └────────────────────────────────────────────────┘
//! ```
//!
//! **Invariant**: whatever events arrive, only verified records are merged, only durable ones of this
//! node are published or acknowledged, and every request gets exactly one answer.
//!
//! The caller MUST execute commands in order, MUST answer every [`Command::Persist`] with one
//! [`Event::Persisted`], and MUST send [`Event::Wake`] at [`State::deadline`] or soon after.

mod calls;
mod command;
mod config;
mod control;
mod departed;
mod dialling;
mod event;
mod fence;
mod gossip;
mod hearsay;
mod joining;
mod kept;
mod links;
mod merge;
mod others;
mod own;
mod past;
mod provisional;
mod prune;
mod reach;
mod room;
mod settle;
mod state;
mod stores;
mod twins;
mod view;
mod yielding;

pub use command::{Batch, Command, Notice, StopReason, Ticket};
pub use config::{Config, REPLICA_MAX, REPLICA_MAX_LEAST, Restored};
pub use control::{Answer, Control, ControlError, ControlId, STATED_MAX};
pub use event::{Event, PersistError};
pub use kept::Kept;
pub use others::OtherVersion;
pub use room::Brought;
pub use state::{Parts, State};
pub use stores::{STORE_PATIENCE, STORE_PATIENCE_MAX};
pub use view::{MemberState, MemberView};
