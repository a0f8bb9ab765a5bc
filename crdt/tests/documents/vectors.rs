//! Golden vectors: the encodings and ids of version 1. As in the laws of the rest, a change of these bytes is a new
//! version byte and a new fixture.

use std::fmt::Write as _;

use crux_crdt::canon::{Canonical as _, Encoder};
use crux_crdt::document::{Body, Document, GENERATION_MAX, Grant, Key, Role};
use data_encoding::HEXLOWER;

use crate::world::*;

#[derive(Default)]
struct Found(String);

impl Found {
    fn hex(&mut self, name: &str, bytes: &[u8]) {
        writeln!(self.0, "{name} {}", HEXLOWER.encode(bytes)).unwrap();
    }

    fn document(&mut self, name: &str, document: &Document) {
        self.hex(name, &document.sealed());
        self.hex(&format!("{name}.id"), &document.id().0);
    }
}

#[test]
fn documents() {
    let mut found = Found::default();
    found.hex("key", &key("rule/web-db").to_canonical());
    found.hex("key.digest", &key("rule/web-db").digest().0);
    found.hex("key.grant", &Key::grant(&principal(0)).to_canonical());
    found.hex("key.grant.digest", &Key::grant(&principal(0)).digest().0);
    let body = Body::new(key("rule/web-db"), 2, 3, Some(b"content".as_slice().into()));
    found.hex("body", &body.to_canonical());
    found.hex("body.deleted", &Body { content: None, ..body.clone() }.to_canonical());
    found.hex(
        "body.grant",
        &Body { grant: Some(b"grant".as_slice().into()), ..body }.to_canonical(),
    );
    let later = b"\x01\0\0\0\x05alice\0\0\0\x09\0\0\0\0\x02\0\0\0\x05later\0\0\0\x04read";
    let later = Grant::from_canonical(later).unwrap();
    found.hex("grant.later", &later.to_canonical());
    let admin = Grant { permissions: Role::Admin.permissions(), ..later };
    found.hex("grant.admin", &admin.to_canonical());
    found.hex("grant.revoked", &Grant { revoked: true, ..admin.clone() }.to_canonical());
    let grant = grant(0, 2, 1, &admin);
    found.document("document.grant", &grant);
    found.document("document.own", &own(&key("setting/log"), 2, 1, Some(b"info")));
    let written = users(0, &key("rule/web-db"), 3, Some(b"content"), &grant);
    let deleted = users(0, &key("rule/web-db"), GENERATION_MAX, None, &grant);
    found.document("document.user", &written);
    found.document("document.deleted", &deleted);
    let conflict = own(&key("rule/web-db"), 3, 3, Some(b"own"));
    let set = set([&written, &conflict]);
    let shelf = set.get(&key("rule/web-db")).unwrap();
    assert_eq!((shelf.winner(), shelf.rival()), (&conflict, Some(&written)));
    found.hex("shelf", &shelf.digest().0);
    let mut roots = Encoder::default();
    roots.digest(&set.index().fingerprint().digest());
    found.hex("index", &roots.finish());
    let expected = include_str!("../fixtures/documents-1.hex");
    assert!(found.0 == expected, "an encoding changed; found:\n{}", found.0);
}
