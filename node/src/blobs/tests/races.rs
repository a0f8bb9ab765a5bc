//! What others do between two steps of somebody.

use super::fixture::*;
use crate::blobs::BlobError;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_about_to_be_kept_is_not_evicted() {
    let f = Fixture::with(|config| config.quota = Some(3 * MIB as u64)).await;
    let it = f.blobs.put(&noise(2 * MIB, 1)[..]).await.unwrap();
    let (reached, go_on) = f.pause("found to be kept");
    let blobs = f.blobs.clone();
    let pinning = tokio::spawn(async move { blobs.pin(it.blob).await });
    tokio::task::spawn_blocking(move || reached.recv()).await.unwrap().unwrap();
    let refused = f.blobs.begin_put(2 * MIB as u64).await.unwrap_err();
    assert!(matches!(refused, BlobError::Quota { .. }), "{refused}");
    go_on.send(()).unwrap();
    pinning.await.unwrap().unwrap();
    assert!(f.blobs.list()[0].pinned);
    f.blobs.unpin(it.blob).await.unwrap();
    f.blobs.begin_put(2 * MIB as u64).await.unwrap();
    assert_eq!(f.blobs.have(&it.blob), None, "it is held no longer");
}

#[tokio::test]
async fn what_is_not_here_is_not_kept() {
    let f = Fixture::new().await;
    let id = id_of(b"abc");
    assert_eq!(f.blobs.pin(id).await, Err(BlobError::Unknown(id)));
    assert_eq!(f.files(), Vec::<String>::new());
}

/// A reader found the blob, and then not its file; meanwhile it was put again.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_comes_between_forgets_nothing() {
    for way in [Way::Put, Way::Registered] {
        let f = Fixture::new().await;
        let bytes = noise(2 * MIB, 1);
        let id = f.blobs.put(&bytes[..]).await.unwrap().blob;
        let depot = f.blobs.depot();
        let sealed = depot.sealed(&id).unwrap();
        f.blobs.remove(id).await.unwrap();
        let (reached, go_on) = f.pause("no data");
        let reading = tokio::task::spawn_blocking(move || depot.open_data(&id, &sealed));
        tokio::task::spawn_blocking(move || reached.recv()).await.unwrap().unwrap();
        let back = match way {
            Way::Put => f.blobs.put(&bytes[..]).await,
            Way::Registered => f.blobs.register_in_place(f.file("f", &bytes)).await,
        };
        assert_eq!(back.unwrap().blob, id);
        go_on.send(()).unwrap();
        assert!(reading.await.unwrap().is_ok(), "it reads what is there now");
        assert_eq!(read_all(&f.blobs, id).await.unwrap(), bytes);
    }
}

enum Way {
    Put,
    Registered,
}

#[tokio::test]
async fn a_reader_of_what_left_is_told_so() {
    let f = Fixture::new().await;
    let id = f.blobs.put(&noise(2 * MIB, 1)[..]).await.unwrap().blob;
    let depot = f.blobs.depot();
    let sealed = depot.sealed(&id).unwrap();
    f.blobs.remove(id).await.unwrap();
    assert_eq!(depot.open_data(&id, &sealed).unwrap_err(), BlobError::Unknown(id));
}

/// A registration that ends is the one that was found to be wrong.
#[tokio::test]
async fn a_registration_that_was_replaced_is_not_withdrawn() {
    let f = Fixture::new().await;
    let bytes = noise(2 * MIB, 1);
    let path = f.file("f", &bytes);
    let id = f.blobs.register_in_place(path.clone()).await.unwrap().blob;
    let depot = f.blobs.depot();
    let sealed = depot.sealed(&id).unwrap();
    std::fs::remove_file(&path).unwrap();
    f.blobs.put(&bytes[..]).await.unwrap();
    assert_eq!(depot.open_data(&id, &sealed).unwrap_err(), BlobError::Changed(path));
    assert_eq!(read_all(&f.blobs, id).await.unwrap(), bytes);
}

/// A file that is registered may change: who puts a blob has it kept.
#[tokio::test]
async fn what_is_put_is_copied_though_it_is_registered() {
    for size in [100, 2 * MIB + 1] {
        let f = Fixture::new().await;
        let bytes = noise(size, 1);
        let path = f.file("f", &bytes);
        let it = f.blobs.register_in_place(path.clone()).await.unwrap();
        f.blobs.pin(it.blob).await.unwrap();
        let crashes = Crashes { of: f.root(), disk: None, copies: Vec::new() };
        *f.stage.crashes.lock().unwrap() = Some(crashes);
        assert_eq!(f.blobs.put(&bytes[..]).await.unwrap(), it);
        let crashed = f.stage.crashes.lock().unwrap().take().unwrap().copies;
        for (what, copy) in crashed {
            let mut config = f.config.clone();
            config.dirs = vec![copy.path().to_owned()];
            let blobs = crate::blobs::Blobs::open(config).await.unwrap();
            assert_eq!(read_all(&blobs, it.blob).await.unwrap(), bytes, "{what}");
            let expected = if blobs.list()[0].registered.is_some() { 1 } else { 2 };
            let tree = usize::from(size > MIB);
            let found = files(copy.path()).into_iter().filter(|name| !name.ends_with("age"));
            assert_eq!(found.count(), expected + tree + 1, "{what}: {:?}", files(copy.path()));
        }
        std::fs::remove_file(path).unwrap();
        for blobs in [f.blobs.clone(), f.again().await] {
            assert_eq!(read_all(&blobs, it.blob).await.unwrap(), bytes);
            let listed = &blobs.list()[0];
            assert_eq!((listed.registered.as_ref(), listed.pinned), (None, true));
        }
    }
}

/// The copy goes where there is room, with how it is kept.
#[tokio::test]
async fn a_copy_of_what_is_registered_may_go_to_another_disk() {
    let f = Fixture::new().await;
    let bytes = noise(2 * MIB + 1, 1);
    let path = f.file("f", &bytes);
    let it = f.blobs.register_in_place(path.clone()).await.unwrap();
    f.blobs.pin(it.blob).await.unwrap();
    let second = f.dir.path().join("second");
    f.blobs.add_dir(second.clone(), false).await.unwrap();
    *f.stage.full.lock().unwrap() = Some(std::fs::canonicalize(f.root()).unwrap());
    f.blobs.put(&bytes[..]).await.unwrap();
    std::fs::remove_file(path).unwrap();
    assert_eq!(f.files(), ["dirs"]);
    assert_eq!(files(&second).len(), 4);
    for blobs in [f.blobs.clone(), f.again().await] {
        assert_eq!(read_all(&blobs, it.blob).await.unwrap(), bytes);
        assert!(blobs.list()[0].pinned);
    }
}

/// The files of what is under way are known by name: who gives up one tree must not delete those of another one
/// that came meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_tree_that_comes_while_another_one_is_given_up_keeps_its_files() {
    let ((lie, lies), (it, good)) =
        (pieces(&noise(2 * MIB, 1)).await, pieces(&noise(2 * MIB, 2)).await);
    let f = Fixture::new().await;
    f.blobs.write_piece(it.blob, (lie.root, lie.size), 0, lies[0].clone()).await.unwrap();
    let (reached, go_on) = f.pause("given up");
    let blobs = f.blobs.clone();
    let leaving = tokio::spawn(async move { blobs.abandon(it.blob, (lie.root, lie.size)).await });
    tokio::task::spawn_blocking(move || reached.recv()).await.unwrap().unwrap();
    let (blobs, piece) = (f.blobs.clone(), good[0].clone());
    let coming =
        tokio::spawn(async move { blobs.write_piece(it.blob, (it.root, it.size), 0, piece).await });
    // It waits for the one that gives up, or, when it does not wait, has its piece here now.
    let is_here = || f.blobs.have(&it.blob).is_some();
    let until = std::time::Instant::now() + std::time::Duration::from_millis(300);
    while !is_here() && std::time::Instant::now() < until {
        tokio::task::yield_now().await;
    }
    go_on.send(()).unwrap();
    leaving.await.unwrap().unwrap();
    coming.await.unwrap().unwrap();
    f.blobs.write_piece(it.blob, (it.root, it.size), 1, good[1].clone()).await.unwrap();
    assert_eq!(f.blobs.seal(it.blob, (it.root, it.size)).await, Ok(it));
    assert_eq!(f.blobs.read_piece(it.blob, it.root, 0).await.as_ref(), Ok(&good[0]));
}

/// While it waits for the disk, its tree is given up and another one takes the name of its files.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_up_while_it_is_sealed_is_not_sealed_with_the_bytes_of_another_tree() {
    let ((it, good), (lie, lies)) =
        (pieces(&noise(2 * MIB, 1)).await, pieces(&noise(2 * MIB, 2)).await);
    let f = Fixture::new().await;
    for (index, piece) in (0..).zip(&good) {
        f.blobs.write_piece(it.blob, (it.root, it.size), index, piece.clone()).await.unwrap();
    }
    let (reached, go_on) = f.pause("all pieces durable");
    let blobs = f.blobs.clone();
    let sealing = tokio::spawn(async move { blobs.seal(it.blob, (it.root, it.size)).await });
    tokio::task::spawn_blocking(move || reached.recv()).await.unwrap().unwrap();
    f.blobs.abandon(it.blob, (it.root, it.size)).await.unwrap();
    f.blobs.write_piece(it.blob, (lie.root, lie.size), 0, lies[0].clone()).await.unwrap();
    go_on.send(()).unwrap();
    assert_eq!(sealing.await.unwrap(), Err(BlobError::Unsealed(it.blob)));
    assert_eq!(f.blobs.read_piece(it.blob, lie.root, 0).await.as_ref(), Ok(&lies[0]));
}

/// What is shown and not durable yet counts once: as a blob, and no more as one that comes in.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_counts_once_while_its_names_wait_for_the_disk() {
    for size in [50_000, 2 * MIB] {
        let f = Fixture::with(|config| config.quota = Some(2 * size as u64)).await;
        let (reached, go_on) = f.pause(if size < MIB { "small blob shown" } else { "shown" });
        let blobs = f.blobs.clone();
        let putting = tokio::spawn(async move { blobs.put(&noise(size, 1)[..]).await });
        tokio::task::spawn_blocking(move || reached.recv()).await.unwrap().unwrap();
        let second = f.blobs.begin_put(size as u64).await;
        assert!(second.is_ok(), "{second:?}");
        drop(second);
        go_on.send(()).unwrap();
        let first = putting.await.unwrap().unwrap();
        assert!(f.blobs.have(&first.blob).is_some(), "what counts once makes no room for another");
        assert!(f.blobs.begin_put(size as u64).await.is_ok());
    }
}
