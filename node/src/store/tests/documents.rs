//! Several facts under one key, of several authors: documents of the operator and of a user.

use std::sync::Arc;

use crux_crdt::canon::Canonical as _;
use crux_crdt::document::{Body, Document, Grant, Key};
use crux_crdt::fact::{Gone, Kind};
use crux_crdt::sign::{Ed25519, Terms};
use crux_crdt::{Digest, Principal};

use super::fixture::*;
use super::memory::MemoryDisk;
use crate::store::error::Failure;
use crate::store::pending::Pending;
use crate::store::{Batch, Snapshot, Store};

const OPERATOR: u8 = 60;
const USER: u8 = 61;

fn with_operator(operator: u8) -> Terms<'static> {
    Terms { flock: FLOCK, operator: Some(principal(operator)), verifier: &Ed25519 }
}

fn open(disk: &MemoryDisk) -> (Store, Snapshot) {
    Store::open_on(Box::new(disk.clone()), with_operator(OPERATOR)).unwrap()
}

fn rule(name: &str) -> Key {
    Key::new(&format!("rule/{name}")).unwrap()
}

fn by_operator(key: Key, version: u64, generation: u64, content: &[u8]) -> Arc<Document> {
    let body = Body::new(key, version, generation, Some(content.into()));
    Arc::new(Document::sign(body, &FLOCK, &identity(OPERATOR), None).unwrap())
}

fn grant() -> Arc<Document> {
    let grant = Grant {
        name: "ann".parse().unwrap(),
        documents: 8,
        permissions: ["rules".parse().unwrap()].into(),
        revoked: false,
    };
    let key = Key::new(&format!("grant/{}", principal(USER))).unwrap();
    by_operator(key, 1, 1, &grant.to_canonical())
}

fn by_user(name: &str, generation: u64, content: &[u8]) -> Arc<Document> {
    let body = Body::new(rule(name), 1, generation, Some(content.into()));
    Arc::new(Document::sign(body, &FLOCK, &identity(USER), Some(grant())).unwrap())
}

fn gone_of(author: Principal, key: &Key) -> Batch {
    let gone = Gone { kind: Kind::DOCUMENT, key: key.digest(), author };
    Batch { gone: vec![gone], ..Batch::default() }
}

fn ids(documents: &[&Arc<Document>]) -> Vec<Digest> {
    let mut ids: Vec<_> = documents.iter().map(|document| document.id()).collect();
    ids.sort_unstable();
    ids
}

fn found(snapshot: &Snapshot) -> Vec<Digest> {
    let mut ids: Vec<_> = snapshot.facts.iter().map(crux_crdt::fact::Fact::id).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn documents_of_two_authors_under_one_key_are_there_again() {
    let (ours, theirs) = (by_operator(rule("a"), 1, 2, b"x"), by_user("a", 2, b"y"));
    let other = by_user("b", 1, b"z");
    for together in [true, false] {
        let disk = MemoryDisk::default();
        let (mut store, _) = open(&disk);
        let batches = [&grant(), &ours, &theirs, &other].map(|document| facts([document.clone()]));
        if together {
            let all = batches.into_iter().flat_map(|batch| batch.facts).collect();
            store.commit(&Batch { facts: all, ..Batch::default() }).unwrap();
        } else {
            batches.iter().rev().for_each(|batch| store.commit(batch).unwrap());
        }
        let under = store.facts(Kind::DOCUMENT, &rule("a").digest()).unwrap();
        assert_eq!(under.len(), 2);
        drop(store);
        assert_eq!(found(&open(&disk).1), ids(&[&grant(), &ours, &theirs, &other]));
    }
}

#[test]
fn of_two_authors_only_one_is_gone() {
    let disk = MemoryDisk::default();
    let (mut store, _) = open(&disk);
    let (ours, theirs) = (by_operator(rule("a"), 1, 2, b"x"), by_user("a", 2, b"y"));
    let (rival, other) = (by_user("a", 3, b"y2"), by_user("b", 1, b"z"));
    store.commit(&facts([grant(), ours.clone(), theirs, rival, other.clone()])).unwrap();
    store.commit(&gone_of(principal(USER), &rule("a"))).unwrap();
    store.close().unwrap();
    let (mut store, snapshot) = open(&disk);
    assert_eq!(found(&snapshot), ids(&[&grant(), &ours, &other]));
    store.commit(&gone_of(principal(USER), &rule("b"))).unwrap();
    assert!(store.facts(Kind::DOCUMENT, &rule("b").digest()).unwrap().is_empty());
    drop(store);
    assert_eq!(found(&open(&disk).1), ids(&[&grant(), &ours]));
}

/// A user can sign as many as a full disk waits for: two of them wait, those that the replica holds.
#[test]
fn of_many_documents_under_one_key_two_wait() {
    let mut pending = Pending::default();
    let many: Vec<_> = (0..200_u8).map(|n| by_user("a", 1, &[n])).collect();
    many.iter().for_each(|document| _ = pending.absorb(facts([document.clone()])));
    assert_eq!(pending.len(), 2);
    let mut greatest: Vec<_> = many.iter().map(|document| document.id()).collect();
    greatest.sort_unstable();
    let mut waiting: Vec<_> =
        pending.to_batch().facts.iter().map(crux_crdt::fact::Fact::id).collect();
    waiting.sort_unstable();
    assert_eq!(waiting, greatest[198..]);
    // As on the disk that took them one by one.
    let disk = MemoryDisk::default();
    let (mut store, _) = open(&disk);
    many.iter().for_each(|document| store.commit(&facts([document.clone()])).unwrap());
    drop(store);
    assert_eq!(found(&open(&disk).1), waiting);
}

#[test]
fn documents_of_another_operator_are_damage() {
    let disk = MemoryDisk::default();
    let (mut store, _) = open(&disk);
    store.commit(&facts([by_operator(rule("a"), 1, 1, b"x")])).unwrap();
    store.close().unwrap();
    for terms in [TERMS, with_operator(USER)] {
        let refused = Store::open_on(Box::new(disk.clone()), terms);
        let Err(Failure::Damaged(what)) = refused else { panic!("it opens") };
        let name = format!("documents {}: ", rule("a").digest().short());
        assert!(what.starts_with(&name), "{what}");
    }
}
