use std::sync::Arc;

use super::cost::Cost;
use super::register::Register;
use super::{Document, GENERATION_MAX, Key, Outcome, Shown};
use crate::hash::sha3;
use crate::{Digest, Principal};

/// All documents under one key: at most two of each author.
#[derive(Debug, Clone)]
pub struct Shelf {
    /// By author, ascending; never empty. Nearly always there is one, for which a map is large.
    registers: Vec<(Principal, Register)>,
    shown: Shown,
}

impl Shelf {
    pub(super) fn new(document: Arc<Document>) -> Self {
        let register = Register::new(document.clone());
        Self { registers: vec![(document.signer(), register)], shown: Shown::one(document) }
    }

    /// Its key.
    pub fn key(&self) -> &Key {
        self.winner().key()
    }

    /// The document that applies, if it counts.
    pub const fn winner(&self) -> &Arc<Document> {
        &self.shown.winner
    }

    /// The document that was written without knowledge of the winner, if there is one.
    pub const fn rival(&self) -> Option<&Arc<Document>> {
        self.shown.rival.as_ref()
    }

    /// Every document, by author.
    pub fn documents(&self) -> impl Iterator<Item = &Arc<Document>> {
        self.registers.iter().flat_map(|(_, register)| register.documents())
    }

    /// Whether it has this document.
    pub fn has(&self, document: &Document) -> bool {
        self.documents().any(|it| it.id() == document.id())
    }

    /// Whether this document is the winner, and nobody wrote without knowledge of it.
    pub(super) fn is_settled_on(&self, document: &Document) -> bool {
        self.winner().id() == document.id() && self.rival().is_none()
    }

    /// The value under its key in the set that is reconciled: the hash of the ids of its documents, ascending.
    pub fn digest(&self) -> Digest {
        let mut ids: Vec<_> = self.documents().map(|document| document.id()).collect();
        ids.sort_unstable();
        let ids: Vec<&[u8]> = ids.iter().map(|id| id.0.as_slice()).collect();
        sha3("crux/shelf/1", &ids)
    }

    /// The generation of the next write: one more than the greatest.
    pub fn next_generation(&self) -> u64 {
        let greatest = self.documents().map(|document| document.generation()).max();
        (greatest.unwrap_or_default() + 1).min(GENERATION_MAX)
    }

    /// Merges a document with the same key.
    pub(super) fn merge(&mut self, document: Arc<Document>) -> Outcome {
        let outcome = match self.place(&document.signer()) {
            Ok(at) => match self.registers.get_mut(at) {
                Some((_, register)) => register.merge(&document),
                None => Outcome::Older,
            },
            Err(at) => {
                self.registers.insert(at, (document.signer(), Register::new(document)));
                Outcome::New
            }
        };
        if outcome == Outcome::New {
            self.show();
        }
        outcome
    }

    /// Forgets the documents of an author. Returns whether any are left; if not, the shelf has to go.
    pub(super) fn forget(&mut self, author: &Principal) -> bool {
        self.registers.retain(|(it, _)| it != author);
        self.show();
        !self.registers.is_empty()
    }

    fn show(&mut self) {
        if let Some(shown) = Shown::of(self.documents()) {
            self.shown = shown;
        }
    }

    /// The room that all documents take.
    pub(super) fn cost(&self) -> Cost {
        self.documents().map(Cost::from).sum()
    }

    /// The room that the documents of one author take.
    pub(super) fn cost_of(&self, author: &Principal) -> Cost {
        let register = self.place(author).ok().and_then(|at| self.registers.get(at));
        register.map(|(_, it)| it.documents().map(Cost::from).sum()).unwrap_or_default()
    }

    pub(super) fn pack(&mut self) {
        self.registers.shrink_to_fit();
    }

    fn place(&self, author: &Principal) -> Result<usize, usize> {
        self.registers.binary_search_by(|(it, _)| it.cmp(author))
    }
}
