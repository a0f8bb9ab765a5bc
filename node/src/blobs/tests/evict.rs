use std::sync::atomic::Ordering;
use std::time::Duration;

use super::fixture::*;
use crate::blobs::{BlobError, Blobs, Config, Files};
use crate::error::{Error, Kind};
use crux_crdt::blob::{BlobId, Root};

const KIB: usize = 1024;

async fn quota(bytes: usize) -> Fixture {
    Fixture::with(|config| config.quota = Some(bytes as u64)).await
}

async fn put(f: &Fixture, size: usize, seed: u8) -> Result<BlobId, BlobError> {
    f.pass(100);
    f.blobs.put(&noise(size, seed)[..]).await.map(|put| put.blob)
}

#[tokio::test]
async fn the_one_that_was_of_no_use_for_longest_goes() {
    let f = quota(40 * KIB).await;
    let mut ids = Vec::new();
    for seed in 0..4 {
        ids.push(put(&f, 10 * KIB, seed).await.unwrap());
    }
    f.pass(100);
    read_all(&f.blobs, ids[0]).await.unwrap();
    f.blobs.reserve(ids[1], Duration::from_secs(150)).await.unwrap();
    f.pass(200);
    // Read last, reserved until lately, and the others.
    put(&f, 10 * KIB, 9).await.unwrap();
    assert_eq!(f.blobs.have(&ids[2]), None);
    put(&f, 10 * KIB, 10).await.unwrap();
    assert_eq!(f.blobs.have(&ids[3]), None);
    put(&f, 10 * KIB, 11).await.unwrap();
    assert_eq!((f.blobs.have(&ids[0]), f.blobs.have(&ids[1]).is_some()), (None, true));
    assert_eq!(f.again().await.count(), 4);
}

/// A blob is sealed in one directory and under way in another: the one that rests goes, and not the other.
#[tokio::test]
async fn a_sealed_blob_is_not_taken_for_a_tree_of_it_that_rests() {
    let f = quota(6 * MIB).await;
    let bytes = noise(3 * MIB, 1);
    let (it, pieces) = pieces(&bytes).await;
    for index in [0, 2] {
        let piece = pieces[index as usize].clone();
        f.blobs.write_piece(it.blob, (it.root, it.size), index, piece).await.unwrap();
    }
    f.blobs.rest(&it.blob);
    let second = f.dir.path().join("second");
    let other = Blobs::open(Config::new(vec![second.clone()])).await.unwrap();
    other.put(&bytes[..]).await.unwrap();
    drop(other);
    assert_eq!(f.blobs.add_dir(second, false).await, Ok(1));
    put(&f, 2 * MIB, 2).await.unwrap();
    assert!(f.blobs.have(&it.blob).unwrap().sealed);
    assert_eq!(read_all(&f.blobs, it.blob).await.unwrap(), bytes);
    assert!(!f.root().join(format!("partial/{}.have", it.blob)).exists());
}

#[tokio::test]
async fn what_is_kept_is_never_evicted_and_nothing_is_for_nothing() {
    let f = quota(60 * KIB).await;
    let pinned = put(&f, 10 * KIB, 0).await.unwrap();
    let reserved = put(&f, 10 * KIB, 1).await.unwrap();
    let held = put(&f, 10 * KIB, 2).await.unwrap();
    let open = put(&f, 10 * KIB, 3).await.unwrap();
    let plain = put(&f, 10 * KIB, 4).await.unwrap();
    let file = f.file("f", &noise(50 * KIB, 5));
    let registered = f.blobs.register_in_place(file).await.unwrap().blob;
    f.blobs.pin(pinned).await.unwrap();
    f.blobs.reserve(reserved, Duration::from_secs(100_000)).await.unwrap();
    let (hold, reader) = (f.blobs.hold(held).unwrap(), f.blobs.reader(open).await.unwrap());
    let refused = put(&f, 25 * KIB, 6).await.unwrap_err();
    assert!(matches!(refused, BlobError::Quota { quota: 61_440, .. }), "{refused}");
    assert!(f.blobs.have(&plain).is_some(), "it would not have been enough");
    put(&f, 20 * KIB, 7).await.unwrap();
    assert_eq!(f.blobs.have(&plain), None);
    for id in [pinned, reserved, held, open, registered] {
        assert!(f.blobs.have(&id).is_some());
    }
    drop((hold, reader));
    put(&f, 20 * KIB, 8).await.unwrap();
    assert_eq!((f.blobs.have(&held), f.blobs.have(&open)), (None, None));
}

#[tokio::test]
async fn the_disk_keeps_some_room() {
    let f = Fixture::with(|config| config.headroom = Some(MIB as u64)).await;
    let old = put(&f, 2 * MIB, 0).await.unwrap();
    f.stage.free.store(2 * MIB as u64, Ordering::Relaxed);
    put(&f, MIB, 1).await.unwrap();
    assert!(f.blobs.have(&old).is_some(), "there was room");
    let err = f.blobs.begin(BlobId([1; 32]), Root([2; 32]), 9 * MIB as u64).await.unwrap_err();
    let needed = 9 * MIB as u64;
    let (free, headroom) = (2 * MIB as u64, MIB as u64);
    assert_eq!(err, BlobError::DiskFull { needed, free, headroom });
    f.blobs.begin(BlobId([1; 32]), Root([2; 32]), 2 * MIB as u64).await.unwrap();
    assert!(f.blobs.have(&old).is_some(), "nothing is evicted for a claim");
    f.stage.free.store(MIB as u64, Ordering::Relaxed);
    let (it, pieces) = pieces(&noise(2 * MIB, 7)).await;
    f.blobs.write_piece(it.blob, (it.root, it.size), 0, pieces[0].clone()).await.unwrap();
    assert_eq!(f.blobs.have(&old), None, "evicted for a piece");
}

#[tokio::test]
async fn by_default_a_twentieth_of_the_disk_stays_free_and_at_most_a_gib() {
    let f = Fixture::with(|config| config.headroom = None).await;
    f.stage.free.store((1 << 30) + 10, Ordering::Relaxed);
    let id = put(&f, 10, 0).await.unwrap();
    f.blobs.pin(id).await.unwrap();
    let err = put(&f, 11, 0).await.unwrap_err();
    assert!(matches!(err, BlobError::DiskFull { headroom: 1_073_741_824, .. }), "{err}");
}

#[tokio::test]
async fn another_disk_takes_what_the_first_cannot() {
    let f = Fixture::new().await;
    let second = f.dir.path().join("second");
    f.blobs.add_dir(second.clone(), false).await.unwrap();
    let id = put(&f, 10, 0).await.unwrap();
    assert!(f.data(&id).exists(), "the first that has room");
    // Both are one disk to the fixture; a quota that a directory breaks is told as such.
    let err = {
        f.stage.free.store(0, Ordering::Relaxed);
        f.blobs.pin(id).await.unwrap();
        put(&f, 11, 1).await.unwrap_err()
    };
    assert!(matches!(err, BlobError::DiskFull { free: 0, .. }), "{err}");
}

/// The journal has no room for the word that a blob left before the blob made it.
#[tokio::test]
async fn a_full_disk_is_made_room_on_by_what_is_still_in_the_journal() {
    let f = quota(100 * KIB).await;
    let old = put(&f, 40 * KIB, 0).await.unwrap();
    let young = put(&f, 40 * KIB, 1).await.unwrap();
    f.blobs.depot().journal().fill_disk();
    let large = put(&f, 60 * KIB + 5 * KIB, 2).await.unwrap();
    assert_eq!((f.blobs.have(&old), f.blobs.have(&young)), (None, None));
    assert!(!f.data(&old).exists() && !f.data(&young).exists(), "there is room");
    let again = f.again().await;
    assert_eq!((again.count(), again.have(&large).is_some()), (1, true), "none is back");
}

#[tokio::test]
async fn what_cannot_be_deleted_is_not_forgotten() {
    let f = quota(100 * KIB).await;
    let id = put(&f, 90 * KIB, 0).await.unwrap();
    // In the way of a deletion, also of root's.
    std::fs::remove_file(f.data(&id)).unwrap();
    std::fs::create_dir(f.data(&id)).unwrap();
    put(&f, 20 * KIB, 1).await.unwrap_err();
    assert!(f.blobs.have(&id).is_some());
    f.blobs.remove(id).await.unwrap_err();
    assert!(f.blobs.have(&id).is_some());
    std::fs::remove_dir(f.data(&id)).unwrap();
    put(&f, 20 * KIB, 1).await.unwrap();
    assert_eq!(f.blobs.have(&id), None);
}

#[tokio::test]
async fn room_that_somebody_was_promised_is_nobody_elses() {
    let f = Fixture::new().await;
    let free = |mib: usize| f.stage.free.store((mib * MIB) as u64, Ordering::Relaxed);
    let begin = |mib: usize| f.blobs.begin_put((mib * MIB) as u64);
    free(10);
    let mut first = begin(6).await.unwrap();
    let err = begin(5).await.unwrap_err();
    assert!(matches!(err, BlobError::DiskFull { .. }), "{err}");
    let second = begin(4).await.unwrap();
    drop(second);
    // Four of six are written, and show on the disk.
    first.write(noise(4 * MIB, 1)).await.unwrap();
    free(6);
    begin(5).await.unwrap_err();
    begin(4).await.unwrap();
    first.write(noise(2 * MIB, 2)).await.unwrap();
    free(4);
    first.finish().await.unwrap();
    begin(4).await.unwrap();
    free(1 << 20);
    // Five files for one, one of which is made at once; a twentieth of all stays.
    *f.stage.files.lock().unwrap() = Some(Files { free: 58, total: 1000 });
    f.blobs.pin(f.blobs.list()[0].id).await.unwrap();
    let first = begin(1).await.unwrap();
    let err = begin(1).await.unwrap_err();
    assert!(matches!(err, BlobError::NoFiles { .. }), "{err}");
    drop(first);
    begin(1).await.unwrap();
}

/// A disk that has bytes for much, and files for little.
#[tokio::test]
async fn a_disk_keeps_some_files_too() {
    let f = Fixture::new().await;
    let mut ids = Vec::new();
    for seed in 0..5 {
        ids.push(put(&f, 10 * KIB, seed).await.unwrap());
    }
    let large = put(&f, 2 * MIB, 5).await.unwrap();
    let room = |free| *f.stage.files.lock().unwrap() = Some(Files { free, total: 1000 });
    // Five for a blob, and a twentieth of all stays.
    room(55);
    let fits = put(&f, 10 * KIB, 6).await.unwrap();
    assert_eq!(f.blobs.count(), 7, "there was room");
    room(50);
    put(&f, 10 * KIB, 7).await.unwrap();
    let here: Vec<_> = ids.iter().map(|id| f.blobs.have(id).is_some()).collect();
    assert_eq!(here, [false, false, false, true, true], "each takes two files");
    for id in ids[3..].iter().chain([&large, &fits]) {
        f.blobs.pin(*id).await.unwrap();
    }
    room(48);
    let err = put(&f, 10 * KIB, 8).await.unwrap_err();
    assert_eq!(err, BlobError::NoFiles { free: 48, headroom: 50 });
    assert_eq!(Error::from(err).kind(), Kind::DiskFull);
    let begun = f.blobs.begin(BlobId([1; 32]), Root([2; 32]), 9).await;
    assert!(matches!(begun, Err(BlobError::NoFiles { .. })), "{begun:?}");
    assert_eq!(f.blobs.count(), 5, "nothing is evicted for nothing");
    f.blobs.unpin(large).await.unwrap();
    f.blobs.unpin(fits).await.unwrap();
    put(&f, 10 * KIB, 8).await.unwrap();
    assert_eq!((f.blobs.have(&large), f.blobs.have(&fits)), (None, None));
}
