//! A word that is none of an enum's.

use core::fmt;

/// A word that is none of an enum's, as one of a newer version. Prints what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownWord(pub(crate) &'static str);

impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for UnknownWord {}
