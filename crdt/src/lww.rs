//! A last-writer-wins register whose order is total.

use crdts::LWWReg;

use crate::merge::Merge;

/// A value under a marker; the greater marker wins.
///
/// Invariant: equal markers mean equal values. Therefore a marker MUST end in the hash of its value;
/// `crdts::LWWReg` by itself diverges on equal markers with different values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register<V, M>(LWWReg<V, M>);

impl<V: Clone + PartialEq, M: Ord + Clone> Register<V, M> {
    /// A register that holds `value`.
    pub const fn new(value: V, marker: M) -> Self {
        Self(LWWReg { val: value, marker })
    }

    /// The value.
    pub const fn value(&self) -> &V {
        &self.0.val
    }

    /// The marker.
    pub const fn marker(&self) -> &M {
        &self.0.marker
    }
}

impl<V: Clone + PartialEq, M: Ord + Clone> Merge for Register<V, M> {
    fn merge(&mut self, other: &Self) -> bool {
        let newer = self.0.marker < other.0.marker;
        self.0.update(other.0.val.clone(), other.0.marker.clone());
        newer
    }
}
