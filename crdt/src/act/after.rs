use super::prefixes::Prefixes;
use crate::Principal;
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};

/// How many evicted principals a list may name: 8 KiB of an act, and of each message of a join.
pub const AFTER_MAX: usize = 1024;

/// Evicted principals, each by its first [`PREFIX_BYTES`](super::PREFIX_BYTES) bytes, in ascending order.
///
/// In an admission: those that the join key of the handshake excludes. The key that stems from the initial secret
/// excludes nobody: its list is empty. Both admissions of a join name the list of the key that the handshake used.
///
/// In an eviction: those of which the operator knew, so that its list of principals counts for them, too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct After(Prefixes);

impl After {
    /// The list of these principals. `None`: there are more than [`AFTER_MAX`].
    pub fn of<'a>(evicted: impl IntoIterator<Item = &'a Principal>) -> Option<Self> {
        Prefixes::of(evicted, AFTER_MAX).map(Self)
    }

    /// Whether it names this principal, or another one whose key begins alike.
    pub fn names(&self, principal: &Principal) -> bool {
        self.0.names(principal)
    }

    /// Whether it names nobody.
    pub const fn is_empty(&self) -> bool {
        self.0.as_slice().is_empty()
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

impl Canonical for After {
    fn encode(&self, out: &mut Encoder) {
        self.0.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let order = "order of evicted principals";
        Prefixes::decode(input, AFTER_MAX, "evicted principals", order).map(Self)
    }
}
