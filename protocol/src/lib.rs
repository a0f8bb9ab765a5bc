//! The flock protocols.
pub mod link;
