//! Tokens.

use crate::ratio::Ratio;
use crate::syntax::Span;

/// A token and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    /// Its kind.
    pub(crate) kind: TokenKind,
    /// As written.
    pub(crate) text: &'a str,
    /// Where.
    pub(crate) span: Span,
    /// How many line breaks are between it and the token before, a comment or not.
    pub(crate) breaks: usize,
}

/// The kind of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A name without quotes that is not a word of the language.
    Name,
    /// A string, without its quotes and escapes.
    Text(String),
    /// A number.
    Number(Ratio),
    /// A word of the language.
    Word(Word),
    /// A sign.
    Sign(Sign),
    /// A comment, with its `#`, without the end of the line.
    Comment,
    /// Not a token; there is a diagnostic.
    Bad,
    /// The end of the text.
    End,
}

/// Declares a fieldless enum whose variants each have one spelling.
macro_rules! spelled {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name {
            $(#[doc = $text] $variant,)*
        }

        impl $name {
            /// All of them. Where one begins with another, the longer one is first.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            /// As it is written.
            pub(crate) fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

spelled! {
    /// A word of the language: no name without quotes is one.
    Word {
        Pick "pick",
        Pickh "pickh",
        All "ALL",
        Label "LABEL",
        Size "SIZE",
        Start "start",
        After "after",
        Of "of",
    }
}

spelled! {
    /// A sign.
    Sign {
        Bind ":=",
        Open "(",
        Close ")",
        Comma ",",
        Not "!",
        And "&",
        Or "|",
        Plus "+",
        Minus "-",
        Times "*",
        Divide "/",
        Percent "%",
        Dot ".",
        Equal "=",
    }
}

impl Word {
    /// The word that a name is, if it is one.
    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|word| word.text() == name)
    }

    /// Whether a bracket with arguments follows it.
    pub(crate) fn is_function(self) -> bool {
        matches!(self, Self::Pick | Self::Pickh | Self::Label | Self::Size)
    }
}

impl Sign {
    /// Whether it is written between two operands.
    pub(crate) fn is_binary(self) -> bool {
        use Sign::{And, Divide, Minus, Or, Plus, Times};
        matches!(self, And | Or | Plus | Minus | Times | Divide)
    }
}
