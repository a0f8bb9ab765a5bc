use core::fmt;

/// A kind of signed fact, by its number on the wire. Nodes of a later version may know further ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub u8);

impl Kind {
    /// Acts; the set that is compared has those that count: id → id.
    pub const ACT: Self = Self(1);
    /// Records; the set that is compared has the shown ones: author → record id.
    pub const RECORD: Self = Self(2);
    /// The kinds that this build knows, in ascending order. Acts come first, because they decide whose
    /// records are shown.
    pub const KNOWN: [Self; 2] = [Self::ACT, Self::RECORD];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ACT => f.write_str("acts"),
            Self::RECORD => f.write_str("records"),
            Self(number) => write!(f, "facts of kind {number}"),
        }
    }
}
