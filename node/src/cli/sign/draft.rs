//! A document before it is signed.

use crux_crdt::canon::Canonical as _;
use crux_crdt::document::{Body, Grant, Key, KeyKind, NodeOrder};
use serde_json::{Value, json};

use crate::cli::{order, user};

/// The content of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// None: the document is deleted.
    Deleted,
}

/// A document before it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Draft {
    pub(in crate::cli) key: Key,
    pub(in crate::cli) generation: u64,
    pub(in crate::cli) grants_version: u64,
    pub(in crate::cli) content: Content,
}

impl Draft {
    /// All of it in words.
    pub(super) fn words(&self, signer: &str) -> String {
        let content = match &self.content {
            Content::Bytes(bytes) => self.content_words(bytes),
            Content::Deleted => "deleted".to_owned(),
        };
        format!(
            "Would sign {} as {signer}: {content}, generation {}, grants version {}",
            self.key, self.generation, self.grants_version
        )
    }

    /// How many bytes it has; of a grant and of an order to a node what it says, because its encoding tells a person
    /// nothing.
    fn content_words(&self, bytes: &[u8]) -> String {
        let words = match self.key.kind() {
            KeyKind::GRANT => Grant::from_canonical(bytes).ok().map(|grant| user::words(&grant)),
            KeyKind::NODE => NodeOrder::from_canonical(bytes).ok().map(|it| order::words(&it)),
            _ => None,
        };
        words.unwrap_or_else(|| match bytes.len() {
            1 => "1 byte".to_owned(),
            many => format!("{many} bytes"),
        })
    }

    /// The same for scripts.
    pub(super) fn value(&self, signer: &Value) -> Value {
        let bytes = match &self.content {
            Content::Bytes(bytes) => Some(bytes.len()),
            Content::Deleted => None,
        };
        json!({
            "key": self.key.as_str(),
            "generation": self.generation,
            "grants_version": self.grants_version,
            "signer": signer,
            "deleted": bytes.is_none(),
            "bytes": bytes.unwrap_or_default(),
        })
    }

    /// The part that is signed.
    pub(super) fn into_body(self) -> Body {
        let content = match self.content {
            Content::Bytes(bytes) => Some(bytes.into_boxed_slice()),
            Content::Deleted => None,
        };
        Body::new(self.key, self.grants_version, self.generation, content)
    }
}
