use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::accounts::Accounts;
use super::cost::Cost;
use super::{Document, Key, Outcome, Shelf, State};
use crate::merge::Merge;
use crate::pack::pack;
use crate::strew::Index;
use crate::{Digest, Principal};

/// Every document of a flock, as one node holds them. See the module for its invariant.
#[derive(Debug, Clone, Default)]
pub struct Documents {
    /// By the digest of the key.
    shelves: BTreeMap<Digest, Shelf>,
    index: Index,
    /// The winner of `grant/USER`, by user.
    pub(super) grants: BTreeMap<Principal, Arc<Document>>,
    pub(super) accounts: Accounts,
    grants_version: u64,
    displaced: BTreeSet<(Digest, Principal)>,
    enclosed: Vec<Arc<Document>>,
}

impl Documents {
    /// Merges a document, and before it the grant that it encloses.
    #[expect(clippy::needless_pass_by_value, reason = "the set holds it from then on")]
    pub fn merge(&mut self, document: Arc<Document>) -> Outcome {
        if let Some(grant) = document.grant()
            && self.merge_alone(grant) == Outcome::New
        {
            self.enclosed.push(grant.clone());
        }
        self.merge_alone(&document)
    }

    fn merge_alone(&mut self, document: &Arc<Document>) -> Outcome {
        let (key, author) = (document.key().digest(), document.signer());
        if crate::planted!(GrantedAtMerge) && !self.counts(document) {
            return Outcome::Older;
        }
        if !document.is_operators() && !self.has_room(&author, &key) {
            return Outcome::TooMany;
        }
        let before = self.cost_of(&key, &author);
        let outcome = match self.shelves.entry(key) {
            Entry::Occupied(mut shelf) => shelf.get_mut().merge(document.clone()),
            Entry::Vacant(place) => {
                place.insert(Shelf::new(document.clone()));
                Outcome::New
            }
        };
        if outcome == Outcome::New {
            self.on_new(document, before);
        }
        outcome
    }

    fn on_new(&mut self, document: &Document, before: Cost) {
        let (key, author) = (document.key().digest(), document.signer());
        self.accounts.change(author, before, self.cost_of(&key, &author));
        self.displaced.remove(&(key, author));
        self.refresh(&key);
        if document.is_operators() {
            self.grants_version = self.grants_version.max(document.grants_version());
        } else {
            self.accounts.count(author, key);
            self.trim(&author);
        }
        if let Some(user) = document.key().grantee()
            && let Some(winner) = self.shelves.get(&key).map(Shelf::winner)
        {
            self.grants.insert(user, winner.clone());
            self.trim(&user);
        }
        if crate::planted!(DeletionForgetsGeneration) && document.is_deleted() {
            self.forget(&key, &author);
        }
    }

    /// Whether a user may have a document under this key: it has one, or has fewer than it may, or this key is
    /// smaller than another one of its.
    fn has_room(&self, user: &Principal, key: &Digest) -> bool {
        let most = self.allowed(user);
        let is_small = || self.accounts.greatest(user).is_some_and(|greatest| *key < greatest);
        most > 0 && (self.accounts.keys(user) < most || self.accounts.has(user, key) || is_small())
    }

    /// How many keys a user may have.
    fn allowed(&self, user: &Principal) -> usize {
        let granted = self.grant_of(user).and_then(|grant| grant.granted());
        granted.map_or(0, |granted| granted.documents as usize)
    }

    /// Of a user's keys as many stay as it may have, the smallest ones.
    fn trim(&mut self, user: &Principal) {
        while self.accounts.keys(user) > self.allowed(user) {
            let Some(key) = self.accounts.greatest(user) else { return };
            self.forget(&key, user);
            self.displaced.insert((key, *user));
        }
    }

    /// Forgets the documents of an author under a key.
    fn forget(&mut self, key: &Digest, author: &Principal) {
        self.accounts.remove(author, key, self.cost_of(key, author));
        if self.shelves.get_mut(key).is_some_and(|shelf| !shelf.forget(author)) {
            self.shelves.remove(key);
        }
        self.refresh(key);
    }

    /// Brings the index in line with what is under a key.
    fn refresh(&mut self, key: &Digest) {
        match self.shelves.get(key).map(Shelf::digest) {
            Some(digest) => self.index.insert(*key, digest),
            None => self.index.remove(key),
        }
    }

    fn cost_of(&self, key: &Digest, author: &Principal) -> Cost {
        self.shelves.get(key).map(|shelf| shelf.cost_of(author)).unwrap_or_default()
    }

    /// The users' documents that were dropped since this was called last, because their user has more of them than
    /// its grant allows: by the digest of the key and the author. For a caller that keeps documents on a disk.
    pub fn take_displaced(&mut self) -> Vec<(Digest, Principal)> {
        core::mem::take(&mut self.displaced).into_iter().collect()
    }

    /// The grants that other documents enclosed, and that were new when these were merged, since this was called
    /// last. For a caller that keeps documents on a disk.
    pub fn take_enclosed(&mut self) -> Vec<Arc<Document>> {
        core::mem::take(&mut self.enclosed)
    }

    /// The set that is reconciled: digest of a key → [`Shelf::digest`].
    pub const fn index(&self) -> &Index {
        &self.index
    }

    /// Everything under the key with this digest.
    pub fn shelf(&self, key: &Digest) -> Option<&Shelf> {
        self.shelves.get(key)
    }

    /// Everything under a key.
    pub fn get(&self, key: &Key) -> Option<&Shelf> {
        self.shelf(&key.digest())
    }

    /// Everything, by the digests of the keys.
    pub fn shelves(&self) -> impl Iterator<Item = &Shelf> {
        self.shelves.values()
    }

    /// Every document that is held: grants first, so that another set takes them all in this order.
    pub fn documents(&self) -> impl Iterator<Item = &Arc<Document>> {
        let of = |grants: bool| {
            let shelves = self.shelves().filter(move |shelf| shelf.key().is_grant() == grants);
            shelves.flat_map(Shelf::documents)
        };
        of(true).chain(of(false))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.shelves.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.shelves.is_empty()
    }

    /// The version of the grants: the greatest of all documents that the operator signed; 0 without any.
    pub const fn grants_version(&self) -> u64 {
        self.grants_version
    }

    /// The winner of `grant/USER`, also if it is revoked or deleted.
    pub fn grant_of(&self, user: &Principal) -> Option<&Arc<Document>> {
        self.grants.get(user)
    }

    /// The winner of each `grant/USER`, revoked and deleted ones included, by user.
    pub fn grants(&self) -> impl Iterator<Item = (&Principal, &Arc<Document>)> {
        self.grants.iter()
    }

    /// Whether a document has effect: its signer is the operator, or is granted the key now.
    pub fn counts(&self, document: &Document) -> bool {
        let grant = || self.grant_of(&document.signer());
        document.is_operators()
            || grant().is_some_and(|grant| grants(grant, self.grants_version, document.key()))
    }

    /// The state of a key.
    pub fn state(&self, shelf: &Shelf) -> State {
        let winner = shelf.winner();
        if !self.counts(winner) {
            State::Void
        } else if shelf.rival().is_some() {
            State::Conflict
        } else if winner.is_deleted() {
            State::Deleted
        } else {
            State::Current
        }
    }

    /// Under how many keys there are documents of a user.
    pub fn keys_of(&self, author: &Principal) -> usize {
        self.accounts.keys(author)
    }

    /// How many bytes all documents have, with their envelopes.
    pub const fn bytes(&self) -> usize {
        self.accounts.total().bytes
    }

    /// The memory that it takes, in bytes, with what is kept because of it.
    pub const fn footprint(&self) -> usize {
        self.accounts.total().footprint
    }

    /// The part of it that the documents of one author take.
    pub fn footprint_of(&self, author: &Principal) -> usize {
        self.accounts.cost_of(author).footprint
    }

    /// Takes as little memory as it can.
    pub fn pack(&mut self) {
        self.shelves.values_mut().for_each(Shelf::pack);
        pack(&mut self.shelves);
        pack(&mut self.grants);
        self.accounts.pack();
        self.index.pack();
    }
}

/// Whether a grant covers a key while this is the version of the grants.
pub(super) fn grants(grant: &Document, version: u64, key: &Key) -> bool {
    grant.grants_version() == version && grant.granted().is_some_and(|it| it.covers(key))
}

impl Merge for Documents {
    fn merge(&mut self, other: &Self) -> bool {
        let mut changed = false;
        for document in other.documents() {
            changed |= self.merge(document.clone()) == Outcome::New;
        }
        changed
    }
}
