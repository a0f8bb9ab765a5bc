//! Small blobs: acknowledged when the journal has them, and back after whatever happened.

use super::fixture::*;
use crate::blobs::{BlobError, Blobs, Config};
use crux_crdt::blob::BlobId;
use futures::future::join_all;

/// A copy of a store, opened as a start would find it.
async fn reopen(root: &std::path::Path, lose: &[&BlobId]) -> (tempfile::TempDir, Blobs) {
    let copy = tempfile::tempdir().unwrap();
    copy_tree(root, copy.path());
    for id in lose {
        let data = copy.path().join(&id.to_string()[..2]).join(id.to_string());
        std::fs::write(&data, b"").unwrap();
        std::fs::remove_file(data.with_added_extension("meta")).unwrap();
    }
    let blobs = Blobs::open(Config::new(vec![copy.path().to_owned()])).await.unwrap();
    (copy, blobs)
}

#[tokio::test]
async fn what_was_acknowledged_is_there_though_its_files_were_lost() {
    let f = Fixture::new().await;
    let all: Vec<_> = (0..200).map(|seed| noise(usize::from(seed) * 7, seed)).collect();
    let puts = join_all(all.iter().map(|bytes| f.blobs.put(&bytes[..]))).await;
    let ids: Vec<_> = puts.into_iter().map(|it| it.unwrap().blob).collect();
    let (_copy, blobs) = reopen(&f.root(), &ids.iter().collect::<Vec<_>>()).await;
    for (id, bytes) in ids.iter().zip(&all) {
        assert_eq!(read_all(&blobs, *id).await.unwrap(), *bytes);
    }
}

#[tokio::test]
async fn a_small_put_is_there_once_the_journal_has_it() {
    let f = Fixture::new().await;
    let crashes = Crashes { of: f.root(), disk: None, copies: Vec::new() };
    *f.stage.crashes.lock().unwrap() = Some(crashes);
    let it = f.blobs.put(&b"abc"[..]).await.unwrap();
    let crashed = f.stage.crashes.lock().unwrap().take().unwrap().copies;
    let steps: Vec<_> = crashed.iter().map(|(what, _)| *what).collect();
    assert_eq!(steps, ["journal written", "small blob written", "small blob shown"]);
    for (what, copy) in crashed {
        let (copy, blobs) = reopen(copy.path(), &[]).await;
        assert_eq!(read_all(&blobs, it.blob).await.unwrap(), b"abc", "{what}");
        assert_eq!(files(copy.path()).len(), 2, "{what}: the journal was written out");
    }
}

#[tokio::test]
async fn what_was_removed_does_not_come_back_from_the_journal() {
    let f = Fixture::new().await;
    let gone = f.blobs.put(&b"gone"[..]).await.unwrap();
    let kept = f.blobs.put(&b"kept"[..]).await.unwrap();
    let again = f.blobs.put(&b"again"[..]).await.unwrap();
    f.blobs.remove(gone.blob).await.unwrap();
    f.blobs.remove(again.blob).await.unwrap();
    f.blobs.put(&b"again"[..]).await.unwrap();
    let (_copy, blobs) = reopen(&f.root(), &[]).await;
    let mut there: Vec<_> = blobs.list().into_iter().map(|listed| listed.id).collect();
    let mut expected = [kept.blob, again.blob];
    there.sort();
    expected.sort();
    assert_eq!(there, expected);
}

#[tokio::test]
async fn what_is_registered_since_stays_registered() {
    let f = Fixture::new().await;
    let it = f.blobs.put(&b"abc"[..]).await.unwrap();
    f.blobs.register_in_place(f.file("there", b"abc")).await.unwrap();
    let (_copy, blobs) = reopen(&f.root(), &[]).await;
    let listed = blobs.list();
    assert_eq!((listed.len(), listed[0].id), (1, it.blob));
    assert!(listed[0].registered.is_some());
}

#[tokio::test]
async fn a_store_that_was_saved_has_no_journal_and_a_full_one_ends_by_itself() {
    let f = Fixture::new().await;
    let bytes = 60 * 1024;
    let puts = (0..200).map(|seed| f.blobs.put(std::io::Cursor::new(noise(bytes, seed))));
    join_all(puts).await.into_iter().collect::<Result<Vec<_>, _>>().unwrap();
    f.blobs.save().await.unwrap();
    assert!(files(&f.root()).iter().all(|name| !name.contains("journal")));
    let blobs = f.again().await;
    assert_eq!(blobs.count(), 200);
}

#[tokio::test]
async fn what_is_taken_has_to_be_what_is_wanted() {
    let f = Fixture::new().await;
    let (right, wrong) = (describe(b"right"), id_of(b"wrong"));
    assert_eq!(f.blobs.take(right.blob, b"right".to_vec().into()).await, Ok(right));
    let mismatch = BlobError::Mismatch { id: wrong, found: right.blob, root: right.root };
    assert_eq!(f.blobs.take(wrong, b"right".to_vec().into()).await, Err(mismatch));
    let long = f.blobs.take(wrong, noise(MIB, 1)).await;
    assert!(matches!(long, Err(BlobError::TooLarge { .. })), "{long:?}");
    assert_eq!(f.blobs.count(), 1);
}
