//! The instances that stay on nodes that are being drained.
//!
//! An instance of such a node ends when its replacement is ready, and not before. **Invariants**: with what is ready
//! elsewhere, as many stay as the program wants, as far as they are there; so a drain takes no service away, and where
//! there is no room for replacements it waits. Two nodes that are drained do not count for each other, so both wait.
//! Only the deadline of a drain ends an instance without a replacement.

use std::collections::BTreeMap;

use crux_crdt::Principal;

/// The instances of a service on a node that is being drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaving {
    /// How many instances the last plan has there.
    pub count: u32,
    /// Whether the deadline of the drain passed.
    pub is_over: bool,
}

/// How many instances of a service stay on each node that is being drained, where the program wants `count` in all, or a
/// number without a value, and `ready` of them are ready on other nodes. Those on the nodes with the least principals go
/// first. Nodes on which none stays are left out.
pub fn stays(
    count: Option<u32>,
    ready: u32,
    leaving: &BTreeMap<Principal, Leaving>,
) -> BTreeMap<Principal, u32> {
    let mut needed = count.map_or(u32::MAX, |count| count.saturating_sub(ready));
    let mut stay = BTreeMap::new();
    for (node, leaving) in leaving.iter().rev().filter(|(_, leaving)| !leaving.is_over) {
        let kept = leaving.count.min(needed);
        needed -= kept;
        if kept > 0 {
            stay.insert(*node, kept);
        }
    }
    stay
}
