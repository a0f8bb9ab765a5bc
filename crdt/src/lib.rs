//! Replicated data.
pub mod id;
pub mod name;
pub mod path;
pub use id::{Digest, Principal};
