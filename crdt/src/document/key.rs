use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;
use std::sync::Arc;

use super::{KeyError, KeyKind};
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::hash::sha3;
use crate::name::Label;
use crate::{Digest, Principal};

/// How long a key may be, in bytes.
pub const KEY_BYTES_MAX: usize = 128;
/// How long the kind of a key may be, in bytes.
const KIND_BYTES_MAX: usize = 32;

/// The name of a document: `kind/name`, at most [`KEY_BYTES_MAX`] bytes.
///
/// The kind is a lower-case letter and then lower-case letters, digits, `-` and `_`, at most 32. The name is one or
/// more segments with a `/` between them: letters, digits and `._@:+-`, and neither `.` nor `..`. So a key is also
/// a path of a file, in every file system and in every shell.
#[derive(Clone)]
pub struct Key {
    text: Arc<str>,
    digest: Digest,
}

impl Key {
    /// The key with this text.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn new(text: &str) -> Result<Self, KeyError> {
        check(text)?;
        Ok(Self::known(text.to_owned()))
    }

    /// The key of the grant for this user.
    pub fn grant(user: &Principal) -> Self {
        Self::of_principal(KeyKind::GRANT, user)
    }

    /// The key of this kind for a principal.
    pub(super) fn of_principal(kind: &str, of: &Principal) -> Self {
        Self::known(format!("{kind}/{of}"))
    }

    /// The key of this kind for a horde.
    pub(super) fn of_label(kind: &str, of: &Label) -> Self {
        Self::known(format!("{kind}/{of}"))
    }

    /// The key with a text that keeps the rules.
    fn known(text: String) -> Self {
        let digest = sha3("crux/document-key/1", &[text.as_bytes()]);
        Self { text: text.into(), digest }
    }

    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before the first slash.
    pub fn kind(&self) -> &str {
        self.parts().0
    }

    /// The part after the first slash.
    pub fn name(&self) -> &str {
        self.parts().1
    }

    /// The row of its kind, if this build knows it.
    pub fn row(&self) -> Option<&'static KeyKind> {
        KeyKind::named(self.kind())
    }

    /// Its hash: its place in the set that is reconciled, and among the keys of one user.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether it is that of a grant.
    pub fn is_grant(&self) -> bool {
        self.kind() == KeyKind::GRANT
    }

    /// Of the key of a grant the user; of no other key.
    pub fn grantee(&self) -> Option<Principal> {
        if self.is_grant() { self.name().parse().ok() } else { None }
    }

    fn parts(&self) -> (&str, &str) {
        self.text.split_once('/').unwrap_or((&self.text, ""))
    }
}

fn check(text: &str) -> Result<(), KeyError> {
    if text.len() > KEY_BYTES_MAX {
        return Err(KeyError::TooLong { len: text.len() });
    }
    let (kind, name) = text.split_once('/').ok_or(KeyError::NoName)?;
    check_kind(kind)?;
    if let Some((at, found)) = name.char_indices().find(|(_, c)| !is_in_name(*c)) {
        return Err(KeyError::Char { found, at: kind.len() + 1 + at });
    }
    match name.split('/').find(|part| matches!(*part, "" | "." | "..")) {
        Some("") if name.is_empty() => Err(KeyError::NoName),
        Some("") => Err(KeyError::EmptySegment),
        Some(_) => Err(KeyError::Dots),
        None => Ok(()),
    }
}

/// Whether a name may have this character.
pub(super) fn is_in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._@:+-/".contains(c)
}

fn check_kind(kind: &str) -> Result<(), KeyError> {
    let allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_');
    if let Some((at, found)) = kind.char_indices().find(|(_, c)| !allowed(*c)) {
        return Err(KeyError::KindChar { found, at });
    }
    if !kind.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err(KeyError::KindStart);
    }
    if kind.len() > KIND_BYTES_MAX {
        return Err(KeyError::KindTooLong { len: kind.len(), max: KIND_BYTES_MAX });
    }
    Ok(())
}

impl Canonical for Key {
    fn encode(&self, out: &mut Encoder) {
        out.str(&self.text);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        input.parse(KEY_BYTES_MAX, "key")
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::new(text)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    /// By the text, as people list them.
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}
