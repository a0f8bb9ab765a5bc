use super::prefixes::{PREFIX_BYTES, Prefix, Prefixes};
use super::{ACT_BYTES_MAX, AFTER_MAX, HEAD_BYTES, REASON_BYTES_MAX};
use crate::Principal;
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};

/// What an eviction has beside its two lists, at most: kind, subject, reason, and how long the lists are.
const REST_BYTES: usize = 1 + 32 + 4 + REASON_BYTES_MAX + 4 + 4;
/// How many principals an eviction lists at most: an act has room for so many beside the longest reason and the
/// longest list of evicted ones.
pub const KNOWN_MAX: usize =
    (ACT_BYTES_MAX - HEAD_BYTES - REST_BYTES - AFTER_MAX * PREFIX_BYTES) / PREFIX_BYTES;

/// The principals that the operator's node reached when it evicted one, that one and those that were evicted
/// before included. Each by its first [`PREFIX_BYTES`] bytes, in ascending order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Known(Prefixes);

impl Known {
    /// The list of these principals. `None`: there are more than [`KNOWN_MAX`].
    pub fn of<'a>(principals: impl IntoIterator<Item = &'a Principal>) -> Option<Self> {
        Prefixes::of(principals, KNOWN_MAX).map(Self)
    }

    /// Whether it lists this principal, or another one whose key begins alike.
    pub fn names(&self, principal: &Principal) -> bool {
        self.0.names(principal)
    }

    /// How many it lists.
    pub const fn len(&self) -> usize {
        self.0.as_slice().len()
    }

    /// Whether it lists nobody.
    pub const fn is_empty(&self) -> bool {
        self.0.as_slice().is_empty()
    }

    /// The prefixes, ascending.
    pub(crate) const fn prefixes(&self) -> &[Prefix] {
        self.0.as_slice()
    }

    /// How many bytes its encoding takes.
    pub(super) fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// How many bytes it takes in memory beyond its own size.
    pub(super) fn heap(&self) -> usize {
        self.0.heap()
    }
}

impl Canonical for Known {
    fn encode(&self, out: &mut Encoder) {
        self.0.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let order = "order of listed principals";
        Prefixes::decode(input, KNOWN_MAX, "listed principals", order).map(Self)
    }
}
