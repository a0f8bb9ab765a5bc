//! The events of this node: the last [`EVENTS_KEPT`] events, on disk, readable by their number.
//!
//! ```text
//!  happened ─ Flood ─▶ Events ─▶ pending ─▶ file "events", a JSON object a line
//!               │ too many a second            ▲ compacted by rename
//!               └─ one `suppressed`            └── "events.seq": no number up to this one is given again
//! ```
//!
//! **Invariants.**
//!
//! * Numbers grow, and none is given twice, whatever is lost of the file: a block of them is reserved,
//!   durably, before the first of it is given. They may skip: after a picket that was killed, and after a
//!   loss of power, by a block at most.
//! * A reader that has number N gets every event after N, or a [`Item::Gap`] where some may be missing:
//!   its cursor is too old, or a loss of power or a full disk took them. Never silence.
//! * Of one kind at most [`KIND_RATE`] are kept in a second; how many there were beside them is said.
//! * Nothing waits for the disk but [`Events::write`], which writes a batch.
//!
//! Times are for people: only numbers say which event was first.

mod error;
mod event;
mod file;
mod flood;
mod glob;
mod log;
mod query;
mod reserve;
#[cfg(test)]
mod tests;

pub use error::EventsError;
pub use event::{DETAIL_BYTES_MAX, Draft, Event, TEXT_BYTES_MAX};
pub use flood::{Flood, KIND_RATE};
pub use glob::matches;
pub use log::{EVENTS_KEPT, Events};
pub use query::{Cursor, EventQuery, Item};
