use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crux_crdt::Digest;
use crux_crdt::document::{Document, Documents, Outcome, absorb, stored};
use proptest::prelude::*;

use crate::world::*;

/// A disk, which merges into the bytes that it has under a key.
#[derive(Default)]
struct Disk(BTreeMap<Digest, Vec<u8>>);

impl Disk {
    fn put(&mut self, document: &Document) -> bool {
        let key = document.key().digest();
        let kept = stored::keep(self.0.get(&key).map(Vec::as_slice), document).unwrap();
        let changed = kept.is_some();
        kept.into_iter().for_each(|bytes| _ = self.0.insert(key, bytes));
        changed
    }

    fn all(&self) -> Vec<Arc<Document>> {
        self.0.values().flat_map(|bytes| stored::restore(bytes, &terms()).unwrap()).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// A disk that writes what is new and removes what is displaced restores the same set.
    #[test]
    fn a_disk_has_what_the_replica_has(drafts in drafts()) {
        let (mut set, mut disk) = (Documents::default(), Disk::default());
        for document in drafts.into_iter().map(Draft::sign) {
            let outcome = merge(&mut set, &document);
            for grant in set.take_enclosed() {
                prop_assert!(disk.put(&grant));
            }
            if outcome == Outcome::New && set.get(document.key()).is_some_and(|it| it.has(&document)) {
                prop_assert!(disk.put(&document));
            }
            if matches!(outcome, Outcome::Known | Outcome::Older) {
                prop_assert!(!disk.put(&document));
            }
            for (key, author) in set.take_displaced() {
                let Some(bytes) = disk.0.get(&key) else { continue };
                match stored::without(bytes, &author).unwrap() {
                    Some(bytes) => _ = disk.0.insert(key, bytes),
                    None => _ = disk.0.remove(&key),
                }
            }
        }
        prop_assert_eq!(view(restored(disk.all()).documents()), view(&set));
        prop_assert_eq!(disk.all().len(), set.documents().count());
    }
}

proptest! {
    /// Documents that wait to be written are those that a shelf would keep.
    #[test]
    fn what_waits_is_bounded_as_a_shelf_is(items in constant()) {
        let under = items.into_iter().filter(|it| *it.key() == key_of(0) || *it.key() == key_of(1));
        let mut waiting = BTreeMap::<Digest, Vec<Arc<Document>>>::new();
        let (mut set, most) = (Documents::default(), granted(0, 9, &["rules"]));
        (0..USERS).for_each(|n| _ = set.merge(grant(n, 9, 9, &most)));
        for document in under {
            let kept = absorb(waiting.entry(document.key().digest()).or_default(), &document);
            let outcome = set.merge(document);
            prop_assert_eq!(kept, matches!(outcome, Outcome::New | Outcome::Known));
        }
        let ids = |of: Vec<&Arc<Document>>| of.iter().map(|it| it.id()).collect::<BTreeSet<_>>();
        for (key, waiting) in waiting {
            let held = set.shelf(&key).unwrap().documents();
            prop_assert_eq!(ids(waiting.iter().collect()), ids(held.collect()));
        }
    }
}

#[test]
fn a_damaged_disk_is_noticed() {
    let grant = grant(0, 1, 1, &granted(0, 9, &["rules"]));
    let mut disk = Disk::default();
    for document in [
        own(&key_of(0), 1, 2, Some(b"own")),
        users(0, &key_of(0), 2, Some(b"one"), &grant),
        users(0, &key_of(0), 2, Some(b"two"), &grant),
    ] {
        assert!(disk.put(&document));
    }
    let bytes = disk.0.values().next().unwrap().clone();
    assert_eq!(stored::restore(&bytes, &terms()).unwrap().len(), 3);
    let other = own(&key_of(0), 1, 3, Some(b"x"));
    for at in 0..bytes.len() {
        let cut = &bytes[..at];
        assert!(stored::restore(cut, &terms()).is_err());
        assert!(stored::keep(Some(cut), &other).is_err());
        assert!(stored::without(cut, &other.signer()).is_err());
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        assert!(stored::restore(&flipped, &terms()).is_err(), "a flip at byte {at}");
    }
}
