//! The instances that run when a search begins.

use crate::world::{Amounts, NodeSet};

use super::model::Model;

/// The instances that run when a search begins: what is present, or, to see whether a solution stays as it is, where an earlier
/// search led.
#[derive(Debug)]
pub(super) struct Running {
    /// Instances by pick, by node.
    pub(super) count: Vec<Vec<u32>>,
    /// The nodes with an instance, by pick.
    pub(super) nodes: Vec<NodeSet>,
    /// The resources that all that runs takes of each node.
    pub(super) used: Vec<Amounts>,
}

impl Running {
    /// The instances present.
    pub(super) fn present(model: &Model<'_>) -> Self {
        let count = |pick: &crate::checked::Pick| {
            let mut count = vec![0; model.nodes()];
            let present = model.world.present_of(&pick.service);
            present.for_each(|(node, present)| count[node] = present.count);
            count
        };
        Self::of(model, model.picks.iter().map(count).collect())
    }

    /// So many instances of each pick on each node.
    pub(super) fn of(model: &Model<'_>, count: Vec<Vec<u32>>) -> Self {
        let mut used = model.others.clone();
        let mut nodes = vec![model.fixed.none(); count.len()];
        for (pick, count) in count.iter().enumerate() {
            for (node, count) in count.iter().enumerate().filter(|(_, count)| **count > 0) {
                nodes[pick].insert(node);
                used[node].add(model.weights[pick], *count);
            }
        }
        Self { count, nodes, used }
    }

    /// How many instances a placement has more than run, over all nodes.
    pub(super) fn starts(&self, pick: usize, wanted: &[u32]) -> u32 {
        let more =
            wanted.iter().zip(&self.count[pick]).map(|(want, have)| want.saturating_sub(*have));
        more.sum()
    }
}
