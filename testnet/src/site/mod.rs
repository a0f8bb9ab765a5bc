//! Targets on real nodes: the files that a person writes, what runs for them, and what the pickets wrote of it.
//!
//! ```text
//!   Document, program ─▶ Site ── crux-node apply ──▶ a node ─▶ … ─▶ pickets ─▶ programs
//!                                                                     │  │        │
//!      judged by         Diary ◀──── picket/events of each node ──────┘  │        │
//!                        Census ◀─── instances, then a call to each ─────┴────────┘
//! ```
//!
//! **Out of scope**: plans and statuses. Stories and tests judge targets by processes, by answers on sockets and by what
//! each picket wrote, never by what a planner says of itself.

mod census;
mod diary;
mod document;
mod files;
mod lanes;

pub use census::{Census, Running};
pub use diary::{Diary, Entry, Happened};
pub use document::Document;
pub use files::Site;
pub use lanes::{Lane, lanes};
