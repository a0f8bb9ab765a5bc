//! Documents of one operator and of some users.

use std::sync::Arc;

use crux_crdt::Digest;
use crux_crdt::canon::{Canonical as _, Encoder};
use crux_crdt::document::{Body, Document, Grant, Key};
use crux_crdt::sign::{Identity, Signed};

/// The flock of all of them.
pub(crate) const FLOCK: Digest = Digest([7; 32]);

/// The operator.
pub(crate) fn operator() -> Identity {
    Identity::from_seed(&[200; 32])
}

/// A user by a number, from 1.
pub(crate) fn user(number: u8) -> Identity {
    Identity::from_seed(&[200 + number; 32])
}

/// A key.
pub(crate) fn key(text: &str) -> Key {
    text.parse().expect("a key")
}

/// A document of the operator.
pub(crate) fn own(at: &str, version: u64, generation: u64, content: &[u8]) -> Arc<Document> {
    let body = Body::new(key(at), version, generation, Some(content.into()));
    Arc::new(Document::sign(body, &FLOCK, &operator(), None).expect("the operator may"))
}

/// The grant of a user, who may write so many rules.
pub(crate) fn grant(number: u8, version: u64, generation: u64, documents: u32) -> Arc<Document> {
    granted(number, version, generation, documents, (false, 0))
}

/// The same, revoked.
pub(crate) fn revoked(number: u8, version: u64, generation: u64) -> Arc<Document> {
    granted(number, version, generation, 16, (true, 0))
}

/// A grant that is larger than a small document with another grant in it.
pub(crate) fn large_grant(
    number: u8,
    version: u64,
    generation: u64,
    documents: u32,
) -> Arc<Document> {
    granted(number, version, generation, documents, (false, 60))
}

fn granted(
    number: u8,
    version: u64,
    generation: u64,
    documents: u32,
    (off, more): (bool, usize),
) -> Arc<Document> {
    let more = (0..more).map(|horde| format!("deploy:a-horde-{horde}"));
    let permissions = more.chain(["rules".to_owned()]);
    let permissions = permissions.map(|it| it.parse().expect("a permission")).collect();
    let name = format!("user-{number}").parse().expect("a name");
    let content = Grant { name, documents, permissions, revoked: off }.to_canonical();
    own(Key::grant(&user(number).principal()).as_str(), version, generation, &content)
}

/// A document of a user under a grant.
pub(crate) fn users(
    number: u8,
    at: &str,
    generation: u64,
    content: &[u8],
    grant: &Arc<Document>,
) -> Arc<Document> {
    let version = grant.grants_version();
    let body = Body::new(key(at), version, generation, Some(content.into()));
    let signed = Document::sign(body, &FLOCK, &user(number), Some(grant.clone()));
    Arc::new(signed.expect("the user may"))
}

/// The message about a document that nobody may sign: whatever is wrong with it, the signature holds.
pub(crate) fn forged(by: &Identity, body: Body) -> Vec<u8> {
    let mut out = Encoder::default();
    Signed::sign(body, &FLOCK, by).seal(out.u8(crux_crdt::fact::Kind::DOCUMENT.0));
    out.finish()
}

/// So many keys of rules, in the order of their digests: of a user who has too many, the first ones stay.
pub(crate) fn rules(count: usize) -> Vec<String> {
    let mut rules: Vec<_> = (0..count).map(|number| format!("rule/r{number}")).collect();
    rules.sort_by_key(|rule| key(rule).digest());
    rules
}
