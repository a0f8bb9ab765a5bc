//! Kill and power failure. What was answered `Ok` is there; nothing is there by halves.

use std::fs;

use proptest::prelude::*;

use super::fixture::*;
use super::memory::MemoryDisk;
use crate::store::disk::{Disk, FileDisk};
use crate::store::error::Failure;
use crate::store::{Batch, Store};

fn content(disk: &MemoryDisk) -> Content {
    Content::of(&Store::open_on(Box::new(disk.clone()), TERMS).unwrap().1)
}

/// Killed: nothing is closed, and the file is what the process wrote so far.
#[test]
fn a_kill_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let left = directory.path().join("left.redb");
    let (mut store, _) = Store::open(&path, TERMS).unwrap();
    let batches: Vec<_> = (1..5).map(mixed).collect();
    for done in 1..=batches.len() {
        store.commit(&batches[done - 1]).unwrap();
        fs::copy(&path, &left).unwrap();
        let (_, snapshot) = Store::open(&left, TERMS).unwrap();
        assert_eq!(Content::of(&snapshot), Content::after(&batches[..done]));
    }
}

#[test]
fn a_kill_while_it_is_made_leaves_no_half_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let unfinished = format!("store.redb.new-{}", std::process::id());
    fs::write(directory.path().join(unfinished), "half of a database").unwrap();
    assert!(Store::open(&path, TERMS).is_ok());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn what_cannot_be_made_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let disk = FileDisk::new(&directory.path().join("store.redb"));
    assert!(disk.create(&|_| Err(Failure::damaged("the disk is full"))).is_err());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The power fails in the middle of a write: any part of what was not synced may be on the disk.
    #[test]
    fn a_power_failure_loses_at_most_the_write_in_progress(
        before in 0..4_u64,
        kept in prop::collection::vec(any::<bool>(), 16),
    ) {
        let disk = MemoryDisk::default();
        let (mut store, _) = Store::open_on(Box::new(disk.clone()), TERMS).unwrap();
        let batches: Vec<Batch> = (1..=before).map(mixed).collect();
        batches.iter().for_each(|batch| store.commit(batch).unwrap());
        disk.image().sync_fails = true;
        let last = mixed(9);
        prop_assert!(store.commit(&last).is_err());

        let mut coins = kept.iter().copied().cycle();
        let image = disk.image().after_power_failure(|| coins.next().unwrap());
        let found = content(&MemoryDisk::holding(image));
        let without = Content::after(&batches);
        let with = Content::after(batches.iter().chain([&last]));
        prop_assert!(found == without || found == with, "{found:?}");
    }

    /// As above, between writes: everything that was answered `Ok` is there.
    #[test]
    fn a_power_failure_between_writes_loses_nothing(
        count in 1..5_u64,
        kept in prop::collection::vec(any::<bool>(), 16),
    ) {
        let disk = MemoryDisk::default();
        let (mut store, _) = Store::open_on(Box::new(disk.clone()), TERMS).unwrap();
        let batches: Vec<Batch> = (1..=count).map(mixed).collect();
        batches.iter().for_each(|batch| store.commit(batch).unwrap());
        let mut coins = kept.iter().copied().cycle();
        let image = disk.image().after_power_failure(|| coins.next().unwrap());
        prop_assert_eq!(content(&MemoryDisk::holding(image)), Content::after(&batches));
    }
}
