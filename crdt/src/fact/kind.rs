use core::fmt;

use super::table;

/// A kind of signed fact, by its number on the wire and on the disk. Nodes of a later version may know
/// further ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub u8);

impl Kind {
    /// The kinds that this build knows, in ascending order.
    pub const KNOWN: &'static [Self] = table::KNOWN;

    /// Whether this build knows it.
    pub fn is_known(self) -> bool {
        Self::KNOWN.contains(&self)
    }

    /// How many facts of it one request fetches at most; none of a kind that this build does not know.
    pub const fn fetched_max(self) -> usize {
        match table::row(self) {
            Some(row) => row.fetched,
            None => 0,
        }
    }

    /// Whether the set is compared after all others: whether its facts are shown depends on facts of other
    /// kinds.
    pub const fn is_compared_last(self) -> bool {
        match table::row(self) {
            Some(row) => row.last,
            None => false,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match table::row(*self) {
            Some(row) => f.write_str(row.name),
            None => write!(f, "facts of kind {}", self.0),
        }
    }
}
