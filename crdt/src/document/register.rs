use std::sync::Arc;

use super::{Document, Outcome, Shown};

/// The documents that are kept of one author under one key: its winner and its rival.
#[derive(Debug, Clone)]
pub(super) struct Register(Shown);

impl Register {
    pub(super) const fn new(document: Arc<Document>) -> Self {
        Self(Shown::one(document))
    }

    pub(super) fn merge(&mut self, document: &Arc<Document>) -> Outcome {
        if self.0.has(document) {
            return Outcome::Known;
        }
        match Shown::of(self.0.documents().chain([document])) {
            Some(shown) if shown.has(document) => {
                self.0 = shown;
                Outcome::New
            }
            _ => Outcome::Older,
        }
    }

    pub(super) fn documents(&self) -> impl Iterator<Item = &Arc<Document>> {
        self.0.documents()
    }
}

/// Takes a document into some with the same key, of which two of each author stay: for what waits to be written.
/// Returns whether it is one of them.
pub fn absorb(held: &mut Vec<Arc<Document>>, document: &Arc<Document>) -> bool {
    let author = document.signer();
    let own = held.iter().filter(|it| it.signer() == author);
    let Some(shown) = Shown::of(own.chain([document])) else { return false };
    held.retain(|it| it.signer() != author);
    held.extend(shown.documents().cloned());
    shown.has(document)
}
