//! How much this node trusts its own ears: Lifeguard's local health.

use std::time::Duration;

use super::state::State;
use super::subject::Liveness;
use crate::time::Instant;

/// Lifeguard's greatest multiplier.
const HEALTH_MAX: u32 = 8;
/// How long local health takes to improve by one: two beat periods. memberlist takes one probe, which
/// is a second; with ten seconds, a death after a heal took a quarter of a minute to show.
const HEALTH_RECOVERY: Duration = Duration::from_secs(2);
/// The least time in which local health gets worse by one: a heal refutes many suspicions at once.
const HEALTH_REST: Duration = Duration::from_secs(1);
/// A wake that comes this much later than asked for speaks against this node's health.
const LATE_WAKE: Duration = Duration::from_millis(500);

impl State {
    /// Tells a slow or stopped process from silent peers.
    pub(super) fn notice_own_pace(&mut self, now: Instant) {
        let gap = now.since(self.called_at);
        // The one timer that nothing moves: it says how late this process was woken.
        let late = now.since(self.next_beat);
        self.called_at = now;
        if gap > self.config.sleep_gap && !crux_crdt::planted!(SleeperAccuses) {
            let heard_at = now - self.config.beat_period;
            for member in self.subjects.iter().map(|(member, _)| *member).collect::<Vec<_>>() {
                if let Some(mut subject) = self.subjects.get_mut(&member) {
                    subject.beat_at = now;
                    if subject.liveness != Liveness::Dead {
                        subject.heard_at = subject.heard_at.max(heard_at);
                    }
                }
            }
            self.grace_until = now + self.config.beat_period + self.config.beat_grace;
            self.disregard(Duration::MAX, now);
            self.woke_at = Some(now);
            self.met.clear();
            self.next_beacon = now;
        } else if late > LATE_WAKE {
            self.disregard(late, now);
            self.worsen_health(now);
        } else if now.since(self.health_at) > HEALTH_RECOVERY {
            self.health = (self.health - 1).max(1);
            self.health_at = now;
        }
    }

    /// Time in which this process did not run does not count for a suspicion: what takes it back may
    /// be waiting, or be asked for when the grace ends.
    fn disregard(&mut self, lost: Duration, now: Instant) {
        for suspect in self.subjects.suspects().clone() {
            if let Some(mut subject) = self.subjects.get_mut(&suspect) {
                subject.suspect_since =
                    (subject.suspect_since + lost).min(now.max(self.grace_until));
            }
        }
    }

    pub(super) fn worsen_health(&mut self, now: Instant) {
        if self.health == 1 || now.since(self.health_at) >= HEALTH_REST {
            self.health = (self.health + 1).min(HEALTH_MAX);
            self.health_at = now;
        }
    }
}
