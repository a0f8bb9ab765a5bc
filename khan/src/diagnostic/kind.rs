//! The rules that a program can break.

use core::fmt;

/// The rule that is broken. Scripts branch on it; `docs/reference/khan.md` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The program has more bytes than allowed.
    TooLarge,
    /// The bytes are not UTF-8.
    Encoding,
    /// A character that has no place there.
    Character,
    /// A string that does not end, or an escape that does not exist.
    String,
    /// A number with too many digits.
    Number,
    /// A word or sign where the grammar has another.
    Syntax,
    /// More levels than allowed.
    TooDeep,
    /// More picks than allowed.
    TooManyPicks,
    /// A name that no service, and no label, can have.
    Name,
    /// A number where a set belongs, or the reverse.
    Type,
    /// A name that nothing binds.
    Unbound,
    /// A name that is bound twice.
    BoundTwice,
    /// A service that is picked twice.
    PickedTwice,
    /// A pick or a name that needs itself.
    Circle,
    /// An order of starts in which a service waits for itself.
    WaitCircle,
    /// A condition on a service that nothing picks, or for one.
    NotPicked,
    /// A statement that neither picks nor binds.
    NoEffect,
    /// The text is not in the one form that the formatter writes.
    Format,
    /// More errors follow, which are not shown.
    More,
    /// Warning: the program picks nothing.
    Empty,
    /// Warning: a name that nothing uses.
    Unused,
    /// Warning: the word `pickh`.
    Pickh,
    /// Warning, on request: a place that the original language read in another way.
    Original,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The program is refused.
    Error,
    /// The program means something, perhaps not what its author meant.
    Warning,
}

impl Kind {
    /// All kinds, errors first.
    pub const ALL: [Self; 23] = [
        Self::TooLarge,
        Self::Encoding,
        Self::Character,
        Self::String,
        Self::Number,
        Self::Syntax,
        Self::TooDeep,
        Self::TooManyPicks,
        Self::Name,
        Self::Type,
        Self::Unbound,
        Self::BoundTwice,
        Self::PickedTwice,
        Self::Circle,
        Self::WaitCircle,
        Self::NotPicked,
        Self::NoEffect,
        Self::Format,
        Self::More,
        Self::Empty,
        Self::Unused,
        Self::Pickh,
        Self::Original,
    ];

    /// How bad it is.
    pub fn severity(self) -> Severity {
        match self {
            Self::Empty | Self::Unused | Self::Pickh | Self::Original => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// The word for scripts.
    pub fn word(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Encoding => "encoding",
            Self::Character => "character",
            Self::String => "string",
            Self::Number => "number",
            Self::Syntax => "syntax",
            Self::TooDeep => "too_deep",
            Self::TooManyPicks => "too_many_picks",
            Self::Name => "name",
            Self::Type => "type",
            Self::Unbound => "unbound",
            Self::BoundTwice => "bound_twice",
            Self::PickedTwice => "picked_twice",
            Self::Circle => "circle",
            Self::WaitCircle => "wait_circle",
            Self::NotPicked => "not_picked",
            Self::NoEffect => "no_effect",
            Self::Format => "format",
            Self::More => "more",
            Self::Empty => "empty",
            Self::Unused => "unused",
            Self::Pickh => "pickh",
            Self::Original => "original",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_json_and_differ() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
        }
        let words: std::collections::BTreeSet<_> = Kind::ALL.iter().map(|it| it.word()).collect();
        assert_eq!(words.len(), Kind::ALL.len());
    }
}
