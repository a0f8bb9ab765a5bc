use core::fmt;
use core::str::FromStr;

use crate::name::{Label, NameError};

/// The hordes that a permission is for: a label, or `*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Every horde: `*`.
    Every,
    /// This horde.
    Horde(Label),
}

impl Scope {
    /// Whether this is one of its hordes.
    pub fn has(&self, horde: &str) -> bool {
        match self {
            Self::Every => true,
            Self::Horde(label) => label.as_str() == horde,
        }
    }
}

impl From<Label> for Scope {
    fn from(horde: Label) -> Self {
        Self::Horde(horde)
    }
}

impl FromStr for Scope {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text == "*" { Ok(Self::Every) } else { text.parse().map(Self::Horde) }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every => f.write_str("*"),
            Self::Horde(label) => write!(f, "{label}"),
        }
    }
}
