//! What a set of documents takes is what it says: measured, in a process of its own.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot make its values has failed")]

use std::sync::Arc;

use crux_crdt::canon::{Canonical as _, Decoder, Encoder};
use crux_crdt::document::{Body, CONTENT_MAX, Document, Documents, Grant, Key, Role};
use crux_crdt::sign::{Terms, Verifier, seal_parts};
use crux_crdt::{Digest, Principal};

const OPERATOR: Principal = Principal([1; 32]);

/// Takes every signature.
struct Any;

impl Verifier for Any {
    fn verify(&self, _: &Principal, _: &[u8], _: &[u8; 64]) -> bool {
        true
    }
}

fn sealed(by: Principal, body: &Body) -> Vec<u8> {
    let mut out = Encoder::default();
    seal_parts(&mut out, &by, &[0; 64], body);
    out.finish()
}

fn open(by: Principal, body: &Body) -> Arc<Document> {
    let terms = Terms { flock: Digest([7; 32]), operator: Some(OPERATOR), verifier: &Any };
    Arc::new(Document::open(&mut Decoder::new(&sealed(by, body)), &terms).unwrap())
}

fn user(n: u32) -> Principal {
    // Spread, as keys are.
    Principal(crux_crdt::hash::sha3("user", &[&n.to_be_bytes()]).0)
}

fn grant_body(n: u32) -> Body {
    let grant = Grant {
        name: format!("user-{n}").parse().unwrap(),
        documents: 256,
        permissions: Role::Admin.permissions(),
        revoked: false,
    };
    Body::new(Key::grant(&user(n)), 1, 1, Some(grant.to_canonical().into()))
}

fn written(by: u32, name: &str, generation: u64, content: &[u8]) -> Arc<Document> {
    let key = format!("rule/{name}").parse().unwrap();
    let body = Body::new(key, 1, generation, Some(content.into()));
    let grant = sealed(OPERATOR, &grant_body(by));
    open(user(by), &Body { grant: Some(grant.into()), ..body })
}

fn own(name: &str, content: &[u8]) -> Arc<Document> {
    let key = format!("rule/{name}").parse().unwrap();
    open(OPERATOR, &Body::new(key, 1, 1, Some(content.into())))
}

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// What the set takes more after `fill`: as measured, and as it says.
fn cost(set: &mut Documents, fill: impl FnOnce(&mut Documents)) -> (usize, usize) {
    let before = (resident(), set.footprint());
    fill(set);
    (resident().saturating_sub(before.0), set.footprint() - before.1)
}

#[test]
fn a_set_takes_no_more_than_it_says() {
    let mut set = Documents::default();
    let small = cost(&mut set, |set| {
        for n in 0..8_000 {
            set.merge(own(&format!("small-{n}"), b"content"));
        }
    });
    let grants = cost(&mut set, |set| {
        for n in 0..4_000 {
            set.merge(open(OPERATOR, &grant_body(n)));
        }
    });
    let users = cost(&mut set, |set| {
        for n in 0..4_000 {
            set.merge(written(n, &format!("one-{n}"), 1, b"content"));
        }
    });
    // Winner and rival of several users under each key.
    let rivals = cost(&mut set, |set| {
        for n in 0..2_000_u32 {
            let name = format!("many-{}", n / 20);
            set.merge(written(n, &name, 1, b"one"));
            set.merge(written(n, &name, 1, b"other"));
        }
    });
    let large = cost(&mut set, |set| {
        for n in 0..500 {
            set.merge(own(&format!("large-{n}"), &vec![1; CONTENT_MAX]));
        }
    });
    let all = [
        ("small", small),
        ("grants", grants),
        ("users", users),
        ("rivals", rivals),
        ("large", large),
    ];
    for (what, (measured, said)) in all {
        println!("{what}: {} KiB measured, {} KiB said", measured >> 10, said >> 10);
        assert!(measured <= said, "{what}: {measured} bytes where {said} are said");
        assert!(said <= 4 * measured, "{what}: {measured} bytes where {said} are said");
    }
}
