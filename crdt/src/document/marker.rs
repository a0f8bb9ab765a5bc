use crate::Digest;

/// Orders the documents under one key: by grants version, then generation, then id. The greatest wins. Never by a
/// clock, and never by the signer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Marker {
    /// The version of the grants that it was signed under.
    pub grants_version: u64,
    /// One more than the greatest that its signer saw under the key.
    pub generation: u64,
    /// The hash of signer and body, which makes the order total.
    pub id: Digest,
}

impl Marker {
    /// The order among rivals: by generation, then grants version, then id.
    pub const fn as_rival(self) -> (u64, u64, Digest) {
        (self.generation, self.grants_version, self.id)
    }
}
