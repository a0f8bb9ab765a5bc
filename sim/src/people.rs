//! The operator and the users: they sign documents by what a node shows.
//!
//! A signer sees the version of the grants and what is under a key, and signs at the next generation. One with a kept
//! copy sees that instead, which may be old. A user whose grant was taken back goes on with the last one it had.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crux_crdt::canon::Canonical as _;
use crux_crdt::document::{
    Body, Document, Documents, GENERATION_MAX, Grant, Key, Permission, Shelf,
};
use crux_crdt::sign::Identity;
use crux_crdt::{Digest, Principal};

use super::host::Keys;
use crate::scenario::{Deed, Paper, Signer, User, Write};

/// Under how many keys beyond what it may have a user floods, and under how many at most.
const FLOOD_BEYOND: u32 = 3;
const FLOOD_KEYS_MAX: u32 = 11;
/// How often it writes one key.
const FLOOD_WRITES: u64 = 3;

/// Everyone who signs documents.
#[derive(Debug)]
pub(super) struct People {
    flock: Digest,
    operator: Arc<Identity>,
    users: Vec<Arc<Identity>>,
    /// The last grant of each user that allowed something.
    grants: BTreeMap<User, Arc<Document>>,
    /// A copy of what a node showed.
    kept: Option<Arc<Documents>>,
    /// How many documents were signed: no two have the same content.
    count: u64,
    signed: BTreeSet<Digest>,
}

impl People {
    pub(super) fn new(keys: &Keys) -> Self {
        Self {
            flock: keys.flock,
            operator: keys.operator.clone(),
            users: User::ALL.iter().map(|user| keys.user(user.0)).collect(),
            grants: BTreeMap::new(),
            kept: None,
            count: 0,
            signed: BTreeSet::new(),
        }
    }

    /// Whether one of them signed this.
    pub(super) fn signed(&self, id: &Digest) -> bool {
        self.signed.contains(id)
    }

    /// Somebody signed these before the run began.
    pub(super) fn know(&mut self, documents: &[Arc<Document>]) {
        self.signed.extend(documents.iter().map(|document| document.id()));
    }

    /// What somebody signs who sees what a node shows. Nothing, if that gives no reason to sign, or no grant.
    pub(super) fn sign(&mut self, write: &Write, shown: &Arc<Documents>) -> Vec<Arc<Document>> {
        let shown = &self.kept.clone().filter(|_| write.old).unwrap_or_else(|| shown.clone());
        match write.deed {
            Deed::Put(paper, by) => {
                let content = self.content();
                self.put(shown, &key_of(paper), by, Some(content)).into_iter().collect()
            }
            Deed::Drop(paper, by) => {
                self.put(shown, &key_of(paper), by, None).into_iter().collect()
            }
            Deed::Grant(user, documents) => vec![self.grant(shown, user, documents)],
            Deed::Revoke(user) => self.revoke(shown, user),
            Deed::Flood(user) => self.flood(shown, user),
            // What the target is depends on more: see `target`.
            Deed::Apply(_) => Vec::new(),
            Deed::Remember => {
                self.kept = Some(shown.clone());
                Vec::new()
            }
        }
    }

    /// A content that no other document has.
    fn content(&mut self) -> Box<[u8]> {
        self.count += 1;
        self.count.to_be_bytes().into()
    }

    fn user(&self, user: User) -> &Arc<Identity> {
        &self.users[usize::from(user.0)]
    }

    fn principal(&self, user: User) -> Principal {
        self.user(user).principal()
    }

    fn put(
        &mut self,
        shown: &Documents,
        key: &Key,
        by: Signer,
        content: Option<Box<[u8]>>,
    ) -> Option<Arc<Document>> {
        let generation = next_generation(shown, key);
        match by {
            Signer::Operator => {
                Some(self.operators(key, shown.grants_version(), generation, content))
            }
            Signer::User(user) => self.users(shown, user, key, generation, content),
        }
    }

    fn operators(
        &mut self,
        key: &Key,
        version: u64,
        generation: u64,
        content: Option<Box<[u8]>>,
    ) -> Arc<Document> {
        let body = Body::new(key.clone(), version, generation, content);
        let document = Document::sign(body, &self.flock, &self.operator, None);
        self.note(document.expect("the operator may sign it"))
    }

    fn users(
        &mut self,
        shown: &Documents,
        user: User,
        key: &Key,
        generation: u64,
        content: Option<Box<[u8]>>,
    ) -> Option<Arc<Document>> {
        let live = |grant: &&Arc<Document>| grant.granted().is_some_and(|it| !it.revoked);
        if let Some(grant) = shown.grant_of(&self.principal(user)).filter(live) {
            self.grants.insert(user, grant.clone());
        }
        let grant = self.grants.get(&user)?.clone();
        let body = Body::new(key.clone(), grant.grants_version(), generation, content);
        let document = Document::sign(body, &self.flock, self.user(user), Some(grant));
        Some(self.note(document.expect("the grant covers every rule")))
    }

    /// The operator signs a content under a key, by what a node shows.
    pub(super) fn operator_puts(
        &mut self,
        shown: &Documents,
        key: &Key,
        content: Box<[u8]>,
    ) -> Arc<Document> {
        let generation = next_generation(shown, key);
        self.operators(key, shown.grants_version(), generation, Some(content))
    }

    fn note(&mut self, document: Document) -> Arc<Document> {
        self.signed.insert(document.id());
        Arc::new(document)
    }

    fn grant(&mut self, shown: &Documents, user: User, documents: u32) -> Arc<Document> {
        let name = user.to_string().parse().expect("a letter and a digit make a label");
        let permissions = BTreeSet::from([Permission::Rules]);
        let grant = Grant { name, documents, permissions, revoked: false };
        let key = Key::grant(&self.principal(user));
        let (version, generation) = (shown.grants_version(), next_generation(shown, &key));
        self.operators(&key, version, generation, Some(grant.to_canonical().into()))
    }

    /// The grants under the next version, and what the user wrote.
    fn revoke(&mut self, shown: &Documents, user: User) -> Vec<Arc<Document>> {
        let (user, version) = (self.principal(user), shown.grants_version() + 1);
        let live = shown.grants().filter_map(|(of, grant)| {
            let says = grant.granted().filter(|says| !says.revoked)?;
            let says = Grant { revoked: *of == user, ..says.clone() };
            Some((grant.key().clone(), Some(says.to_canonical().into())))
        });
        let mut all: Vec<(Key, Option<Box<[u8]>>)> = live.collect();
        if !all.iter().any(|(key, _)| key.grantee() == Some(user)) {
            return Vec::new();
        }
        let wrote = shown.shelves().map(Shelf::winner).filter(|winner| winner.signer() == user);
        all.extend(wrote.map(|it| (it.key().clone(), it.content().map(Into::into))));
        let sign = |(key, content): (Key, _)| {
            self.operators(&key, version, next_generation(shown, &key), content)
        };
        all.into_iter().map(sign).collect()
    }

    /// More keys than the user may have, and one key again and again.
    fn flood(&mut self, shown: &Documents, user: User) -> Vec<Arc<Document>> {
        let held = shown.grant_of(&self.principal(user)).and_then(|grant| grant.granted());
        let most = held.map_or(0, |says| says.documents);
        let mut all = Vec::new();
        for number in 0..(most.saturating_add(FLOOD_BEYOND)).min(FLOOD_KEYS_MAX) {
            let key = Key::new(&format!("rule/{user}-{number}")).expect("it is a key");
            // No write comes after the last generation.
            let last = number == FLOOD_BEYOND;
            let generation = if last { GENERATION_MAX } else { next_generation(shown, &key) };
            let content = self.content();
            all.extend(self.users(shown, user, &key, generation, Some(content)));
        }
        let key = key_of(Paper(u32::from(user.0)));
        let first = next_generation(shown, &key);
        for number in 0..2 * FLOOD_WRITES {
            let generation = first.saturating_add(number / 2).min(GENERATION_MAX);
            let content = self.content();
            all.extend(self.users(shown, user, &key, generation, Some(content)));
        }
        all
    }
}

/// The key of a document that users may write.
pub(super) fn key_of(paper: Paper) -> Key {
    Key::new(&format!("rule/{paper}")).expect("it is a key")
}

fn next_generation(shown: &Documents, key: &Key) -> u64 {
    shown.get(key).map_or(1, Shelf::next_generation)
}

#[cfg(test)]
mod tests {
    use crux_crdt::document::State;

    use super::*;

    const USER: User = User(1);

    fn people() -> People {
        People::new(&Keys::new(7))
    }

    fn wrote(people: &mut People, shown: &Arc<Documents>, deed: Deed) -> Arc<Documents> {
        let mut after = Documents::clone(shown);
        for document in people.sign(&deed.into(), shown) {
            assert_eq!(after.may_add(&document), Ok(()), "{deed:?}");
            after.merge(document);
        }
        Arc::new(after)
    }

    #[test]
    fn what_is_signed_by_what_is_shown_is_taken() {
        let (mut people, mut shown) = (people(), Arc::default());
        let paper = Paper(3);
        assert!(people.sign(&Deed::Put(paper, Signer::User(USER)).into(), &shown).is_empty());
        for deed in [
            Deed::Grant(USER, 4),
            Deed::Grant(User(2), 4),
            Deed::Put(paper, Signer::User(USER)),
            Deed::Drop(paper, Signer::User(User(2))),
            Deed::Put(paper, Signer::Operator),
            Deed::Put(Paper(4), Signer::User(USER)),
            Deed::Revoke(USER),
        ] {
            shown = wrote(&mut people, &shown, deed);
        }
        assert_eq!(shown.grants_version(), 1);
        let state = |shown: &Documents, paper| {
            let shelf = shown.get(&key_of(paper)).expect("it was written");
            (shelf.winner().is_operators(), shown.state(shelf))
        };
        assert_eq!(state(&shown, Paper(4)), (true, State::Current), "it was signed again");
        assert!(people.sign(&Deed::Revoke(USER).into(), &shown).is_empty(), "it is revoked");
        // The user goes on, and nobody takes it.
        let more = people.sign(&Deed::Put(paper, Signer::User(USER)).into(), &shown);
        assert!(shown.may_add(&more[0]).is_err() && people.signed(&more[0].id()));
        shown = wrote(&mut people, &shown, Deed::Put(paper, Signer::User(User(2))));
        assert_eq!(state(&shown, paper), (false, State::Current));
    }

    #[test]
    fn a_copy_is_old_and_a_flood_too_much() {
        let (mut people, shown) = (people(), Arc::default());
        let shown = wrote(&mut people, &shown, Deed::Grant(USER, 4));
        people.sign(&Deed::Remember.into(), &shown);
        let newer = wrote(&mut people, &shown, Deed::Put(Paper(1), Signer::Operator));
        let old = Write { old: true, ..Deed::Put(Paper(1), Signer::Operator).into() };
        let behind = people.sign(&old, &newer);
        assert!(newer.may_add(&behind[0]).is_err());
        let flood = people.sign(&Deed::Flood(USER).into(), &newer);
        let keys: BTreeSet<_> = flood.iter().map(|it| it.key().clone()).collect();
        assert_eq!((flood.len(), keys.len()), (7 + 6, 7 + 1));
    }
}
