use core::time::Duration;
use std::collections::BTreeMap;

use crux_protocol::time::Instant;
use rand::RngExt;
use rand::rngs::StdRng;

use super::{ConnId, Message, Side};
use crate::scenario::{Cut, Weather};

/// How long a lost packet holds up a connection: the least retransmission time-out of TCP.
const RETRANSMISSION: Duration = Duration::from_millis(200);

/// The paths between hosts.
#[derive(Debug)]
pub(crate) struct Paths {
    pub(crate) weather: Weather,
    cuts: BTreeMap<(usize, usize), Cut>,
    /// When the last cut healed that touched a host.
    healed: BTreeMap<usize, Instant>,
    held: Vec<(ConnId, Side, Message)>,
}

impl Default for Paths {
    fn default() -> Self {
        let (cuts, healed, held) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self { weather: Weather::calm(), cuts, healed, held }
    }
}

impl Paths {
    pub(crate) fn cut(&mut self, from: usize, to: usize, how: Cut) {
        self.cuts.insert((from, to), how);
    }

    /// Heals every cut. Returns what was held, in its order.
    pub(crate) fn heal(&mut self, now: Instant) -> Vec<(ConnId, Side, Message)> {
        let touched = self.cuts.keys().flat_map(|(from, to)| [*from, *to]);
        self.healed.extend(touched.map(|host| (host, now)));
        self.cuts.clear();
        std::mem::take(&mut self.held)
    }

    pub(crate) fn cut_between(&self, from: usize, to: usize) -> Option<Cut> {
        self.cuts.get(&(from, to)).copied()
    }

    /// For how long no cut touched a host.
    pub(crate) fn uncut_for(&self, host: usize, now: Instant) -> Duration {
        if self.cuts.keys().any(|(from, to)| host == *from || host == *to) {
            return Duration::ZERO;
        }
        self.healed.get(&host).map_or(Duration::MAX, |at| now.since(*at))
    }

    /// The worse of the cuts of both directions: a handshake needs both.
    pub(crate) fn cut_either_way(&self, a: usize, b: usize) -> Option<Cut> {
        let cuts = [self.cut_between(a, b), self.cut_between(b, a)];
        let silent = cuts.contains(&Some(Cut::Silent));
        if silent { Some(Cut::Silent) } else { cuts.into_iter().flatten().next() }
    }

    /// Keeps a message that a silent cut holds up, until it heals.
    pub(crate) fn hold(&mut self, conn: ConnId, to: Side, message: Message) {
        self.held.push((conn, to, message));
    }

    /// How long a packet takes.
    pub(crate) fn delay(&self, rng: &mut StdRng) -> Duration {
        let weather = &self.weather;
        let mut delay = rng.random_range(weather.delay_min..=weather.delay_max);
        let mut wait = RETRANSMISSION;
        while rng.random_range(0..1000) < weather.loss.min(500) {
            delay += wait;
            wait *= 2;
        }
        delay
    }
}
