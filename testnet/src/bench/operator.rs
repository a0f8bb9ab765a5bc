use std::path::Path;
use std::sync::Arc;

use crux_crdt::sign::{Ed25519, Identity, Terms};
use crux_crdt::{Digest, Principal};
use crux_node::secret::{OperatorKey, SecretString, write_new};
use crux_sim::bench::Signers;

use super::rig::broken;
use crate::Error;

/// The operator of a flock: only this process has the key.
#[derive(Debug)]
pub(super) struct Operator {
    identity: Identity,
}

impl Operator {
    /// Makes a key, and writes the secret of a flock that names it.
    ///
    /// # Errors
    ///
    /// [`Error::Broken`], with what the system said.
    pub(super) fn make(flock: &str, secret: &Path) -> Result<Self, Error> {
        let key = OperatorKey::generate().map_err(broken)?;
        let flock = flock.parse().map_err(broken)?;
        let made = SecretString::generate(flock, Some(key.public())).map_err(broken)?;
        write_new(secret, &made.expose()).map_err(broken)?;
        Ok(Self { identity: Identity::from_seed(key.signing_key().as_bytes()) })
    }

    /// What facts of the flock are verified against.
    pub(super) fn terms(&self, flock: Digest) -> Terms<'static> {
        Terms { flock, operator: Some(self.principal()), verifier: &Ed25519 }
    }

    pub(super) const fn principal(&self) -> Principal {
        self.identity.principal()
    }

    /// The operator and a new user, who may have so many documents. Nobody was asked to write the grant yet.
    pub(super) fn signers(&self, flock: Digest, documents: u32) -> Signers {
        let user = Arc::new(Identity::from_seed(&rand::random()));
        Signers::new(flock, &self.identity, user, documents)
    }
}
