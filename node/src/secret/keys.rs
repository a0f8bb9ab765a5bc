//! What a node keeps of the flock's secret.

use std::path::Path;

use crux_crdt::name::Label;
use crux_crdt::{Digest, Principal};
use crux_protocol::genesis::{Genesis, InitialSecret, JoinKey, discovery_tag};

use super::trace::leave_no_trace;
use super::{SecretString, read_secret};
use crate::error::Error;

/// What a node needs of the flock's secret while it runs: all of it is derived, and the secret itself
/// cannot be found from it. It is made right where the secret is read, and nothing else reads it.
#[derive(Debug, Clone)]
pub struct FlockKeys {
    /// What the flock is.
    pub genesis: Genesis,
    /// What a node proves itself with when it joins.
    pub join: JoinKey,
    /// Under which nodes of the flock find each other on a link.
    pub discovery: [u8; 16],
}

/// The same while the secret is still on the stack. Every byte of it has a value: what is left out of
/// an `Option` that is `None` would be whatever was on the stack before, and move along.
struct Taken {
    flock: Label,
    has_operator: bool,
    operator: [u8; 32],
    secret_hash: Digest,
    join: JoinKey,
    discovery: [u8; 16],
}

impl FlockKeys {
    /// Reads a secret, takes what is needed and leaves no copy of the secret behind.
    pub(crate) fn take(read: impl FnOnce() -> Result<SecretString, Error>) -> Result<Self, Error> {
        let taken = leave_no_trace(|| read().map(|secret| derive(&secret)))?;
        let Taken { flock, has_operator, operator, secret_hash, join, discovery } = taken;
        let operator = has_operator.then_some(Principal(operator));
        Ok(Self { genesis: Genesis { flock, operator, secret_hash }, join, discovery })
    }

    /// The same from a file.
    ///
    /// # Errors
    /// See [`read_secret`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        Self::take(|| read_secret(path))
    }
}

fn derive(secret: &SecretString) -> Taken {
    let parts = secret.parts();
    let secret = InitialSecret::new(parts.secret.clone());
    let genesis = Genesis::new(parts.flock.clone(), None, &secret);
    Taken {
        flock: genesis.flock,
        has_operator: parts.operator.is_some(),
        operator: parts.operator.unwrap_or_default(),
        secret_hash: genesis.secret_hash,
        join: JoinKey::initial(&secret),
        discovery: discovery_tag(&secret),
    }
}
