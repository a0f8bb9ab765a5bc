//! Replicated data.
pub mod id;
pub use id::{Digest, Principal};
