use super::Key;
use crate::name::Label;

/// A bound of a set of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// How many keys there may be in all.
    Keys,
    /// How many bytes there may be in all.
    Bytes,
    /// How many documents all users together may be granted.
    Granted,
    /// How many documents this user may have.
    OfUser,
}

/// Why a node does not take a write. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Its signer did not see the newest write of the key, or the newest version of the grants. Signed again at
    /// `generation` and `grants_version`, it is taken.
    #[error(
        "{key} was written meanwhile: expected generation {generation} and grants version {grants_version}"
    )]
    Conflict {
        /// The key.
        key: Key,
        /// The generation that it has to have.
        generation: u64,
        /// The least grants version that it has to have.
        grants_version: u64,
    },
    /// Its signer has no grant any longer, or not for this key.
    #[error("its signer is not granted {0} now")]
    NotGranted(Key),
    /// There would be too much.
    #[error("more than {most} {}", .what.name())]
    Limit {
        /// Of what.
        what: Limit,
        /// How much there may be.
        most: usize,
    },
    /// Another user has this name.
    #[error("the name {name} is that of another user, {key}")]
    NameTaken {
        /// The name.
        name: Label,
        /// The grant of the other user.
        key: Key,
    },
    /// The user has another name.
    #[error("this key is that of a user with another name, {0}")]
    KeyTaken(Label),
}

impl Limit {
    /// The things that are bounded, in the plural.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Keys => "documents, deleted ones included",
            Self::Bytes => "bytes of documents",
            Self::Granted => "documents that all users together may have",
            Self::OfUser => "documents of this user, deleted ones included",
        }
    }
}
