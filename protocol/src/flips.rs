//! A status that changes too often to be followed.
//!
//! All that resolve a service would follow each change, and each is a write and a record for everybody. So one that
//! changed [`FLIPS_MAX`] times within [`FLIPS_WITHIN`] is held at *degraded* for others until it did not.
//!
//! Two engines have the rule from here. The picket's sees each change, shows the outcome in `ps`, and states it once a
//! second at most: between two statements a status may change twice, and they would say nothing of it. `unwell`, which
//! has those statements, applies it to any picket that states more.

use core::time::Duration;
use std::collections::VecDeque;

use crate::time::Instant;

/// After so many changes a status is held. From the design, page 05.
const FLIPS_MAX: usize = 4;
/// Changes count for so long. From the design, page 05.
const FLIPS_WITHIN: Duration = Duration::from_secs(60);

/// The last changes of one status, at most [`FLIPS_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Flips(VecDeque<Instant>);

impl Flips {
    /// It changed.
    pub(crate) fn note(&mut self, now: Instant) {
        if self.0.len() == FLIPS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(now);
    }

    /// Until when it is held; none: it is not.
    pub(crate) fn held_until(&self, now: Instant) -> Option<Instant> {
        let first = self.0.front().filter(|_| self.0.len() == FLIPS_MAX)?;
        Some(*first + FLIPS_WITHIN).filter(|until| now < *until)
    }

    /// How much is kept.
    pub(crate) fn footprint(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_changes_within_a_minute_hold_it_until_the_first_is_a_minute_old() {
        let at = |secs| Instant::after_origin(Duration::from_secs(secs));
        let mut flips = Flips::default();
        for secs in [1, 2, 30] {
            flips.note(at(secs));
            assert_eq!(flips.held_until(at(secs)), None);
        }
        flips.note(at(60));
        assert_eq!(flips.held_until(at(60)), Some(at(61)));
        assert_eq!(flips.held_until(at(61)), None);
        // The first one does not count any more.
        flips.note(at(61));
        assert_eq!((flips.held_until(at(61)), flips.footprint()), (Some(at(62)), FLIPS_MAX));
    }
}
