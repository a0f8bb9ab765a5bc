use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crux_crdt::Digest;
use crux_crdt::fact::{Fact, Kind};
use crux_crdt::laws::check_merge;
use crux_crdt::merge::Merge;
use crux_crdt::record::Record;
use proptest::prelude::*;

use super::fixture::*;
use super::memory::MemoryDisk;
use crate::parts::Supervisor;
use crate::store::pending::Pending;
use crate::store::{Batch, Store, StoreHandle, WriteError};

const NEVER: Duration = Duration::from_secs(3600);
const SOON: Duration = Duration::from_millis(20);

fn spawn(disk: &MemoryDisk, flush_after: Duration) -> StoreHandle {
    let (store, _) = Store::open_on(Box::new(disk.clone()), TERMS).unwrap();
    store.spawn_flushing(&Supervisor::default(), flush_after).unwrap()
}

/// What a power failure would leave now.
fn durable(disk: &MemoryDisk) -> Content {
    let image = disk.image().after_power_failure(|| false);
    let disk = MemoryDisk::holding(image);
    Content::of(&Store::open_on(Box::new(disk), TERMS).unwrap().1)
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let within = async { tokio::time::timeout(Duration::from_secs(30), future).await };
    runtime.block_on(within).expect("it ends within 30 s")
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "{what} within 30 s");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn what_is_persisted_is_durable_when_it_says_so() {
    let disk = MemoryDisk::default();
    let handle = spawn(&disk, NEVER);
    wait(handle.persist(mixed(2))).unwrap();
    assert_eq!(durable(&disk), Content::after(&[mixed(2)]));
}

#[test]
fn what_is_saved_is_durable_after_a_while() {
    let disk = MemoryDisk::default();
    let handle = spawn(&disk, SOON);
    handle.save(mixed(2)).unwrap();
    until("it is written", || handle.health().unsaved == 0);
    assert_eq!(durable(&disk), Content::after(&[mixed(2)]));
}

#[test]
fn many_saves_are_one_write() {
    let disk = MemoryDisk::default();
    let handle = spawn(&disk, NEVER);
    (1..100).for_each(|seq| handle.save(records([record(1, seq, 0..1)])).unwrap());
    assert_eq!(handle.health().unsaved, 1);
    assert_eq!(durable(&disk), Content::default());
    wait(handle.persist(Batch::default())).unwrap();
    assert_eq!(durable(&disk), Content::after(&[records([record(1, 99, 0..1)])]));
    assert_eq!(handle.health().commits, 1);
}

#[test]
fn what_waits_becomes_durable_together() {
    let disk = MemoryDisk::default();
    let handle = spawn(&disk, NEVER);
    let batches: Vec<_> = (1..60).map(|author| records([record(author, 1, 0..1)])).collect();
    let syncs = disk.image().syncs;
    // The thread cannot sync while the test holds the disk.
    let held = disk.image();
    let waiting: Vec<_> = batches.iter().map(|batch| handle.persist(batch.clone())).collect();
    drop(held);
    waiting.into_iter().for_each(|one| wait(one).unwrap());
    assert_eq!(durable(&disk), Content::after(&batches));
    let syncs = disk.image().syncs - syncs;
    assert!(syncs <= 6, "{syncs} syncs for 59 writes");
}

#[test]
fn a_full_disk_refuses_what_is_persisted_and_keeps_what_is_saved() {
    let disk = MemoryDisk::default();
    let handle = spawn(&disk, SOON);
    disk.image().room = Some(0);
    let refused = records((30..40).map(|author| record(author, 1, 0..200)));
    let saved = records((10..20).map(|author| record(author, 1, 0..200)));
    assert!(matches!(wait(handle.persist(refused)), Err(WriteError::Full(_))));
    handle.save(saved.clone()).unwrap();
    until("it was tried twice", || handle.health().failures >= 3);
    let health = handle.health();
    assert_eq!(health.unsaved, 10);
    assert!(matches!(health.last_error, Some(WriteError::Full(_))));

    disk.image().room = None;
    until("it is written", || handle.health().unsaved == 0);
    assert_eq!(handle.health().last_error, None);
    assert_eq!(durable(&disk), Content::after(&[saved]));
}

#[test]
fn closing_writes_what_is_saved_and_refuses_the_rest() {
    let disk = MemoryDisk::default();
    let handle = spawn(&disk, NEVER);
    handle.save(mixed(2)).unwrap();
    let waiting = handle.persist(mixed(3));
    wait(handle.close()).unwrap();
    wait(waiting).unwrap();
    assert_eq!(durable(&disk), Content::after(&[mixed(2), mixed(3)]));
    assert_eq!(handle.save(mixed(4)), Err(WriteError::Closed));
    assert_eq!(wait(handle.persist(mixed(4))), Err(WriteError::Closed));
    wait(handle.close()).unwrap();
}

#[test]
fn dropping_the_last_handle_writes_what_is_saved() {
    let disk = MemoryDisk::default();
    let handle = spawn(&disk, NEVER);
    let other = handle.clone();
    handle.save(mixed(2)).unwrap();
    drop(handle);
    other.save(mixed(3)).unwrap();
    drop(other);
    until("it is written", || durable(&disk) == Content::after(&[mixed(2), mixed(3)]));
}

#[test]
fn closing_tells_what_is_lost() {
    let disk = MemoryDisk::default();
    let handle = spawn(&disk, NEVER);
    handle.save(records([record(1, 1, 0..200), record(2, 1, 0..200)])).unwrap();
    disk.image().room = Some(0);
    assert!(matches!(wait(handle.close()), Err(WriteError::Full(_))));
}

fn pendings() -> impl Strategy<Value = Pending> {
    let records = prop::collection::vec((1..4_u8, 0..3_u64, 0..3_usize), 0..4);
    let acts = prop::collection::vec((1..3_u8, 1..4_u64), 0..4);
    let rest = (prop::option::of((0..3_u64, 1..4_u8)), prop::option::of(0..3_u64));
    let removed = prop::collection::vec("[a-c]", 0..3);
    (records, acts, rest, removed).prop_map(|(records, acts, (fence, incarnation), removed)| {
        let records = records.into_iter().map(|(who, seq, n)| record(who, seq, 0..n).into());
        let acts = acts.into_iter().map(|(who, number)| act(who, number).into());
        let mut pending = Pending::default();
        pending.absorb(Batch {
            facts: records.chain(acts).collect(),
            fence: fence.map(|(term, who)| (term, principal(who))),
            incarnation,
            removed: removed.iter().map(|service| key(service)).collect(),
            // Of these the later one counts: they are not of the laws.
            forgotten: Vec::new(),
            gone: Vec::new(),
        });
        pending
    })
}

impl Merge for Pending {
    fn merge(&mut self, other: &Self) -> bool {
        self.absorb(other.to_batch())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pending_batches_keep_the_laws(a in pendings(), b in pendings(), c in pendings()) {
        check_merge(&a, &b, &c, |pending| {
            let Batch { facts, fence, incarnation, removed, .. } = pending.to_batch();
            let facts = facts.iter().map(|fact| (fact.kind(), fact.key(), fact.id()));
            (facts.collect::<Vec<_>>(), fence, incarnation, removed)
        });
    }
}

fn read(handle: &StoreHandle, author: u8) -> Vec<Arc<Record>> {
    let facts: Vec<Fact> = wait(handle.read(Kind::RECORD, Digest(principal(author).0)));
    records_of(&facts)
}

#[test]
fn a_fact_is_read_as_it_was_taken_in_last() {
    let disk = MemoryDisk::default();
    let handle = spawn(&disk, NEVER);
    let whole = record(1, 4, 0..9);
    handle.save(records([record(1, 3, 0..2), whole.clone()])).unwrap();
    assert_eq!(read(&handle, 1), std::slice::from_ref(&whole));
    assert_eq!(read(&handle, 2), []);
    handle.save(records([Arc::new(whole.stripped())])).unwrap();
    assert!(read(&handle, 1)[0].is_stripped());
    handle.save(gone(1)).unwrap();
    assert_eq!(read(&handle, 1), []);
    wait(handle.close()).unwrap();
    assert_eq!(read(&handle, 1), []);
}

/// Saves a batch of so many facts while the test holds the disk, until the thread has it in its hands; it then
/// waits a second time, behind that.
fn take(handle: &StoreHandle, batch: &Batch) {
    handle.save(batch.clone()).unwrap();
    until("it is taken", || {
        handle.save(batch.clone()).unwrap();
        handle.health().unsaved == 2 * batch.facts.len()
    });
}

/// What is saved, and what is persisted after it, are written in this order, though the two wait apart.
#[test]
fn of_what_is_saved_and_persisted_the_later_one_counts() {
    let (fact, ended) = (records([record(1, 1, 0..1)]), gone(1));
    for (first, then, left) in [(&fact, &ended, 0), (&ended, &fact, 1)] {
        for persisted_first in [false, true] {
            let disk = MemoryDisk::default();
            let handle = spawn(&disk, SOON);
            let held = disk.image();
            take(&handle, &records([record(7, 1, 0..1)]));
            let waiting = if persisted_first {
                let waiting = handle.persist(first.clone());
                handle.save(then.clone()).unwrap();
                waiting
            } else {
                handle.save(first.clone()).unwrap();
                handle.persist(then.clone())
            };
            drop(held);
            wait(waiting).unwrap();
            assert_eq!(read(&handle, 1).len(), left);
        }
    }
}

/// A write that failed is older than what was saved during it.
#[test]
fn what_was_saved_during_a_failed_write_is_later() {
    let lie = (9, principal(2));
    let first = Batch { fence: Some(lie), ..records([record(1, 2, 0..200), record(2, 1, 0..1)]) };
    let then = Batch { forgotten: vec![lie], ..gone(1) };
    let disk = MemoryDisk::default();
    let handle = spawn(&disk, SOON);
    let mut held = disk.image();
    take(&handle, &first);
    handle.save(then).unwrap();
    held.room = Some(0);
    drop(held);
    until("it failed", || handle.health().failures > 0);
    disk.image().room = None;
    wait(handle.close()).unwrap();
    assert_eq!(durable(&disk), Content::after(&[records([record(2, 1, 0..1)])]));
}

/// It brings no fact, and is tried again all the same.
#[test]
fn what_is_gone_is_tried_again_while_the_disk_is_full() {
    let disk = MemoryDisk::default();
    let handle = spawn(&disk, SOON);
    let others = records((10..30).map(|author| record(author, 1, 0..200)));
    wait(handle.persist(records([record(1, 1, 0..1)]))).unwrap();
    wait(handle.persist(others.clone())).unwrap();
    disk.image().sync_fails = true;
    handle.save(gone(1)).unwrap();
    until("it failed", || handle.health().failures > 1);
    disk.image().sync_fails = false;
    until("it is written", || handle.health().failures == 0);
    wait(handle.close()).unwrap();
    assert_eq!(durable(&disk), Content::after(&[others]));
}
