//! The instances that run on a node.

/// Instances of one service on one node: what runs, and what an earlier plan assigned and is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Present {
    /// How many.
    pub count: u32,
    /// The place of the youngest of them in the order in which surplus instances stay: smaller stays longer. The
    /// caller ranks, so that what serves stays before what does not, and what was assigned first before what came
    /// later. Equal ranks go by the names of the nodes.
    pub rank: u64,
}

impl Present {
    /// So many, with no order among those of other nodes.
    pub const fn of(count: u32) -> Self {
        Self { count, rank: 0 }
    }
}
