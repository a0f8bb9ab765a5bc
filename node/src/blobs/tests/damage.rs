//! What the disk, or somebody else, did to a blob.

use std::fs;
use std::os::unix::fs::FileExt as _;

use super::fixture::*;
use crate::blobs::BlobError;
use crate::blobs::want::{Pantry, care};
use crux_crdt::blob::{BlobId, Descriptor};

pub(super) fn flip(path: &std::path::Path, at: u64) {
    let file = fs::File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
}

/// A blob of four pieces with a byte of the third changed.
async fn damaged() -> (Fixture, Descriptor, bytes::Bytes) {
    let f = Fixture::new().await;
    let bytes = noise(3 * MIB + 5, 1);
    let it = f.blobs.put(&bytes[..]).await.unwrap();
    flip(&f.data(&it.blob), 2 * MIB as u64 + 9);
    (f, it, bytes)
}

/// The blob is under way with its good pieces, and whole again with the one that was lost.
async fn mends(f: &Fixture, it: Descriptor, bytes: &bytes::Bytes) {
    let have = f.blobs.have(&it.blob).unwrap();
    assert_eq!((have.sealed, have.pieces.missing().collect::<Vec<_>>()), (false, vec![2]));
    assert_eq!(f.blobs.begin(it.blob, it.root, it.size).await, Ok(have.pieces));
    let piece = pieces(bytes).await.1[2].clone();
    assert_eq!(f.blobs.write_piece(it.blob, (it.root, it.size), 2, piece).await, Ok(true));
    assert_eq!(f.blobs.seal(it.blob, (it.root, it.size)).await, Ok(it));
    assert_eq!(&read_all(&f.blobs, it.blob).await.unwrap(), bytes);
}

#[tokio::test]
async fn a_reader_gives_nothing_wrong_and_the_rest_is_kept() {
    let (f, it, bytes) = damaged().await;
    f.blobs.pin(it.blob).await.unwrap();
    let mut reader = f.blobs.reader(it.blob).await.unwrap();
    assert_eq!(reader.next().await.unwrap().unwrap(), bytes[..MIB]);
    assert_eq!(reader.next().await.unwrap().unwrap(), bytes[MIB..2 * MIB]);
    assert_eq!(reader.next().await.unwrap_err(), BlobError::Damaged { id: it.blob, bad: 1 });
    mends(&f, it, &bytes).await;
    assert!(f.blobs.list()[0].pinned, "a pin outlives the damage");
}

#[tokio::test]
async fn a_peer_gets_nothing_wrong() {
    let (f, it, bytes) = damaged().await;
    let read = f.blobs.read_piece(it.blob, it.root, 2).await;
    assert_eq!(read, Err(BlobError::Damaged { id: it.blob, bad: 1 }));
    mends(&f, it, &bytes).await;
}

#[tokio::test]
async fn a_scrub_finds_it_first() {
    let (f, it, bytes) = damaged().await;
    let other = f.blobs.put(&b"abc"[..]).await.unwrap();
    let scrubbed = f.blobs.scrub(None).await.unwrap();
    assert_eq!((scrubbed.blobs, scrubbed.damaged), (2, vec![(it.blob, 1)]));
    assert!(f.blobs.have(&other.blob).unwrap().sealed);
    mends(&f, it, &bytes).await;
}

#[tokio::test]
async fn damaged_hashes_are_written_anew() {
    let f = Fixture::new().await;
    let bytes = noise(3 * MIB + 5, 1);
    let it = f.blobs.put(&bytes[..]).await.unwrap();
    let tree = f.beside(&it.blob, "tree");
    let whole = fs::read(&tree).unwrap();
    flip(&tree, 70);
    assert_eq!(read_all(&f.blobs, it.blob).await.unwrap(), bytes);
    assert_eq!(fs::read(&tree).unwrap(), whole);
    fs::remove_file(&tree).unwrap();
    assert!(f.blobs.read_piece(it.blob, it.root, 1).await.is_ok());
    assert_eq!(fs::read(&tree).unwrap(), whole);
}

#[tokio::test]
async fn a_file_of_another_length_is_found_at_the_start() {
    let f = Fixture::new().await;
    let bytes = noise(3 * MIB + 5, 1);
    let it = f.blobs.put(&bytes[..]).await.unwrap();
    let file = fs::File::options().write(true).open(f.data(&it.blob)).unwrap();
    file.set_len(2 * MIB as u64 + 1).unwrap();
    let again = f.again().await;
    let have = again.have(&it.blob).unwrap();
    assert_eq!((have.sealed, have.pieces.iter().collect::<Vec<_>>()), (false, vec![0, 1]));
    assert!(f.again().await.have(&it.blob).is_some());
}

#[tokio::test]
async fn a_blob_that_somebody_deleted_is_gone() {
    let f = Fixture::new().await;
    let it = f.blobs.put(&noise(MIB + 1, 1)[..]).await.unwrap();
    fs::remove_file(f.data(&it.blob)).unwrap();
    let err = f.blobs.path(it.blob).await.unwrap_err();
    assert_eq!(err, BlobError::Damaged { id: it.blob, bad: 2 });
    assert_eq!((f.blobs.have(&it.blob), f.files()), (None, Vec::new()));
}

#[tokio::test]
async fn a_registered_file_that_changes_is_withdrawn() {
    let f = Fixture::new().await;
    let bytes = noise(2 * MIB + 1, 1);
    let register = || async {
        let path = f.file("f", &bytes);
        (f.blobs.register_in_place(path.clone()).await.unwrap(), path)
    };
    let gone = |id: BlobId| assert_eq!((f.blobs.have(&id), f.files()), (None, Vec::new()));

    let (it, path) = register().await;
    flip(&path, 5);
    let changed = BlobError::Changed(path.clone());
    assert_eq!(f.blobs.path(it.blob).await, Err(changed.clone()));
    gone(it.blob);

    let (it, path) = register().await;
    let mut reader = f.blobs.reader(it.blob).await.unwrap();
    flip(&path, MIB as u64 + 5);
    assert!(reader.next().await.is_ok());
    assert_eq!(reader.next().await, Err(changed.clone()), "also while it is open");
    gone(it.blob);

    let (it, path) = register().await;
    fs::remove_file(&path).unwrap();
    let scrubbed = f.blobs.scrub(None).await.unwrap();
    assert_eq!((scrubbed.changed, scrubbed.damaged), (vec![it.blob], Vec::new()));
    gone(it.blob);
    assert_eq!(f.blobs.read_piece(it.blob, it.root, 0).await, Err(BlobError::Unknown(it.blob)));
}

#[tokio::test]
async fn pieces_that_went_bad_before_the_seal_are_told_from_a_lie() {
    let bytes = noise(3 * MIB, 1);
    let (it, pieces) = pieces(&bytes).await;
    let f = Fixture::new().await;
    f.blobs.begin(it.blob, it.root, it.size).await.unwrap();
    // The last one first, so that the SHA-3 has not passed it when it goes bad.
    for index in [2, 1] {
        let piece = pieces[index as usize].clone();
        f.blobs.write_piece(it.blob, (it.root, it.size), index, piece).await.unwrap();
    }
    flip(&f.root().join(format!("partial/{}.data", it.blob)), 2 * MIB as u64);
    f.blobs.write_piece(it.blob, (it.root, it.size), 0, pieces[0].clone()).await.unwrap();
    assert_eq!(
        f.blobs.seal(it.blob, (it.root, it.size)).await,
        Err(BlobError::Damaged { id: it.blob, bad: 1 })
    );
    assert_eq!(
        f.blobs.write_piece(it.blob, (it.root, it.size), 2, pieces[2].clone()).await,
        Ok(true)
    );
    assert_eq!(f.blobs.seal(it.blob, (it.root, it.size)).await, Ok(it));
}

#[tokio::test]
async fn what_a_look_in_the_background_finds_lost_is_wished_for() {
    let (f, it, bytes) = damaged().await;
    let (wishes, mut wished) = tokio::sync::mpsc::channel(1);
    let pantry = Pantry { blobs: f.blobs.clone(), wishes: Some(wishes) };
    let caring = tokio::spawn(care(pantry, std::time::Duration::from_millis(1), 1 << 40));
    let wanted = wished.recv().await.unwrap();
    assert_eq!(wanted.id, it.blob);
    mends(&f, it, &bytes).await;
    wanted.done.send(Ok(())).unwrap();
    caring.abort();
}
