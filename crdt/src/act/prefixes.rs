use crate::Principal;
use crate::canon::{DecodeError, Decoder, Encoder};

/// How many bytes of a principal a list names it by.
pub const PREFIX_BYTES: usize = 8;

/// The first bytes of a principal.
pub(crate) type Prefix = [u8; PREFIX_BYTES];

/// The bytes by which a list names a principal.
pub(crate) fn prefix(of: &Principal) -> Prefix {
    of.0.first_chunk().copied().unwrap_or_default()
}

/// Principals by their prefixes, in ascending order. The bound is that of the list which they make up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct Prefixes(Box<[Prefix]>);

impl Prefixes {
    /// `None`: there are more than `limit`.
    pub(super) fn of<'a>(
        principals: impl IntoIterator<Item = &'a Principal>,
        limit: usize,
    ) -> Option<Self> {
        let mut prefixes: Vec<_> = principals.into_iter().map(prefix).collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        (prefixes.len() <= limit).then(|| Self(prefixes.into()))
    }

    pub(super) fn names(&self, principal: &Principal) -> bool {
        self.0.binary_search(&prefix(principal)).is_ok()
    }

    pub(super) const fn as_slice(&self) -> &[Prefix] {
        &self.0
    }

    /// How many bytes the encoding takes.
    pub(super) fn bytes(&self) -> usize {
        4 + self.heap()
    }

    /// How many bytes it takes in memory beyond its own size.
    pub(super) fn heap(&self) -> usize {
        self.0.len() * PREFIX_BYTES
    }

    pub(super) fn encode(&self, out: &mut Encoder) {
        out.count(self.0.len());
        self.0.iter().for_each(|prefix| _ = out.fixed(prefix));
    }

    /// The errors call the list `all`, and its order `order`.
    pub(super) fn decode(
        input: &mut Decoder<'_>,
        limit: usize,
        all: &'static str,
        order: &'static str,
    ) -> Result<Self, DecodeError> {
        let count = input.count(limit, all)?;
        // One look at the length: a count is not an allocation.
        let mut bytes = Decoder::new(input.take(count * PREFIX_BYTES, all)?);
        let prefixes = (0..count).map(|_| bytes.array(all)).collect::<Result<Vec<_>, _>>()?;
        if prefixes.is_sorted_by(|one, next| one < next) {
            Ok(Self(prefixes.into()))
        } else {
            Err(DecodeError::Invalid(order))
        }
    }
}
