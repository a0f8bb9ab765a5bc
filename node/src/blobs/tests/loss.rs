//! The machine loses power: what was acknowledged is there, and what was not is there whole, or not.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::fixture::*;
use super::power::{Disk, LOSSES, Left};
use crate::blobs::{Blobs, Config};
use bytes::Bytes;
use crux_crdt::blob::{BlobId, Descriptor};
use tempfile::TempDir;

impl Fixture {
    /// Loses power at every step from here on, in every way.
    fn lose_at_each(&self, disk: &Arc<Disk>) {
        let crashes = Crashes { of: self.root(), disk: Some(disk.clone()), copies: Vec::new() };
        *self.stage.crashes.lock().unwrap() = Some(crashes);
    }

    fn lost(&self) -> Vec<(&'static str, TempDir)> {
        self.stage.crashes.lock().unwrap().take().unwrap().copies
    }
}

async fn open(copy: &Path) -> Blobs {
    Blobs::open(Config::new(vec![copy.join("blobs")])).await.unwrap()
}

/// Whatever was lost, this is here, as it is on the disk that lost nothing.
async fn is_here(f: &Fixture, disk: &Disk, id: &BlobId, bytes: &Bytes) {
    for loss in LOSSES {
        let copy = disk.lose(loss.0, loss.1);
        for ending in ["", ".meta", ".tree"] {
            let name = format!("{}/{id}{ending}", &id.to_string()[..2]);
            let live = std::fs::read(f.root().join(&name)).ok();
            let left = std::fs::read(copy.path().join("blobs").join(&name)).ok();
            // A small one comes back from the journal.
            if bytes.len() > MIB {
                assert!(live == left, "{loss:?}: {name}");
            }
        }
        let blobs = open(copy.path()).await;
        assert!(blobs.have(id).is_some_and(|have| have.sealed), "{loss:?}");
        assert_eq!(read_all(&blobs, *id).await.unwrap(), *bytes, "{loss:?}");
    }
}

/// Whatever step it was lost at, the blob is whole or not here, and can be put.
async fn is_whole_or_not(lost: Vec<(&'static str, TempDir)>, it: Descriptor, bytes: &Bytes) {
    assert!(!lost.is_empty());
    for (what, copy) in lost {
        let blobs = open(copy.path()).await;
        if blobs.have(&it.blob).is_some_and(|have| have.sealed) {
            assert_eq!(read_all(&blobs, it.blob).await.unwrap(), *bytes, "{what}");
        }
        assert_eq!(blobs.put(&bytes[..]).await.unwrap(), it, "{what}");
        assert_eq!(read_all(&blobs, it.blob).await.unwrap(), *bytes, "{what}");
    }
}

#[tokio::test]
async fn a_put_outlives_it() {
    let (f, disk) = Fixture::on_disk().await;
    f.lose_at_each(&disk);
    let bytes = noise(2 * MIB + 1, 1);
    let it = f.blobs.put(&bytes[..]).await.unwrap();
    is_whole_or_not(f.lost(), it, &bytes).await;
    is_here(&f, &disk, &it.blob, &bytes).await;
}

#[tokio::test]
async fn a_seal_outlives_it() {
    let (f, disk) = Fixture::on_disk().await;
    let bytes = noise(2 * MIB + 1, 1);
    let (it, pieces) = pieces(&bytes).await;
    f.lose_at_each(&disk);
    for (index, piece) in (0..).zip(pieces) {
        f.blobs.write_piece(it.blob, (it.root, it.size), index, piece).await.unwrap();
    }
    f.blobs.seal(it.blob, (it.root, it.size)).await.unwrap();
    is_whole_or_not(f.lost(), it, &bytes).await;
    is_here(&f, &disk, &it.blob, &bytes).await;
}

#[tokio::test]
async fn small_ones_outlive_it_in_the_journal_and_without_it() {
    let (f, disk) = Fixture::on_disk().await;
    f.lose_at_each(&disk);
    let (one, two) = (noise(100, 1), noise(200, 2));
    let it = f.blobs.put(&one[..]).await.unwrap();
    is_whole_or_not(f.lost(), it, &one).await;
    is_here(&f, &disk, &it.blob, &one).await;
    // Put again, it is in the journal still.
    f.blobs.put(&one[..]).await.unwrap();
    is_here(&f, &disk, &it.blob, &one).await;
    f.blobs.save().await.unwrap();
    is_here(&f, &disk, &it.blob, &one).await;
    // A segment that is begun later.
    let it = f.blobs.put(&two[..]).await.unwrap();
    is_here(&f, &disk, &it.blob, &two).await;
}

#[tokio::test]
async fn what_a_start_writes_from_the_journal_outlives_it() {
    let (f, disk) = Fixture::on_disk().await;
    let bytes = noise(100, 1);
    let it = f.blobs.put(&bytes[..]).await.unwrap();
    // The process ends; the start deletes the journal.
    let again = f.again().await;
    assert!(files(&f.root()).iter().all(|name| !name.contains("journal")));
    is_here(&f, &disk, &it.blob, &bytes).await;
    again.put(&bytes[..]).await.unwrap();
    is_here(&f, &disk, &it.blob, &bytes).await;
}

/// The process ends after the rename and before the names are durable.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_start_finds_and_acknowledges_outlives_it() {
    let (f, disk) = Fixture::on_disk().await;
    let bytes = noise(2 * MIB + 1, 1);
    let (reached, go_on) = f.pause("shown");
    let (blobs, first) = (f.blobs.clone(), bytes.clone());
    let first = tokio::spawn(async move { blobs.put(&first[..]).await });
    tokio::task::spawn_blocking(move || reached.recv()).await.unwrap().unwrap();
    let again = f.again().await;
    let it = again.put(&bytes[..]).await.unwrap();
    is_here(&f, &disk, &it.blob, &bytes).await;
    go_on.send(()).unwrap();
    first.await.unwrap().unwrap();
}

#[tokio::test]
async fn how_a_blob_is_kept_outlives_it_and_so_does_the_age() {
    let (f, disk) = Fixture::on_disk().await;
    let bytes = noise(2 * MIB + 1, 1);
    let it = f.blobs.put(&bytes[..]).await.unwrap();
    f.pass(100_000);
    f.blobs.pin(it.blob).await.unwrap();
    for (names, left) in LOSSES {
        let blobs = open(disk.lose(names, left).path()).await;
        assert!(blobs.list()[0].pinned, "{names:?} {left:?}");
    }
    f.blobs.reserve(it.blob, Duration::from_secs(600)).await.unwrap();
    for (names, left) in LOSSES {
        let copy = disk.lose(names, left);
        let age = std::fs::read(copy.path().join("blobs/age")).ok();
        assert_eq!(age, std::fs::read(f.root().join("age")).ok(), "{names:?} {left:?}");
        assert!(open(copy.path()).await.list()[0].reserved_for.is_some(), "{names:?} {left:?}");
    }
    // Where nothing else is flushed with it.
    f.pass(1000);
    f.blobs.save().await.unwrap();
    let age = std::fs::read(f.root().join("age")).unwrap();
    for (names, left) in LOSSES {
        let copy = disk.lose(names, left);
        let kept = std::fs::read(copy.path().join("blobs/age")).unwrap();
        assert_eq!(kept, age, "{names:?} {left:?}");
    }
}

#[tokio::test]
async fn a_directory_that_was_added_outlives_it_and_so_does_what_a_scan_found_in_it() {
    let (f, disk) = Fixture::on_disk().await;
    let bytes = noise(2 * MIB + 1, 1);
    let it = describe(&bytes);
    let second = std::fs::canonicalize(f.dir.path()).unwrap().join("second");
    let data = second.join(&it.blob.to_string()[..2]).join(it.blob.to_string());
    std::fs::create_dir_all(data.parent().unwrap()).unwrap();
    std::fs::write(&data, &bytes).unwrap();
    f.blobs.add_dir(second.clone(), true).await.unwrap();
    f.blobs.put(&bytes[..]).await.unwrap();
    for (names, left) in LOSSES {
        let copy = disk.lose(names, left);
        let known = std::fs::read(copy.path().join("blobs/dirs")).ok();
        assert_eq!(known, std::fs::read(f.root().join("dirs")).ok(), "{names:?} {left:?}");
        for name in files(&second) {
            let live = std::fs::read(second.join(&name)).unwrap();
            let kept = std::fs::read(copy.path().join("second").join(&name)).ok();
            assert!(kept == Some(live), "{names:?} {left:?}: {name}");
        }
    }
}

#[tokio::test]
async fn directories_that_are_made_for_the_store_outlive_it() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::at(dir.path());
    let to = dir.path().join("one/two/blobs");
    let blobs = Blobs::open(Config::new(vec![to])).await.unwrap();
    let it = blobs.put(&b"abc"[..]).await.unwrap();
    for (names, left) in LOSSES {
        let lost = disk.lose(names, left);
        let copy = lost.path().join("one/two/blobs");
        assert!(copy.join("partial").is_dir(), "{names:?} {left:?}");
        let blobs = Blobs::open(Config::new(vec![copy])).await.unwrap();
        assert!(blobs.have(&it.blob).is_some(), "{names:?} {left:?}");
    }
}

/// What is marked is there. Names of what is under way are not flushed: all of it may be lost.
#[tokio::test]
async fn pieces_that_are_marked_outlive_it() {
    let (f, disk) = Fixture::on_disk().await;
    let (it, pieces) = pieces(&noise(3 * MIB, 1)).await;
    for index in [0, 2] {
        let piece = pieces[index as usize].clone();
        f.blobs.write_piece(it.blob, (it.root, it.size), index, piece).await.unwrap();
    }
    f.blobs.save().await.unwrap();
    for bytes in [Left::Flushed, Left::All] {
        let blobs = open(disk.lose(Left::All, bytes).path()).await;
        let have = blobs.have(&it.blob).unwrap();
        assert_eq!(have.pieces.iter().collect::<Vec<_>>(), [0, 2], "{bytes:?}");
        for index in [0, 2] {
            let piece = blobs.read_piece(it.blob, it.root, index).await;
            assert_eq!(piece.as_ref(), Ok(&pieces[index as usize]), "{bytes:?}");
        }
    }
    let blobs = open(disk.lose(Left::Flushed, Left::All).path()).await;
    assert_eq!(blobs.have(&it.blob).map_or(0, |have| have.pieces.held()) % 2, 0);
}

/// A damaged blob goes back to where blobs under way are; its record goes last.
#[tokio::test]
async fn the_good_pieces_of_a_damaged_blob_outlive_it() {
    let (f, disk) = Fixture::on_disk().await;
    let bytes = noise(3 * MIB, 1);
    let it = f.blobs.put(&bytes[..]).await.unwrap();
    super::damage::flip(&f.data(&it.blob), MIB as u64 + 5);
    let scrubbed = f.blobs.scrub(None).await.unwrap();
    assert_eq!(scrubbed.damaged, [(it.blob, 1)]);
    // What is flushed with it makes the end of the record durable, too.
    f.blobs.pin(it.blob).await.unwrap();
    for (names, left) in LOSSES {
        let blobs = open(disk.lose(names, left).path()).await;
        let held = blobs.have(&it.blob).map_or(0, |have| have.pieces.held());
        assert!(held >= 2, "{names:?} {left:?}: {held}");
    }
}
