//! What a user would pick instead: serf, etcd, iroh-blobs and rsync, run beside us for comparison.
//!
//! Peers are spoken to in their own protocol over a socket, never through their command line: a
//! process start costs tens of milliseconds, which would be counted against them.

pub mod etcd;
pub mod iroh;
mod process;
pub mod rsync;
pub mod serf;
pub mod tether;

pub use process::{PeerProcess, find_program};

/// First argument with which this program becomes another one that dies with its parent.
pub const TETHER_VERB: &str = "tether";
