use core::fmt;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crux_crdt::Digest;
use crux_crdt::act::Act;
use crux_crdt::fact::Fact;
use crux_crdt::record::Record;
use crux_crdt::sign::Signed;
use crux_protocol::context::Sharing;

/// What is decoded, once for all nodes of a run: thousands of replicas fit into memory only so.
#[derive(Default)]
pub(crate) struct Pool {
    records: Mutex<Shelf<Record>>,
    acts: Mutex<Shelf<Signed<Act>>>,
}

impl Sharing for Pool {
    fn fact(&self, fact: Fact) -> Fact {
        match fact {
            Fact::Act(act) => {
                let mut shelf = self.acts.lock().unwrap_or_else(PoisonError::into_inner);
                shelf.share(act.id(), act).into()
            }
            Fact::Record(record) => {
                let mut shelf = self.records.lock().unwrap_or_else(PoisonError::into_inner);
                shelf.share(record.id(), record).into()
            }
            other @ Fact::Document(_) => other,
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool")
    }
}

/// Values by id, as long as anybody holds them.
struct Shelf<T> {
    values: BTreeMap<Digest, Weak<T>>,
    /// At how many the forgotten ones are taken out.
    sweep_at: usize,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { values: BTreeMap::new(), sweep_at: 1024 }
    }
}

impl<T: PartialEq> Shelf<T> {
    /// One that is equal: the id alone would share what a planted mistake took apart.
    fn share(&mut self, id: Digest, value: Arc<T>) -> Arc<T> {
        let known = self.values.get(&id).and_then(Weak::upgrade);
        if let Some(known) = known.filter(|known| **known == *value) {
            return known;
        }
        if self.values.len() >= self.sweep_at {
            self.values.retain(|_, value| value.strong_count() > 0);
            self.sweep_at = 1024.max(self.values.len() * 2);
        }
        self.values.insert(id, Arc::downgrade(&value));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one_and_are_forgotten_with_their_holders() {
        let mut shelf = Shelf::default();
        let (id, other) = (Digest([1; 32]), Digest([2; 32]));
        let first = shelf.share(id, Arc::new(5));
        assert!(Arc::ptr_eq(&first, &shelf.share(id, Arc::new(5))));
        assert!(!Arc::ptr_eq(&first, &shelf.share(other, Arc::new(5))));
        assert_eq!(*shelf.share(id, Arc::new(6)), 6, "the same id, and not the same");
        for n in 0..5000_u32 {
            let mut id = [0; 32];
            id[..4].copy_from_slice(&n.to_be_bytes());
            shelf.share(Digest(id), Arc::new(7));
        }
        assert!(shelf.values.len() <= 1024);
    }
}
