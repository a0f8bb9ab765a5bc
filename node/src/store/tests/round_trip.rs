use std::fs;

use redb::{ReadableDatabase, ReadableTableMetadata};

use super::fixture::*;
use super::memory::MemoryDisk;
use crate::store::tables::ReadTables;
use crate::store::{Batch, Snapshot, Store};

fn open(disk: &MemoryDisk) -> (Store, Snapshot) {
    Store::open_on(Box::new(disk.clone()), FLOCK).unwrap()
}

#[test]
fn what_is_committed_is_there_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let (mut store, empty) = Store::open(&path, FLOCK).unwrap();
    assert_eq!(Content::of(&empty), Content::default());
    let batches = [mixed(1), mixed(4), records([record(5, 1, 0..3)])];
    batches.iter().for_each(|batch| store.commit(batch).unwrap());
    store.close().unwrap();
    let (_, snapshot) = Store::open(&path, FLOCK).unwrap();
    assert_eq!(Content::of(&snapshot), Content::after(&batches));
    let services = snapshot.records.iter().map(|record| record.registrations().count());
    assert_eq!(services.sum::<usize>(), 4 + 4 + 4 + 3);
    // Nothing is left beside it.
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_write_is_a_merge() {
    let disk = MemoryDisk::default();
    let (mut store, _) = open(&disk);
    let (old, new) = (mixed(2), mixed(7));
    for batch in [&new, &old] {
        store.commit(batch).unwrap();
    }
    drop(store);
    assert_eq!(Content::of(&open(&disk).1), Content::after([&old, &new]));
}

#[test]
fn two_records_under_one_marker_end_alike_in_any_order() {
    let pair = [records([record(1, 1, 0..1)]), records([record(1, 1, 1..2)])];
    for order in [[0, 1], [1, 0]] {
        let disk = MemoryDisk::default();
        let (mut store, _) = open(&disk);
        order.iter().for_each(|n| store.commit(&pair[*n]).unwrap());
        drop(store);
        assert_eq!(Content::of(&open(&disk).1), Content::after(&pair));
    }
}

#[test]
fn nothing_new_does_not_touch_the_disk() {
    let disk = MemoryDisk::default();
    let (mut store, _) = open(&disk);
    store.commit(&mixed(3)).unwrap();
    let touched = || {
        let image = disk.image();
        (image.written, image.syncs)
    };
    let before = touched();
    store.commit(&mixed(3)).unwrap();
    store.commit(&mixed(1)).unwrap();
    store.commit(&Batch::default()).unwrap();
    assert_eq!(touched(), before);
}

#[test]
fn slots_that_are_not_covered_leave_the_table() {
    let disk = MemoryDisk::default();
    let (mut store, _) = open(&disk);
    store.commit(&records([record(1, 1, 0..200), record(2, 1, 0..2)])).unwrap();
    store.commit(&records([record(1, 2, 199..201)])).unwrap();
    let database = store.database().unwrap();
    let tables = ReadTables::open(&database.begin_read().unwrap()).unwrap();
    assert_eq!(tables.slots.len().unwrap(), 4);
}

#[test]
fn one_changed_registration_among_250_writes_little() {
    let disk = MemoryDisk::default();
    let (mut store, _) = open(&disk);
    store.commit(&records([record(1, 1, 0..250)])).unwrap();
    let before = disk.image().written;
    store.commit(&records([record(1, 2, 1..251)])).unwrap();
    let written = disk.image().written - before;
    assert!(written < 80 * 1024, "{written} bytes were written");
}

#[cfg(unix)]
#[test]
fn only_its_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    drop(Store::open(&path, FLOCK).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn removals_are_kept_up_to_a_bound_and_the_database_opens() {
    let disk = MemoryDisk::default();
    let (mut store, _) = open(&disk);
    for part in [0..700, 600..1_400] {
        let removed = part.map(|n| key(&format!("gone-{n}"))).collect();
        store.commit(&Batch { removed, ..Batch::default() }).unwrap();
    }
    drop(store);
    let kept = open(&disk).1.removed;
    assert_eq!(kept.len(), 1_024);
    assert!((0..1_024).all(|n| kept.contains(&key(&format!("gone-{n}")))), "the first ones");
}
