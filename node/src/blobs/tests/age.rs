//! The wall clock counts for nothing, and the machine's clock begins anew at each of its starts.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use super::fixture::*;
use crate::blobs::BlobError;
use crate::blobs::record::{self, Keep};
use crux_crdt::blob::BlobId;

const KIB: usize = 1024;
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// A store of three blobs of 10 KiB, the first of which was read last.
async fn three() -> (Fixture, Vec<BlobId>) {
    let f = Fixture::with(|config| config.quota = Some(30 * KIB as u64)).await;
    let mut ids = Vec::new();
    for seed in 0..3 {
        f.pass(100);
        ids.push(f.blobs.put(&noise(10 * KIB, seed)[..]).await.unwrap().blob);
    }
    f.pass(100);
    read_all(&f.blobs, ids[0]).await.unwrap();
    (f, ids)
}

#[tokio::test]
async fn the_order_of_uses_outlives_the_machine() {
    let (f, ids) = three().await;
    f.reboot();
    let again = f.again().await;
    for seed in [10, 11] {
        f.pass(1);
        again.put(&noise(10 * KIB, seed)[..]).await.unwrap();
    }
    let here: Vec<_> = ids.iter().map(|id| again.have(id).is_some()).collect();
    assert_eq!(here, [true, false, false], "what is used after the start is of use later");
    again.put(&noise(10 * KIB, 12)[..]).await.unwrap();
    assert_eq!(again.have(&ids[0]), None);
}

#[tokio::test]
async fn a_reservation_lasts_its_time_while_the_node_runs() {
    let (f, ids) = three().await;
    f.blobs.reserve(ids[1], Duration::from_secs(600)).await.unwrap();
    let left = |blobs: &crate::blobs::Blobs| {
        let listed = blobs.list();
        listed.iter().find(|listed| listed.id == ids[1]).unwrap().reserved_for.map(|d| d.as_secs())
    };
    f.pass(300);
    assert_eq!(left(&f.blobs), Some(300));
    f.blobs.save().await.unwrap();
    f.reboot();
    let again = f.again().await;
    assert_eq!(left(&again), Some(299), "time that the machine is off does not count");
    again.put(&noise(20 * KIB, 10)[..]).await.unwrap();
    assert!(again.have(&ids[1]).is_some());
    f.pass(300);
    assert_eq!(left(&again), None);
    // It was of use up to the end of its reservation, and the other since before that.
    again.put(&noise(10 * KIB, 11)[..]).await.unwrap();
    assert!(again.have(&ids[1]).is_some());
    again.put(&noise(20 * KIB, 12)[..]).await.unwrap();
    assert_eq!(again.have(&ids[1]), None);
}

#[tokio::test]
async fn a_crash_gives_a_reservation_back_at_most_what_it_had() {
    let (f, ids) = three().await;
    f.blobs.reserve(ids[1], Duration::from_secs(600)).await.unwrap();
    f.pass(500);
    f.reboot();
    let listed = f.again().await.list();
    let left = listed.iter().find(|listed| listed.id == ids[1]).unwrap().reserved_for;
    assert_eq!(left.map(|left| left.as_secs()), Some(599));
}

/// Times in records that are ahead of the store: somebody set a clock, or they are of another store.
#[tokio::test]
async fn times_that_are_ahead_count_as_now_and_end_no_reservation() {
    let (f, ids) = three().await;
    f.blobs.reserve(ids[1], Duration::from_secs(600)).await.unwrap();
    let ahead = File::options().write(true).open(f.beside(&ids[2], "meta")).unwrap();
    ahead.set_modified(SystemTime::now() + 50 * YEAR).unwrap();
    let again = f.again().await;
    let left = again.list().iter().filter_map(|listed| listed.reserved_for).sum::<Duration>();
    assert_eq!(left.as_secs(), 599);
    for seed in [10, 11] {
        f.pass(10);
        again.put(&noise(10 * KIB, seed)[..]).await.unwrap();
    }
    assert_eq!((again.have(&ids[0]), again.have(&ids[2])), (None, None), "not for ever");
}

/// A reservation of another node's, whose age was another one, or of a version that counted by the wall clock.
#[tokio::test]
async fn a_reservation_from_elsewhere_lasts_as_long_as_it_did_there() {
    let (f, ids) = three().await;
    let ahead = 50 * YEAR;
    let reserve = |id: &BlobId, until: Duration, written: Duration| {
        let until = until.as_millis().try_into().unwrap();
        let keep = Keep { pinned: false, reserved_until: until };
        record::write(&f.beside(id, "keep"), &keep).unwrap();
        let record = File::options().write(true).open(f.beside(id, "keep")).unwrap();
        record.set_modified(SystemTime::UNIX_EPOCH + written).unwrap();
    };
    reserve(&ids[0], ahead + Duration::from_secs(600), ahead);
    // By a copy that kept no times: nobody knows.
    reserve(&ids[1], ahead, ahead + YEAR);
    // One that this version's predecessor made a while ago.
    let age = Duration::from_secs(400);
    reserve(&ids[2], age + Duration::from_secs(5000), ahead);
    let left = |blobs: &crate::blobs::Blobs| {
        let of = |id: &BlobId| {
            let listed = blobs.list().into_iter().find(|listed| listed.id == *id).unwrap();
            listed.reserved_for.map(|left| left.as_secs())
        };
        ids.iter().map(of).collect::<Vec<_>>()
    };
    let again = f.again().await;
    let found = left(&again);
    assert!(found[0].is_some_and(|left| (590..=600).contains(&left)), "{found:?}");
    assert!(found[1].is_some_and(|left| left <= YEAR.as_secs()), "{found:?}");
    assert!(found[2].is_some_and(|left| (4900..=5400).contains(&left)), "{found:?}");
    f.pass(500);
    again.save().await.unwrap();
    let found = left(&f.again().await);
    assert!(
        found[0].is_some_and(|left| left <= 100),
        "it is not longer after each start: {found:?}"
    );
    assert!(found[1].is_some_and(|left| left <= YEAR.as_secs() - 500), "{found:?}");
}

#[tokio::test]
async fn without_an_age_the_latest_use_is_the_age() {
    let (f, ids) = three().await;
    fs::remove_file(f.root().join("age")).unwrap();
    for (id, years) in ids.iter().zip([20, 19, 21]) {
        let record = File::options().write(true).open(f.beside(id, "meta")).unwrap();
        record.set_modified(SystemTime::UNIX_EPOCH + years * YEAR).unwrap();
    }
    let again = f.again().await;
    for (seed, gone) in [(10, 1), (11, 0), (12, 2)] {
        f.pass(10);
        again.put(&noise(10 * KIB, seed)[..]).await.unwrap();
        assert_eq!(again.have(&ids[gone]), None, "in the order of an older version");
    }
}

#[tokio::test]
async fn what_is_read_all_the_time_is_written_down() {
    let (f, ids) = three().await;
    for round in 0..10 {
        f.pass(30);
        read_all(&f.blobs, ids[1]).await.unwrap();
        if round == 5 {
            read_all(&f.blobs, ids[0]).await.unwrap();
            read_all(&f.blobs, ids[2]).await.unwrap();
        }
    }
    let again = f.again().await;
    again.put(&noise(20 * KIB, 10)[..]).await.unwrap();
    assert!(again.have(&ids[1]).is_some());
    let refused = again.put(&noise(40 * KIB, 11)[..]).await.unwrap_err();
    assert!(matches!(refused, BlobError::Quota { .. }), "{refused}");
}
