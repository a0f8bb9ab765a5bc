use core::fmt;
use core::str::FromStr;
use std::sync::Arc;

use super::{Key, KeyKind, Prefix, Scope};

/// How long a permission may be as text, in bytes.
pub const PERMISSION_BYTES_MAX: usize = 192;

/// One thing that a grant lets a user do: most are key spaces, in which the user may write documents.
///
/// As text it is a word, and for some words a colon and what it is for: `deploy:web`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// `read`: ask a node. Covers no key.
    Read,
    /// `horde:H`: `horde/H` and `seat/H/…`.
    Horde(Scope),
    /// `hordes`: `horde/…`.
    Hordes,
    /// `nodes`: `node/…`.
    Nodes,
    /// `deploy:H`: `target/H`.
    Deploy(Scope),
    /// `secrets:PREFIX`: `secret/PREFIX…`.
    Secrets(Prefix),
    /// `rules`: `rule/…`.
    Rules,
    /// `publish`: `publish/…`.
    Publish,
    /// `exec`: run programs on nodes. Covers no key.
    Exec,
    /// `work:H`: hand in work. Covers no key.
    Work(Scope),
    /// One that came after this version, as text. It is kept as it is and covers no key here. Only decoding
    /// makes it.
    Later(Arc<str>),
}

impl Permission {
    /// Whether a user with it may write the document with this key.
    pub fn covers(&self, key: &Key) -> bool {
        let name = key.name();
        match (self, key.kind()) {
            (Self::Horde(hordes), "horde") => hordes.has(name),
            (Self::Horde(hordes), "seat") => {
                name.split_once('/').is_some_and(|(horde, _)| hordes.has(horde))
            }
            (Self::Deploy(hordes), KeyKind::TARGET) => hordes.has(name),
            (Self::Secrets(prefix), "secret") => prefix.begins(name),
            (Self::Hordes, "horde")
            | (Self::Nodes, KeyKind::NODE)
            | (Self::Rules, "rule")
            | (Self::Publish, "publish") => true,
            _ => false,
        }
    }

    /// The permission with this text. None: this version does not know it, or it is none.
    fn known(text: &str) -> Option<Self> {
        Some(match text.split_once(':') {
            None => match text {
                "read" => Self::Read,
                "hordes" => Self::Hordes,
                "nodes" => Self::Nodes,
                "rules" => Self::Rules,
                "publish" => Self::Publish,
                "exec" => Self::Exec,
                _ => return None,
            },
            Some(("horde", of)) => Self::Horde(of.parse().ok()?),
            Some(("deploy", of)) => Self::Deploy(of.parse().ok()?),
            Some(("work", of)) => Self::Work(of.parse().ok()?),
            Some(("secrets", prefix)) => Self::Secrets(prefix.parse().ok()?),
            Some(_) => return None,
        })
    }

    /// As [`Permission::from_str`], but keeps what this version does not know. So whether a grant is valid does
    /// not depend on the version that reads it.
    pub(super) fn decoded(text: &str) -> Option<Self> {
        Self::known(text).or_else(|| {
            let fits = (1..=PERMISSION_BYTES_MAX).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_graphic());
            fits.then(|| Self::Later(text.into()))
        })
    }
}

/// A string is not a permission that this version knows. Nothing was changed; the caller's input is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid permission {0:?}: expected read, horde:H, hordes, nodes, deploy:H, secrets:PREFIX, rules, publish, \
     exec or work:H, with a horde or `*` for H"
)]
pub struct PermissionError(String);

impl FromStr for Permission {
    type Err = PermissionError;

    fn from_str(text: &str) -> Result<Self, PermissionError> {
        Self::known(text).ok_or_else(|| PermissionError(text.chars().take(80).collect()))
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read => f.write_str("read"),
            Self::Horde(hordes) => write!(f, "horde:{hordes}"),
            Self::Hordes => f.write_str("hordes"),
            Self::Nodes => f.write_str("nodes"),
            Self::Deploy(hordes) => write!(f, "deploy:{hordes}"),
            Self::Secrets(prefix) => write!(f, "secrets:{prefix}"),
            Self::Rules => f.write_str("rules"),
            Self::Publish => f.write_str("publish"),
            Self::Exec => f.write_str("exec"),
            Self::Work(hordes) => write!(f, "work:{hordes}"),
            Self::Later(text) => f.write_str(text),
        }
    }
}
