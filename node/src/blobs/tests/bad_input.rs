//! What comes in wrong, and what goes wrong while it comes: each has a name, and leaves nothing.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crux_crdt::blob::BlobId;

use super::fixture::*;
use crate::blobs::{BlobError, Room, System, World};
use crate::error::{Error, Kind};

/// Somebody writes to a file whenever the store looks for room: after it was opened.
#[derive(Debug)]
struct Busybody(PathBuf);

impl World for Busybody {
    fn since_boot(&self) -> Duration {
        System.since_boot()
    }

    fn room(&self, _: &Path) -> io::Result<Room> {
        OpenOptions::new().append(true).open(&self.0)?.write_all(b"more")?;
        Ok(Room { free: 1 << 40, total: 1 << 40, files: None })
    }
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_read_is_no_blob() {
    let home = tempfile::tempdir().unwrap();
    let path = std::fs::canonicalize(home.path()).unwrap().join("file");
    std::fs::write(&path, noise(2 * MIB, 1)).unwrap();
    let world = Arc::new(Busybody(path.clone()));
    let f = Fixture::with(|config| config.world = world).await;
    let changed = BlobError::Changed(path.clone());
    assert_eq!(f.blobs.put_file(path.clone()).await, Err(changed.clone()));
    assert_eq!(f.blobs.register_in_place(path).await, Err(changed.clone()));
    assert_eq!((f.files(), f.blobs.count()), (Vec::new(), 0));
    assert_eq!(Error::from(changed).kind(), Kind::ChangedWhileRead);
}

#[tokio::test]
async fn a_disk_that_fills_up_in_the_middle_of_a_stream_leaves_nothing() {
    let f = Fixture::with(|config| config.headroom = Some(MIB as u64)).await;
    let mut put = f.blobs.begin_put(0).await.unwrap();
    put.write(noise(MIB, 1)).await.unwrap();
    f.stage.free.store(MIB as u64, Ordering::Relaxed);
    let error = loop {
        // Some of the room was claimed already.
        if let Err(error) = put.write(noise(MIB, 2)).await {
            break error;
        }
    };
    assert!(matches!(error, BlobError::DiskFull { .. }), "{error}");
    drop(put);
    assert_eq!((f.files(), f.blobs.count()), (Vec::new(), 0));
    f.stage.free.store(1 << 30, Ordering::Relaxed);
    f.blobs.put(&b"abc"[..]).await.expect("there is room again");
}

#[tokio::test]
async fn a_quota_that_is_reached_in_the_middle_of_a_stream_leaves_nothing() {
    let f = Fixture::with(|config| config.quota = Some(3 * MIB as u64)).await;
    let kept = f.blobs.put(&noise(MIB, 1)[..]).await.unwrap().blob;
    f.blobs.pin(kept).await.unwrap();
    let error = f.blobs.put(&noise(3 * MIB, 2)[..]).await.unwrap_err();
    assert!(matches!(error, BlobError::Quota { .. }), "{error}");
    assert_eq!(f.blobs.list().len(), 1, "what is pinned stays, and nothing else is there");
    assert_eq!(f.blobs.put(&noise(MIB, 3)[..]).await.map(|it| it.size), Ok(MIB as u64));
}

#[tokio::test]
async fn a_size_that_is_a_lie_is_found_out_by_the_first_piece() {
    let (it, pieces) = pieces(&noise(3 * MIB + 5, 1)).await;
    for size in [it.size - 5, it.size - 1, it.size + 1, it.size + MIB as u64, 5] {
        let f = Fixture::new().await;
        f.blobs.begin(it.blob, it.root, size).await.unwrap();
        let wrong = BlobError::WrongPiece { id: it.blob, index: 3 };
        let written = f.blobs.write_piece(it.blob, (it.root, size), 3, pieces[3].clone()).await;
        assert_eq!(written, Err(wrong), "{size}");
        assert!(f.blobs.path(it.blob).await.is_err());
        f.blobs.abandon(it.blob, (it.root, size)).await.unwrap();
        assert_eq!(f.files(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_directory_that_is_swapped_in_the_middle_is_not_written_to() {
    let (it, pieces) = pieces(&noise(2 * MIB + 5, 1)).await;
    let f = Fixture::new().await;
    f.blobs.begin(it.blob, it.root, it.size).await.unwrap();
    for (index, piece) in (0..).zip(pieces) {
        f.blobs.write_piece(it.blob, (it.root, it.size), index, piece).await.unwrap();
    }
    let aside = f.dir.path().join("aside");
    std::fs::rename(f.root(), &aside).unwrap();
    std::fs::create_dir_all(f.root().join("partial")).unwrap();
    let sealed = f.blobs.seal(it.blob, (it.root, it.size)).await.unwrap_err();
    assert_eq!(sealed, BlobError::Swapped(std::fs::canonicalize(f.root()).unwrap()));
    assert_eq!((f.files(), Error::from(sealed).kind()), (Vec::new(), Kind::Refused));
    std::fs::remove_dir_all(f.root()).unwrap();
    std::fs::rename(&aside, f.root()).unwrap();
    assert_eq!(f.blobs.seal(it.blob, (it.root, it.size)).await, Ok(it), "nothing is lost");
}

#[tokio::test]
async fn what_is_removed_while_it_is_served_is_not_served_on() {
    let f = Fixture::new().await;
    let it = f.blobs.put(&noise(3 * MIB, 1)[..]).await.unwrap();
    f.blobs.read_piece(it.blob, it.root, 0).await.unwrap();
    f.blobs.remove(it.blob).await.unwrap();
    let gone = f.blobs.read_piece(it.blob, it.root, 1).await;
    assert_eq!(gone, Err(BlobError::Unknown(it.blob)));
    let unknown = BlobId([9; 32]);
    assert_eq!(f.blobs.path(unknown).await, Err(BlobError::Unknown(unknown)));
}

#[test]
fn a_disk_that_is_full_has_one_name() {
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
        let error = BlobError::io("writing", Path::new("f"), &kind.into());
        assert_eq!(Error::from(error).kind(), Kind::DiskFull);
    }
}
