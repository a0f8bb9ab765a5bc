//! What a node sees: the immutable snapshot the fulcrum publishes, and the questions asked of it.
//!
//! The fulcrum replaces the snapshot as a whole (`Arc<View>` through a `watch` channel), so a reader
//! never waits for the fulcrum and never sees half a change. Every question is a pure function of
//! the snapshot; the same types come back from the control API's client.

mod delta;
mod joining;
mod json;
mod leader;
mod member;
mod resolve;
mod service;
mod snapshot;
mod status;
#[cfg(test)]
pub(crate) mod testing;

pub use delta::Delta;
pub use joining::Joining;
pub use leader::Leader;
pub use member::{Member, MemberState};
pub use service::{Service, ServiceStatus};
pub use snapshot::View;
pub use status::{MemberCounts, Status};
