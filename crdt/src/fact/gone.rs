use super::Kind;
use crate::{Digest, Principal};

/// What an author has under a key is held no more, and a disk that has it may drop it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gone {
    /// The kind.
    pub kind: Kind,
    /// The key in its set.
    pub key: Digest,
    /// The author.
    pub author: Principal,
}
