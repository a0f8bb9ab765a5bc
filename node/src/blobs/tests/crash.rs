//! A process that ends between any two steps leaves a store that is one of two: as before, or as
//! after. The directory is copied at each step and opened as a start would find it.

use std::sync::PoisonError;

use super::fixture::*;
use crate::blobs::{Blobs, Config};
use crux_crdt::blob::Descriptor;
use tempfile::TempDir;

impl Fixture {
    /// Copies the store at every step from here on.
    fn watch(&self) {
        let crashes = Crashes { of: self.root(), disk: None, copies: Vec::new() };
        *self.stage.crashes.lock().unwrap_or_else(PoisonError::into_inner) = Some(crashes);
    }

    fn crashed(&self) -> Vec<(&'static str, TempDir)> {
        self.stage.crashes.lock().unwrap().take().unwrap().copies
    }

    async fn open_at(&self, copy: &TempDir) -> Blobs {
        let mut config = self.config.clone();
        config.dirs = vec![copy.path().to_owned()];
        Blobs::open(config).await.unwrap()
    }
}

/// A store that holds nothing, or all of the blob and nothing else; whatever it was, the blob can be
/// put, read and removed, and then nothing is left.
async fn check(what: &str, copy: &TempDir, blobs: &Blobs, it: Descriptor, bytes: &[u8]) -> bool {
    let sealed = blobs.have(&it.blob).is_some_and(|have| have.sealed);
    assert_eq!(blobs.count(), usize::from(sealed), "{what}");
    let expected = if sealed { 3 } else { 0 };
    let under_way = blobs.list().iter().filter(|listed| !listed.sealed).count() * 3;
    assert_eq!(files(copy.path()).len(), expected + under_way, "{what}: {:?}", files(copy.path()));
    assert_eq!(blobs.put(bytes).await.unwrap(), it, "{what}");
    assert_eq!(read_all(blobs, it.blob).await.unwrap(), bytes, "{what}");
    blobs.remove(it.blob).await.unwrap();
    assert_eq!(files(copy.path()), Vec::<String>::new(), "{what}");
    sealed
}

#[tokio::test]
async fn a_put_is_there_or_not() {
    let f = Fixture::new().await;
    f.watch();
    let bytes = noise(2 * MIB + 1, 1);
    let it = f.blobs.put(&bytes[..]).await.unwrap();
    let mut seen = Vec::new();
    for (what, copy) in f.crashed() {
        let blobs = f.open_at(&copy).await;
        seen.push((what, check(what, &copy, &blobs, it, &bytes).await));
    }
    let expected = [
        ("stream complete", false),
        ("tree written", false),
        ("tree renamed", false),
        ("meta written", false),
        ("data renamed", true),
        ("shown", true),
        ("names durable", true),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_seal_is_done_or_can_be_done_again() {
    let bytes = noise(2 * MIB + 1, 1);
    let (it, pieces) = pieces(&bytes).await;
    let f = Fixture::new().await;
    f.blobs.begin(it.blob, it.root, it.size).await.unwrap();
    for (index, piece) in (0..).zip(pieces) {
        f.blobs.write_piece(it.blob, (it.root, it.size), index, piece).await.unwrap();
    }
    f.watch();
    f.blobs.seal(it.blob, (it.root, it.size)).await.unwrap();
    let crashed = f.crashed();
    assert_eq!(crashed.len(), 6);
    for (what, copy) in crashed {
        let blobs = f.open_at(&copy).await;
        let have = blobs.begin(it.blob, it.root, it.size).await.unwrap();
        assert!(have.is_complete(), "{what}: nothing has to be fetched again");
        assert_eq!(blobs.seal(it.blob, (it.root, it.size)).await, Ok(it), "{what}");
        assert!(check(what, &copy, &blobs, it, &bytes).await, "{what}");
    }
}

#[tokio::test]
async fn a_removal_is_done_or_not() {
    let f = Fixture::new().await;
    let bytes = noise(2 * MIB + 1, 1);
    let it = f.blobs.put(&bytes[..]).await.unwrap();
    f.blobs.pin(it.blob).await.unwrap();
    f.watch();
    f.blobs.remove(it.blob).await.unwrap();
    let crashed = f.crashed();
    assert_eq!(crashed.len(), 1);
    for (what, copy) in crashed {
        let blobs = f.open_at(&copy).await;
        assert!(!check(what, &copy, &blobs, it, &bytes).await);
    }
}

#[tokio::test]
async fn a_damaged_blob_is_never_lost_whole() {
    let f = Fixture::new().await;
    let bytes = noise(3 * MIB, 1);
    let it = f.blobs.put(&bytes[..]).await.unwrap();
    let mut spoilt = bytes.to_vec();
    spoilt[0] ^= 1;
    std::fs::write(f.data(&it.blob), spoilt).unwrap();
    f.watch();
    f.blobs.scrub(None).await.unwrap();
    for (what, copy) in f.crashed() {
        let blobs = f.open_at(&copy).await;
        blobs.scrub(None).await.unwrap();
        let have = blobs.have(&it.blob).unwrap();
        assert!(!have.sealed, "{what}");
        assert_eq!(have.pieces.held(), 2, "{what}");
        assert!(!check(what, &copy, &blobs, it, &bytes).await);
    }
}

#[tokio::test]
async fn what_a_stream_left_is_cleared_and_records_that_do_not_check_count_for_nothing() {
    let f = Fixture::new().await;
    let mut put = f.blobs.begin_put(0).await.unwrap();
    put.write(noise(MIB, 1)).await.unwrap();
    let (it, pieces) = pieces(&noise(2 * MIB, 2)).await;
    f.blobs.begin(it.blob, it.root, it.size).await.unwrap();
    f.blobs.write_piece(it.blob, (it.root, it.size), 0, pieces[0].clone()).await.unwrap();
    let copy = tempfile::tempdir().unwrap();
    copy_tree(&f.root(), copy.path());
    let have = copy.path().join(format!("partial/{}.have", it.blob));
    let mut record = std::fs::read(&have).unwrap();
    record[20] ^= 1;
    std::fs::write(have, record).unwrap();
    let blobs = Blobs::open(Config::new(vec![copy.path().to_owned()])).await.unwrap();
    assert_eq!(blobs.list(), []);
    assert_eq!(files(copy.path()), Vec::<String>::new());
}

impl Fixture {
    fn saw(&self, step: &str) -> bool {
        self.stage.steps.lock().unwrap().contains(&step)
    }
}

/// The second caller's blob is there already, and its names may not be on disk yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_is_put_twice_at_once_is_durable_for_both() {
    let f = Fixture::new().await;
    let bytes = noise(2 * MIB + 1, 1);
    let (reached, go_on) = f.pause("shown");
    let (blobs, first) = (f.blobs.clone(), bytes.clone());
    let first = tokio::spawn(async move { blobs.put(&first[..]).await });
    tokio::task::spawn_blocking(move || reached.recv()).await.unwrap().unwrap();
    assert!(!f.saw("names durable"));
    let second = f.blobs.put(&bytes[..]).await.unwrap();
    assert!(f.saw("names durable"), "before the second is acknowledged");
    go_on.send(()).unwrap();
    assert_eq!(first.await.unwrap(), Ok(second));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_is_sealed_twice_at_once_is_durable_for_both() {
    let f = Fixture::new().await;
    let (it, pieces) = pieces(&noise(2 * MIB + 1, 1)).await;
    f.blobs.begin(it.blob, it.root, it.size).await.unwrap();
    for (index, piece) in (0..).zip(pieces) {
        f.blobs.write_piece(it.blob, (it.root, it.size), index, piece).await.unwrap();
    }
    let (reached, go_on) = f.pause("shown");
    let blobs = f.blobs.clone();
    let first = tokio::spawn(async move { blobs.seal(it.blob, (it.root, it.size)).await });
    tokio::task::spawn_blocking(move || reached.recv()).await.unwrap().unwrap();
    assert_eq!(f.blobs.seal(it.blob, (it.root, it.size)).await, Ok(it));
    assert!(f.saw("names durable"), "before the second is acknowledged");
    go_on.send(()).unwrap();
    assert_eq!(first.await.unwrap(), Ok(it));
}
