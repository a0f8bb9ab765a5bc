//! What is claimed of a blob, and what came of it: only pieces that checked take room.

use super::fixture::*;
use crate::blobs::BlobError;
use crate::blobs::index::Lack;
use bytes::Bytes;
use crux_crdt::blob::{BLOB_BYTES_MAX, BlobId, Descriptor, Root};

const CLAIM: Root = Root([0xff; 32]);

async fn quota(bytes: usize) -> Fixture {
    Fixture::with(|config| config.quota = Some(bytes as u64)).await
}

async fn put(f: &Fixture, size: usize, seed: u8) -> Result<BlobId, BlobError> {
    f.pass(100);
    f.blobs.put(&noise(size, seed)[..]).await.map(|put| put.blob)
}

async fn write(f: &Fixture, it: Descriptor, index: u32, piece: &Bytes) -> Result<bool, BlobError> {
    f.blobs.write_piece(it.blob, (it.root, it.size), index, piece.clone()).await
}

/// Five blobs that fill the quota, unpinned.
async fn five() -> (Fixture, Vec<BlobId>) {
    let f = quota(20 * MIB).await;
    let mut ids = Vec::new();
    for seed in 0..5 {
        ids.push(put(&f, 4 * MIB, seed).await.unwrap());
    }
    (f, ids)
}

fn left(f: &Fixture, ids: &[BlobId]) -> usize {
    ids.iter().filter(|id| f.blobs.have(id).is_some()).count()
}

#[tokio::test]
async fn a_claim_takes_no_room_no_file_and_evicts_nothing() {
    let (f, ids) = five().await;
    let before = f.files();
    let asked = BlobId([1; 32]);
    f.blobs.begin(asked, CLAIM, 20 * MIB as u64).await.unwrap();
    let rubbish = f.blobs.write_piece(asked, (CLAIM, 20 * MIB as u64), 0, noise(MIB, 9)).await;
    assert_eq!(rubbish, Err(BlobError::WrongPiece { id: asked, index: 0 }));
    assert_eq!((left(&f, &ids), f.blobs.have(&asked)), (5, None));
    assert_eq!(f.files(), before);
}

#[tokio::test]
async fn what_could_never_fit_is_refused_and_evicts_nothing() {
    let (f, ids) = five().await;
    let begin = |size| f.blobs.begin(BlobId([1; 32]), CLAIM, size);
    for size in [20 * MIB as u64 + 1, BLOB_BYTES_MAX] {
        let err = begin(size).await.unwrap_err();
        assert!(matches!(err, BlobError::Quota { .. }), "{err}");
    }
    assert!(matches!(begin(u64::MAX).await.unwrap_err(), BlobError::TooLarge { .. }));
    f.blobs.pin(ids[0]).await.unwrap();
    assert!(matches!(begin(20 * MIB as u64).await.unwrap_err(), BlobError::Quota { .. }));
    begin(16 * MIB as u64).await.unwrap();
    assert_eq!(left(&f, &ids), 5);
}

#[tokio::test]
async fn a_piece_that_checked_takes_its_own_room_and_no_more() {
    let (f, ids) = five().await;
    let (it, pieces) = pieces(&noise(6 * MIB, 9)).await;
    f.blobs.begin(it.blob, it.root, it.size).await.unwrap();
    for (index, piece) in (0..4).zip(&pieces) {
        assert_eq!(write(&f, it, index, piece).await, Ok(true));
        assert_eq!(left(&f, &ids), 4, "one makes room for four pieces");
    }
    write(&f, it, 4, &pieces[4]).await.unwrap();
    assert_eq!(left(&f, &ids), 3);
}

#[tokio::test]
async fn the_largest_claim_makes_no_large_file() {
    let f = Fixture::new().await;
    let bytes = noise(MIB, 1);
    let it = describe(&bytes);
    // A tree of one piece has that piece's hash for its root, whatever size is claimed with it.
    let wrong = f.blobs.write_piece(it.blob, (it.root, BLOB_BYTES_MAX), 0, bytes.clone()).await;
    assert!(matches!(wrong, Err(BlobError::WrongPiece { .. })), "{wrong:?}");
    let (it, pieces) = pieces(&noise(9 * MIB, 2)).await;
    write(&f, it, 1, &pieces[1]).await.unwrap();
    let len = |ending: &str| {
        let path = f.root().join(format!("partial/{}.{ending}", it.blob));
        std::fs::metadata(path).unwrap().len()
    };
    assert_eq!(len("data"), 2 * MIB as u64, "as far as pieces came");
    assert_eq!(f.again().await.have(&it.blob).unwrap().pieces.iter().collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn a_piece_of_another_root_takes_the_place_and_the_room_of_the_first() {
    let (f, ids) = five().await;
    let (lie, lies) = pieces(&noise(12 * MIB, 8)).await;
    let (it, good) = pieces(&noise(4 * MIB, 9)).await;
    let lie = Descriptor { blob: it.blob, ..lie };
    for (index, piece) in (0..4).zip(&lies) {
        write(&f, lie, index, piece).await.unwrap();
    }
    assert_eq!(left(&f, &ids), 4);
    f.blobs.begin(it.blob, it.root, it.size).await.unwrap();
    assert_eq!(f.blobs.have(&it.blob).unwrap().root, lie.root, "a claim replaces nothing");
    for (index, piece) in (0..).zip(&good) {
        write(&f, it, index, piece).await.unwrap();
    }
    assert_eq!(f.blobs.seal(it.blob, (it.root, it.size)).await, Ok(it));
    assert_eq!(left(&f, &ids), 4, "the lie cost nothing that the blob had not cost");
}

#[tokio::test]
async fn what_nobody_goes_on_with_makes_room_before_anything_else() {
    let f = quota(8 * MIB).await;
    let old = put(&f, 2 * MIB, 0).await.unwrap();
    let (it, pieces) = pieces(&noise(6 * MIB, 1)).await;
    for (index, piece) in (0..).zip(&pieces) {
        write(&f, it, index, piece).await.unwrap();
    }
    f.blobs.pin(old).await.unwrap();
    let err = put(&f, MIB, 2).await.unwrap_err();
    assert!(matches!(err, BlobError::Quota { .. }), "it is being fetched: {err}");
    f.blobs.unpin(old).await.unwrap();
    f.blobs.rest(&it.blob);
    f.blobs.begin(it.blob, it.root, it.size).await.unwrap();
    f.blobs.pin(old).await.unwrap();
    assert!(put(&f, MIB, 2).await.is_err(), "somebody goes on with it");
    f.blobs.unpin(old).await.unwrap();
    f.blobs.rest(&it.blob);
    f.blobs.pin(it.blob).await.unwrap();
    put(&f, MIB, 2).await.unwrap();
    assert_eq!(f.blobs.have(&old), None, "what is pinned stays");
    f.blobs.unpin(it.blob).await.unwrap();
    put(&f, 3 * MIB, 3).await.unwrap();
    assert_eq!(f.blobs.have(&it.blob), None);
    assert!(f.files().iter().all(|name| !name.starts_with("partial")), "{:?}", f.files());
}

#[tokio::test]
async fn after_a_start_what_came_rests_and_a_claim_is_gone() {
    let f = quota(8 * MIB).await;
    let (it, pieces) = pieces(&noise(6 * MIB, 1)).await;
    write(&f, it, 0, &pieces[0]).await.unwrap();
    write(&f, it, 5, &pieces[5]).await.unwrap();
    // As a version left it that made the files of a claim before a piece came.
    let claim = BlobId([3; 32]);
    let have = crate::blobs::record::Have {
        id: claim,
        root: CLAIM,
        size: 5 * MIB as u64,
        pieces: crux_crdt::blob::PieceSet::none(5 * MIB as u64),
    };
    crate::blobs::record::write(&f.root().join(format!("partial/{claim}.have")), &have).unwrap();
    for ending in ["data", "tree"] {
        let file = std::fs::File::create(f.root().join(format!("partial/{claim}.{ending}")));
        file.unwrap().set_len(5 * MIB as u64).unwrap();
    }
    let again = f.again().await;
    assert_eq!(again.have(&claim), None);
    assert_eq!(again.have(&it.blob).unwrap().pieces.held(), 2);
    assert_eq!(f.files().len(), 3, "{:?}", f.files());
    again.put(&noise(6 * MIB, 2)[..]).await.unwrap();
    assert!(again.have(&it.blob).is_some(), "there was room for both");
    again.put(&noise(2 * MIB, 3)[..]).await.unwrap();
    assert_eq!(again.have(&it.blob), None, "it makes room before the blob does");
    assert_eq!(again.count(), 2);
}

#[tokio::test]
async fn the_empty_blob_has_one_root_and_needs_no_piece() {
    let f = Fixture::new().await;
    let it = describe(b"");
    let lie = f.blobs.seal(BlobId([1; 32]), (it.root, 0)).await.unwrap_err();
    assert!(matches!(lie, BlobError::Mismatch { .. }), "{lie}");
    assert_eq!(f.blobs.seal(it.blob, (it.root, 0)).await, Ok(it));
    assert_eq!(read_all(&f.blobs, it.blob).await.unwrap(), b"");
}

#[tokio::test]
async fn only_so_many_are_under_way() {
    let f = Fixture::new().await;
    let (it, pieces) = pieces(&noise(2 * MIB, 1)).await;
    let begin = |n: u16| {
        let mut id = BlobId([0; 32]);
        id.0[..2].copy_from_slice(&n.to_be_bytes());
        f.blobs.write_piece(id, (it.root, it.size), 0, pieces[0].clone())
    };
    for n in 0..256 {
        begin(n).await.unwrap();
    }
    let err = begin(256).await.unwrap_err();
    assert!(matches!(err, BlobError::Limit { max: 256, .. }), "{err}");
    f.blobs.rest(&f.blobs.list()[7].id);
    begin(256).await.unwrap();
    assert_eq!(f.blobs.list().len(), 256);
}

/// The pieces of that many trees of one blob, the first of which is its own.
async fn trees(sizes: &[usize]) -> Vec<(Descriptor, Vec<Bytes>)> {
    let mut all: Vec<(Descriptor, Vec<Bytes>)> = Vec::new();
    for (seed, size) in (1..).zip(sizes) {
        let (it, pieces) = pieces(&noise(*size, seed)).await;
        let blob = all.first().map_or(it.blob, |(first, _)| first.blob);
        all.push((Descriptor { blob, ..it }, pieces));
    }
    all
}

async fn write_some(f: &Fixture, (it, pieces): &(Descriptor, Vec<Bytes>), count: u32) {
    for (index, piece) in (0..count).zip(pieces) {
        write(f, *it, index, piece).await.unwrap();
    }
}

/// How many pieces are here of a tree that is gone on with.
async fn go_on(f: &Fixture, (it, _): &(Descriptor, Vec<Bytes>)) -> u32 {
    f.blobs.begin(it.blob, it.root, it.size).await.unwrap().held()
}

#[tokio::test]
async fn what_came_of_one_root_stays_beside_another_and_over_a_start() {
    let f = Fixture::new().await;
    let trees = trees(&[6 * MIB, 5 * MIB, MIB / 2]).await;
    write_some(&f, &trees[0], 4).await;
    write_some(&f, &trees[1], 2).await;
    assert_eq!((go_on(&f, &trees[0]).await, go_on(&f, &trees[1]).await), (4, 2));
    let served = f.blobs.read_piece(trees[0].0.blob, trees[0].0.root, 3).await;
    assert_eq!(served.as_ref(), Ok(&trees[0].1[3]), "served by both");
    assert!(f.blobs.read_piece(trees[1].0.blob, trees[1].0.root, 1).await.is_ok());
    let again = f.again().await;
    assert_eq!(again.have(&trees[0].0.blob).unwrap().pieces.held(), 4, "the larger one");
    assert_eq!(again.list().len(), 1);
    for ((it, pieces), held) in trees.iter().zip([4, 2, 0]) {
        let begun = again.begin(it.blob, it.root, it.size).await.unwrap();
        assert_eq!(begun.held(), held);
        for (index, piece) in (0..).zip(pieces).skip(held as usize).filter(|_| held == 4) {
            again.write_piece(it.blob, (it.root, it.size), index, piece.clone()).await.unwrap();
        }
    }
    let (it, _) = trees[0];
    assert_eq!(again.seal(it.blob, (it.root, it.size)).await, Ok(it));
    let partial = |name: &String| name.starts_with("partial");
    assert!(!f.files().iter().any(partial), "nothing is left of the other: {:?}", f.files());
}

#[tokio::test]
async fn a_third_root_takes_the_place_of_the_one_of_which_less_is_here() {
    let f = Fixture::new().await;
    let trees = trees(&[6 * MIB, 5 * MIB, 4 * MIB, 3 * MIB]).await;
    write_some(&f, &trees[0], 5).await;
    write_some(&f, &trees[1], 3).await;
    write_some(&f, &trees[2], 1).await;
    write_some(&f, &trees[3], 2).await;
    let mut held = Vec::new();
    for tree in &trees {
        held.push(go_on(&f, tree).await);
    }
    assert_eq!(held, [5, 0, 0, 2]);
    // What is found false goes, and the other stays.
    let (it, lie) = (trees[0].0, trees[3].0);
    f.blobs.abandon(lie.blob, (lie.root, lie.size)).await.unwrap();
    assert_eq!((go_on(&f, &trees[3]).await, go_on(&f, &trees[0]).await), (0, 5));
    write_some(&f, &trees[3], 3).await;
    let sealed = f.blobs.seal(lie.blob, (lie.root, lie.size)).await.unwrap_err();
    assert!(matches!(sealed, BlobError::Mismatch { .. }), "{sealed}");
    assert_eq!(f.blobs.begin(it.blob, it.root, it.size).await.unwrap().held(), 5);
}

/// What rests is evicted for the root that is gone on with, and that one for nothing.
#[tokio::test]
async fn what_rests_of_another_root_makes_room_for_the_one_that_is_gone_on_with() {
    let f = quota(8 * MIB).await;
    let trees = trees(&[6 * MIB, 8 * MIB]).await;
    write_some(&f, &trees[0], 3).await;
    write_some(&f, &trees[1], 6).await;
    assert_eq!((go_on(&f, &trees[0]).await, go_on(&f, &trees[1]).await), (0, 6));
    let err = put(&f, 3 * MIB, 9).await.unwrap_err();
    assert!(matches!(err, BlobError::Quota { .. }), "somebody goes on with it: {err}");
}

#[tokio::test]
async fn a_tree_of_one_piece_is_tried_and_leaves_nothing_if_it_is_a_lie() {
    let f = Fixture::new().await;
    let trees = trees(&[MIB, MIB / 2, 2 * MIB]).await;
    let of = |it: Descriptor| (it.root, it.size);
    let (it, good) = &trees[0];
    let attempt = |of, piece: &Bytes| f.blobs.try_piece(it.blob, of, piece.clone());
    write_some(&f, &trees[2], 1).await;
    let before = f.files();
    let lie = attempt(of(trees[1].0), &trees[1].1[0]).await.unwrap_err();
    assert!(matches!(lie, BlobError::Mismatch { .. }), "{lie}");
    let wrong = attempt(of(trees[1].0), &good[0]).await;
    assert_eq!(wrong, Err(BlobError::WrongPiece { id: it.blob, index: 0 }));
    let large = attempt(of(trees[2].0), &trees[2].1[0]).await.unwrap_err();
    assert!(matches!(large, BlobError::TooLarge { .. }), "{large}");
    assert_eq!(f.files(), before);
    assert_eq!(attempt(of(*it), &good[0]).await, Ok(()));
    assert!(f.blobs.have(&it.blob).unwrap().sealed);
    assert!(!f.files().iter().any(|name| name.starts_with("partial")), "{:?}", f.files());
}

/// More are on the disk than may be under way, as a version left them that set aside every damaged blob.
#[tokio::test]
async fn a_store_with_too_many_under_way_opens_and_keeps_those_of_which_most_is_here() {
    let f = Fixture::new().await;
    let (it, pieces) = pieces(&noise(2 * MIB, 1)).await;
    let id = |n: u16| {
        let mut id = BlobId([0; 32]);
        id.0[..2].copy_from_slice(&n.to_be_bytes());
        id
    };
    for n in 0..256 {
        f.blobs.write_piece(id(n), (it.root, it.size), 0, pieces[0].clone()).await.unwrap();
    }
    let partial = |id: BlobId, ending| f.root().join(format!("partial/{id}.{ending}"));
    for n in 256..260 {
        f.blobs.rest(&id(0));
        f.blobs.write_piece(id(0), (it.root, it.size), 1, pieces[1].clone()).await.unwrap();
        for ending in ["data", "tree"] {
            std::fs::copy(partial(id(0), ending), partial(id(n), ending)).unwrap();
        }
        let pieces = crux_crdt::blob::PieceSet::all(it.size);
        let have = crate::blobs::record::Have { id: id(n), root: it.root, size: it.size, pieces };
        crate::blobs::record::write(&partial(id(n), "have"), &have).unwrap();
    }
    let again = f.again().await;
    assert_eq!(again.list().len(), 256);
    assert!((256..260).all(|n| again.have(&id(n)).is_some_and(|have| have.pieces.held() == 2)));
    let left = f.files().into_iter().filter(|name| name.starts_with("partial"));
    assert_eq!(left.count(), 3 * 256, "nothing is left of the others");
}

/// Nobody fetches what is damaged before somebody asks for it.
#[tokio::test]
async fn what_is_left_of_a_damaged_blob_makes_room_before_whole_ones() {
    let f = quota(8 * MIB).await;
    let whole = put(&f, 2 * MIB, 0).await.unwrap();
    let damaged = put(&f, 4 * MIB, 1).await.unwrap();
    let mut bytes = std::fs::read(f.data(&damaged)).unwrap();
    bytes[0] ^= 1;
    std::fs::write(f.data(&damaged), bytes).unwrap();
    assert!(read_all(&f.blobs, damaged).await.is_err());
    assert_eq!(f.blobs.have(&damaged).unwrap().pieces.held(), 3);
    put(&f, 6 * MIB, 2).await.unwrap();
    assert_eq!((f.blobs.have(&damaged), f.blobs.have(&whole).is_some()), (None, true));
}

/// A disk has only so many files, and shows those as taken that are made.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_about_to_be_made_is_promised_in_bytes_and_files() {
    let f = Fixture::new().await;
    let depot = f.blobs.depot();
    let dir = depot.index().dirs[0].clone();
    let promised = || depot.index().ahead(dir.disk());
    let (it, pieces) = pieces(&noise(2 * MIB, 1)).await;
    let (blobs, first) = (f.blobs.clone(), pieces[0].clone());
    let (reached, go_on) = f.pause("room made");
    let fetching =
        tokio::spawn(async move { blobs.write_piece(it.blob, (it.root, it.size), 0, first).await });
    tokio::task::spawn_blocking(move || reached.recv()).await.unwrap().unwrap();
    assert_eq!(promised(), Lack { bytes: MIB as u64, files: 5 }, "of a tree that comes");
    go_on.send(()).unwrap();
    fetching.await.unwrap().unwrap();
    assert_eq!(promised(), Lack::default(), "it is made");
    depot.index().partial(&it.blob).unwrap().expect(1);
    assert_eq!(promised(), Lack { bytes: MIB as u64, files: 0 }, "of a piece that is written");
    write(&f, it, 1, &pieces[1]).await.unwrap();
    f.blobs.remove(it.blob).await.unwrap();
    let (reached, go_on) = f.pause("journal written");
    let blobs = f.blobs.clone();
    let putting = tokio::spawn(async move { blobs.put(&noise(1000, 2)[..]).await });
    tokio::task::spawn_blocking(move || reached.recv()).await.unwrap().unwrap();
    assert_eq!(promised(), Lack { bytes: 2000, files: 3 }, "in the journal and as files");
    go_on.send(()).unwrap();
    putting.await.unwrap().unwrap();
    assert_eq!(promised(), Lack::default());
}
