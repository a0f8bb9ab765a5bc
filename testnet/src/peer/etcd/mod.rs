//! etcd: three members with a quorum, for the time from a dead leader to the next write.

mod http;
mod members;

pub use members::Members;
