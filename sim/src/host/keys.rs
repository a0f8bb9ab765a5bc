use core::fmt;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crux_crdt::hash::sha3;
use crux_crdt::sign::{Ed25519, Identity, Verifier};
use crux_crdt::{Digest, Principal};
use crux_protocol::genesis::{Genesis, InitialSecret, JoinKey};
use zeroize::Zeroizing;

use super::Pool;

/// The secrets of a run, all derived from its seed.
#[derive(Debug)]
pub(crate) struct Keys {
    seed: u64,
    pub(crate) flock: Digest,
    pub(crate) join: JoinKey,
    pub(crate) operator: Arc<Identity>,
    pub(crate) verifier: Arc<Memo>,
    pub(crate) pool: Arc<Pool>,
}

impl Keys {
    pub(crate) fn new(seed: u64) -> Self {
        let secret = InitialSecret::new(Zeroizing::new(derive(seed, "secret", 0)));
        let name = "sim".parse().expect("three letters make a label");
        // Without the operator: what seeds showed before there was one, they show still.
        let flock = Genesis::new(name, None, &secret).flock_id();
        let operator = Arc::new(Identity::from_seed(&derive(seed, "operator", 0)));
        let (verifier, pool) = Default::default();
        Self { seed, flock, join: JoinKey::initial(&secret), operator, verifier, pool }
    }

    pub(crate) fn identity(&self, host: usize, life: u64) -> Arc<Identity> {
        Arc::new(Identity::from_seed(&derive(self.seed, "identity", life << 32 | host as u64)))
    }

    /// The key of a user.
    pub(crate) fn user(&self, number: u8) -> Arc<Identity> {
        Arc::new(Identity::from_seed(&derive(self.seed, "user", number.into())))
    }

    /// The seed of a process: another one for each boot.
    pub(crate) fn process_seed(&self, host: usize, boot: u64) -> [u8; 32] {
        derive(self.seed, "process", (host as u64) << 32 | boot)
    }
}

/// 32 bytes for a purpose.
pub(crate) fn derive(seed: u64, what: &str, number: u64) -> [u8; 32] {
    sha3("crux/sim/1", &[&seed.to_be_bytes(), what.as_bytes(), &number.to_be_bytes()]).0
}

type Checked = BTreeMap<(Principal, [u8; 64]), (Vec<u8>, bool)>;

/// A verifier that checks each message once, for all nodes.
#[derive(Default)]
pub(crate) struct Memo(Mutex<Checked>);

impl Verifier for Memo {
    fn verify(&self, author: &Principal, message: &[u8], signature: &[u8; 64]) -> bool {
        let mut checked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, holds)) = checked.get(&(*author, *signature))
            && known == message
        {
            return *holds;
        }
        let holds = Ed25519.verify(author, message, signature);
        checked.insert((*author, *signature), (message.to_vec(), holds));
        holds
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memo")
    }
}
