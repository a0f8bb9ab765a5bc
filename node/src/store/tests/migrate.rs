use crux_crdt::canon::{Canonical as _, Encoder};
use crux_crdt::record::Record;
use redb::{Database, ReadableDatabase, TableDefinition, TableHandle as _, WriteTransaction};

use super::fixture::*;
use super::memory::MemoryDisk;
use crate::store::disk::Disk;
use crate::store::error::Failure;
use crate::store::migrate::{STEPS, Step, format_after, remaining, run};
use crate::store::{Batch, Store, tables};

const MARKS: TableDefinition<'_, u32, ()> = TableDefinition::new("marks");

fn fourth(transaction: &WriteTransaction) -> Result<(), Failure> {
    transaction.open_table(MARKS)?.insert(4, ())?;
    Ok(())
}

fn fifth(transaction: &WriteTransaction) -> Result<(), Failure> {
    // Runs after the one before it.
    assert!(transaction.open_table(MARKS)?.remove(4)?.is_some());
    transaction.open_table(MARKS)?.insert(5, ())?;
    Ok(())
}

fn failing(_: &WriteTransaction) -> Result<(), Failure> {
    Err(Failure::damaged("a row that is none"))
}

/// An empty database of format 3.
fn database() -> Database {
    let disk = Old::default().on_disk();
    disk.open().unwrap()
}

#[test]
fn this_build_writes_format_4_and_reads_none_older_than_3() {
    assert_eq!(format_after(STEPS), 4);
    assert!(remaining(4, STEPS).unwrap().is_empty());
    assert_eq!(remaining(3, STEPS).unwrap().len(), 1);
    assert!(matches!(remaining(5, STEPS), Err(Failure::Newer { found: 5, known: 4 })));
    for older in [1, 2] {
        let Err(Failure::Older { found, known: 3 }) = remaining(older, STEPS) else {
            panic!("format {older}")
        };
        assert_eq!(found, older);
    }
    assert!(matches!(remaining(0, STEPS), Err(Failure::Damaged(_))));
}

#[test]
fn steps_run_in_order_and_once() {
    let steps: &[Step] = &[fourth, fifth];
    let database = database();
    run(&database, remaining(3, steps).unwrap(), format_after(steps)).unwrap();
    let found = tables::format(&database.begin_read().unwrap()).unwrap();
    assert_eq!(found, 5);
    assert!(remaining(found, steps).unwrap().is_empty());
}

#[test]
fn a_failed_step_leaves_the_old_format() {
    let steps: &[Step] = &[fourth, failing];
    let database = database();
    assert!(run(&database, remaining(3, steps).unwrap(), 5).is_err());
    let read = database.begin_read().unwrap();
    assert_eq!(tables::format(&read).unwrap(), 3);
    assert!(read.open_table(MARKS).is_err());
}

type Key = &'static [u8; 32];
type Bytes = &'static [u8];
const META: TableDefinition<'_, &str, Bytes> = TableDefinition::new("meta-1");
const RECORDS: TableDefinition<'_, Key, Bytes> = TableDefinition::new("records-1");
const SLOTS: TableDefinition<'_, (Key, Key), Bytes> = TableDefinition::new("slots-1");
const ACTS: TableDefinition<'_, Key, Bytes> = TableDefinition::new("acts-2");
const FENCE: TableDefinition<'_, (), (u64, Key)> = TableDefinition::new("fence-1");

/// What a database of format 3 holds: written as the builds of that format did.
#[derive(Default)]
struct Old(Batch);

impl Old {
    fn on_disk(&self) -> MemoryDisk {
        let disk = MemoryDisk::default();
        disk.create(&|database| {
            let transaction = database.begin_write()?;
            self.write(&transaction)?;
            Ok(transaction.commit()?)
        })
        .unwrap();
        disk
    }

    fn write(&self, transaction: &WriteTransaction) -> Result<(), Failure> {
        let Batch { facts, fence, incarnation, removed, .. } = &self.0;
        let mut meta = transaction.open_table(META)?;
        meta.insert("format", &3_u32.to_be_bytes()[..])?;
        meta.insert("flock", &FLOCK.0[..])?;
        if let Some(incarnation) = incarnation {
            meta.insert("incarnation", &incarnation.to_be_bytes()[..])?;
        }
        if !removed.is_empty() {
            let mut out = Encoder::default();
            out.u8(2).count(removed.len());
            removed.iter().for_each(|key| key.encode(&mut out));
            meta.insert("removed", out.finish().as_slice())?;
        }
        let mut acts = transaction.open_table(ACTS)?;
        for act in acts_of(facts) {
            let mut out = Encoder::default();
            act.seal(&mut out);
            acts.insert(&act.id().0, out.finish().as_slice())?;
        }
        let mut fences = transaction.open_table(FENCE)?;
        if let Some((term, principal)) = fence {
            fences.insert((), (*term, &principal.0))?;
        }
        let mut records = transaction.open_table(RECORDS)?;
        let mut slots = transaction.open_table(SLOTS)?;
        for record in records_of(facts) {
            let author = record.author().0;
            records.insert(&author, record_of_format_3(&record).as_slice())?;
            for (id, slot) in record.slots() {
                slots.insert((&author, &id.0), slot.to_canonical().as_slice())?;
            }
        }
        Ok(())
    }
}

fn record_of_format_3(record: &Record) -> Vec<u8> {
    let mut out = Encoder::default();
    record.header().seal(&mut out);
    record.profile().encode(&mut out);
    out.count(record.slots().len());
    record.slots().keys().for_each(|id| _ = out.digest(id));
    if record.is_stripped() {
        out.u8(1);
    }
    out.finish()
}

fn table_names(disk: &MemoryDisk) -> Vec<String> {
    let database = disk.open().unwrap();
    let read = database.begin_read().unwrap();
    let mut names: Vec<_> = read.list_tables().unwrap().map(|it| it.name().to_owned()).collect();
    names.sort();
    names
}

/// A flock of some size, with all that a node knows: removals, a fence, one that departed, an act of a later kind.
fn old() -> Old {
    let Batch { facts: mut all, .. } = mixed(4);
    all.extend(records((10..20).map(|author| record(author, 3, 0..200))).facts);
    all.extend(records([std::sync::Arc::new(record(30, 9, 0..4).stripped())]).facts);
    all.extend(facts([unknown_act(1, 9)]).facts);
    Old(Batch { facts: all, ..mixed(4) })
}

#[test]
fn format_3_opens_with_everything_there() {
    let old = old();
    let disk = old.on_disk();
    assert_eq!(table_names(&disk), ["acts-2", "fence-1", "meta-1", "records-1", "slots-1"]);
    let (mut store, snapshot) = Store::open_on(Box::new(disk.clone()), TERMS).unwrap();
    let is_all_there = |snapshot| {
        assert_eq!(Content::of(snapshot), Content::after([&old.0]));
        let records = records_of(&snapshot.facts);
        assert_eq!(records.len(), 3 + 10 + 1);
        assert_eq!(records.iter().map(|it| it.slots().len()).sum::<usize>(), 3 * 4 + 10 * 200);
        assert_eq!(records.iter().filter(|it| it.is_stripped()).count(), 1);
        assert_eq!(acts_of(&snapshot.facts).len(), 4 + 1);
        assert_eq!((snapshot.incarnation, snapshot.fence), (4, Some((4, principal(2)))));
        assert_eq!(snapshot.removed.len(), 4);
    };
    is_all_there(&snapshot);
    // What is there already is nothing new.
    let syncs = disk.image().syncs;
    store.commit(&old.0).unwrap();
    assert_eq!(disk.image().syncs, syncs);
    store.close().unwrap();
    assert_eq!(table_names(&disk), ["facts-1", "local-1", "meta-1", "parts-1"]);
    let (mut store, again) = Store::open_on(Box::new(disk.clone()), TERMS).unwrap();
    is_all_there(&again);
    // And it is written as any other.
    let newer = [records([record(11, 4, 199..201)]), mixed(9)];
    newer.iter().for_each(|batch| store.commit(batch).unwrap());
    drop(store);
    let (_, snapshot) = Store::open_on(Box::new(disk), TERMS).unwrap();
    assert_eq!(Content::of(&snapshot), Content::after([&old.0, &newer[0], &newer[1]]));
}

#[test]
fn an_empty_database_of_format_3_opens() {
    let (_, snapshot) = Store::open_on(Box::new(Old::default().on_disk()), TERMS).unwrap();
    assert_eq!(Content::of(&snapshot), Content::default());
}

/// Without room for the copy nothing changes, and the older build can still open it.
#[test]
fn a_full_disk_leaves_format_3_whole() {
    let old = old();
    let disk = old.on_disk();
    disk.image().room = Some(0);
    let refused = Store::open_on(Box::new(disk.clone()), TERMS).unwrap_err();
    assert!(matches!(refused, Failure::Io(_)), "{refused:?}");
    disk.image().room = None;
    assert_eq!(table_names(&disk), ["acts-2", "fence-1", "meta-1", "records-1", "slots-1"]);
    let (_, snapshot) = Store::open_on(Box::new(disk), TERMS).unwrap();
    assert_eq!(Content::of(&snapshot), Content::after([&old.0]));
}

/// The power fails at the end of the copy: the database is of one format or of the other, and everything is there.
#[test]
fn a_power_failure_while_format_3_is_copied_loses_nothing() {
    let old = old();
    for keep_every in 1..8 {
        let disk = old.on_disk();
        disk.image().sync_fails = true;
        assert!(Store::open_on(Box::new(disk.clone()), TERMS).is_err());
        let mut n = 0;
        let image = disk.image().after_power_failure(|| {
            n += 1;
            n % keep_every == 0
        });
        let (_, snapshot) = Store::open_on(Box::new(MemoryDisk::holding(image)), TERMS).unwrap();
        assert_eq!(Content::of(&snapshot), Content::after([&old.0]));
    }
}

#[test]
fn a_table_that_is_missing_in_format_3_is_damage_and_not_empty() {
    let names = [ACTS.name(), RECORDS.name(), SLOTS.name(), FENCE.name()];
    for name in names {
        let disk = old().on_disk();
        let database = disk.open().unwrap();
        let transaction = database.begin_write().unwrap();
        let handles: Vec<_> = transaction.list_tables().unwrap().collect();
        let handle = handles.into_iter().find(|it| it.name() == name).unwrap();
        assert!(transaction.delete_table(handle).unwrap());
        transaction.commit().unwrap();
        drop(database);
        let Err(Failure::Damaged(what)) = Store::open_on(Box::new(disk), TERMS) else {
            panic!("it opens without {name}");
        };
        assert_eq!(what, format!("its table {name} is missing"));
    }
}

/// What is copied is verified as anything else.
#[test]
fn damage_in_format_3_is_found() {
    let disk = Old(records([record_for(&OTHER, 1, 1, 0..2)])).on_disk();
    let Err(Failure::Damaged(what)) = Store::open_on(Box::new(disk), TERMS) else {
        panic!("it opens");
    };
    assert!(what.contains("the signature is not the author's"), "{what}");
}
