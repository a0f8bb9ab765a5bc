//! The BLAKE3 tree over a blob's pieces: one leaf for each, by `bao-tree`.
//!
//! A group of chunks is a whole piece, so a proof is only the hash pairs above the piece, at most
//! twenty, and the tree of a GiB takes 64 KiB. A piece travels as its proof, root first, and then its
//! bytes. Pairs lie in post order, so that a tree can be written in one go.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;

use bao_tree::io::sync::{
    DecodeResponseIter, Outboard, ReadAt, encode_ranges_validated, outboard_post_order,
};
use bao_tree::io::{BaoContentItem, EncodeError, Leaf, Parent};
use bao_tree::{BaoTree, BlockSize, ChunkNum, ChunkRanges, TreeNode};
use bytes::Bytes;
use crux_crdt::blob::{PIECE_BYTES, PROOF_BYTES_MAX, Root, piece_count, piece_len};

/// 2^10 chunks of 1 KiB: one piece.
const BLOCK: BlockSize = BlockSize::from_chunk_log(10);
const CHUNK_BYTES: u64 = 1024;
/// Two hashes.
const PAIR_BYTES: usize = 64;

/// Why a piece cannot be read.
#[derive(Debug)]
pub(super) enum Failure {
    /// The disk holds something else than the root promises.
    Wrong,
    /// The system refused.
    Io(io::Error),
}

impl From<io::Error> for Failure {
    fn from(err: io::Error) -> Self {
        // A file that ends too early holds something else.
        if err.kind() == io::ErrorKind::UnexpectedEof { Self::Wrong } else { Self::Io(err) }
    }
}

impl From<EncodeError> for Failure {
    fn from(err: EncodeError) -> Self {
        match err {
            EncodeError::Io(err) => err.into(),
            _ => Self::Wrong,
        }
    }
}

/// A piece that was found to be what the root promises.
pub(super) struct Piece {
    /// Its bytes.
    pub(super) data: Bytes,
    // Where in the file of hash pairs each of its proof belongs.
    pairs: Vec<(u64, [u8; PAIR_BYTES])>,
}

/// A blob's hash pairs in a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tree<'a> {
    /// The root.
    pub(super) root: Root,
    /// The blob's size.
    pub(super) size: u64,
    /// The pairs; none: one piece needs none.
    pub(super) pairs: Option<&'a File>,
}

/// The root of an empty blob.
pub(super) fn empty_root() -> Root {
    Root(*blake3::hash(&[]).as_bytes())
}

/// Whether a blob of this size has hash pairs.
pub(super) const fn has_pairs(size: u64) -> bool {
    size > PIECE_BYTES
}

/// Writes the hash pairs of a blob of `size` bytes; returns its root.
pub(super) fn build(data: impl Read, size: u64, pairs: impl Write) -> io::Result<Root> {
    let root = outboard_post_order(data, BaoTree::new(size, BLOCK), pairs)?;
    Ok(Root(*root.as_bytes()))
}

/// Checks a piece as it travels. None: it is not what the root promises.
pub(super) fn check(root: Root, size: u64, index: u32, encoded: &[u8]) -> Option<Piece> {
    let tree = BaoTree::new(size, BLOCK);
    let ranges = ranges(size, index)?;
    let mut rest = encoded;
    let mut pairs = Vec::new();
    let mut data = None;
    for item in DecodeResponseIter::new(root.0.into(), tree, &mut rest, &ranges) {
        // The reader is memory: an error can only be of what it holds.
        match item.ok()? {
            BaoContentItem::Parent(Parent { node, pair: (left, right) }) => {
                let at = tree.post_order_offset(node)?.value() * PAIR_BYTES as u64;
                let mut pair = [0; PAIR_BYTES];
                pair[..32].copy_from_slice(left.as_bytes());
                pair[32..].copy_from_slice(right.as_bytes());
                pairs.push((at, pair));
            }
            BaoContentItem::Leaf(Leaf { data: bytes, .. }) => data = Some(bytes),
        }
    }
    let data = data?;
    (rest.is_empty() && data.len() as u64 == piece_len(size, index))
        .then_some(Piece { data, pairs })
}

impl Piece {
    /// Writes the pairs of the proof. Any other writer of one of them writes the same.
    pub(super) fn write_pairs(&self, pairs: &File) -> io::Result<()> {
        self.pairs.iter().try_for_each(|(at, pair)| pairs.write_all_at(pair, *at))
    }
}

impl Tree<'_> {
    /// A piece as it travels, checked on the way. `index` is below the number of pieces.
    pub(super) fn encode(&self, data: &File, index: u32) -> Result<Bytes, Failure> {
        let ranges = ranges(self.size, index).ok_or(Failure::Wrong)?;
        let len = piece_len(self.size, index) + PROOF_BYTES_MAX;
        let mut out = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
        encode_ranges_validated(At(data), self, &ranges, &mut out)?;
        Ok(out.into())
    }

    /// The bytes of a piece, checked.
    pub(super) fn read(&self, data: &File, index: u32) -> Result<Bytes, Failure> {
        let mut encoded = self.encode(data, index)?;
        let proof = encoded.len() as u64 - piece_len(self.size, index);
        Ok(encoded.split_off(usize::try_from(proof).unwrap_or(0)))
    }
}

impl Outboard for Tree<'_> {
    fn root(&self) -> blake3::Hash {
        self.root.0.into()
    }

    fn tree(&self) -> BaoTree {
        BaoTree::new(self.size, BLOCK)
    }

    fn load(&self, node: TreeNode) -> io::Result<Option<(blake3::Hash, blake3::Hash)>> {
        let Some((pairs, at)) = self.pairs.zip(self.tree().post_order_offset(node)) else {
            return Ok(None);
        };
        let mut pair = [[0; 32]; 2];
        FileExt::read_exact_at(pairs, pair.as_flattened_mut(), at.value() * PAIR_BYTES as u64)?;
        Ok(Some((pair[0].into(), pair[1].into())))
    }
}

/// The chunks of a piece; none beyond the end.
fn ranges(size: u64, index: u32) -> Option<ChunkRanges> {
    if index >= piece_count(size) {
        return None;
    }
    let start = u64::from(index) * PIECE_BYTES;
    let end = start + piece_len(size, index);
    let chunks = ChunkNum(start / CHUNK_BYTES)..ChunkNum(end.div_ceil(CHUNK_BYTES));
    Some(ChunkRanges::from(chunks))
}

/// Reads a file at a place without moving any cursor.
struct At<'a>(&'a File);

impl ReadAt for At<'_> {
    fn read_at(&self, pos: u64, buf: &mut [u8]) -> io::Result<usize> {
        FileExt::read_at(self.0, buf, pos)
    }
}
