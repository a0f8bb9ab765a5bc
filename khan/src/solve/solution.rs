//! Where all instances are to run.

use super::{Cost, Placement, Problem};
use crate::checked::PickId;

/// Where all instances are to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Solution {
    /// For each pick, in the order of [`Checked::picks`](crate::Checked::picks).
    pub placements: Vec<Placement>,
    /// The picks left open, in the order of the text.
    pub problems: Vec<Problem>,
    /// How good it is, against what is present.
    pub cost: Cost,
    /// Whether no solution is better: it is proved. Otherwise it is the best that was found.
    pub exact: bool,
}

impl Solution {
    /// The placement of a pick.
    pub fn of(&self, pick: PickId) -> &Placement {
        &self.placements[pick.index()]
    }
}
