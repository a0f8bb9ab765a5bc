//! A full disk: the write says so, nothing durable is lost, and writing goes on once there is room.

use super::fixture::*;
use super::memory::MemoryDisk;
use crate::store::{Store, WriteError};

fn content(disk: &MemoryDisk) -> Content {
    Content::of(&Store::open_on(Box::new(disk.clone()), TERMS).unwrap().1)
}

/// More than fits into what a database has allocated.
fn large() -> crate::store::Batch {
    records((10..20).map(|author| record(author, 1, 0..200)))
}

#[test]
fn writing_goes_on_when_there_is_room() {
    let disk = MemoryDisk::default();
    let (mut store, _) = Store::open_on(Box::new(disk.clone()), TERMS).unwrap();
    store.commit(&mixed(3)).unwrap();
    disk.image().room = Some(0);
    for _ in 0..3 {
        let refused = store.commit(&large()).unwrap_err();
        assert!(matches!(refused, WriteError::Full(_)), "{refused:?}");
    }
    disk.image().room = None;
    store.commit(&large()).unwrap();
    store.commit(&mixed(5)).unwrap();
    drop(store);
    assert_eq!(content(&disk), Content::after(&[mixed(3), large(), mixed(5)]));
}

#[test]
fn a_full_disk_that_shows_only_when_syncing() {
    let disk = MemoryDisk::default();
    let (mut store, _) = Store::open_on(Box::new(disk.clone()), TERMS).unwrap();
    store.commit(&mixed(3)).unwrap();
    disk.image().sync_fails = true;
    assert!(matches!(store.commit(&mixed(4)), Err(WriteError::Full(_))));
    assert!(matches!(store.commit(&mixed(4)), Err(WriteError::Full(_))));
    disk.image().sync_fails = false;
    store.commit(&mixed(6)).unwrap();
    drop(store);
    let found = content(&disk);
    // The failed batch may have got through with its bytes in memory; the others are there.
    let [without, with] = [vec![mixed(3), mixed(6)], vec![mixed(3), mixed(4), mixed(6)]];
    assert!(found == Content::after(&without) || found == Content::after(&with));
}

#[test]
fn a_node_starts_on_a_full_disk() {
    let disk = MemoryDisk::default();
    let (mut store, _) = Store::open_on(Box::new(disk.clone()), TERMS).unwrap();
    store.commit(&mixed(3)).unwrap();
    let killed = MemoryDisk::holding(disk.image().bytes.clone());
    store.close().unwrap();
    let closed = MemoryDisk::holding(disk.image().bytes.clone());
    for disk in [killed, closed] {
        disk.image().room = Some(0);
        assert_eq!(content(&disk), Content::after(&[mixed(3)]));
    }
}
