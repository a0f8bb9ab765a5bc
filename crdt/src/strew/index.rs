use std::collections::BTreeMap;
use std::ops::Bound;

use crate::Digest;
use crate::fingerprint::Fingerprint;
use crate::hash::sha3;
use crate::pack::pack;

/// A key range: from `lower` (included) to `upper` (excluded; none: to the end).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bounds {
    /// The first key of the range.
    pub lower: Digest,
    /// The first key after it.
    pub upper: Option<Digest>,
}

impl Bounds {
    /// Every key.
    pub const ALL: Self = Self { lower: Digest([0; 32]), upper: None };

    /// Whether there is room for a key in it.
    pub fn is_proper(&self) -> bool {
        self.upper.is_none_or(|upper| self.lower < upper)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    value: Digest,
    item: Digest,
}

/// A set of (key, value) pairs in key order that is reconciled by ranges.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Index {
    entries: BTreeMap<Digest, Entry>,
    total: Fingerprint,
}

impl Index {
    /// Sets the value of a key.
    pub fn insert(&mut self, key: Digest, value: Digest) {
        let item = sha3("crux/item/1", &[&key.0, &value.0]);
        if let Some(old) = self.entries.insert(key, Entry { value, item }) {
            self.total.remove(&old.item);
        }
        self.total.add(&item);
    }

    /// Removes a key, if it is there.
    pub fn remove(&mut self, key: &Digest) {
        if let Some(old) = self.entries.remove(key) {
            self.total.remove(&old.item);
        }
    }

    /// Takes as little memory as it can.
    pub(crate) fn pack(&mut self) {
        pack(&mut self.entries);
    }

    /// The value of a key.
    pub fn get(&self, key: &Digest) -> Option<Digest> {
        self.entries.get(key).map(|entry| entry.value)
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The fingerprint of all pairs.
    pub const fn fingerprint(&self) -> Fingerprint {
        self.total
    }

    /// The pairs within bounds, in key order.
    pub fn items(&self, bounds: Bounds) -> impl Iterator<Item = (Digest, Digest)> + '_ {
        self.range(bounds).map(|(key, entry)| (*key, entry.value))
    }

    /// The fingerprint of the pairs within bounds.
    pub fn fingerprint_of(&self, bounds: Bounds) -> Fingerprint {
        if bounds == Bounds::ALL {
            return self.total;
        }
        let mut sum = Fingerprint::default();
        self.range(bounds).for_each(|(_, entry)| sum.add(&entry.item));
        sum
    }

    /// Cuts a range into at most `parts` ranges of about equally many pairs. They are adjacent and
    /// together cover exactly `bounds`.
    pub fn split(&self, bounds: Bounds, parts: usize) -> Vec<Bounds> {
        let keys: Vec<Digest> = self.range(bounds).map(|(key, _)| *key).collect();
        let step = keys.len().div_ceil(parts.max(1)).max(1);
        let cuts: Vec<Digest> = keys.iter().copied().skip(step).step_by(step).collect();
        let lowers = std::iter::once(bounds.lower).chain(cuts.iter().copied());
        let uppers = cuts.iter().copied().map(Some).chain(std::iter::once(bounds.upper));
        lowers.zip(uppers).map(|(lower, upper)| Bounds { lower, upper }).collect()
    }

    fn range(&self, bounds: Bounds) -> impl Iterator<Item = (&Digest, &Entry)> {
        let upper = bounds.upper.map_or(Bound::Unbounded, Bound::Excluded);
        // BTreeMap::range panics on inverted bounds, and bounds come from peers.
        let proper = bounds.is_proper();
        let lower = if proper { Bound::Included(bounds.lower) } else { Bound::Unbounded };
        let upper = if proper { upper } else { Bound::Unbounded };
        let limit = if proper { usize::MAX } else { 0 };
        self.entries.range((lower, upper)).take(limit)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn index(keys: &[u8]) -> Index {
        let mut index = Index::default();
        keys.iter().for_each(|key| index.insert(Digest([*key; 32]), Digest([1; 32])));
        index
    }

    proptest! {
        #[test]
        fn split_covers_the_range_exactly(keys: Vec<u8>, parts in 1_usize..20) {
            let index = index(&keys);
            let split = index.split(Bounds::ALL, parts);
            prop_assert!(split.len() <= parts.max(1));
            prop_assert_eq!(split[0].lower, Bounds::ALL.lower);
            prop_assert_eq!(split.last().and_then(|last| last.upper), None);
            for pair in split.windows(2) {
                prop_assert_eq!(pair[0].upper, Some(pair[1].lower));
            }
            let items: Vec<_> = split.iter().flat_map(|part| index.items(*part)).collect();
            prop_assert_eq!(items, index.items(Bounds::ALL).collect::<Vec<_>>());
        }

        #[test]
        fn fingerprint_is_that_of_the_pairs(keys: Vec<u8>, removed: Vec<u8>) {
            let mut index = index(&keys);
            removed.iter().for_each(|key| index.remove(&Digest([*key; 32])));
            let half = Bounds { lower: Digest([0; 32]), upper: Some(Digest([0xff; 32])) };
            let mut sum = index.fingerprint_of(half);
            if let Some(value) = index.get(&Digest([0xff; 32])) {
                sum.add(&sha3("crux/item/1", &[&[0xff; 32], &value.0]));
            }
            prop_assert_eq!(sum, index.fingerprint());
        }
    }

    #[test]
    fn inverted_bounds_hold_nothing() {
        let bounds = Bounds { lower: Digest([9; 32]), upper: Some(Digest([1; 32])) };
        assert_eq!(index(&[1, 5, 9]).items(bounds).count(), 0);
    }
}
