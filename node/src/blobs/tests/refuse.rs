//! What is refused, and what it is called.

use std::collections::BTreeSet;
use std::fs;

use super::fixture::*;
use crate::blobs::{BlobError, Blobs, Config};
use crate::error::{Error, Kind};
use crux_crdt::blob::BlobId;

#[tokio::test]
async fn what_is_no_file_is_no_blob() {
    let f = Fixture::new().await;
    let dir = fs::canonicalize(f.dir.path()).unwrap();
    let refused = BlobError::NotAFile(dir.clone());
    assert_eq!(f.blobs.put_file(dir.clone()).await, Err(refused.clone()));
    assert_eq!(f.blobs.register_in_place(dir.clone()).await, Err(refused));
    let missing = f.blobs.put_file(dir.join("none")).await.unwrap_err();
    assert!(matches!(missing, BlobError::Io { .. }), "{missing}");
    assert_eq!(f.files(), Vec::<String>::new());
}

#[tokio::test]
async fn a_directory_that_was_swapped_is_not_written_to() {
    let f = Fixture::new().await;
    let aside = f.dir.path().join("aside");
    fs::rename(f.root(), &aside).unwrap();
    fs::create_dir_all(f.root().join("partial")).unwrap();
    let swapped = BlobError::Swapped(fs::canonicalize(f.root()).unwrap());
    assert_eq!(f.blobs.put(&b"abc"[..]).await, Err(swapped.clone()));
    let (it, pieces) = pieces(&noise(5, 1)).await;
    let written = f.blobs.write_piece(it.blob, (it.root, it.size), 0, pieces[0].clone()).await;
    assert_eq!(written, Err(swapped));
    assert_eq!(f.files(), Vec::<String>::new());
    fs::remove_dir_all(f.root()).unwrap();
    fs::rename(&aside, f.root()).unwrap();
    assert!(f.blobs.put(&b"abc"[..]).await.is_ok());
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let f = Fixture::new().await;
    let file = f.file("f", b"");
    let err = Blobs::open(Config::new(vec![file.join("blobs")])).await.unwrap_err();
    assert!(err.to_string().contains("/f/blobs"), "{err}");
}

#[test]
fn every_error_has_a_stable_name() {
    let id = BlobId([1; 32]);
    let kinds: BTreeSet<_> = [
        BlobError::Unknown(id),
        BlobError::Unsealed(id),
        BlobError::Damaged { id, bad: 1 },
        BlobError::WrongPiece { id, index: 0 },
        BlobError::Quota { needed: 1, quota: 0 },
        BlobError::DiskFull { needed: 1, free: 0, headroom: 0 },
        BlobError::Changed("/f".into()),
        BlobError::TooLarge { max: 1 },
    ]
    .into_iter()
    .map(|err| Error::from(err).kind().as_str())
    .collect();
    let expected = [
        "blob_damaged",
        "blob_mismatch",
        "blob_unknown",
        "blob_unsealed",
        "changed_while_read",
        "disk_full",
        "limit_reached",
        "quota",
    ];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), expected);
    let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
    let err: Error = BlobError::io("writing", "/f".as_ref(), &full).into();
    assert_eq!(err.kind(), Kind::DiskFull);
    assert_eq!(err.to_string(), "writing /f: no storage space");
}
