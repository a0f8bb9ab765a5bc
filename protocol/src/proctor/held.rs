use std::sync::Arc;

use crux_crdt::document::{Document, Marker, Target};

/// The document of a horde's target, as a node has it: the one that counts.
#[derive(Debug, Clone)]
pub struct Held {
    /// Its place among all of them.
    pub marker: Marker,
    /// What it says.
    pub content: Content,
}

/// The content of a target document.
#[derive(Debug, Clone)]
pub enum Content {
    /// A target.
    Target(Arc<Target>),
    /// The document is deleted: nothing is wanted.
    Deleted,
    /// Not a target that this build can read.
    Unreadable,
}

impl Held {
    /// Reads the document under the key of a target that counts: see
    /// [`Documents::target`](crux_crdt::document::Documents::target).
    pub fn of(document: &Document) -> Self {
        let content = match Target::of(document) {
            Ok(Some(target)) => Content::Target(Arc::new(target)),
            Ok(None) => Content::Deleted,
            Err(_) => Content::Unreadable,
        };
        Self { marker: document.marker(), content }
    }

    /// The target, if it is one.
    pub const fn target(&self) -> Option<&Arc<Target>> {
        match &self.content {
            Content::Target(target) => Some(target),
            Content::Deleted | Content::Unreadable => None,
        }
    }
}
