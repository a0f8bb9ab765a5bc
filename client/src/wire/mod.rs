//! Wire types to the node's own types, and back.
//!
//! Whatever comes in is parsed here, once: behind this edge there are no strings that may or may not
//! be names. `request` is what the server reads, `reply` what it writes, `answer` what the client
//! reads.

pub(super) mod answer;
pub(super) mod reply;
pub(super) mod request;
