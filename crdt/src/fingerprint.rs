//! The fingerprint of a set: equal sets, and only they, have equal fingerprints.
//!
//! The sum of the items' hashes modulo 2^256 with their count, hashed again. The sum makes adding
//! and removing one item O(1); hashing the sum keeps an author from choosing items that cancel out
//! in what is sent. (Background: arXiv 2212.13567, section 5.)

use crate::Digest;
use crate::hash::sha3;

/// A running fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fingerprint {
    // Little-endian limbs of the sum.
    sum: [u64; 4],
    count: u64,
}

impl Fingerprint {
    /// Adds an item by its hash.
    pub fn add(&mut self, item: &Digest) {
        let mut carry = false;
        for (limb, other) in self.sum.iter_mut().zip(limbs(item)) {
            let (partial, first) = limb.overflowing_add(other);
            let (total, second) = partial.overflowing_add(u64::from(carry));
            *limb = total;
            carry = first || second;
        }
        self.count = self.count.wrapping_add(1);
    }

    /// Removes an item that was added.
    pub fn remove(&mut self, item: &Digest) {
        let mut borrow = false;
        for (limb, other) in self.sum.iter_mut().zip(limbs(item)) {
            let (partial, first) = limb.overflowing_sub(other);
            let (total, second) = partial.overflowing_sub(u64::from(borrow));
            *limb = total;
            borrow = first || second;
        }
        self.count = self.count.wrapping_sub(1);
    }

    /// How many items there are.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// What is compared between nodes.
    pub fn digest(&self) -> Digest {
        let mut bytes = [0; 40];
        for (chunk, limb) in bytes.chunks_exact_mut(8).zip(self.sum.iter().chain([&self.count])) {
            chunk.copy_from_slice(&limb.to_be_bytes());
        }
        sha3("crux/fingerprint/1", &[&bytes])
    }
}

fn limbs(item: &Digest) -> impl Iterator<Item = u64> + '_ {
    item.0.chunks_exact(8).map(|chunk| {
        u64::from_le_bytes(chunk.try_into().expect("chunks_exact(8) yields eight bytes"))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(items: &[[u8; 32]]) -> Fingerprint {
        let mut sum = Fingerprint::default();
        items.iter().for_each(|item| sum.add(&Digest(*item)));
        sum
    }

    proptest! {
        #[test]
        fn order_does_not_matter(mut items: Vec<[u8; 32]>) {
            let forward = of(&items);
            items.reverse();
            prop_assert_eq!(forward, of(&items));
        }

        #[test]
        fn remove_undoes_add(items: Vec<[u8; 32]>, extra: [u8; 32]) {
            let before = of(&items);
            let mut after = before;
            after.add(&Digest(extra));
            prop_assert_ne!(before.digest(), after.digest());
            after.remove(&Digest(extra));
            prop_assert_eq!(before, after);
        }
    }

    #[test]
    fn carries_cross_limbs_and_wrap() {
        let mut one = [0; 32];
        one[0] = 1;
        let mut sum = of(&[[0xff; 32]]);
        sum.add(&Digest(one));
        assert_eq!(sum.sum, [0; 4]);
        assert_eq!(sum.count(), 2);
    }
}
