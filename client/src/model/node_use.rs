//! The use that targets make of a node.

use core::fmt;
use core::str::FromStr;

use crate::error::UnknownWord;

/// The use that targets make of a node, by the order of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum NodeUse {
    /// It runs what it is given.
    #[default]
    Open,
    /// It keeps what it has, and gets nothing new.
    Cordoned,
    /// Its instances move elsewhere, and some are left.
    Draining,
    /// It was drained: nothing that a target placed is left.
    Drained,
}

impl NodeUse {
    /// Every use.
    pub const ALL: [Self; 4] = [Self::Open, Self::Cordoned, Self::Draining, Self::Drained];

    /// The word used in JSON and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Cordoned => "cordoned",
            Self::Draining => "draining",
            Self::Drained => "drained",
        }
    }
}

impl fmt::Display for NodeUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for NodeUse {
    type Err = UnknownWord;

    /// Nothing is the word of an older version, of which every node is open.
    fn from_str(s: &str) -> Result<Self, UnknownWord> {
        let unknown = UnknownWord("not a use of a node");
        let word = if s.is_empty() { Self::Open.as_str() } else { s };
        Self::ALL.into_iter().find(|it| it.as_str() == word).ok_or(unknown)
    }
}
