//! Blobs from other nodes.

use super::fixture::*;
use crate::blobs::BlobError;
use crux_crdt::blob::{BlobId, PROOF_BYTES_MAX, Root, piece_len};

#[tokio::test]
async fn every_size_travels_in_any_order() {
    for (seed, size) in (0..).zip(SIZES) {
        let bytes = noise(size, seed);
        let (it, pieces) = pieces(&bytes).await;
        let f = Fixture::new().await;
        let have = f.blobs.begin(it.blob, it.root, it.size).await.unwrap();
        assert_eq!((have.held(), have.count() as usize), (0, pieces.len()));
        for (index, piece) in pieces.iter().enumerate().rev() {
            let index = u32::try_from(index).unwrap();
            let proof = piece.len() as u64 - piece_len(it.size, index);
            assert!(proof <= PROOF_BYTES_MAX);
            let write = || f.blobs.write_piece(it.blob, (it.root, it.size), index, piece.clone());
            assert_eq!(write().await, Ok(true));
            assert_eq!(write().await, Ok(false), "once is enough");
        }
        // An empty blob has no piece that would take a place.
        let not_yet = if size == 0 { BlobError::Unknown } else { BlobError::Unsealed }(it.blob);
        assert_eq!(f.blobs.reader(it.blob).await.unwrap_err(), not_yet);
        assert_eq!(f.blobs.path(it.blob).await.unwrap_err(), not_yet);
        assert_eq!(f.blobs.seal(it.blob, (it.root, it.size)).await, Ok(it));
        assert_eq!(
            f.blobs.seal(it.blob, (it.root, it.size)).await,
            Ok(it),
            "sealed twice is sealed"
        );
        assert_eq!(read_all(&f.blobs, it.blob).await.unwrap(), bytes);
        assert_eq!(f.files().len(), if size > MIB { 3 } else { 2 }, "{:?}", f.files());
    }
}

#[tokio::test]
async fn a_part_is_served_to_who_asks_for_its_root() {
    let (it, pieces) = pieces(&noise(3 * MIB + 5, 1)).await;
    let f = Fixture::new().await;
    f.blobs.begin(it.blob, it.root, it.size).await.unwrap();
    f.blobs.write_piece(it.blob, (it.root, it.size), 2, pieces[2].clone()).await.unwrap();
    assert_eq!(f.blobs.read_piece(it.blob, it.root, 2).await.unwrap(), pieces[2]);
    let other = Root([9; 32]);
    let missing = BlobError::NoPiece { id: it.blob, index: 1 };
    assert_eq!(f.blobs.read_piece(it.blob, it.root, 1).await, Err(missing));
    let err = f.blobs.read_piece(it.blob, other, 2).await.unwrap_err();
    assert_eq!(err, BlobError::OtherRoot { id: it.blob, root: it.root, size: it.size });
    assert_eq!(f.blobs.begin(it.blob, other, it.size).await.unwrap().held(), 0);
    assert_eq!(f.blobs.have(&it.blob).unwrap().root, it.root, "a claim replaces nothing");
    assert_eq!(f.blobs.seal(it.blob, (it.root, it.size)).await, Err(BlobError::Unsealed(it.blob)));
}

#[tokio::test]
async fn a_piece_that_is_not_what_it_should_be_is_refused_whole() {
    let (it, pieces) = pieces(&noise(5 * MIB, 1)).await;
    let f = Fixture::new().await;
    f.blobs.begin(it.blob, it.root, it.size).await.unwrap();
    let good = &pieces[1];
    let mut bad = vec![pieces[0].clone(), good.slice(1..), good.slice(..good.len() - 1)];
    bad.push([&good[..], b"x"].concat().into());
    bad.push(Default::default());
    for at in [0, 63, 64, 200, good.len() - 1] {
        let mut flipped = good.to_vec();
        flipped[at] ^= 1;
        bad.push(flipped.into());
    }
    let wrong = Err(BlobError::WrongPiece { id: it.blob, index: 1 });
    for (case, piece) in bad.into_iter().enumerate() {
        let written = f.blobs.write_piece(it.blob, (it.root, it.size), 1, piece).await;
        assert_eq!(written, wrong, "case {case}");
    }
    for index in [5, u32::MAX] {
        let written = f.blobs.write_piece(it.blob, (it.root, it.size), index, good.clone()).await;
        assert_eq!(written, Err(BlobError::WrongPiece { id: it.blob, index }));
    }
    assert_eq!((f.blobs.have(&it.blob), f.files()), (None, Vec::new()), "nothing was written");
}

#[tokio::test]
async fn a_root_of_another_file_is_found_out_and_leaves_nothing() {
    for size in [0, 5, 2 * MIB + 1] {
        let (it, pieces) = pieces(&noise(size, 1)).await;
        let f = Fixture::new().await;
        let asked = BlobId([7; 32]);
        f.blobs.begin(asked, it.root, it.size).await.unwrap();
        for (index, piece) in (0..).zip(pieces) {
            f.blobs.write_piece(asked, (it.root, it.size), index, piece).await.unwrap();
        }
        let lie = BlobError::Mismatch { id: asked, found: it.blob, root: it.root };
        assert_eq!(f.blobs.seal(asked, (it.root, it.size)).await, Err(lie));
        assert_eq!((f.blobs.have(&asked), f.files()), (None, Vec::new()));
    }
    let f = Fixture::new().await;
    let empty = describe(b"");
    f.blobs.begin(empty.blob, Root([1; 32]), 0).await.unwrap();
    let err = f.blobs.seal(empty.blob, (Root([1; 32]), 0)).await.unwrap_err();
    assert!(matches!(err, BlobError::Mismatch { .. }), "an empty blob has one root: {err}");
}

#[tokio::test]
async fn what_was_written_is_not_fetched_again_marked_or_not() {
    let (it, pieces) = pieces(&noise(40 * MIB + 3, 1)).await;
    let f = Fixture::new().await;
    f.blobs.begin(it.blob, it.root, it.size).await.unwrap();
    // The marks of 32 of them go to disk.
    for index in 0..37 {
        let piece = pieces[index as usize].clone();
        f.blobs.write_piece(it.blob, (it.root, it.size), index, piece).await.unwrap();
    }
    let again = f.again().await;
    let have = again.have(&it.blob).unwrap();
    assert_eq!((have.sealed, have.pieces.held()), (false, 37));
    assert_eq!(again.begin(it.blob, it.root, it.size).await, Ok(have.pieces.clone()));
    for index in have.pieces.missing() {
        let piece = pieces[index as usize].clone();
        assert_eq!(again.write_piece(it.blob, (it.root, it.size), index, piece).await, Ok(true));
    }
    assert_eq!(again.seal(it.blob, (it.root, it.size)).await, Ok(it));
    assert!(read_all(&again, it.blob).await.is_ok());
}

#[tokio::test]
async fn what_is_given_up_leaves_nothing() {
    let (it, pieces) = pieces(&noise(2 * MIB, 1)).await;
    let f = Fixture::new().await;
    f.blobs.begin(it.blob, it.root, it.size).await.unwrap();
    f.blobs.write_piece(it.blob, (it.root, it.size), 0, pieces[0].clone()).await.unwrap();
    f.blobs.abandon(it.blob, (it.root, it.size)).await.unwrap();
    assert_eq!((f.blobs.have(&it.blob), f.files()), (None, Vec::new()));
}

/// That a tree is false is the liar's fault: the blob was pinned, and no tree of it.
#[tokio::test]
async fn what_was_pinned_by_a_false_tree_is_pinned_by_the_true_one() {
    let ((lie, lies), (it, good)) =
        (pieces(&noise(2 * MIB, 1)).await, pieces(&noise(2 * MIB, 2)).await);
    let f = Fixture::with(|config| config.quota = Some(3 * MIB as u64)).await;
    f.blobs.write_piece(it.blob, (lie.root, lie.size), 0, lies[0].clone()).await.unwrap();
    f.blobs.pin(it.blob).await.unwrap();
    f.blobs.abandon(it.blob, (lie.root, lie.size)).await.unwrap();
    assert_eq!(f.blobs.have(&it.blob), None);
    for (index, piece) in (0..).zip(&good) {
        f.blobs.write_piece(it.blob, (it.root, it.size), index, piece.clone()).await.unwrap();
    }
    f.blobs.seal(it.blob, (it.root, it.size)).await.unwrap();
    assert!(f.blobs.list()[0].pinned);
    assert!(f.blobs.put(&noise(2 * MIB, 3)[..]).await.is_err(), "it is not evicted");
    f.blobs.remove(it.blob).await.unwrap();
    assert_eq!(f.files(), Vec::<String>::new());
}

/// The user removes what it pinned: that ends the pin.
#[tokio::test]
async fn what_is_removed_under_way_is_pinned_no_more() {
    let (it, pieces) = pieces(&noise(2 * MIB, 1)).await;
    let f = Fixture::new().await;
    let first = || f.blobs.write_piece(it.blob, (it.root, it.size), 0, pieces[0].clone());
    first().await.unwrap();
    f.blobs.pin(it.blob).await.unwrap();
    f.blobs.remove(it.blob).await.unwrap();
    assert_eq!(f.files(), Vec::<String>::new());
    first().await.unwrap();
    assert!(!f.blobs.list()[0].pinned);
}

#[tokio::test]
async fn a_blob_that_another_way_brought_ends_the_fetch() {
    let bytes = noise(2 * MIB, 1);
    let (it, pieces) = pieces(&bytes).await;
    let f = Fixture::new().await;
    f.blobs.begin(it.blob, it.root, it.size).await.unwrap();
    f.blobs.write_piece(it.blob, (it.root, it.size), 0, pieces[0].clone()).await.unwrap();
    assert_eq!(f.blobs.put(&bytes[..]).await.unwrap(), it);
    assert_eq!(
        f.blobs.write_piece(it.blob, (it.root, it.size), 1, pieces[1].clone()).await,
        Ok(false)
    );
    assert_eq!(f.blobs.seal(it.blob, (it.root, it.size)).await, Ok(it));
    assert_eq!(f.files().len(), 3, "{:?}", f.files());
}
