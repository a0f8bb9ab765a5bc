use redb::{ReadableDatabase, TableDefinition, WriteTransaction};

use super::fixture::*;
use super::memory::MemoryDisk;
use crate::store::disk::Disk;
use crate::store::error::Failure;
use crate::store::migrate::{STEPS, Step, format_after, remaining, run};
use crate::store::{Store, tables};

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

fn database() -> redb::Database {
    let disk = MemoryDisk::default();
    Store::open_on(Box::new(disk.clone()), FLOCK).unwrap().0.close().unwrap();
    disk.open().unwrap()
}

#[test]
fn this_build_writes_format_3_and_reads_no_older_one() {
    assert_eq!(format_after(STEPS), 3);
    assert!(remaining(3, STEPS).unwrap().is_empty());
    assert!(matches!(remaining(4, STEPS), Err(Failure::Newer { found: 4, known: 3 })));
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
