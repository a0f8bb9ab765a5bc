use std::collections::BTreeSet;
use std::sync::Arc;

use crux_crdt::Digest;
use crux_crdt::canon::Canonical as _;
use crux_crdt::document::{Body, Document, Grant, Key, Permission, Scope};
use crux_crdt::sign::Identity;

/// The operator of a flock, and one user who may write the target of every horde.
///
/// They sign what a bench writes, and nobody else signs anything: so the version of the grants is 1, and the caller
/// knows the generation of each key.
#[derive(Debug)]
pub struct Signers {
    flock: Digest,
    user: Arc<Identity>,
    grant: Arc<Document>,
}

impl Signers {
    /// The operator grants the user so many documents.
    ///
    /// # Panics
    /// If a grant may not say so many.
    pub fn new(flock: Digest, operator: &Identity, user: Arc<Identity>, documents: u32) -> Self {
        let permissions = BTreeSet::from([Permission::Deploy(Scope::Every)]);
        let name = "bench".parse().expect("five letters make a label");
        let grant = Grant { name, documents, permissions, revoked: false };
        let key = Key::grant(&user.principal());
        let body = Body::new(key, 1, 1, Some(grant.to_canonical().into()));
        let grant = Document::sign(body, &flock, operator, None);
        let grant = Arc::new(grant.expect("the operator may grant so many"));
        Self { flock, user, grant }
    }

    /// The grant. What the user signs encloses it.
    pub const fn grant(&self) -> &Arc<Document> {
        &self.grant
    }

    /// The key of the user's document with this number.
    pub fn key(number: usize) -> Key {
        let key = Key::new(&format!("target/bench-{number}"));
        key.expect("a kind and a label make a key")
    }

    /// The user's document with this number, at a generation.
    ///
    /// # Panics
    /// If the content is over its bound.
    pub fn sign(&self, number: usize, generation: u64, content: &[u8]) -> Arc<Document> {
        let body = Body::new(Self::key(number), 1, generation, Some(content.into()));
        let document = Document::sign(body, &self.flock, &self.user, Some(self.grant.clone()));
        Arc::new(document.expect("the grant covers every target"))
    }

    /// The first so many documents of the user, each of so many bytes, as they were written first.
    ///
    /// # Panics
    /// If the content is over its bound.
    pub fn first(&self, count: usize, bytes: usize) -> Vec<Arc<Document>> {
        (0..count).map(|number| self.sign(number, 1, &vec![b'x'; bytes])).collect()
    }
}

#[cfg(test)]
mod tests {
    use crux_crdt::document::{Documents, State};

    use super::*;

    /// A bench of documents that a node refuses, or shows as void, would measure something else.
    #[test]
    fn what_they_sign_is_taken_and_counts() {
        let (operator, user) = (Identity::from_seed(&[1; 32]), Identity::from_seed(&[2; 32]));
        let signers = Signers::new(Digest([3; 32]), &operator, Arc::new(user), 3);
        let mut held = Documents::default();
        let all = [signers.grant().clone()].into_iter().chain(signers.first(3, 100));
        for document in all.chain([signers.sign(1, 2, b"next")]) {
            assert_eq!(held.may_add(&document), Ok(()));
            held.merge(document);
        }
        let states: Vec<_> = held.shelves().map(|shelf| held.state(shelf)).collect();
        assert_eq!(states, [State::Current; 4]);
    }
}
