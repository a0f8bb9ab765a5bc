//! Where the instances of one service are to run.

use crate::world::NodeSet;

/// Where the instances of one service are to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// How many on each node, in the order of [`World::nodes`](crate::world::World::nodes).
    pub wanted: Vec<u32>,
    /// How many the program wants in all; `None` if that number has no value.
    pub count: Option<u32>,
    /// The rules that placed them; `None` for a service without a solution, which stays as it runs.
    pub rules: Option<Rules>,
}

impl Placement {
    /// Whether there are so many instances on each node, at least one in all, and the rules allow them.
    pub(super) fn allows(&self, count: &[u32]) -> bool {
        let Some(rules) = &self.rules else { return false };
        let here = |(node, count): (usize, &u32)| {
            *count == 0 || (*count <= rules.cap && rules.set.contains(node))
        };
        let all: u32 = count.iter().sum();
        (1..=rules.count).contains(&all) && count.iter().enumerate().all(here)
    }
}

/// The rules for the instances of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// On which nodes they may run.
    pub set: NodeSet,
    /// At most that many on one node.
    pub cap: u32,
    /// At most that many in all.
    pub count: u32,
}
