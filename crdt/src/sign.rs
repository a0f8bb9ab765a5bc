//! Signed values: nothing is decoded before its signature held.
//!
//! An envelope is `author ‖ signature ‖ body`. The signature covers the domain, the flock, the
//! author and the body, so that a record of one kind or flock is never taken for one of another.

use core::cmp::Ordering;
use core::fmt;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::hash::sha3;
use crate::{Digest, Principal};

/// The largest signed body, of values that state no other bound.
pub const SIGNED_BODY_MAX: usize = 16 * 1024;

/// A value that a node signs.
pub trait Signable: Canonical {
    /// Keeps the signatures and ids of different kinds apart, e.g. `crux/header/1`.
    const DOMAIN: &'static str;
    /// The largest encoding, in bytes.
    const BODY_MAX: usize = SIGNED_BODY_MAX;
}

/// Checks signatures. The simulator hands in one that remembers what it checked.
pub trait Verifier: Send + Sync {
    /// Whether `signature` over `message` is `author`'s.
    fn verify(&self, author: &Principal, message: &[u8], signature: &[u8; 64]) -> bool;
}

/// The real verifier: `verify_strict`, which has no malleable signatures and no weak keys.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ed25519;

impl Verifier for Ed25519 {
    fn verify(&self, author: &Principal, message: &[u8], signature: &[u8; 64]) -> bool {
        VerifyingKey::from_bytes(&author.0)
            .is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
    }
}

/// What a fact is verified against: it is valid for one flock.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// The flock that it was signed for.
    pub flock: Digest,
    /// The flock's operator, if it has one.
    pub operator: Option<Principal>,
    /// Checks its signatures.
    pub verifier: &'a dyn Verifier,
}

impl fmt::Debug for Terms<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terms")
            .field("flock", &self.flock)
            .field("operator", &self.operator)
            .finish_non_exhaustive()
    }
}

/// Passes every signature. Only for comparing with what this process verified before it wrote it, or when it
/// read it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trusting;

impl Verifier for Trusting {
    fn verify(&self, _: &Principal, _: &[u8], _: &[u8; 64]) -> bool {
        true
    }
}

/// A node's secret key. Zeroized on drop, never printed.
pub struct Identity {
    key: SigningKey,
    principal: Principal,
}

impl Identity {
    /// The identity with this Ed25519 seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
        let principal = Principal(key.verifying_key().to_bytes());
        Self { key, principal }
    }

    /// The public key.
    pub const fn principal(&self) -> Principal {
        self.principal
    }

    /// Signs a message that is not a [`Signable`], such as a challenge. The caller separates domains.
    pub fn sign_raw(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.principal.short())
    }
}

/// Why an envelope was refused. Nothing was changed; whoever made it is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The envelope itself is malformed.
    #[error("malformed envelope: {0}")]
    Envelope(DecodeError),
    /// The signature is not the author's, or is one for another flock or kind.
    #[error("the signature is not the author's")]
    Signature,
    /// The signature holds and the body is malformed, or of a version this build does not know.
    #[error("malformed body: {0}")]
    Body(DecodeError),
}

impl OpenError {
    /// The version or kind that this build does not know, if that is why, and its number.
    pub const fn unknown(&self) -> Option<(&'static str, u8)> {
        match self {
            Self::Envelope(error) | Self::Body(error) => error.unknown(),
            Self::Signature => None,
        }
    }
}

/// A value together with its author's signature, which held when this was made.
#[derive(Clone)]
pub struct Signed<T> {
    author: Principal,
    signature: [u8; 64],
    id: Digest,
    value: T,
}

impl<T: Signable> Signed<T> {
    /// Signs a value for a flock.
    pub fn sign(value: T, flock: &Digest, identity: &Identity) -> Self {
        let author = identity.principal;
        let body = value.to_canonical();
        let signature = identity.sign_raw(&message::<T>(flock, &author, &body));
        Self { author, signature, id: id_of::<T>(&author, &body), value }
    }

    /// Verifies, then decodes.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(
        input: &mut Decoder<'_>,
        flock: &Digest,
        verifier: &dyn Verifier,
    ) -> Result<Self, OpenError> {
        let (author, signature, body) = split(input, T::BODY_MAX).map_err(OpenError::Envelope)?;
        if !verifier.verify(&author, &message::<T>(flock, &author, body), &signature) {
            return Err(OpenError::Signature);
        }
        let value = T::from_canonical(body).map_err(OpenError::Body)?;
        Ok(Self { author, signature, id: id_of::<T>(&author, body), value })
    }

    /// Appends the envelope.
    pub fn seal(&self, out: &mut Encoder) {
        seal_parts(out, &self.author, &self.signature, &self.value);
    }
}

/// Appends the envelope of a value of which only these parts were kept.
pub fn seal_parts<T: Signable>(
    out: &mut Encoder,
    author: &Principal,
    signature: &[u8; 64],
    value: &T,
) {
    out.principal(author).fixed(signature).bytes(&value.to_canonical());
}

impl<T> Signed<T> {
    /// The signer.
    pub const fn author(&self) -> Principal {
        self.author
    }

    /// SHA3-256 of domain, author and body; the signature is not part of it.
    pub const fn id(&self) -> Digest {
        self.id
    }

    /// What was signed.
    pub const fn value(&self) -> &T {
        &self.value
    }

    /// The signature.
    pub const fn signature(&self) -> &[u8; 64] {
        &self.signature
    }
}

impl<T> PartialEq for Signed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl<T> Eq for Signed<T> {}

impl<T> PartialOrd for Signed<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Signed<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.id.cmp(&other.id)
    }
}

impl<T: fmt::Debug> fmt::Debug for Signed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed").field("author", &self.author).field("value", &self.value).finish()
    }
}

/// The author and the id of the next envelope, which is skipped. No signature is checked.
///
/// # Errors
/// The envelope is malformed, or its body over the bound of its type.
pub fn peek<T: Signable>(input: &mut Decoder<'_>) -> Result<(Principal, Digest), DecodeError> {
    let (author, _, body) = split(input, T::BODY_MAX)?;
    Ok((author, id_of::<T>(&author, body)))
}

fn split<'a>(
    input: &mut Decoder<'a>,
    body_max: usize,
) -> Result<(Principal, [u8; 64], &'a [u8]), DecodeError> {
    let author = input.principal("author")?;
    let signature = input.array("signature")?;
    Ok((author, signature, input.bytes(body_max, "signed body")?))
}

fn message<T: Signable>(flock: &Digest, author: &Principal, body: &[u8]) -> Vec<u8> {
    let mut out = Encoder::default();
    out.str(T::DOMAIN).digest(flock).principal(author).fixed(body);
    out.finish()
}

fn id_of<T: Signable>(author: &Principal, body: &[u8]) -> Digest {
    sha3(T::DOMAIN, &[&author.0, body])
}
