//! How often this node says that it lives.

use std::time::Duration;

use crux_crdt::sign::Signed;
use rand::RngExt;
use rand::rngs::StdRng;

use super::message::{Beacon, Notice};
use super::state::{Output, State};
use crate::time::Instant;

impl State {
    /// The newest beacon, sealed as [`Notice`]; empty before the first.
    pub fn beacon(&self) -> &[u8] {
        &self.beacon
    }

    pub(super) fn send_beacon(&mut self, now: Instant, rng: &mut StdRng) -> Output {
        self.counter += 1;
        let beacon = Beacon {
            incarnation: self.incarnation,
            counter: self.counter,
            uptime: now.since(self.started_at),
            state_digest: self.state_digest,
        };
        let signed = Signed::sign(beacon, &self.context.flock, &self.identity);
        self.beacon = Notice::Beacon(signed).encode();
        self.beacon_at = now;
        self.take_turn(now, rng);
        Output::Publish(self.beacon.clone())
    }

    /// Chooses when the next beacon is due. One out of turn leaves the turn as it is: what happens to
    /// many at once, as a heal does, would else have them all beacon together from then on.
    fn take_turn(&mut self, now: Instant, rng: &mut StdRng) {
        let period =
            if self.leading { self.config.leader_beacon_period } else { self.beacon_period() };
        // Those who start or wake together choose anew. And the first beacon may have come before the
        // others had links for it.
        let anew = self.counter == 1 || self.beacon_turn + self.config.sleep_gap <= now;
        let earliest = if anew { 0.1 } else { 0.9 };
        let turn = now + period.mul_f64(rng.random_range(earliest..1.0));
        self.beacon_turn = if self.beacon_turn <= now { turn } else { self.beacon_turn.min(turn) };
        self.next_beacon = self.beacon_turn;
    }

    /// Grows with the flock, so that what a node receives does not. From the design, page 01.
    pub(super) fn beacon_period(&self) -> Duration {
        let members = u32::try_from(self.subjects.len()).unwrap_or(u32::MAX);
        (Duration::from_secs(1) * members / 33)
            .clamp(self.config.beacon_period_min, self.config.beacon_period_max)
    }
}
