//! Documents, as they are shown.

use crux_client::model::{
    Basis, DocumentEntry, DocumentSigner, DocumentState, KeyBasis, RivalDocument, ShownDocument,
};
use crux_client::order;
use crux_crdt::Principal;
use crux_crdt::document::{Document, Key, Shelf, State};

use super::View;
use crate::error::{Error, Kind};

/// The generation of the first document under a key.
const FIRST: u64 = 1;

impl View {
    /// The documents of a kind, or those whose keys begin with a text that has a `/`; all for an empty one. By key, n2
    /// before n10.
    pub fn list_documents(&self, prefix: &str) -> Vec<DocumentEntry> {
        let is_meant = |key: &Key| match prefix.contains('/') {
            true => key.as_str().starts_with(prefix),
            false => prefix.is_empty() || key.kind() == prefix,
        };
        let shelves = self.documents.shelves().filter(|shelf| is_meant(shelf.key()));
        let mut entries: Vec<_> = shelves.map(|shelf| self.entry(shelf)).collect();
        entries.sort_by(|a, b| order::by_name(a.key.as_str(), b.key.as_str()));
        entries
    }

    /// A document with its content, and its rival.
    ///
    /// # Errors
    /// [`Kind::NotFound`]
    pub fn show_document(&self, key: &Key) -> Result<ShownDocument, Error> {
        let shelf = self.documents.get(key).ok_or_else(|| {
            Error::new(Kind::NotFound, format!("there is no document {key}"))
                .with_hint("`doc ls` lists those that there are.")
        })?;
        let rival = shelf.rival().map(|rival| {
            let counts = self.documents.counts(rival);
            let state = match counts {
                true => DocumentState::Conflict,
                false => DocumentState::Void,
            };
            RivalDocument { entry: self.entry_of(rival, state), content: content(rival), counts }
        });
        Ok(ShownDocument { entry: self.entry(shelf), content: content(shelf.winner()), rival })
    }

    /// All that a signer has to know to sign the next document under each of some keys.
    pub fn document_basis(&self, keys: &[Key], signer: &Principal) -> Basis {
        let of = |key: &Key| {
            let shelf = self.documents.get(key);
            KeyBasis {
                key: key.clone(),
                next_generation: shelf.map_or(FIRST, Shelf::next_generation),
                present: shelf.is_some_and(|shelf| !shelf.winner().is_deleted()),
            }
        };
        Basis {
            flock_id: self.flock_id,
            operator: self.operator,
            grants_version: self.documents.grants_version(),
            grant: self.documents.grant_of(signer).map(|grant| grant.sealed()),
            keys: keys.iter().map(of).collect(),
        }
    }

    fn entry(&self, shelf: &Shelf) -> DocumentEntry {
        let state = match self.documents.state(shelf) {
            State::Void => DocumentState::Void,
            State::Conflict => DocumentState::Conflict,
            State::Deleted => DocumentState::Deleted,
            State::Current => DocumentState::Current,
        };
        self.entry_of(shelf.winner(), state)
    }

    fn entry_of(&self, document: &Document, state: DocumentState) -> DocumentEntry {
        DocumentEntry {
            key: document.key().clone(),
            grants_version: document.grants_version(),
            generation: document.generation(),
            signer: DocumentSigner { principal: document.signer(), name: self.name_of(document) },
            state,
            bytes: document.content().map_or(0, <[u8]>::len) as u64,
            known_kind: document.key().row().is_some(),
        }
    }

    /// The name of the signer: that in its grant now, or else in the grant that the document encloses.
    fn name_of(&self, document: &Document) -> String {
        let Some(enclosed) = document.grant() else { return DocumentSigner::OPERATOR.to_owned() };
        let now = self.documents.grant_of(&document.signer()).and_then(|grant| grant.granted());
        let granted = now.or_else(|| enclosed.granted());
        granted.map(|grant| grant.name.to_string()).unwrap_or_default()
    }
}

fn content(document: &Document) -> Option<Vec<u8>> {
    document.content().map(<[u8]>::to_vec)
}
