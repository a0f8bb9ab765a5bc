//! What a flock is: its name, its operator and what all its nodes know at the start.

use core::fmt;

use crux_crdt::act::After;
use crux_crdt::canon::Encoder;
use crux_crdt::hash::sha3;
use crux_crdt::name::Label;
use crux_crdt::{Digest, Principal};
use hkdf::SimpleHkdf;
use hmac::{KeyInit, Mac, SimpleHmac};
use sha3::Sha3_256;
use zeroize::Zeroizing;

/// The 256 random bits that a flock starts from. Zeroized, never printed.
#[derive(Clone)]
pub struct InitialSecret(Zeroizing<[u8; 32]>);

impl InitialSecret {
    /// Wraps the bytes.
    pub const fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    fn derive(&self, label: &str) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        SimpleHkdf::<Sha3_256>::new(Some(b"crux/1"), &*self.0)
            .expand(label.as_bytes(), &mut *key)
            .expect("32 bytes are within what HKDF gives");
        key
    }
}

impl fmt::Debug for InitialSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InitialSecret(redacted)")
    }
}

/// The beginning of a flock. Equal on all nodes that were given the same secret, so a flock needs
/// no first node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genesis {
    /// The flock's display name.
    pub flock: Label,
    /// The operator's public key, if there is an operator.
    pub operator: Option<Principal>,
    /// SHA3-256 of what HKDF makes of the initial secret for `flock`.
    pub secret_hash: Digest,
}

impl Genesis {
    /// The genesis that an initial secret stands for.
    pub fn new(flock: Label, operator: Option<Principal>, secret: &InitialSecret) -> Self {
        let secret_hash = sha3("crux/flock-secret/1", &[&*secret.derive("flock")]);
        Self { flock, operator, secret_hash }
    }

    /// `flock_id`: the SHA3-256 of the genesis.
    pub fn flock_id(&self) -> Digest {
        let mut out = Encoder::default();
        out.u8(1).str(self.flock.as_str());
        match &self.operator {
            None => out.u8(0),
            Some(operator) => out.u8(1).principal(operator),
        };
        out.digest(&self.secret_hash);
        sha3("crux/genesis/1", &[&out.finish()])
    }
}

/// The symmetric key of the join handshake, and the evicted principals that it excludes. The key is zeroized
/// and never printed.
#[derive(Clone)]
pub struct JoinKey {
    key: Zeroizing<[u8; 32]>,
    after: After,
}

impl JoinKey {
    /// The key that stems from the initial secret. It excludes nobody.
    pub fn initial(secret: &InitialSecret) -> Self {
        Self { key: secret.derive("join"), after: After::default() }
    }

    /// A key that stems from the initial secret, from what [`JoinKey::expose`] gave.
    pub fn of_initial(bytes: [u8; 32]) -> Self {
        Self { key: Zeroizing::new(bytes), after: After::default() }
    }

    /// The bytes of the key, for another process of the same node. MUST go nowhere else.
    pub fn expose(&self) -> &[u8; 32] {
        &self.key
    }

    /// The evicted principals that it excludes: an admission under it names them.
    pub const fn after(&self) -> &After {
        &self.after
    }

    /// HMAC-SHA3-256 of a role and a transcript.
    pub fn prove(&self, role: &str, transcript: &Digest) -> [u8; 32] {
        self.mac(role, transcript).finalize().into_bytes().into()
    }

    /// Checks a proof in constant time.
    pub fn check(&self, role: &str, transcript: &Digest, proof: &[u8; 32]) -> bool {
        self.mac(role, transcript).verify_slice(proof).is_ok()
    }

    fn mac(&self, role: &str, transcript: &Digest) -> SimpleHmac<Sha3_256> {
        let mut mac =
            SimpleHmac::<Sha3_256>::new_from_slice(&*self.key).expect("HMAC takes any key");
        mac.update(&(role.len() as u64).to_be_bytes());
        mac.update(role.as_bytes());
        mac.update(&transcript.0);
        mac
    }
}

impl fmt::Debug for JoinKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinKey(redacted)")
    }
}

/// The tag under which nodes of one flock find each other on a link. An outsider learns nothing
/// from it, and two flocks differ.
pub fn discovery_tag(secret: &InitialSecret) -> [u8; 16] {
    let key = secret.derive("discovery");
    let digest = sha3("crux/discovery/1", &[&*key]);
    let mut tag = [0; 16];
    tag.copy_from_slice(&digest.0[..16]);
    tag
}
