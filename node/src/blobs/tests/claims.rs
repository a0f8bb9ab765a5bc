//! What is claimed of a blob, and what came of it: only pieces that checked take room.

use super::fixture::*;
use crate::blobs::BlobError;
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
