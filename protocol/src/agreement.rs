//! The key to which secrets for a node are sealed.

use hkdf::SimpleHkdf;
use sha3::Sha3_256;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

/// The X25519 key pair of a node, derived from its principal's seed, so that a node that kept its key
/// can still open what was sealed to it. The secret is zeroized on drop.
pub struct AgreementKey(StaticSecret);

impl AgreementKey {
    /// The key that belongs to a principal's Ed25519 seed.
    pub fn derive(seed: &[u8; 32]) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        SimpleHkdf::<Sha3_256>::new(Some(b"crux/agreement/1"), seed)
            .expand(b"x25519", &mut *key)
            .expect("32 bytes are within what HKDF gives");
        Self(StaticSecret::from(*key))
    }

    /// What a profile publishes.
    pub fn public(&self) -> [u8; 32] {
        PublicKey::from(&self.0).to_bytes()
    }
}

impl core::fmt::Debug for AgreementKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("AgreementKey(redacted)")
    }
}
