//! The flock protocols.
pub mod link;
#[cfg(feature = "net")]
pub mod net;
