//! The table of kinds: the one place that names all of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Arrival, FactError, FactKind, Kept, Kind, Refused};
use crate::act::Act;
use crate::canon::{DecodeError, Decoder, Encoder};
use crate::document::Document;
use crate::record::Record;
use crate::sign::{Signed, Terms};
use crate::strew::{Index, Outcome, Strew};
use crate::{Digest, Principal};

/// What the engines know of a kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// Its facts, in the plural.
    pub(super) name: &'static str,
    /// How many of them one request fetches.
    pub(super) fetched: usize,
    /// Whether its set is compared after the others.
    pub(super) last: bool,
}

macro_rules! facts {
    ($($number:literal => $constant:ident $variant:ident($value:ty);
       $name:literal, fetched $fetched:literal at a time, compared last: $last:literal.)*) => {
        impl Kind {
            $(#[doc = concat!("The kind of ", $name, ".")]
            pub const $constant: Self = Self($number);)*
        }

        pub(super) const KNOWN: &[Kind] = &[$(Kind($number)),*];

        pub(super) const fn row(kind: Kind) -> Option<Row> {
            match kind.0 {
                $($number => Some(Row { name: $name, fetched: $fetched, last: $last }),)*
                _ => None,
            }
        }

        /// A signed fact of any kind, whole: what is held, stored and restored.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Fact {
            $(#[doc = concat!("One of the ", $name, ".")]
            $variant($value),)*
        }

        $(impl From<$value> for Fact {
            fn from(value: $value) -> Self {
                Self::$variant(value)
            }
        })*

        impl Fact {
            /// Its kind.
            pub const fn kind(&self) -> Kind {
                match self {
                    $(Self::$variant(_) => Kind($number),)*
                }
            }

            /// Its key in the set of its kind.
            pub fn key(&self) -> Digest {
                match self {
                    $(Self::$variant(fact) => FactKind::key(fact),)*
                }
            }

            /// Its id: the hash of what is signed.
            pub fn id(&self) -> Digest {
                match self {
                    $(Self::$variant(fact) => FactKind::id(fact),)*
                }
            }

            /// The signer.
            pub fn author(&self) -> Principal {
                match self {
                    $(Self::$variant(fact) => FactKind::author(fact),)*
                }
            }

            /// Whether other facts of its kind are merged after it.
            pub fn comes_first(&self) -> bool {
                match self {
                    $(Self::$variant(fact) => FactKind::comes_first(fact),)*
                }
            }

            /// About how many bytes it takes on the wire.
            pub fn bytes(&self) -> usize {
                match self {
                    $(Self::$variant(fact) => FactKind::bytes(fact),)*
                }
            }

            /// Of facts of one kind and key those that a replica holds that merged all of them.
            pub fn kept(all: Vec<Self>) -> Vec<Self> {
                match all.first() {
                    $(Some(Self::$variant(_)) => {
                        let all = all.into_iter().filter_map(|fact| match fact {
                            Self::$variant(fact) => Some(fact),
                            _ => None,
                        });
                        let kept = FactKind::kept(all.collect());
                        kept.into_iter().map(Self::$variant).collect()
                    })*
                    None => all,
                }
            }

            /// Appends its sealed form, without the parts for which `held` says that the reader has them, and
            /// those that would take it over `budget` bytes.
            pub fn seal(&self, out: &mut Encoder, budget: usize, held: &dyn Fn(&Digest) -> bool) {
                match self {
                    $(Self::$variant(fact) => FactKind::seal(fact, out, budget, held),)*
                }
            }

            /// Merges it into what a disk has under its kind and key. `None`: that says it already.
            ///
            /// # Errors
            /// What is stored is damaged. Nothing was changed.
            pub fn keep(&self, stored: Option<&[u8]>) -> Result<Option<Kept>, FactError> {
                match self {
                    $(Self::$variant(fact) => FactKind::keep(fact, stored),)*
                }
            }
        }

        /// The key and the id of the next sealed fact, which is skipped. No signature is checked, so nothing else
        /// of it is to be believed.
        ///
        /// # Errors
        /// The bytes are malformed, or of a kind that this build does not know.
        pub fn peek(kind: Kind, input: &mut Decoder<'_>) -> Result<(Digest, Digest), DecodeError> {
            match kind.0 {
                $($number => <$value as FactKind>::peek(input),)*
                found => Err(DecodeError::Unknown { what: "kind of fact", found }),
            }
        }

        /// Verifies the next sealed fact, then decodes it.
        ///
        /// # Errors
        /// [`FactError`]; the author, or the peer that passed it on unchecked, is at fault.
        pub fn open(
            kind: Kind,
            input: &mut Decoder<'_>,
            terms: &Terms<'_>,
        ) -> Result<Arrival, FactError> {
            match kind.0 {
                $($number => Ok(<$value as FactKind>::open(input, terms)?.into()),)*
                found => Err(DecodeError::Unknown { what: "kind of fact", found }.into()),
            }
        }

        /// The ids of the parts that what is stored has apart.
        ///
        /// # Errors
        /// [`FactError`]: the bytes are damaged, or of a kind that this build does not know.
        pub fn parts(kind: Kind, bytes: &[u8]) -> Result<Vec<Digest>, FactError> {
            match kind.0 {
                $($number => <$value as FactKind>::parts(bytes),)*
                found => Err(DecodeError::Unknown { what: "kind of fact", found }.into()),
            }
        }

        /// Verifies and decodes what is stored under a key, in the order in which it is to be merged.
        ///
        /// # Errors
        /// [`FactError`]: it is damaged, or of a kind that this build does not know.
        pub fn restore(
            kind: Kind,
            key: &Digest,
            bytes: &[u8],
            parts: BTreeMap<Digest, Vec<u8>>,
            terms: &Terms<'_>,
        ) -> Result<Vec<Fact>, FactError> {
            match kind.0 {
                $($number => {
                    let facts = <$value as FactKind>::restore(key, bytes, parts, terms)?;
                    Ok(facts.into_iter().map(Fact::$variant).collect())
                })*
                found => Err(DecodeError::Unknown { what: "kind of fact", found }.into()),
            }
        }

        /// What is left of what is stored once an author's facts are out of it. `None`: nothing.
        ///
        /// # Errors
        /// [`FactError`], as [`restore`] has.
        pub fn without(
            kind: Kind,
            bytes: &[u8],
            author: &Principal,
        ) -> Result<Option<Vec<u8>>, FactError> {
            match kind.0 {
                $($number => <$value as FactKind>::without(bytes, author),)*
                found => Err(DecodeError::Unknown { what: "kind of fact", found }.into()),
            }
        }

        impl Strew {
            /// The set of a kind that is reconciled; none of a kind that this build does not know.
            pub fn index(&self, kind: Kind) -> Option<&Index> {
                match kind.0 {
                    $($number => Some(<$value as FactKind>::index(self)),)*
                    _ => None,
                }
            }

            /// The facts that are shared under a key of a set.
            pub fn under(&self, kind: Kind, key: &Digest) -> Vec<Fact> {
                match kind.0 {
                    $($number => {
                        let facts = <$value as FactKind>::under(self, key);
                        facts.into_iter().map(Fact::$variant).collect()
                    })*
                    _ => Vec::new(),
                }
            }

            /// Every fact that is held of a kind, shown or not, by key.
            pub fn facts(&self, kind: Kind) -> Vec<Fact> {
                match kind.0 {
                    $($number => {
                        let facts = <$value as FactKind>::all(self);
                        facts.into_iter().map(Fact::$variant).collect()
                    })*
                    _ => Vec::new(),
                }
            }

            /// The first bytes of the ids of what is held under a key, ascending: nobody needs to send these.
            pub fn held(&self, kind: Kind, key: &Digest) -> Vec<[u8; 8]> {
                match kind.0 {
                    $($number => <$value as FactKind>::held(self, key),)*
                    _ => Vec::new(),
                }
            }

            /// Whether a replica that has this value under a key has something that is not here.
            pub fn lacks(&self, kind: Kind, key: &Digest, value: &Digest) -> bool {
                match kind.0 {
                    $($number => <$value as FactKind>::lacks(self, key, value),)*
                    _ => false,
                }
            }

            /// Merges a fact.
            pub fn merge_fact(&mut self, fact: Fact) -> Outcome {
                match fact {
                    $(Fact::$variant(fact) => FactKind::merge(fact, self),)*
                }
            }

            /// Whether this node may take facts, one after the other, from a person who signed them, and call them
            /// written.
            ///
            /// # Errors
            /// [`Refused`]. Nothing was changed; the signer is at fault, or somebody else was faster.
            pub fn may_state(&self, facts: &[Fact]) -> Result<(), Refused> {
                self.may_state_each(&[facts]).into_iter().collect()
            }

            /// As [`Strew::may_state`], of one request after the other: each meets what is taken of those before it,
            /// or of a kind would be if nothing were wrong with the facts of other kinds.
            pub fn may_state_each(&self, requests: &[&[Fact]]) -> Vec<Result<(), Refused>> {
                let mut all = vec![Ok(()); requests.len()];
                $({
                    let of_kind = |facts: &[Fact]| -> Vec<$value> {
                        let of_kind = facts.iter().filter_map(|fact| match fact {
                            Fact::$variant(fact) => Some(fact.clone()),
                            _ => None,
                        });
                        of_kind.collect()
                    };
                    let (places, some): (Vec<_>, Vec<_>) = all
                        .iter_mut()
                        .zip(requests.iter().map(|facts| of_kind(facts)))
                        .filter(|(_, facts)| !facts.is_empty())
                        .unzip();
                    let may = if some.is_empty() { Vec::new() } else { FactKind::may_state(&some, self) };
                    places.into_iter().zip(may).for_each(|(place, may)| {
                        if place.is_ok() {
                            *place = may;
                        }
                    });
                })*
                all
            }
        }
    };
}

facts! {
    // Acts decide whose records are shown.
    1 => ACT Act(Arc<Signed<Act>>);
    "acts", fetched 1024 at a time, compared last: false.
    2 => RECORD Record(Arc<Record>);
    "records", fetched 64 at a time, compared last: true.
    3 => DOCUMENT Document(Arc<Document>);
    "documents", fetched 256 at a time, compared last: false.
}
