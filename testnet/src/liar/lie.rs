use std::fmt;

use clap::ValueEnum;

/// What a liar does otherwise than an honest node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Lie {
    /// A member signs a false tree for every blob that it is asked for, and serves none of it.
    Blob,
    /// A member commands under the greatest term there is.
    Fence,
    /// The same, and its record states that term, too.
    Term,
    /// A member admits keys that it made itself, each with a full record.
    Keys,
    /// A member answers every comparison late and with a difference that never ends.
    Slow,
    /// A member states labels and a version with terminal escapes and line feeds.
    Text,
    /// A stranger opens connections and says nothing.
    Silent,
    /// A stranger that knows the flock id begins to join and never proves.
    Guests,
}

impl Lie {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Blob,
        Self::Fence,
        Self::Term,
        Self::Keys,
        Self::Slow,
        Self::Text,
        Self::Silent,
        Self::Guests,
    ];

    /// Whether it takes no secret.
    #[must_use]
    pub const fn is_strangers(self) -> bool {
        matches!(self, Self::Silent | Self::Guests)
    }
}

impl fmt::Display for Lie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blob => "blob",
            Self::Fence => "fence",
            Self::Term => "term",
            Self::Keys => "keys",
            Self::Slow => "slow",
            Self::Text => "text",
            Self::Silent => "silent",
            Self::Guests => "guests",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lie_is_called_on_the_command_line_as_it_prints() {
        for lie in Lie::ALL {
            assert_eq!(Lie::from_str(&lie.to_string(), false), Ok(lie));
        }
    }
}
