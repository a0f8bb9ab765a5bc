//! The documents in the replica: what they take counts for their signer, as what a member says does.

use core::time::Duration;
use std::sync::Arc;

use super::{Outcome, Strew};
use crate::Principal;
use crate::document::{self, Document, Documents, Setting};
use crate::fact::{Fact, Gone, Kind};

impl Strew {
    /// What the operator and users want.
    pub const fn documents(&self) -> &Arc<Documents> {
        &self.documents
    }

    /// How long the operator wants a member to be dead before it is forgotten, if there is such a setting.
    pub fn forget_after(&self) -> Option<Duration> {
        match self.documents.setting(Setting::FORGET_AFTER)? {
            Setting::ForgetAfter(time) => Some(time),
            _ => None,
        }
    }

    /// Facts that came in with others since this was called last. For a caller that keeps the replica on a disk.
    pub fn take_enclosed(&mut self) -> Vec<Fact> {
        core::mem::take(&mut self.enclosed)
    }

    /// Merges a document. One of the operator is always taken in.
    pub(crate) fn merge_document(&mut self, document: Arc<Document>) -> Outcome {
        // A view may hold the documents: what changes nothing has them copied for nothing.
        if self.holds(&document) {
            return Outcome::Known;
        }
        let signer = document.signer();
        if !self.takes_document(&document) {
            return Outcome::NoRoom;
        }
        let grant = document.grant().map(|grant| grant.signer());
        let outcome = Arc::make_mut(&mut self.documents).merge(document);
        self.account(&signer);
        grant.iter().for_each(|operator| self.account(operator));
        self.take_displaced();
        match outcome {
            document::Outcome::New => Outcome::New,
            document::Outcome::Known | document::Outcome::Older => Outcome::Known,
            document::Outcome::TooMany => Outcome::TooMany,
        }
    }

    /// Whether there is room for a document, or it is held.
    pub(crate) fn takes_document(&self, document: &Document) -> bool {
        let signer = document.signer();
        let after = self.footprint.of(&signer).saturating_add(document.footprint());
        document.is_operators() || self.footprint.takes(&signer, after) || self.holds(document)
    }

    fn holds(&self, document: &Document) -> bool {
        self.documents.get(document.key()).is_some_and(|shelf| shelf.has(document))
    }

    /// Documents of users that a bound took out again: the disk may drop them.
    fn take_displaced(&mut self) {
        let documents = Arc::make_mut(&mut self.documents);
        self.enclosed.extend(documents.take_enclosed().into_iter().map(Fact::from));
        let displaced = documents.take_displaced();
        for (key, author) in displaced {
            self.account(&author);
            self.gone.push(Gone { kind: Kind::DOCUMENT, key, author });
        }
    }

    fn account(&mut self, author: &Principal) {
        let record = self.record(author).map_or(0, |record| record.footprint());
        let acts = self.chains.get(author).map_or(0, |chain| chain.cost);
        let documents = self.documents.footprint_of(author);
        if record + acts + documents > 0 || self.footprint.of(author) > 0 {
            self.footprint.set(*author, record + acts + documents);
        }
    }
}
