use core::fmt;
use core::str::FromStr;
use std::sync::Arc;

use super::{KEY_BYTES_MAX, KeyError};
use crate::name::Label;

/// The beginning of the names of some documents. The empty one is that of all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(Arc<str>);

impl Prefix {
    /// `LABEL/`: what follows it is a name of its own.
    pub fn directory(label: &Label) -> Self {
        Self(format!("{label}/").into())
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a name begins with it.
    pub fn begins(&self, name: &str) -> bool {
        name.starts_with(self.as_str())
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self("".into())
    }
}

impl FromStr for Prefix {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        if text.len() > KEY_BYTES_MAX {
            return Err(KeyError::TooLong { len: text.len() });
        }
        match text.char_indices().find(|(_, c)| !super::key::is_in_name(*c)) {
            Some((at, found)) => Err(KeyError::Char { found, at }),
            None => Ok(Self(text.into())),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
