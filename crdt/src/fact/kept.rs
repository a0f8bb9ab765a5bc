use std::collections::BTreeMap;

use crate::Digest;

/// What a disk is to have under a key of a kind, in place of what it has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kept {
    /// The bytes under the key.
    pub bytes: Vec<u8>,
    /// Parts that are stored apart and were not there, by id: so one changed service among 250 rewrites one part.
    pub added: BTreeMap<Digest, Vec<u8>>,
    /// Parts that are no longer needed.
    pub dropped: Vec<Digest>,
}

impl Kept {
    /// Bytes without parts.
    pub fn whole(bytes: Vec<u8>) -> Self {
        Self { bytes, ..Self::default() }
    }
}
