//! The tools that a user would pick instead: serf, etcd, iroh-blobs, rsync, runit, s6 and supervisord, run
//! beside us for comparison.
//!
//! Peers are spoken to in their own protocol over a socket, never through their command line: a
//! process start costs tens of milliseconds, which would be counted against them.

pub mod daemontools;
pub mod etcd;
pub mod iroh;
mod packages;
mod process;
pub mod rsync;
pub mod serf;
pub mod supervisord;
pub mod tether;

pub use packages::Packages;
pub use process::{PeerProcess, find_program};

/// First argument with which this program becomes another one that dies with its parent.
pub const TETHER_VERB: &str = "tether";
