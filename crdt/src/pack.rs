//! Maps that were filled in ascending order, packed.

use std::collections::BTreeMap;

/// Rebuilds a map, so that its nodes are full. Those of one that was filled in ascending order, as
/// from a disk, are little more than half full, and a replica is mostly maps.
pub fn pack<K: Ord, V>(map: &mut BTreeMap<K, V>) {
    *map = core::mem::take(map).into_iter().collect();
}
