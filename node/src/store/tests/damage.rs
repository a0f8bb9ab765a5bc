//! A file that something else changed: it opens with verified content, or is refused as damaged.

use redb::{Database, TableDefinition};

use super::fixture::*;
use super::memory::MemoryDisk;
use crate::store::disk::{Disk, guard};
use crate::store::error::Failure;
use crate::store::{Batch, Store};

fn batches() -> [Batch; 2] {
    [mixed(3), records([record(1, 9, 0..40)])]
}

/// The bytes of a database; closed, or as a kill leaves it.
fn bytes(close: bool) -> Vec<u8> {
    let disk = MemoryDisk::default();
    let (mut store, _) = Store::open_on(Box::new(disk.clone()), TERMS).unwrap();
    batches().iter().for_each(|batch| store.commit(batch).unwrap());
    if close {
        store.close().unwrap();
        return disk.image().bytes.clone();
    }
    disk.image().bytes.clone()
}

/// Opens a damaged copy. It holds what was committed; or, had it not been closed, what was before
/// the last commit; or is refused. A panic that leaves the store fails the test.
fn check(bytes: Vec<u8>, closed: bool, what: &str) -> bool {
    let states = [1, 2].map(|n| Content::after(&batches()[..n]));
    let states = &states[usize::from(closed)..];
    match Store::open_on(Box::new(MemoryDisk::holding(bytes)), TERMS) {
        Ok((_, snapshot)) => {
            assert!(states.contains(&Content::of(&snapshot)), "{what}: other content");
            true
        }
        Err(Failure::Damaged(_)) => false,
        Err(other) => panic!("{what}: {other:?}"),
    }
}

#[test]
fn cut_short() {
    for close in [true, false] {
        let whole = bytes(close);
        // A file of no bytes is refused by its size, which only a file on a disk has.
        for step in 1..64 {
            let len = whole.len() * step / 64;
            let opened = check(whole[..len].to_vec(), close, &format!("cut to {len}"));
            assert!(!opened || len > whole.len() / 2, "opens with {len} bytes");
        }
        assert!(check(whole, close, "whole"));
    }
}

#[test]
fn flipped() {
    let mut refused = 0;
    for close in [true, false] {
        let whole = bytes(close);
        // Every byte of the header, and bytes all over the pages.
        for at in (0..320).chain((320..whole.len()).step_by(509)) {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            refused += usize::from(!check(flipped, close, &format!("byte {at}")));
        }
    }
    assert!(refused > 50, "only {refused} were noticed");
}

#[test]
fn zeroed_pages() {
    let whole = bytes(true);
    for page in 0..whole.len() / 4096 {
        let mut zeroed = whole.clone();
        zeroed[page * 4096..(page + 1) * 4096].fill(0);
        check(zeroed, true, &format!("page {page}"));
    }
}

/// Changes a good database behind the store's back, checksums and all.
fn forged(change: impl FnOnce(&redb::WriteTransaction)) -> String {
    let disk = MemoryDisk::default();
    let (mut store, _) = Store::open_on(Box::new(disk.clone()), TERMS).unwrap();
    store.commit(&mixed(4)).unwrap();
    store.close().unwrap();
    let database: Database = disk.open().unwrap();
    let transaction = database.begin_write().unwrap();
    change(&transaction);
    transaction.commit().unwrap();
    drop(database);
    match Store::open_on(Box::new(disk), TERMS) {
        Err(Failure::Damaged(what)) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn forged_content_is_found() {
    const FACTS: TableDefinition<'_, (u8, &[u8; 32]), &[u8]> = TableDefinition::new("facts-1");
    type PartKey<'a> = (u8, &'a [u8; 32], &'a [u8; 32]);
    const PARTS: TableDefinition<'_, PartKey<'_>, &[u8]> = TableDefinition::new("parts-1");
    const LOCAL: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("local-1");
    const ACT: u8 = 1;
    const RECORD: u8 = 2;
    let key = (principal(1).0, slot(0).id().0);

    let missing = forged(|transaction| {
        let mut parts = transaction.open_table(PARTS).unwrap();
        assert!(parts.remove((RECORD, &key.0, &key.1)).unwrap().is_some());
    });
    let names = format!("records {}: its part {}", principal(1).short(), slot(0).id().short());
    assert_eq!(missing, format!("{names} is missing"));

    let exchanged = forged(|transaction| {
        let other = crux_crdt::canon::Canonical::to_canonical(&slot(77));
        let mut parts = transaction.open_table(PARTS).unwrap();
        parts.insert((RECORD, &key.0, &key.1), other.as_slice()).unwrap();
    });
    assert!(exchanged.contains("slots are not those"), "{exchanged}");

    let renamed = forged(|transaction| {
        let mut facts = transaction.open_table(FACTS).unwrap();
        let envelope = facts.remove((ACT, &act(1, 1).id().0)).unwrap().unwrap().value().to_vec();
        facts.insert((ACT, &[1; 32]), envelope.as_slice()).unwrap();
    });
    assert_eq!(renamed, "acts 01010101: it is another one");

    let retyped = forged(|transaction| {
        let mut facts = transaction.open_table(FACTS).unwrap();
        let envelope = facts.remove((ACT, &act(1, 1).id().0)).unwrap().unwrap().value().to_vec();
        facts.insert((RECORD, &principal(1).0), envelope.as_slice()).unwrap();
    });
    let names = format!("records {}: ", principal(1).short());
    assert!(retyped.starts_with(&names), "{retyped}");

    let longer = forged(|transaction| {
        let mut local = transaction.open_table(LOCAL).unwrap();
        let removed = local.remove("removed").unwrap().unwrap().value().to_vec();
        local.insert("removed", [&*removed, &[0]].concat().as_slice()).unwrap();
    });
    assert!(longer.contains("what was removed"), "{longer}");

    let shorter = forged(|transaction| {
        transaction.open_table(LOCAL).unwrap().insert("fence", &[0; 39][..]).unwrap();
    });
    assert_eq!(shorter, "its fence has another size");

    let gone = forged(|transaction| _ = transaction.delete_table(FACTS).unwrap());
    assert!(gone.contains("facts-1"), "{gone}");
}

#[test]
fn what_another_flock_signed_is_found() {
    for batch in [records([record_for(&OTHER, 1, 1, 0..2)]), facts([act_for(&OTHER, 1, 1)])] {
        let disk = MemoryDisk::default();
        let (mut store, _) = Store::open_on(Box::new(disk.clone()), TERMS).unwrap();
        store.commit(&batch).unwrap();
        drop(store);
        let Err(Failure::Damaged(what)) = Store::open_on(Box::new(disk), TERMS) else {
            panic!("it opens");
        };
        assert!(what.contains("the signature is not the author's"), "{what}");
    }
}

#[test]
fn a_panic_below_is_damage() {
    let caught = guard::<()>(|| panic!("assertion in redb"));
    assert!(matches!(caught, Err(Failure::Damaged(what)) if what == "assertion in redb"));
}
