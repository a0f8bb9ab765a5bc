use crate::Principal;
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};

/// How many bytes of a principal a list names it by.
pub const PREFIX_BYTES: usize = 8;
/// How many evicted principals a list may name: 8 KiB of an act, and of each message of a join.
pub const AFTER_MAX: usize = 1024;

/// The evicted principals that a join key excludes, each by its first [`PREFIX_BYTES`] bytes, in ascending order.
///
/// The key that stems from the initial secret excludes nobody: its list is empty. Both admissions of a join name
/// the list of the key that the handshake used. This build evicts nobody, and counts an admission
/// whatever its list names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct After(Box<[[u8; PREFIX_BYTES]]>);

impl After {
    /// The list of these principals. `None`: there are more than [`AFTER_MAX`].
    pub fn of<'a>(evicted: impl IntoIterator<Item = &'a Principal>) -> Option<Self> {
        let prefix = |of: &Principal| of.0.first_chunk().copied().unwrap_or_default();
        let mut prefixes: Vec<_> = evicted.into_iter().map(prefix).collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        (prefixes.len() <= AFTER_MAX).then(|| Self(prefixes.into()))
    }

    /// Whether it names this principal, or another one whose key begins alike.
    pub fn names(&self, principal: &Principal) -> bool {
        principal.0.first_chunk().is_some_and(|prefix| self.0.binary_search(prefix).is_ok())
    }

    /// Whether it names nobody.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes its encoding takes.
    pub(super) fn bytes(&self) -> usize {
        4 + self.heap()
    }

    /// How many bytes it takes in memory beyond its own size.
    pub(super) fn heap(&self) -> usize {
        self.0.len() * PREFIX_BYTES
    }
}

impl Canonical for After {
    fn encode(&self, out: &mut Encoder) {
        out.count(self.0.len());
        self.0.iter().for_each(|prefix| _ = out.fixed(prefix));
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let count = input.count(AFTER_MAX, "evicted principals")?;
        let prefixes = (0..count).map(|_| input.array("evicted principal"));
        let prefixes = prefixes.collect::<Result<Vec<_>, _>>()?;
        if prefixes.is_sorted_by(|one, next| one < next) {
            Ok(Self(prefixes.into()))
        } else {
            Err(DecodeError::Invalid("order of evicted principals"))
        }
    }
}
