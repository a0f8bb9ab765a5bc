use std::fs;

use crux_crdt::canon::Canonical as _;
use crux_crdt::fact::{Fact, Kind};
use crux_crdt::record::{Profile, Record, SLOT_BYTES_MAX, Slot};
use crux_crdt::{Digest, Principal};
use redb::{ReadableDatabase, ReadableTableMetadata};

use super::fixture::*;
use super::memory::MemoryDisk;
use crate::store::error::Failure;
use crate::store::tables::{ReadTables, WriteTables};
use crate::store::{Batch, Snapshot, Store};

fn open(disk: &MemoryDisk) -> (Store, Snapshot) {
    Store::open_on(Box::new(disk.clone()), TERMS).unwrap()
}

/// How many parts are stored apart.
fn parts(store: &Store) -> u64 {
    let read = store.database().unwrap().begin_read().unwrap();
    ReadTables::open(&read).unwrap().parts.len().unwrap()
}

#[test]
fn what_is_committed_is_there_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let (mut store, empty) = Store::open(&path, TERMS).unwrap();
    assert_eq!(Content::of(&empty), Content::default());
    let batches = [mixed(1), mixed(4), records([record(5, 1, 0..3)])];
    batches.iter().for_each(|batch| store.commit(batch).unwrap());
    store.close().unwrap();
    let (_, snapshot) = Store::open(&path, TERMS).unwrap();
    assert_eq!(Content::of(&snapshot), Content::after(&batches));
    let records = records_of(&snapshot.facts);
    let services = records.iter().map(|record| record.registrations().count());
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
    store.commit(&facts(acts.clone())).unwrap();
    store.close().unwrap();
    let again = acts_of(&open(&disk).1.facts);
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
fn parts_that_are_not_covered_leave_the_table() {
    let disk = MemoryDisk::default();
    let (mut store, _) = open(&disk);
    store.commit(&records([record(1, 1, 0..200), record(2, 1, 0..2)])).unwrap();
    store.commit(&records([record(1, 2, 199..201)])).unwrap();
    assert_eq!(parts(&store), 4);
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
    drop(Store::open(&path, TERMS).unwrap());
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
    let [read] = &records_of(&snapshot.facts)[..] else { panic!("one record") };
    assert_eq!(**read, *record);
    assert_eq!(read.profile().to_canonical(), profile);
    assert_eq!(read.slots().len(), 4);
    let kept = |record: &std::sync::Arc<Record>| Fact::from(record.clone()).keep(None).unwrap();
    assert_eq!(kept(read), kept(&record));
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
    assert_eq!(parts(&store), 3);
    drop(store);
    let (mut store, snapshot) = open(&disk);
    let held = records_of(&snapshot.facts);
    let held = held.iter().find(|it| it.author() == principal(1)).unwrap();
    assert_eq!(**held, *stripped);
    assert!(held.is_stripped() && held.id() == whole.id());
    // A newer one is whole again.
    store.commit(&records([record(1, 5, 0..7)])).unwrap();
    drop(store);
    let (_, snapshot) = open(&disk);
    let records = records_of(&snapshot.facts);
    assert_eq!(records.iter().map(|it| it.slots().len()).sum::<usize>(), 7 + 3);
}

#[test]
fn a_record_that_lost_its_list_of_slots_is_damaged_and_not_stripped() {
    let disk = MemoryDisk::default();
    let (store, _) = open(&disk);
    let whole = record(1, 1, 0..3);
    let stripped = Fact::from(std::sync::Arc::new(whole.stripped()));
    let mut bytes = stripped.keep(None).unwrap().unwrap().bytes;
    let transaction = store.database().unwrap().begin_write().unwrap();
    let mut tables = WriteTables::open(&transaction).unwrap();
    bytes.pop();
    tables.facts.insert((Kind::RECORD.0, &principal(1).0), bytes.as_slice()).unwrap();
    drop(tables);
    transaction.commit().unwrap();
    drop(store);
    let refused = Store::open_on(Box::new(disk), TERMS);
    assert!(matches!(refused, Err(Failure::Damaged(_))));
}

#[test]
fn pending_writes_strip_in_any_order() {
    let (whole, newer) = (record(1, 4, 0..9), record(1, 5, 0..2));
    let stripped = std::sync::Arc::new(whole.stripped());
    for order in [[&whole, &stripped], [&stripped, &whole]] {
        let mut pending = crate::store::pending::Pending::default();
        order.iter().for_each(|it| _ = pending.absorb(records([(*it).clone()])));
        assert!(records_of(&pending.to_batch().facts)[0].is_stripped());
        pending.absorb(records([newer.clone()]));
        assert_eq!(records_of(&pending.to_batch().facts)[0].slots().len(), 2);
    }
}

#[test]
fn what_forgotten_authors_took_is_used_again_and_given_back_at_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let size = || fs::metadata(&path).unwrap().len();
    let (mut store, _) = Store::open(&path, TERMS).unwrap();
    let many: Vec<_> = (1..=20).map(|author| bulky(author, 1, 200)).collect();
    store.commit(&records(many.clone())).unwrap();
    let full = size();
    assert!(full > 30 << 20, "{full}");
    let stripped = |it: &std::sync::Arc<Record>| std::sync::Arc::new(it.stripped());
    store.commit(&records(many.iter().map(stripped))).unwrap();
    // Pages that are free are used first.
    store.commit(&Batch::default()).unwrap();
    store.commit(&records([record(40, 1, 0..1)])).unwrap();
    store.commit(&records((21..=30).map(|author| bulky(author, 1, 200)))).unwrap();
    assert!(size() <= full + full / 4, "{} after {full}", size());
    let again = (21..=30).map(|author| stripped(&bulky(author, 1, 200)));
    store.commit(&records(again)).unwrap();
    store.close().unwrap();
    let (store, snapshot) = Store::open(&path, TERMS).unwrap();
    assert_eq!(snapshot.facts.len(), 31);
    store.close().unwrap();
    assert!(size() < 2 << 20, "{} after {full}", size());
    let (_, again) = Store::open(&path, TERMS).unwrap();
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

#[test]
fn what_is_gone_leaves_the_disk_with_its_parts_and_may_come_back() {
    let disk = MemoryDisk::default();
    let (mut store, _) = open(&disk);
    let both = records([record(1, 4, 0..200), record(2, 1, 0..3)]);
    store.commit(&both).unwrap();
    // Under another author's key nothing of this one is there.
    let mut elsewhere = gone(1);
    elsewhere.gone[0].key = Digest(principal(2).0);
    store.commit(&elsewhere).unwrap();
    assert_eq!(parts(&store), 203);
    store.commit(&gone(1)).unwrap();
    assert_eq!(parts(&store), 3);
    drop(store);
    let (mut store, snapshot) = open(&disk);
    assert_eq!(Content::of(&snapshot), Content::after(&[records([record(2, 1, 0..3)])]));
    // What is gone is no statement about what comes later: an older one, even.
    store.commit(&records([record(1, 3, 0..5)])).unwrap();
    drop(store);
    assert_eq!(records_of(&open(&disk).1.facts).len(), 2);
}

#[test]
fn what_is_gone_already_does_not_touch_the_disk() {
    let disk = MemoryDisk::default();
    let (mut store, _) = open(&disk);
    store.commit(&mixed(3)).unwrap();
    store.commit(&gone(1)).unwrap();
    let before = disk.image().syncs;
    store.commit(&gone(1)).unwrap();
    store.commit(&gone(9)).unwrap();
    assert_eq!(disk.image().syncs, before);
}

/// In one batch the facts are merged first. Of several batches the later one counts.
#[test]
fn what_is_gone_leaves_what_waits() {
    let at = |batch: Batch| {
        let disk = MemoryDisk::default();
        let (mut store, _) = open(&disk);
        store.commit(&records([record(1, 1, 0..1)])).unwrap();
        store.commit(&batch).unwrap();
        drop(store);
        records_of(&open(&disk).1.facts).iter().map(|it| it.marker().seq).collect::<Vec<_>>()
    };
    let (newer, ended) = (records([record(1, 2, 0..2)]), gone(1));
    let both = Batch { gone: ended.gone.clone(), ..newer.clone() };
    let merged = |batches: &[&Batch]| {
        let mut pending = crate::store::pending::Pending::default();
        batches.iter().for_each(|batch| _ = pending.absorb((*batch).clone()));
        pending.to_batch()
    };
    assert_eq!(at(both.clone()), [0; 0]);
    assert_eq!(at(merged(&[&both])), [0; 0]);
    assert_eq!(at(merged(&[&newer, &ended])), [0; 0]);
    assert_eq!(at(merged(&[&ended, &newer])), [2]);
    let waiting = merged(&[&newer, &ended]);
    assert_eq!((waiting.facts.len(), waiting.gone.len()), (0, 1));
}

#[test]
fn of_what_is_gone_a_bounded_part_waits() {
    let mut pending = crate::store::pending::Pending::default();
    let many = (0..20_000_u32).map(|n| {
        let mut author = Principal([7; 32]);
        author.0[..4].copy_from_slice(&n.to_be_bytes());
        crux_crdt::fact::Gone { kind: Kind::RECORD, key: Digest(author.0), author }
    });
    let fact = record(1, 1, 0..1);
    assert!(pending.absorb(records([fact])));
    assert!(pending.absorb(Batch { gone: many.collect(), ..Batch::default() }));
    // The fact itself need not be written all the same.
    pending.absorb(gone(1));
    let batch = pending.to_batch();
    assert_eq!((batch.facts.len(), batch.gone.len()), (0, 16_384));
}

/// A later build of this format wrote it. It finds it again, whatever this one does meanwhile.
#[test]
fn facts_of_a_kind_that_this_build_does_not_know_stay_in_the_file() {
    let disk = MemoryDisk::default();
    let (mut store, _) = open(&disk);
    let transaction = store.database().unwrap().begin_write().unwrap();
    let mut tables = WriteTables::open(&transaction).unwrap();
    tables.facts.insert((200, &[5; 32]), &b"of a later build"[..]).unwrap();
    tables.parts.insert((200, &[5; 32], &[6; 32]), &b"its part"[..]).unwrap();
    drop(tables);
    transaction.commit().unwrap();
    store.commit(&mixed(3)).unwrap();
    store.close().unwrap();
    let (mut store, snapshot) = open(&disk);
    assert_eq!(Content::of(&snapshot), Content::after(&[mixed(3)]));
    store.commit(&mixed(4)).unwrap();
    let read = store.database().unwrap().begin_read().unwrap();
    let tables = ReadTables::open(&read).unwrap();
    let found = tables.facts.get((200, &[5; 32])).unwrap().unwrap();
    assert_eq!(found.value(), b"of a later build");
    assert!(tables.parts.get((200, &[5; 32], &[6; 32])).unwrap().is_some());
}
