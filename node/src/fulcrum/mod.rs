//! The coordinating core of a node.

pub mod request;
