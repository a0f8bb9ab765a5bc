//! Proofs that were good until something happened to them: what is taken for a piece is that piece.
//!
//! `PROPTEST_CASES=100000 cargo test --workspace fuzz` looks for longer than the gate does.

use std::sync::LazyLock;

use bytes::Bytes;
use crux_crdt::blob::Root;
use proptest::prelude::*;

use super::hostile::{check, sample};
use crate::blobs::tree;

/// Made once: it hashes some MiB.
static SAMPLE: LazyLock<(Bytes, Root, Vec<Vec<u8>>)> = LazyLock::new(sample);

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fuzz_proofs(
        of in 0..5_usize,
        as_index in 0..6_u32,
        edits in prop::collection::vec((0..4_u8, 0..1_200_u32, any::<u8>()), 0..5),
    ) {
        let (bytes, root, pieces) = &*SAMPLE;
        let mut encoded = pieces[of].clone();
        for (how, place, value) in edits {
            // The proof and what is next to it; the short last piece as a whole.
            let place = place as usize % encoded.len().max(1);
            match how {
                _ if encoded.is_empty() => {}
                0 => encoded[place] ^= value,
                1 => _ = encoded.remove(place),
                2 => encoded.insert(place, value),
                _ => encoded.truncate(place),
            }
        }
        check(bytes, *root, as_index, &encoded);
    }

    /// A size that is a lie has no piece that fits, but where a piece and all above it are the same.
    #[test]
    fn fuzz_sizes(of in 0..5_usize, size in 0..10_u64 << 20) {
        let (bytes, root, pieces) = &*SAMPLE;
        let index = u32::try_from(of).unwrap();
        if let Some(piece) = tree::check(*root, size, index, &pieces[of]) {
            let start = of << 20;
            prop_assert_eq!(&piece.data[..], &bytes[start..start + piece.data.len()]);
        }
    }
}
