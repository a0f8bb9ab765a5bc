//! What members tell each other of others: the last beacons of those whom one of them did not hear yet.
//!
//! **Invariant**: hearsay makes nobody live who was heard here before, in whatever way, and nobody for
//! longer than who tells it would have it.
//!
//! In a large flock a beacon comes every half minute and later, and gossip loses those that are sent
//! before the links stand. Without this, who starts would show most others dead for that long.

use core::time::Duration;

use crux_crdt::Principal;
use crux_crdt::canon::Encoder;
use crux_crdt::sign::{Signed, seal_parts};
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;

use super::message::{BEACON, Beacon};
use super::state::{Output, State};
use super::subject::{Heard, Liveness, Subject};
use crate::time::Instant;

impl State {
    /// At most so many of those of whom this node heard nothing yet, by chance.
    pub fn unheard(&self, most: usize, rng: &mut StdRng) -> Vec<Principal> {
        let all = self.subjects.iter().filter(|(_, subject)| is_unheard(subject));
        all.map(|(member, _)| *member).sample(rng, most)
    }

    /// For how long a member that lives was not heard, and its last beacon, sealed as
    /// [`super::Notice`].
    pub fn tell(&self, of: &Principal, now: Instant) -> Option<(Duration, Vec<u8>)> {
        let subject = self.subjects.get(of).filter(|it| it.liveness != Liveness::Dead)?;
        let heard = subject.beacon.as_ref()?;
        let mut out = Encoder::default();
        seal_parts(out.u8(BEACON), of, &heard.signature, &heard.beacon);
        Some((now.since(subject.heard_at), out.finish()))
    }

    /// Another member heard this one so long ago; the beacon's signature held.
    pub fn on_told(&mut self, beacon: &Signed<Beacon>, age: Duration, now: Instant) -> Vec<Output> {
        let too_old = age >= self.silence();
        let Some(mut subject) = self.subjects.get_mut(&beacon.author()) else { return Vec::new() };
        if too_old || !is_unheard(&subject) {
            return Vec::new();
        }
        let at = Instant::after_origin(now.since_origin().saturating_sub(age));
        subject.freshest = beacon.value().mark();
        subject.beacon = Some(Heard::new(beacon, at, Duration::ZERO));
        drop(subject);
        self.hear_as_of(beacon.author(), at, now)
    }
}

fn is_unheard(subject: &Subject) -> bool {
    subject.liveness == Liveness::Dead && subject.freshest == (0, 0)
}
