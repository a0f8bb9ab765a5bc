//! Documents as a node has them.

use core::fmt;
use core::str::FromStr;

use crux_crdt::document::Key;
use crux_crdt::{Digest, Principal};
use serde::Serialize;

use super::json::text;
use crate::error::UnknownWord;

/// A document that a node took in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WrittenDocument {
    /// Its key.
    #[serde(serialize_with = "text")]
    pub key: Key,
    /// How often its key was written.
    pub generation: u64,
    /// The version of the grants that it was signed under.
    pub grants_version: u64,
    /// The hash of what was signed.
    #[serde(serialize_with = "text")]
    pub id: Digest,
}

/// A document without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DocumentEntry {
    /// Its key.
    #[serde(serialize_with = "text")]
    pub key: Key,
    /// The version of the grants that it was signed under.
    pub grants_version: u64,
    /// How often its key was written.
    pub generation: u64,
    /// The signer.
    pub signer: DocumentSigner,
    /// Whether it has effect.
    #[serde(serialize_with = "text")]
    pub state: DocumentState,
    /// How many bytes its content has.
    pub bytes: u64,
    /// Whether the node's version of Crux knows its kind. Documents of other kinds are kept and have no effect.
    pub known_kind: bool,
}

/// The signer of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DocumentSigner {
    /// The public key.
    #[serde(serialize_with = "text")]
    pub principal: Principal,
    /// `operator`, or the name in the grant; empty where a user has none.
    pub name: String,
}

impl DocumentSigner {
    /// The name of the operator as a signer.
    pub const OPERATOR: &str = "operator";
}

impl fmt::Display for DocumentSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_str() {
            "" => f.write_str(&self.principal.short()),
            name => write!(f, "{name} ({})", self.principal.short()),
        }
    }
}

/// Whether a document has effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentState {
    /// It has.
    Current,
    /// Its signer may not write the key, or no longer.
    Void,
    /// It says that there is none.
    Deleted,
    /// Another one was written without knowledge of it. The next write ends that.
    Conflict,
}

impl DocumentState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Current, Self::Void, Self::Deleted, Self::Conflict];

    /// The word used in JSON and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Void => "void",
            Self::Deleted => "deleted",
            Self::Conflict => "conflict",
        }
    }
}

impl fmt::Display for DocumentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for DocumentState {
    type Err = UnknownWord;

    fn from_str(s: &str) -> Result<Self, UnknownWord> {
        let unknown = UnknownWord("not a state of a document");
        Self::ALL.into_iter().find(|state| state.as_str() == s).ok_or(unknown)
    }
}

/// A document with its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownDocument {
    /// All but the content.
    pub entry: DocumentEntry,
    /// The content; `None` where it is deleted.
    pub content: Option<Vec<u8>>,
    /// The document that it is in conflict with.
    pub rival: Option<RivalDocument>,
}

/// A document that was written without knowledge of the one that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RivalDocument {
    /// All but the content.
    pub entry: DocumentEntry,
    /// The content; `None` where it is a deletion.
    pub content: Option<Vec<u8>>,
    /// Whether its signer may write the key.
    pub counts: bool,
}

/// All that a signer has to know to sign the next documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basis {
    /// The identity of the flock, which is part of what is signed.
    pub flock_id: Digest,
    /// The operator's public key; `None` for a flock without an operator.
    pub operator: Option<Principal>,
    /// The greatest grants version of any document of the operator; 0 if there is none.
    pub grants_version: u64,
    /// The signer's grant, as the operator signed it.
    pub grant: Option<Vec<u8>>,
    /// The state of each key of the request, in its order.
    pub keys: Vec<KeyBasis>,
    /// Under how many keys the node holds documents of the signer.
    pub held: u64,
}

/// The state of a key, on which the next document is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyBasis {
    /// The key.
    pub key: Key,
    /// The generation of the next document.
    pub next_generation: u64,
    /// Whether there is a document that is not deleted.
    pub present: bool,
}
