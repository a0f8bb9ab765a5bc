//! How often this node says that it lives.

use std::time::Duration;

use crux_crdt::sign::Signed;
use rand::RngExt;
use rand::rngs::StdRng;

use super::message::{Beacon, Notice};
use super::state::{Output, State};
use super::vote::BEACON_REST;
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
            restart: self.restarts_within(now),
            run: self.run,
        };
        let signed = Signed::sign(beacon, &self.context.flock, &self.identity);
        self.beacon = Notice::Beacon(signed).encode();
        self.beacon_at = now;
        self.take_turn(now, rng);
        Output::Publish(self.beacon.clone())
    }

    /// Chooses when the next beacon is due. One out of turn leaves the turn as it is, or brings it nearer:
    /// what happens to many at once, as a heal does, would else have them all beacon together from then on.
    fn take_turn(&mut self, now: Instant, rng: &mut StdRng) {
        let period =
            if self.leading { self.config.leader_beacon_period } else { self.beacon_period() };
        let earliest = if self.is_turn_anew(period, now) { 0.1 } else { 0.9 };
        let turn = now + period.mul_f64(rng.random_range(earliest..1.0));
        if self.beacon_turn <= now || turn < self.beacon_turn {
            (self.beacon_turn, self.turn_period) = (turn, period);
        }
        self.next_beacon = self.beacon_turn.max(now + BEACON_REST);
    }

    /// Those who start or wake together, or did so when the flock was small to them, choose anew when it is
    /// their turn. And the first beacon may have come before the others had links for it.
    fn is_turn_anew(&self, period: Duration, now: Instant) -> bool {
        self.counter == 1 || self.woke_at == Some(now) || period > 2 * self.turn_period
    }

    /// Grows with the flock, so that what a node receives does not. From the design, page 01.
    pub(super) fn beacon_period(&self) -> Duration {
        let members = u32::try_from(self.subjects.len()).unwrap_or(u32::MAX);
        (Duration::from_secs(1) * members / 33)
            .clamp(self.config.beacon_period_min, self.config.beacon_period_max)
    }
}
