//! SHA3-256 with a domain, so that no two kinds of bytes share a hash.

use sha3::{Digest as _, Sha3_256};

use crate::Digest;

/// SHA3-256 of the length-prefixed domain and then the parts, one after the other.
///
/// Parts are not separated: a caller hands in either one part or parts of fixed size.
pub fn sha3(domain: &str, parts: &[&[u8]]) -> Digest {
    let mut hasher = Sha3_256::new();
    hasher.update((domain.len() as u64).to_be_bytes());
    hasher.update(domain.as_bytes());
    for part in parts {
        hasher.update(part);
    }
    Digest(hasher.finalize().into())
}
