//! Whatever bytes a peer or a damaged disk hands in: an error or the truth, never a panic.

use bytes::Bytes;
use crux_crdt::blob::{Root, piece_count, piece_len};
use crux_crdt::canon::Canonical as _;
use proptest::prelude::*;

use super::fixture::*;
use crate::blobs::record::{self, Dirs, Have, Keep, Meta};
use crate::blobs::tree;

/// A blob of five pieces, its root, and its pieces as they travel. Made without a store.
pub(super) fn sample() -> (Bytes, Root, Vec<Vec<u8>>) {
    let bytes = noise(4 * MIB + 100, 1);
    let size = bytes.len() as u64;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    std::fs::write(&path, &bytes).unwrap();
    let mut pairs = Vec::new();
    let root = tree::build(&bytes[..], size, &mut pairs).unwrap();
    std::fs::write(dir.path().join("pairs"), pairs).unwrap();
    let data = std::fs::File::open(path).unwrap();
    let pairs = std::fs::File::open(dir.path().join("pairs")).unwrap();
    let tree = tree::Tree { root, size, pairs: Some(&pairs) };
    let encode = |index| tree.encode(&data, index).unwrap().to_vec();
    (bytes, root, (0..piece_count(size)).map(encode).collect())
}

/// What is taken for a piece is that piece.
pub(super) fn check(bytes: &Bytes, root: Root, index: u32, encoded: &[u8]) {
    let size = bytes.len() as u64;
    if let Some(piece) = tree::check(root, size, index, encoded) {
        let start = index as usize * MIB;
        let len = usize::try_from(piece_len(size, index)).unwrap();
        assert_eq!(piece.data, bytes[start..start + len]);
    }
}

#[test]
fn a_proof_is_whole_or_refused() {
    let (bytes, root, pieces) = sample();
    let last = pieces.len() - 1;
    for index in 0..=u32::try_from(last).unwrap() {
        assert!(tree::check(root, bytes.len() as u64, index, &pieces[index as usize]).is_some());
        check(&bytes, root, index, &pieces[last]);
    }
    // Every bit of the proof of the last piece, which is short, and every length.
    let good = &pieces[last];
    for at in 0..good.len() {
        let mut flipped = good.clone();
        flipped[at] ^= 1 << (at % 8);
        assert!(tree::check(root, bytes.len() as u64, 4, &flipped).is_none(), "byte {at}");
        assert!(tree::check(root, bytes.len() as u64, 4, &good[..at]).is_none(), "length {at}");
    }
    for size in [0, 1, 4 * MIB as u64, 4 * MIB as u64 + 99, 5 * MIB as u64, u64::MAX >> 24] {
        assert!(tree::check(root, size, 4, good).is_none(), "size {size}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn arbitrary_bytes_are_no_piece(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        size in 0..9_u64 << 20,
        index in 0..10_u32,
    ) {
        prop_assert!(tree::check(Root([3; 32]), size, index, &bytes).is_none());
    }

    #[test]
    fn arbitrary_bytes_are_no_record(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("record");
        std::fs::write(&path, &bytes).unwrap();
        prop_assert!(record::read::<Meta>(&path).is_none());
        // Behind the checksum, too.
        drop((Meta::from_canonical(&bytes), Keep::from_canonical(&bytes)));
        drop((Have::from_canonical(&bytes), Dirs::from_canonical(&bytes)));
    }
}
