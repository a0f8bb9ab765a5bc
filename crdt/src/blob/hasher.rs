use core::fmt;

use sha3::{Digest as _, Sha3_256};

use super::BlobId;

/// Takes the SHA3-256 of a file as its bytes come.
#[derive(Clone, Default)]
pub struct BlobHasher(Sha3_256);

impl BlobHasher {
    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The id of a blob of all bytes so far.
    pub fn finish(self) -> BlobId {
        BlobId(self.0.finalize().into())
    }
}

impl fmt::Debug for BlobHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlobHasher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_what_openssl_prints() {
        let mut hasher = BlobHasher::default();
        let empty = "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a";
        assert_eq!(hasher.clone().finish().to_string(), empty);
        hasher.update(b"a");
        hasher.update(b"bc");
        let abc = "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532";
        assert_eq!(hasher.finish().to_string(), abc);
    }
}
