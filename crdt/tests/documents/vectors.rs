//! Golden vectors: the encodings and ids of version 1. As in the laws of the rest, a change of these bytes is a new
//! version byte and a new fixture.

use std::fmt::Write as _;
use std::time::Duration;

use crux_crdt::blob::BlobId;
use crux_crdt::canon::{Canonical as _, Encoder};
use crux_crdt::document::{Body, Document, GENERATION_MAX, Grant, Key, NodeOrder, Role, Usage};
use crux_crdt::service::{
    Check, Config, Fields, Image, Limits, Machine, Moving, OnMinority, Port, Probe, Register,
    RegisterAs, ReplaceAfter, Restart, Step, UpdateBy,
};
use data_encoding::HEXLOWER;

use crate::targets::target;
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

/// The contents of targets and of orders to nodes, and the configs in them.
#[test]
fn targets() {
    let mut found = Found::default();
    let web = Fields::new("web".parse().unwrap(), Image::Blob(BlobId([7; 32])));
    let mut set = web.clone();
    set.image = Image::PerMachine(Machine::ALL.map(|it| (it, BlobId([it as u8; 32]))).into());
    set.rev = "v4".parse().unwrap();
    set.argv0 = Some("web".to_owned());
    set.args = vec!["--listen".to_owned(), "${addr}:${port.http}".to_owned()];
    set.ports.push("http".parse().unwrap(), Port::Auto).unwrap();
    set.ports.push("admin".parse().unwrap(), Port::Number(8081.try_into().unwrap())).unwrap();
    set.register = Register::List(vec![RegisterAs {
        service: "web2".parse().unwrap(),
        rev: "v4".parse().unwrap(),
        port: "http".parse().unwrap(),
        labels: [("metrics".to_owned(), "9100".to_owned())].into(),
    }]);
    let http = || "http".parse().unwrap();
    set.check = [
        Probe::Tcp { port: http() },
        Probe::Http { path: "/healthz".to_owned(), port: http() },
        Probe::Grpc { port: http(), service: "a.B".to_owned() },
        Probe::Exec { command: vec!["true".to_owned(), "${dir}".to_owned()] },
    ]
    .map(Check::new)
    .into();
    set.env = [("A".to_owned(), "1".to_owned()), ("B".to_owned(), String::new())].into();
    (set.restart, set.update) = (Restart::OnFailure, Some(UpdateBy::Replace));
    set.user = Some("www-data".to_owned());
    set.limits = Some(Limits { memory: Some(1 << 28), cpu_milli: Some(500), ..Limits::default() });
    (set.priority, set.rollout.step) = (-5, Step::Nodes(3));
    set.rollout.deadline = Duration::from_secs(60);
    set.moving = Moving { replace_after: ReplaceAfter::Never, on_minority: OnMinority::Replace };
    let (bare, full) = (Config::try_from(web).unwrap(), Config::try_from(set).unwrap());
    found.hex("config", &bare.to_canonical());
    found.hex("config.spec", &bare.spec().0);
    found.hex("config.full", &full.to_canonical());
    found.hex("config.full.spec", &full.spec().0);
    let target = target();
    found.hex("target", &target.to_canonical());
    found.hex("target.blob", &target.blob().0);
    let order = |usage| NodeOrder { usage, ..NodeOrder::default() }.to_canonical();
    found.hex("node.open", &order(Usage::Open));
    found.hex("node.cordoned", &order(Usage::Cordoned));
    found.hex("node.draining", &order(Usage::Draining { deadline: None }));
    let deadline = Some(Duration::from_secs(300));
    found.hex("node.draining.deadline", &order(Usage::Draining { deadline }));
    found.hex("marker", &own(&key("setting/log"), 2, 1, None).marker().to_canonical());
    let expected = include_str!("../fixtures/targets-1.hex");
    assert!(found.0 == expected, "an encoding changed; found:\n{}", found.0);
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
