use std::fs;

use crux_crdt::canon::Canonical as _;
use crux_crdt::record::{Profile, Record, SLOT_BYTES_MAX, Slot};
use redb::{ReadableDatabase, ReadableTableMetadata};

use super::fixture::*;
use super::memory::MemoryDisk;
use crate::store::codec::StoredRecord;
use crate::store::error::Failure;
use crate::store::tables::{ReadTables, WriteTables};
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

/// An older build keeps what a newer one signed, byte for byte, over a restart.
#[test]
fn an_act_of_an_unknown_kind_is_there_again() {
    let disk = MemoryDisk::default();
    let (mut store, _) = open(&disk);
    let acts = vec![unknown_act(1, 1), act(1, 2)];
    store.commit(&Batch { acts: acts.clone(), ..Batch::default() }).unwrap();
    store.close().unwrap();
    let again = open(&disk).1.acts;
    assert_eq!(again.len(), 2);
    for act in acts {
        let held = again.iter().find(|held| held.id() == act.id()).expect("it is stored");
        assert_eq!((held.value(), held.signature()), (act.value(), act.signature()));
    }
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

/// Statements of a kind that this build does not know, 8 KiB each: the largest slots there are.
fn bulky(author: u8, seq: u64, slots: u8) -> std::sync::Arc<Record> {
    let slots = (0..slots).map(|n| {
        let mut bytes = vec![0; SLOT_BYTES_MAX];
        (bytes[0], bytes[1], bytes[2]) = (9, n, author);
        Slot::from_canonical(&bytes).unwrap()
    });
    record_of(author, seq, slots)
}

/// Slots and profile fields that came after this version: they keep their bytes on the disk, so the header still
/// covers them.
#[test]
fn what_this_version_does_not_know_comes_back_byte_for_byte() {
    let disk = MemoryDisk::default();
    let (mut store, _) = open(&disk);
    // The list of tagged fields is the last of a profile: two that nobody knows, the greatest of them.
    let mut profile = Profile::default().to_canonical();
    profile.truncate(profile.len() - 4);
    profile.extend([0, 0, 0, 2, 9, 0, 0, 0, 2, 7, 7, 255, 0, 0, 11, 254]);
    profile.extend([0x5a; 3 * 1024 - 2]);
    let later = Profile::from_canonical(&profile).unwrap();
    let slots = bulky(1, 1, 3).slots().values().map(|slot| Slot::clone(slot)).collect::<Vec<_>>();
    let record = record_saying(&FLOCK, 1, 2, later, slots.into_iter().chain([slot(1)]));
    store.commit(&records([record.clone()])).unwrap();
    drop(store);
    let snapshot = open(&disk).1;
    let [read] = &snapshot.records[..] else { panic!("one record") };
    assert_eq!(**read, *record);
    assert_eq!(read.profile().to_canonical(), profile);
    assert_eq!(read.slots().len(), 4);
    assert_eq!(StoredRecord::seal(read), StoredRecord::seal(&record));
}

#[test]
fn a_stripped_record_replaces_the_whole_one_and_takes_its_slots_along() {
    let disk = MemoryDisk::default();
    let (mut store, _) = open(&disk);
    let whole = record(1, 4, 0..200);
    let stripped = std::sync::Arc::new(whole.stripped());
    store.commit(&records([whole.clone(), record(2, 1, 0..3)])).unwrap();
    store.commit(&records([stripped.clone()])).unwrap();
    // The whole one does not come back, an older one neither.
    store.commit(&records([whole.clone()])).unwrap();
    store.commit(&records([record(1, 3, 0..5)])).unwrap();
    let slots = {
        let database = store.database().unwrap();
        ReadTables::open(&database.begin_read().unwrap()).unwrap().slots.len().unwrap()
    };
    assert_eq!(slots, 3);
    drop(store);
    let (mut store, snapshot) = open(&disk);
    let held = snapshot.records.iter().find(|it| it.author() == principal(1)).unwrap();
    assert_eq!(**held, *stripped);
    assert!(held.is_stripped() && held.id() == whole.id());
    // A newer one is whole again.
    store.commit(&records([record(1, 5, 0..7)])).unwrap();
    drop(store);
    let (_, snapshot) = open(&disk);
    assert_eq!(snapshot.records.iter().map(|it| it.slots().len()).sum::<usize>(), 7 + 3);
}

#[test]
fn a_record_that_lost_its_list_of_slots_is_damaged_and_not_stripped() {
    let disk = MemoryDisk::default();
    let (store, _) = open(&disk);
    let whole = record(1, 1, 0..3);
    let mut bytes = StoredRecord::seal(&whole.stripped());
    let transaction = store.database().unwrap().begin_write().unwrap();
    let mut tables = WriteTables::open(&transaction).unwrap();
    bytes.pop();
    tables.records.insert(&principal(1).0, bytes.as_slice()).unwrap();
    drop(tables);
    transaction.commit().unwrap();
    drop(store);
    let refused = Store::open_on(Box::new(disk), FLOCK);
    assert!(matches!(refused, Err(Failure::Damaged(_))));
}

#[test]
fn pending_writes_strip_in_any_order() {
    let (whole, newer) = (record(1, 4, 0..9), record(1, 5, 0..2));
    let stripped = std::sync::Arc::new(whole.stripped());
    for order in [[&whole, &stripped], [&stripped, &whole]] {
        let mut pending = crate::store::pending::Pending::default();
        order.iter().for_each(|it| _ = pending.absorb(records([(*it).clone()])));
        assert!(pending.to_batch().records[0].is_stripped());
        pending.absorb(records([newer.clone()]));
        assert_eq!(pending.to_batch().records[0].slots().len(), 2);
    }
}

#[test]
fn what_forgotten_authors_took_is_used_again_and_given_back_at_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let size = || fs::metadata(&path).unwrap().len();
    let (mut store, _) = Store::open(&path, FLOCK).unwrap();
    let many: Vec<_> = (1..=20).map(|author| bulky(author, 1, 200)).collect();
    store.commit(&records(many.clone())).unwrap();
    let full = size();
    assert!(full > 30 << 20, "{full}");
    store.commit(&records(many.iter().map(|it| it.stripped().into()))).unwrap();
    // Pages that are free are used first.
    store.commit(&Batch::default()).unwrap();
    store.commit(&records([record(40, 1, 0..1)])).unwrap();
    store.commit(&records((21..=30).map(|author| bulky(author, 1, 200)))).unwrap();
    assert!(size() <= full + full / 4, "{} after {full}", size());
    let again = (21..=30).map(|author| bulky(author, 1, 200).stripped().into());
    store.commit(&records(again)).unwrap();
    store.close().unwrap();
    let (store, snapshot) = Store::open(&path, FLOCK).unwrap();
    assert_eq!(snapshot.records.len(), 31);
    store.close().unwrap();
    assert!(size() < 2 << 20, "{} after {full}", size());
    let (_, again) = Store::open(&path, FLOCK).unwrap();
    assert_eq!(Content::of(&again), Content::of(&snapshot));
}
/// The greater one counts, unless it is what is forgotten: on the disk, and in batches that wait for it.
#[test]
fn a_fence_that_is_forgotten_does_not_come_back_and_another_one_stays() {
    let (lie, next) = ((1 << 48) - 1, 5);
    let raise = |n| Batch { fence: Some((n, principal(2))), ..Batch::default() };
    let forget = |n| Batch { forgotten: vec![(n, principal(2))], ..Batch::default() };
    let both = Batch { fence: Some((next, principal(2))), ..forget(lie) };
    for batches in [vec![raise(lie), forget(lie), raise(next)], vec![raise(lie), both]] {
        let disk = MemoryDisk::default();
        let (mut store, _) = open(&disk);
        batches.iter().for_each(|batch| store.commit(batch).unwrap());
        store.commit(&forget(lie)).unwrap();
        drop(store);
        let snapshot = open(&disk).1;
        assert_eq!(snapshot.fence, Some((next, principal(2))));
        assert_eq!(Content::of(&snapshot), Content::after(&batches));
    }
}
