//! Real processes, real sockets, real disk: what a flock promises to the person who runs it.
//!
//! Every test has a directory and ports of its own and waits on conditions with deadlines. A node
//! is this crate's program started as one, so nothing but this crate needs to be built.

#[expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]
mod blobs;
mod disk;
mod documents;
mod drained;
mod examples;
mod formation;
mod lifecycle;
mod peers;
mod placed;
mod planned;
mod refusal;
mod restart;
mod services;
mod sides;
#[expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]
mod strangers;
mod support;
mod targets;
mod testnet;
mod turns;
mod twins;
