//! Signed facts: what nodes replicate, whatever it says.
//!
//! ```text
//!   bytes ──open──▶ Arrival ──▶ Strew ──▶ Index of the kind    compared by anti-entropy
//!                                 │
//!                                 └──▶ Fact ──seal──▶ peers    gossip and anti-entropy
//!                                       └────keep──▶ the disk
//! ```
//!
//! A kind of fact is a type that implements [`FactKind`] beside itself, and a row of the table in `table.rs`.
//! Anti-entropy, gossip, batches, the store and the restoration name no kind: they carry a [`Kind`], keys,
//! and bytes.
//!
//! **Invariant**: what [`open`] and [`restore`] return was signed for this flock by its author, and its type
//! holds. [`peek`] checks no signature, so nothing but the place of a fact among those that were asked for may
//! depend on it.

mod arrival;
mod error;
mod gone;
mod kept;
mod kind;
mod table;

pub use arrival::Arrival;
pub use error::FactError;
pub use gone::Gone;
pub use kept::Kept;
pub use kind::Kind;
pub use table::{Fact, open, parts, peek, restore, without};

use std::collections::BTreeMap;

use crate::canon::{DecodeError, Decoder, Encoder};
use crate::document;
use crate::sign::Terms;
use crate::strew::{Index, Outcome, Strew};
use crate::{Digest, Principal};

/// Why a node does not take a fact from the person who signed it. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nobody states this kind by hand.
    #[error("{0} are not stated by hand")]
    Kind(Kind),
    /// The replica is full, and the signer would take more of it.
    #[error("the replica of this node is full")]
    NoRoom,
    /// See there.
    #[error(transparent)]
    Document(#[from] document::Refused),
}

impl Refused {
    /// Whether somebody else was faster, so that what is written all the same is not what its signer wants: it has a
    /// rival, or no effect.
    pub const fn is_overtaken(&self) -> bool {
        use document::Refused;
        matches!(self, Self::Document(Refused::Conflict { .. } | Refused::NotGranted(_)))
    }
}

/// A kind of fact: how it travels, how it is stored, and its set in the replica.
///
/// The functions about the wire and the disk are pure. Those about the replica borrow what the strew holds.
pub trait FactKind: Clone + Sized {
    /// As it arrives.
    type Arrived: Into<Arrival>;

    /// Its key in the set.
    fn key(&self) -> Digest;
    /// The hash of what is signed.
    fn id(&self) -> Digest;
    /// The signer.
    fn author(&self) -> Principal;
    /// About how many bytes it takes on the wire.
    fn bytes(&self) -> usize;
    /// See [`Fact::comes_first`].
    fn comes_first(&self) -> bool {
        false
    }
    /// Whether it has the other one's place on a disk.
    fn replaces(&self, other: &Self) -> bool;

    /// See [`Fact::kept`].
    fn kept(all: Vec<Self>) -> Vec<Self> {
        let mut kept: Vec<Self> = Vec::new();
        for fact in all {
            if !kept.iter().any(|known| known.replaces(&fact)) {
                kept.retain(|known| !fact.replaces(known));
                kept.push(fact);
            }
        }
        kept
    }

    /// See [`peek`].
    ///
    /// # Errors
    /// The bytes are malformed.
    fn peek(input: &mut Decoder<'_>) -> Result<(Digest, Digest), DecodeError>;
    /// See [`open`].
    ///
    /// # Errors
    /// [`FactError`].
    fn open(input: &mut Decoder<'_>, terms: &Terms<'_>) -> Result<Self::Arrived, FactError>;
    /// See [`Fact::seal`].
    fn seal(&self, out: &mut Encoder, budget: usize, held: &dyn Fn(&Digest) -> bool);

    /// See [`Fact::keep`].
    ///
    /// # Errors
    /// What is stored is damaged.
    fn keep(&self, stored: Option<&[u8]>) -> Result<Option<Kept>, FactError>;
    /// See [`parts`].
    ///
    /// # Errors
    /// What is stored is damaged.
    fn parts(_bytes: &[u8]) -> Result<Vec<Digest>, FactError> {
        Ok(Vec::new())
    }
    /// See [`restore`].
    ///
    /// # Errors
    /// What is stored is damaged.
    fn restore(
        key: &Digest,
        bytes: &[u8],
        parts: BTreeMap<Digest, Vec<u8>>,
        terms: &Terms<'_>,
    ) -> Result<Vec<Self>, FactError>;
    /// See [`without`].
    ///
    /// # Errors
    /// What is stored is damaged.
    fn without(bytes: &[u8], _author: &Principal) -> Result<Option<Vec<u8>>, FactError> {
        Ok(Some(bytes.to_vec()))
    }

    /// The set that is reconciled.
    fn index(strew: &Strew) -> &Index;
    /// See [`Strew::under`].
    fn under(strew: &Strew, key: &Digest) -> Vec<Self>;
    /// See [`Strew::facts`].
    fn all(strew: &Strew) -> Vec<Self>;
    /// See [`Strew::held`].
    fn held(_strew: &Strew, _key: &Digest) -> Vec<[u8; 8]> {
        Vec::new()
    }
    /// See [`Strew::lacks`].
    fn lacks(strew: &Strew, key: &Digest, value: &Digest) -> bool;
    /// See [`Strew::merge_fact`].
    fn merge(self, strew: &mut Strew) -> Outcome;
    /// See [`Strew::may_state_each`]. Every request has facts.
    fn may_state(requests: &[Vec<Self>], strew: &Strew) -> Vec<Result<(), Refused>>;
}
