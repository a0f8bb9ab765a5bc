//! How good a solution is.

/// How good a solution is: less is better, the first field first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, serde::Serialize)]
pub struct Cost {
    /// Picks that stay as they run, because they have no solution.
    pub unsolved: u32,
    /// Instances that find no room.
    pub missing: u32,
    /// Instances that start.
    pub starts: u32,
    /// By how much the caps of picks that rest on others exceed 1: a larger set would bring them down.
    pub crowd: u32,
}
