//! What a node's answers are made of.
//!
//! Plain values. They print as the command line prints them, and serialize as it does with `--json`;
//! `wire` turns them into messages and back.

mod blob;
mod check;
mod joining;
mod json;
mod leader;
mod member;
mod node_ref;
mod prefix;
mod service;
mod status;
#[cfg(test)]
pub(crate) mod testing;
mod wall_time;

pub use blob::{Blob, BlobRef, Progress, Scrubbed};
pub use check::{Check, CheckResult};
pub use joining::Joining;
pub use leader::Leader;
pub use member::{Member, MemberState};
pub use node_ref::NodeRef;
pub use prefix::Prefix;
pub use service::{Service, ServiceStatus};
pub use status::{MemberCounts, Status};
pub use wall_time::WallTime;
