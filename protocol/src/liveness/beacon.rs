//! How often this node says that it lives.

use std::time::Duration;

use crux_crdt::sign::Signed;
use rand::RngExt;
use rand::rngs::StdRng;

use super::message::{Beacon, Notice};
use super::state::{Output, State};
use crate::time::Instant;

impl State {
    /// Beacon at the next wake.
    pub fn beacon_soon(&mut self, now: Instant) {
        self.next_beacon = now;
    }

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
        let period =
            if self.leading { self.config.leader_beacon_period } else { self.beacon_period() };
        // Those who start together would go on beaconing together; and the first one may have come
        // before the others had links for it.
        let earliest = if self.counter == 1 { 0.1 } else { 0.9 };
        self.next_beacon = now + period.mul_f64(rng.random_range(earliest..1.0));
        Output::Publish(self.beacon.clone())
    }

    /// Grows with the flock, so that what a node receives does not. From the design, page 01.
    pub(super) fn beacon_period(&self) -> Duration {
        let members = u32::try_from(self.subjects.len()).unwrap_or(u32::MAX);
        (Duration::from_secs(1) * members / 33)
            .clamp(self.config.beacon_period_min, self.config.beacon_period_max)
    }
}
