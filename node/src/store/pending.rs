use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::fact::{Fact, Gone, Kind};
use crux_crdt::record::ServiceKey;
use crux_crdt::{Digest, Principal};

use super::Batch;

/// How much of what is gone is remembered while a disk cannot be written; as much as the flock has documents.
/// The rest remains on the disk until a start finds it, which is allowed.
pub(super) const GONE_MAX: usize = 16_384;

/// Batches merged into one, in their order: what the actor writes next.
///
/// **Invariant**: of the facts under a key it has those that a replica would hold, and no fact of what is gone. So it
/// does not matter that a batch takes what is gone out last: of a fact and its end, the later one is here.
///
/// However long a disk stays full, facts need no bound of their own: it has each once, which the strew holds, too,
/// or held until another one replaced it or it was gone. One exception: of a departed author the strew has what is
/// stripped where this may have the whole. That takes what the flock engine keeps of departed members, at most as
/// much as the replica; of any beyond that, what is stripped replaces the whole here. Removals are those that the
/// author engine remembers, and forgotten fences those of members that were forgotten.
#[derive(Debug, Clone, Default)]
pub(super) struct Pending {
    // By kind and key.
    facts: BTreeMap<(Kind, Digest), Vec<Fact>>,
    gone: BTreeSet<Gone>,
    forgotten: BTreeSet<(u64, Principal)>,
    fence: Option<(u64, Principal)>,
    incarnation: Option<u64>,
    removed: BTreeSet<ServiceKey>,
}

impl Pending {
    /// Merges a batch that is later than all before it. Returns whether there is more to write.
    pub(super) fn absorb(&mut self, batch: Batch) -> bool {
        let mut changed = false;
        for fact in batch.facts {
            changed |= self.absorb_fact(fact);
        }
        for gone in batch.gone {
            changed |= self.leave_out(gone);
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

    fn absorb_fact(&mut self, fact: Fact) -> bool {
        let (kind, key) = (fact.kind(), fact.key());
        let held = self.facts.entry((kind, key)).or_default();
        // The author is back under this key.
        self.gone.remove(&Gone { kind, key, author: fact.author() });
        let before = held.clone();
        held.push(fact);
        *held = Fact::kept(core::mem::take(held));
        *held != before
    }

    fn leave_out(&mut self, gone: Gone) -> bool {
        if let Entry::Occupied(mut held) = self.facts.entry((gone.kind, gone.key)) {
            held.get_mut().retain(|fact| fact.author() != gone.author);
            if held.get().is_empty() {
                held.remove();
            }
        }
        self.gone.len() < GONE_MAX && self.gone.insert(gone)
    }

    /// As one batch.
    pub(super) fn to_batch(&self) -> Batch {
        Batch {
            facts: self.facts.values().flatten().cloned().collect(),
            gone: self.gone.iter().copied().collect(),
            forgotten: self.forgotten.iter().copied().collect(),
            fence: self.fence,
            incarnation: self.incarnation,
            removed: self.removed.iter().cloned().collect(),
        }
    }

    /// How many facts it holds.
    pub(super) fn len(&self) -> usize {
        self.facts.values().map(Vec::len).sum()
    }

    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.facts.is_empty()
            && self.gone.is_empty()
            && self.forgotten.is_empty()
            && self.fence.is_none()
            && self.incarnation.is_none()
            && self.removed.is_empty()
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
