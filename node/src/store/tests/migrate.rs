use redb::{ReadableDatabase, TableDefinition, WriteTransaction};

use super::fixture::*;
use super::memory::MemoryDisk;
use crate::store::disk::Disk;
use crate::store::error::Failure;
use crate::store::migrate::{STEPS, Step, format_after, remaining, run};
use crate::store::tables::{FORMAT, WriteTables};
use crate::store::{Store, tables};

const MARKS: TableDefinition<'_, u32, ()> = TableDefinition::new("marks");

fn second(transaction: &WriteTransaction) -> Result<(), Failure> {
    transaction.open_table(MARKS)?.insert(2, ())?;
    Ok(())
}

fn third(transaction: &WriteTransaction) -> Result<(), Failure> {
    // Runs after the one before it.
    assert!(transaction.open_table(MARKS)?.remove(2)?.is_some());
    transaction.open_table(MARKS)?.insert(3, ())?;
    Ok(())
}

fn failing(_: &WriteTransaction) -> Result<(), Failure> {
    Err(Failure::damaged("a row that is none"))
}

fn database() -> redb::Database {
    let disk = MemoryDisk::default();
    Store::open_on(Box::new(disk.clone()), FLOCK).unwrap().0.close().unwrap();
    disk.open().unwrap()
}

#[test]
fn this_build_writes_format_2() {
    assert_eq!(format_after(STEPS), 2);
    assert_eq!(remaining(1, STEPS).unwrap().len(), 1);
    assert!(remaining(2, STEPS).unwrap().is_empty());
    assert!(matches!(remaining(3, STEPS), Err(Failure::Newer { found: 3, known: 2 })));
    assert!(matches!(remaining(0, STEPS), Err(Failure::Damaged(_))));
}

/// A file that the build before this one goes on with.
#[test]
fn a_database_of_format_1_is_refused_by_name_and_stays_as_it_is() {
    let disk = MemoryDisk::default();
    Store::open_on(Box::new(disk.clone()), FLOCK).unwrap().0.close().unwrap();
    let database = disk.open().unwrap();
    let transaction = database.begin_write().unwrap();
    let mut tables = WriteTables::open(&transaction).unwrap();
    tables.meta.insert(FORMAT, 1u32.to_be_bytes().as_slice()).unwrap();
    drop(tables);
    transaction.commit().unwrap();
    drop(database);
    for _ in 0..2 {
        let refused = Store::open_on(Box::new(disk.clone()), FLOCK).unwrap_err();
        assert!(matches!(refused, Failure::Older { found: 1, known: 2 }), "{refused:?}");
    }
}

#[test]
fn steps_run_in_order_and_once() {
    let steps: &[Step] = &[second, third];
    let database = database();
    run(&database, remaining(1, steps).unwrap(), format_after(steps)).unwrap();
    let found = tables::format(&database.begin_read().unwrap()).unwrap();
    assert_eq!(found, 3);
    assert!(remaining(found, steps).unwrap().is_empty());
}

#[test]
fn a_failed_step_leaves_the_old_format() {
    let steps: &[Step] = &[second, failing];
    let database = database();
    assert!(run(&database, remaining(1, steps).unwrap(), 3).is_err());
    let read = database.begin_read().unwrap();
    assert_eq!(tables::format(&read).unwrap(), 2);
    assert!(read.open_table(MARKS).is_err());
}
