//! The plans of a leader: each rule by its assignments, the engine by its commands, and random histories of whole hordes.

#![expect(clippy::unwrap_used, reason = "a test that cannot make its values has failed")]

mod engine;
mod histories;
mod horde;
mod judge;
mod machine;
mod node_use;
mod pass;
mod rig;
mod sight;
mod versions;
