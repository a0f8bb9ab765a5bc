//! The parts of a node's answers.
//!
//! Plain values. They print as the command line prints them, and serialize as it does with `--json`;
//! `wire` turns them into messages and back.

mod blob;
mod check;
mod document;
mod event;
mod glob;
mod inspected;
mod instance;
mod joining;
pub(crate) mod json;
mod leader;
mod log_line;
mod member;
mod node_ref;
mod node_use;
mod picket;
mod prefix;
mod service;
mod settled;
mod status;
mod target;
#[cfg(test)]
pub(crate) mod testing;
mod wall_time;

pub use blob::{Blob, BlobRef, Progress, Scrubbed};
pub use check::{Check, CheckResult};
pub use document::{
    Basis, DocumentEntry, DocumentSigner, DocumentState, KeyBasis, RivalDocument, ShownDocument,
    WrittenDocument,
};
pub use event::Event;
pub use glob::Glob;
pub use inspected::{CheckState, Inspected, InstanceExit, PreviousImage};
pub use instance::{Instance, InstanceState};
pub use joining::Joining;
pub use leader::Leader;
pub use log_line::{LogLine, LogStream};
pub use member::{Member, MemberState};
pub use node_ref::NodeRef;
pub use node_use::NodeUse;
pub use picket::Picket;
pub use prefix::Prefix;
pub use service::{Service, ServiceStatus};
pub use settled::{Change, Settled};
pub use status::{MemberCounts, Status};
pub use target::{TargetGeneration, WrittenTarget};
pub use wall_time::WallTime;
