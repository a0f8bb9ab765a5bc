//! Whatever a peer or a damaged disk hands in: an error or a value, never a panic; and a value that decodes has no
//! other spelling.

use std::sync::{Arc, LazyLock};

use crux_crdt::Principal;
use crux_crdt::canon::{Canonical, Decoder};
use crux_crdt::document::{
    Body, Document, Earlier, Grant, Key, NodeOrder, Permission, Prefix, Role, Scope, Target, stored,
};
use crux_crdt::name::Label;
use crux_crdt::sign::{Ed25519, Terms, Verifier};
use proptest::prelude::*;

use crate::grants::{grants, keys, texts};
use crate::targets::{node_orders, target, targets};
use crate::world::*;

/// Lets a fuzzer past the signature.
struct Credulous;

impl Verifier for Credulous {
    fn verify(&self, _: &Principal, _: &[u8], _: &[u8; 64]) -> bool {
        true
    }
}

fn decode<T: Canonical>(bytes: &[u8]) {
    if let Ok(value) = T::from_canonical(bytes) {
        assert_eq!(value.to_canonical(), bytes, "two spellings of one value");
    }
}

fn open(bytes: &[u8]) {
    let verifiers: [&dyn Verifier; 2] = [&Ed25519, &Credulous];
    for verifier in verifiers {
        let mut input = Decoder::new(bytes);
        let Ok(document) = Document::open(&mut input, &Terms { verifier, ..terms() }) else {
            continue;
        };
        let read = &bytes[..bytes.len() - input.remaining()];
        assert_eq!(document.sealed(), read, "two spellings of one document");
        assert_eq!(document.bytes(), read.len());
        let peeked = Document::peek(&mut Decoder::new(bytes));
        assert_eq!(peeked, Ok((document.key().digest(), document.id())));
        drop(Target::of(&document));
        drop(NodeOrder::of(&document));
        let mut set = set([]);
        set.merge(document.into());
        set.pack();
    }
}

fn feed_all(bytes: &[u8]) {
    decode::<Body>(bytes);
    decode::<Grant>(bytes);
    decode::<Key>(bytes);
    decode::<Target>(bytes);
    decode::<Earlier>(bytes);
    decode::<NodeOrder>(bytes);
    if let Ok(target) = Target::read(&Label::main_horde(), bytes) {
        assert_eq!(target.to_canonical(), bytes);
    }
    open(bytes);
    _ = Document::peek(&mut Decoder::new(bytes));
    let other = &*OTHER;
    drop(stored::restore(bytes, &Terms { verifier: &Credulous, ..terms() }));
    drop(stored::without(bytes, &other.signer()));
    if let Ok(Some(kept)) = stored::keep(Some(bytes), other) {
        assert!(stored::without(&kept, &other.signer()).is_ok(), "what is kept is read");
    }
}

static OTHER: LazyLock<Arc<Document>> = LazyLock::new(|| own(&key_of(0), 2, 2, Some(b"x")));

/// Envelopes of the operator and of users, and what a disk has of them.
static GOOD: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let grant = grant(0, 2, 1, &granted(0, 9, &["rules", "deploy:*", "secrets:a/"]));
    let documents = [
        grant.clone(),
        own(&Key::grant(&principal(1)), 2, 2, None),
        OTHER.clone(),
        users(0, &key_of(0), 2, Some(b"content"), &grant),
        users(0, &key_of(0), 2, Some(b"other"), &grant),
        users(0, &key_of(0), 3, None, &grant),
        users(0, &key("target/main"), 7, Some(&target().to_canonical()), &grant),
    ];
    let disk = documents[2..6].iter().fold(vec![0; 4], |bytes, document| {
        stored::keep(Some(&bytes), document).unwrap().unwrap_or(bytes)
    });
    documents.iter().map(|document| document.sealed()).chain([disk]).collect()
});

/// Bytes that were good until something happened to them: deeper than random ones get.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let bodies = (keys(), prop::collection::vec(any::<u8>(), 0..40));
    let bodies = bodies.prop_map(|(key, content)| Body::new(key, 1, 1, Some(content.into())));
    let good = prop_oneof![
        6 => prop::sample::select(GOOD.as_slice()),
        1 => bodies.prop_map(|it| it.to_canonical()),
        1 => grants().prop_map(|it| it.to_canonical()),
        1 => keys().prop_map(|it| it.to_canonical()),
        3 => targets().prop_map(|(_, it)| it.to_canonical()),
        1 => node_orders().prop_map(|it| it.to_canonical()),
    ];
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (good, edits, any::<prop::sample::Index>()).prop_map(|(mut bytes, edits, cut)| {
        edits.iter().for_each(|(at, value)| *at.get_mut(&mut bytes) = *value);
        let keep = bytes.len() - cut.index(bytes.len()) / 8;
        bytes.truncate(keep);
        bytes
    })
}

fn texts_like_those_of_grants() -> impl Strategy<Value = String> {
    prop_oneof![texts(), "(horde|secrets|deployer|[a-z*/.:]){0,9}", "\\PC{0,40}"]
}

proptest! {
    #[test]
    fn fuzz_random_documents(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        feed_all(&bytes);
    }

    #[test]
    fn fuzz_damaged_documents(bytes in damaged()) {
        feed_all(&bytes);
    }

    #[test]
    fn fuzz_counts_of_documents(bytes in prop::collection::vec(any::<u8>(), 0..16)) {
        feed_all(&[&[1, 0xff, 0xff, 0xff, 0xff][..], &bytes].concat());
        feed_all(&[&[0, 0, 0x80, 0][..], &bytes].concat());
    }

    #[test]
    fn fuzz_texts_of_grants(text in texts_like_those_of_grants()) {
        if let Ok(key) = text.parse::<Key>() {
            prop_assert_eq!(key.as_str(), &text);
        }
        if let Ok(permission) = text.parse::<Permission>() {
            prop_assert_eq!(permission.to_string(), text.clone());
        }
        if let Ok(role) = text.parse::<Role>() {
            prop_assert_eq!(role.to_string(), text.clone());
        }
        if let Ok(prefix) = text.parse::<Prefix>() {
            prop_assert_eq!(prefix.to_string(), text.clone());
        }
        if let Ok(scope) = text.parse::<Scope>() {
            prop_assert_eq!(scope.to_string(), text);
        }
    }
}
