//! What the genesis needs.

use std::fmt;

use crux_crdt::name::Label;
use zeroize::Zeroizing;

/// What the secret's line holds: all that the genesis needs.
#[derive(Clone)]
pub struct Parts {
    /// The flock's name.
    pub flock: Label,
    /// The operator's Ed25519 public key; `None` for a flock without an operator.
    pub operator: Option<[u8; 32]>,
    /// The random bytes.
    pub secret: Zeroizing<[u8; 32]>,
}

/// Shows everything but the secret.
impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("flock", &self.flock)
            .field("operator", &self.operator.is_some())
            .finish_non_exhaustive()
    }
}
