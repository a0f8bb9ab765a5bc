//! Several directories, and files that are made blobs at the start.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::fixture::{Fixture, id_of, read_all};
use crate::blobs::{BlobError, Blobs, Config, Preloaded, Room, World, preload};

/// Each directory is on a disk of its own, with as much room as its name says.
#[derive(Debug)]
struct Disks;

impl World for Disks {
    fn since_boot(&self) -> Duration {
        Duration::ZERO
    }

    fn room(&self, dir: &Path) -> io::Result<Room> {
        let free = dir.file_name().and_then(|name| name.to_str()?.parse().ok()).unwrap_or(0);
        Ok(Room { free, total: 1 << 40, files: None })
    }
}

/// A place with directories of these names, of which the first is the store's own.
fn place(names: &[&str]) -> (TempDir, Config) {
    let home = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(home.path()).unwrap();
    let dirs: Vec<PathBuf> = names.iter().map(|name| root.join(name)).collect();
    dirs.iter().for_each(|dir| fs::create_dir(dir).unwrap());
    let world = Arc::new(Disks);
    (home, Config { headroom: Some(100), world, ..Config::new(dirs) })
}

#[tokio::test]
async fn a_blob_goes_to_the_disk_with_the_most_room_and_is_found_there_again() {
    let (_home, config) = place(&["500", "9000", "300"]);
    let blobs = Blobs::open(config.clone()).await.unwrap();
    let id = blobs.put(&b"abc"[..]).await.unwrap().blob;
    let path = blobs.path(id).await.unwrap();
    assert!(path.starts_with(&config.dirs[1]), "{}", path.display());
    drop(blobs);
    let again = Blobs::open(config).await.unwrap();
    assert_eq!(again.path(id).await, Ok(path));
}

#[tokio::test]
async fn what_fits_nowhere_is_refused_and_what_fits_on_one_disk_is_not() {
    let (_home, config) = place(&["150", "400"]);
    let blobs = Blobs::open(config).await.unwrap();
    blobs.put(&[7; 250][..]).await.expect("the second has room");
    let refused = blobs.put(&[8; 350][..]).await.err();
    assert!(matches!(refused, Some(BlobError::DiskFull { headroom: 100, .. })), "{refused:?}");
}

#[tokio::test]
async fn a_directory_that_is_set_has_to_be_there() {
    let (_home, config) = place(&["500", "9000"]);
    let second = config.dirs[1].clone();
    fs::remove_dir(&second).unwrap();
    let missing = BlobError::Missing(second.clone());
    assert_eq!(Blobs::open(config.clone()).await.unwrap_err(), missing);
    assert!(!second.exists(), "it is not made: it may be a disk that is not mounted");

    fs::create_dir(&second).unwrap();
    let blobs = Blobs::open(config.clone()).await.unwrap();
    let id = blobs.put(&b"abc"[..]).await.unwrap().blob;
    drop(blobs);
    // Another disk, or none: the place where the disk was mounted is empty.
    let aside = second.with_extension("aside");
    fs::rename(&second, &aside).unwrap();
    fs::create_dir(&second).unwrap();
    assert_eq!(Blobs::open(config.clone()).await.unwrap_err(), missing);
    fs::remove_dir(&second).unwrap();
    fs::rename(&aside, &second).unwrap();
    let again = Blobs::open(config).await.unwrap();
    assert_eq!(read_all(&again, id).await.unwrap(), b"abc");
}

#[tokio::test]
async fn a_directory_that_was_added_and_is_missing_is_named_and_left_out() {
    let f = Fixture::new().await;
    let second = f.dir.path().join("second");
    f.blobs.add_dir(second.clone(), false).await.unwrap();
    let second = fs::canonicalize(second).unwrap();
    let id = f.blobs.put(&b"abc"[..]).await.unwrap().blob;
    fs::rename(&second, second.with_extension("aside")).unwrap();
    let again = f.again().await;
    assert_eq!(again.missing_dirs(), std::slice::from_ref(&second));
    assert!(!second.exists());
    assert_eq!(read_all(&again, id).await.unwrap(), b"abc", "the first one's blobs are there");
    fs::rename(second.with_extension("aside"), &second).unwrap();
    assert_eq!(f.again().await.missing_dirs(), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn files_are_made_blobs_where_they_are_and_bad_ones_are_left_out() {
    let f = Fixture::new().await;
    let dir = fs::canonicalize(f.dir.path()).unwrap().join("images");
    fs::create_dir_all(dir.join("below")).unwrap();
    fs::write(dir.join("one"), b"one").unwrap();
    fs::write(dir.join("below/two"), b"two!").unwrap();
    std::os::unix::fs::symlink(dir.join("one"), dir.join("link")).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(dir.join("socket")).unwrap();
    let done = preload(&f.blobs, &dir).await.unwrap();
    assert_eq!(done, Preloaded { files: 2, bytes: 7, failed: 1 });
    assert_eq!(f.blobs.path(id_of(b"two!")).await, Ok(dir.join("below/two")));
    drop(socket);

    // What changed is another blob; the rest is not read again.
    fs::write(dir.join("one"), b"another").unwrap();
    let again = f.again().await;
    assert_eq!(preload(&again, &dir).await.map(|done| (done.files, done.bytes)), Ok((2, 11)));
    assert_eq!(again.path(id_of(b"another")).await, Ok(dir.join("one")));
    assert!(again.path(id_of(b"one")).await.is_err(), "it is no longer there");
}

#[tokio::test]
async fn a_directory_of_files_that_is_missing_is_an_error_and_no_more() {
    let f = Fixture::new().await;
    let gone = f.dir.path().join("gone");
    let error = preload(&f.blobs, &gone).await.unwrap_err();
    assert!(error.to_string().contains("gone"), "{error}");
    assert_eq!(f.blobs.count(), 0);
}
