use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use super::fixture::*;
use crate::blobs::{BlobError, Blobs};

#[tokio::test]
async fn every_size_comes_out_as_it_went_in() {
    let f = Fixture::new().await;
    for (seed, size) in (0..).zip(SIZES) {
        let bytes = noise(size, seed);
        let put = f.blobs.put(&bytes[..]).await.unwrap();
        assert_eq!(put, describe(&bytes), "{size}");
        assert_eq!(read_all(&f.blobs, put.blob).await.unwrap(), bytes, "{size}");
        let path = f.blobs.path(put.blob).await.unwrap();
        assert_eq!(fs::read(path).unwrap(), bytes, "{size}");
        let have = f.blobs.have(&put.blob).unwrap();
        assert!(have.sealed && have.pieces.is_complete());
        assert_eq!(f.blobs.describe(&put.blob), Ok(put));
    }
    let again = f.again().await;
    assert_eq!(again.count(), SIZES.len());
    for (seed, size) in (0..).zip(SIZES) {
        let bytes = noise(size, seed);
        assert_eq!(read_all(&again, id_of(&bytes)).await.unwrap(), bytes, "{size} after a start");
    }
}

#[tokio::test]
async fn the_id_is_what_openssl_prints() {
    let f = Fixture::new().await;
    let empty = f.blobs.put(&b""[..]).await.unwrap().blob.to_string();
    assert_eq!(empty, "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a");
    let abc = f.blobs.put(&b"abc"[..]).await.unwrap().blob.to_string();
    assert_eq!(abc, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
}

#[tokio::test]
async fn a_file_is_copied_and_the_same_twice_is_one() {
    let f = Fixture::new().await;
    let bytes = noise(2 * MIB + 7, 1);
    let path = f.file("f", &bytes);
    let first = f.blobs.put_file(path.clone()).await.unwrap();
    let inode = fs::metadata(f.data(&first.blob)).unwrap().ino();
    assert_eq!(f.blobs.put(&bytes[..]).await.unwrap(), first);
    assert_eq!(fs::metadata(f.data(&first.blob)).unwrap().ino(), inode);
    assert_eq!((f.blobs.count(), fs::read(path).unwrap()), (1, bytes.to_vec()));
    assert_eq!(f.files().len(), 3, "data, tree and record: {:?}", f.files());
}

#[tokio::test]
async fn what_is_removed_is_gone_and_its_reader_goes_on() {
    let f = Fixture::new().await;
    let bytes = noise(3 * MIB + 5, 1);
    let id = f.blobs.put(&bytes[..]).await.unwrap().blob;
    let mut reader = f.blobs.reader(id).await.unwrap();
    let mut all = reader.next().await.unwrap().unwrap().to_vec();
    f.blobs.remove(id).await.unwrap();
    assert_eq!(f.blobs.remove(id).await, Err(BlobError::Unknown(id)));
    assert_eq!(f.blobs.reader(id).await.unwrap_err(), BlobError::Unknown(id));
    while let Some(bytes) = reader.next().await.unwrap() {
        all.extend(bytes);
    }
    assert_eq!(all, bytes);
    assert_eq!(f.files(), Vec::<String>::new());
}

#[tokio::test]
async fn a_registered_file_stays_where_it_is() {
    let f = Fixture::new().await;
    let bytes = noise(2 * MIB + 1, 1);
    let path = f.file("movie", &bytes);
    let it = f.blobs.register_in_place(path.clone()).await.unwrap();
    assert_eq!(it, describe(&bytes));
    assert_eq!(f.blobs.path(it.blob).await.unwrap(), path);
    assert!(!f.data(&it.blob).exists(), "nothing is copied");
    assert_eq!(f.blobs.list()[0].registered.as_ref(), Some(&path));
    let again = f.again().await;
    assert_eq!(read_all(&again, it.blob).await.unwrap(), bytes);
    again.remove(it.blob).await.unwrap();
    assert_eq!(fs::read(path).unwrap(), bytes, "removing ends the registration only");
    assert_eq!(f.files(), Vec::<String>::new());
}

#[tokio::test]
async fn registering_replaces_the_copy_and_a_copy_the_registration() {
    let f = Fixture::new().await;
    let bytes = noise(MIB + 1, 1);
    let path = f.file("f", &bytes);
    let it = f.blobs.put_file(path.clone()).await.unwrap();
    assert_eq!(f.blobs.register_in_place(path.clone()).await.unwrap(), it);
    assert!(!f.data(&it.blob).exists());
    assert_eq!(f.blobs.put(&bytes[..]).await.unwrap(), it);
    assert_eq!(f.blobs.path(it.blob).await.unwrap(), f.data(&it.blob));
    assert_eq!(read_all(&f.again().await, it.blob).await.unwrap(), bytes);
    f.blobs.register_in_place(path.clone()).await.unwrap();
    assert_eq!(f.blobs.path(it.blob).await.unwrap(), path);
}

#[tokio::test]
async fn pins_and_reservations_outlive_the_process() {
    let f = Fixture::new().await;
    let id = f.blobs.put(&b"abc"[..]).await.unwrap().blob;
    f.blobs.pin(id).await.unwrap();
    f.blobs.reserve(id, Duration::from_secs(600)).await.unwrap();
    let again = f.again().await;
    let listed = again.list().remove(0);
    assert!(listed.pinned && listed.sealed);
    // The age on disk is rounded up.
    assert_eq!(listed.reserved_for, Some(Duration::from_millis(599_999)));
    again.unpin(id).await.unwrap();
    again.reserve(id, Duration::ZERO).await.unwrap();
    assert!(!f.beside(&id, "keep").exists());
    let unknown = id_of(b"?");
    assert_eq!(again.pin(unknown).await, Err(BlobError::Unknown(unknown)));
}

#[tokio::test]
async fn a_stream_that_breaks_leaves_nothing() {
    struct Broken(usize);
    impl tokio::io::AsyncRead for Broken {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            buffer: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<io::Result<()>> {
            if self.0 == 0 {
                return std::task::Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            let count = self.0.min(buffer.remaining());
            buffer.initialize_unfilled_to(count).fill(7);
            buffer.advance(count);
            self.0 -= count;
            std::task::Poll::Ready(Ok(()))
        }
    }
    let f = Fixture::new().await;
    let err = f.blobs.put(Broken(3 * MIB)).await.unwrap_err();
    assert!(matches!(err, BlobError::Io { kind: io::ErrorKind::ConnectionReset, .. }), "{err}");
    let mut put = f.blobs.begin_put(0).await.unwrap();
    put.write(noise(MIB, 1)).await.unwrap();
    assert_eq!(f.files().len(), 1);
    drop(put);
    assert_eq!((f.files(), f.blobs.count()), (Vec::new(), 0));
}

#[tokio::test]
async fn an_added_directory_is_remembered_and_a_scanned_one_is_hashed() {
    let (old, f) = (Fixture::new().await, Fixture::new().await);
    let good = old.blobs.put(&noise(MIB + 1, 1)[..]).await.unwrap();
    let bare = old.blobs.put(&noise(2 * MIB + 1, 2)[..]).await.unwrap();
    let liar = old.blobs.put(&b"abc"[..]).await.unwrap();
    let unseen = old.blobs.register_in_place(old.file("f", b"there")).await.unwrap();
    // Or else its journal would mend what is spoilt next.
    old.blobs.save().await.unwrap();
    fs::remove_file(old.beside(&bare.blob, "meta")).unwrap();
    fs::remove_file(old.beside(&bare.blob, "tree")).unwrap();
    fs::write(old.data(&liar.blob), b"abd").unwrap();
    assert_eq!(f.blobs.add_dir(old.root(), true).await, Ok(2));
    let again = f.again().await;
    for it in [good, bare] {
        assert_eq!(again.describe(&it.blob), Ok(it));
        assert_eq!(read_all(&again, it.blob).await.unwrap().len() as u64, it.size);
    }
    for it in [liar, unseen] {
        assert_eq!(again.have(&it.blob), None);
    }
    assert_eq!(fs::read(old.data(&liar.blob)).unwrap(), b"abd", "left alone");
}

#[tokio::test]
async fn files_of_others_are_left_alone() {
    let f = Fixture::new().await;
    let id = f.blobs.put(&b"abc"[..]).await.unwrap().blob;
    let foreign = ["notes", "ab/file", "partial/x", "partial/put-me", "zz/y"];
    for name in foreign {
        let path = f.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "mine").unwrap();
    }
    let again = f.again().await;
    again.remove(id).await.unwrap();
    let left: Vec<_> = f.files();
    assert_eq!(left, ["ab/file", "notes", "partial/put-me", "partial/x", "zz/y"]);
}

#[tokio::test]
async fn a_scrub_that_finds_nothing_changes_nothing() {
    let f = Fixture::new().await;
    for (seed, size) in (0..).zip([0, 1, 20 * MIB]) {
        f.blobs.put(&noise(size, seed)[..]).await.unwrap();
    }
    let before = f.files();
    let scrubbed = f.blobs.scrub(None).await.unwrap();
    assert_eq!((scrubbed.blobs, scrubbed.bytes), (3, 20 * MIB as u64 + 1));
    assert!(scrubbed.damaged.is_empty() && scrubbed.changed.is_empty());
    assert_eq!(f.files(), before);
}

#[tokio::test]
async fn many_at_once_wait_for_their_turn() {
    let f = Fixture::new().await;
    let put = |blobs: Blobs, seed| async move { blobs.put(&noise(MIB + 1, seed)[..]).await };
    let all = futures::future::join_all((0..24).map(|seed| put(f.blobs.clone(), seed % 12))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(f.blobs.count(), 12);
    assert_eq!(f.files().len(), 3 * 12);
}
