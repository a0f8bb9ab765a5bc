use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crux_crdt::act::Act;
use crux_crdt::merge::Merge;
use crux_crdt::record::{Record, ServiceKey};
use crux_crdt::sign::Signed;
use crux_crdt::{Digest, Principal};

use super::Batch;

/// Batches merged into one: what the actor writes next.
///
/// However long a disk stays full, it needs no bound of its own: it has one record for each author and each
/// act once, which the strew holds, too, except that of a departed author the strew holds a stripped record where
/// this may hold a whole one. Those take what the flock engine keeps of departed members, at most as much as the replica;
/// of any beyond that, a stripped one replaces the whole one here. Removals are those that the author engine remembers,
/// and forgotten fences those of members that were forgotten.
#[derive(Debug, Clone, Default)]
pub(super) struct Pending {
    records: BTreeMap<Principal, Arc<Record>>,
    acts: BTreeMap<Digest, Arc<Signed<Act>>>,
    forgotten: BTreeSet<(u64, Principal)>,
    fence: Option<(u64, Principal)>,
    incarnation: Option<u64>,
    removed: BTreeSet<ServiceKey>,
}

impl Pending {
    /// Merges a batch.
    pub(super) fn absorb(&mut self, batch: Batch) -> bool {
        let mut changed = false;
        for record in batch.records {
            changed |= self.absorb_record(record);
        }
        for act in batch.acts {
            changed |= self.acts.insert(act.id(), act).is_none();
        }
        for fence in batch.forgotten {
            self.fence = self.fence.filter(|known| *known != fence);
            changed |= self.forgotten.insert(fence);
        }
        changed |= raise(&mut self.fence, batch.fence);
        changed |= raise(&mut self.incarnation, batch.incarnation);
        for key in batch.removed {
            changed |= self.removed.insert(key);
        }
        changed
    }

    fn absorb_record(&mut self, record: Arc<Record>) -> bool {
        let known = self.records.get(&record.author());
        let newer = known.is_none_or(|known| {
            let strips = record.is_stripped() && !known.is_stripped();
            known.total() < record.total() || (strips && known.total() == record.total())
        });
        if newer {
            self.records.insert(record.author(), record);
        }
        newer
    }

    /// As one batch.
    pub(super) fn to_batch(&self) -> Batch {
        Batch {
            records: self.records.values().cloned().collect(),
            acts: self.acts.values().cloned().collect(),
            forgotten: self.forgotten.iter().copied().collect(),
            fence: self.fence,
            incarnation: self.incarnation,
            removed: self.removed.iter().cloned().collect(),
        }
    }

    /// How many records and acts it holds.
    pub(super) fn len(&self) -> usize {
        self.records.len() + self.acts.len()
    }
}

impl Merge for Pending {
    fn merge(&mut self, other: &Self) -> bool {
        self.absorb(other.to_batch())
    }
}

fn raise<T: Ord>(known: &mut Option<T>, other: Option<T>) -> bool {
    // None is below everything.
    let higher = *known < other;
    if higher {
        *known = other;
    }
    higher
}
