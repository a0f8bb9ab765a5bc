//! How much a search may do.

/// How many steps a search may take. A step is one pass through an inner loop, some nanoseconds; 20 million are some
/// tenths of a second. Time would be another limit on each machine, and so another plan.
pub(super) const STEPS_MAX: u64 = 20_000_000;

/// The steps that are left.
#[derive(Debug)]
pub(super) struct Budget {
    left: u64,
    refused: bool,
}

impl Budget {
    pub(super) const fn of(steps: u64) -> Self {
        Self { left: steps, refused: false }
    }

    /// Counts steps of work that has a bound of its own, and is done in any case.
    pub(super) const fn charge(&mut self, steps: usize) {
        self.left = self.left.saturating_sub(steps as u64);
    }

    /// Counts steps of a search. `false`: none were left before, so the search ends.
    pub(super) const fn allows(&mut self, steps: usize) -> bool {
        self.refused |= self.left == 0;
        self.charge(steps);
        !self.refused
    }

    /// Whether a search ended before it was done.
    pub(super) const fn refused(&self) -> bool {
        self.refused
    }
}
