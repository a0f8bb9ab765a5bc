//! Blobs: files by the hash of what is in them.
//!
//! ```text
//!   BlobId   SHA3-256 of the file        what people and programs name it by
//!   Root     BLAKE3 root of the file     what a single piece can be checked against
//!   Signed<Descriptor>                   "I computed both, of the same bytes"
//! ```
//!
//! The id is plain SHA3-256 with no domain, so that `openssl dgst -sha3-256 FILE` prints it. A sponge
//! has no tree, and no piece can be checked against it alone; hence the second hash. A descriptor ties
//! the two together, and who signs one without having computed both lies. It only says where to begin:
//! a blob is taken for what it is called when its SHA-3 matched, and no sooner.
//!
//! A blob is fetched in pieces of [`PIECE_BYTES`], the last one shorter. An empty blob has none.

mod descriptor;
mod hasher;
mod pieces;

pub use crate::id::{BlobId, Root};
pub use descriptor::Descriptor;
pub use hasher::BlobHasher;
pub use pieces::PieceSet;

/// The largest blob in bytes: 1 TiB, so that a [`PieceSet`] takes at most 128 KiB.
pub const BLOB_BYTES_MAX: u64 = 1 << 40;

/// The size of a piece in bytes: 1 MiB. Of sizes tried over libp2p on loopback the fastest.
pub const PIECE_BYTES: u64 = 1 << 20;

/// The most bytes that the proof of one piece takes: two hashes for each level of the tree above it.
pub const PROOF_BYTES_MAX: u64 = 64 * (BLOB_BYTES_MAX / PIECE_BYTES).ilog2() as u64;

/// The most bytes that a piece takes with its proof, as one message carries them. A store proves groups
/// of 16 KiB, so the proof of 1 MiB out of 1 TiB is below 6 KiB, wherever it puts the hashes within
/// the piece.
pub const PIECE_BODY_MAX: usize = 1024 * 1024 + 16 * 1024;
const _: () = assert!(PIECE_BODY_MAX as u64 > PIECE_BYTES + PROOF_BYTES_MAX);

/// How many pieces a blob of `size` bytes has.
///
/// At most 2^20 for every size up to [`BLOB_BYTES_MAX`]; greater sizes count as that one.
pub const fn piece_count(size: u64) -> u32 {
    let size = if size > BLOB_BYTES_MAX { BLOB_BYTES_MAX } else { size };
    #[expect(clippy::cast_possible_truncation, reason = "at most 2^20")]
    let count = size.div_ceil(PIECE_BYTES) as u32;
    count
}

/// How many bytes the piece at `index` of a blob of `size` bytes has; 0 beyond the end.
pub const fn piece_len(size: u64, index: u32) -> u64 {
    // An index is 32 bits and a piece 20, so this cannot overflow.
    let rest = size.saturating_sub(index as u64 * PIECE_BYTES);
    if rest < PIECE_BYTES { rest } else { PIECE_BYTES }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_a_blob_exactly() {
        let mib = PIECE_BYTES;
        let cases = [(0, 0, 0), (1, 1, 1), (mib - 1, 1, mib - 1), (mib, 1, mib), (mib + 1, 2, 1)];
        for (size, count, last) in cases {
            assert_eq!(piece_count(size), count, "{size}");
            assert_eq!(piece_len(size, count.saturating_sub(1)), last, "{size}");
            assert_eq!((0..count).map(|index| piece_len(size, index)).sum::<u64>(), size);
            assert_eq!(piece_len(size, count), 0, "{size}");
        }
        assert_eq!(piece_count(BLOB_BYTES_MAX), 1 << 20);
        assert_eq!(piece_count(u64::MAX), 1 << 20);
        assert_eq!(piece_len(u64::MAX, u32::MAX), mib);
        assert_eq!(PROOF_BYTES_MAX, 1280);
    }
}
