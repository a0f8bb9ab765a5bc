use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;

use rand::RngExt;
use rand::rngs::StdRng;

use super::{ConnId, Message, Side};

/// How long a lost packet holds up a connection: the least retransmission time-out of TCP.
const RETRANSMISSION: Duration = Duration::from_millis(200);

/// How packets fare.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sim) struct Weather {
    /// The least delay one way, in microseconds.
    pub(in crate::sim) delay_min: u64,
    /// The greatest.
    pub(in crate::sim) delay_max: u64,
    /// How many packets in a thousand are lost, and sent again.
    pub(in crate::sim) loss: u32,
    /// How many gossip messages in a thousand are lost for good, per hop.
    pub(in crate::sim) gossip_loss: u32,
    /// How many gossip messages in a thousand arrive twice.
    pub(in crate::sim) gossip_twice: u32,
}

impl Default for Weather {
    fn default() -> Self {
        Self { delay_min: 200, delay_max: 5_000, loss: 0, gossip_loss: 0, gossip_twice: 0 }
    }
}

impl Weather {
    /// Slow, lossy, and forgetful.
    pub(in crate::sim) const fn rough() -> Self {
        let (delay_min, delay_max) = (1_000, 60_000);
        Self { delay_min, delay_max, loss: 20, gossip_loss: 150, gossip_twice: 30 }
    }
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { delay_min, delay_max, loss, gossip_loss, gossip_twice } = self;
        write!(f, "delay {delay_min}–{delay_max} µs, of a thousand {loss} packets lost, ")?;
        write!(f, "{gossip_loss} gossip messages lost, {gossip_twice} doubled")
    }
}

/// How a path is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim) enum Cut {
    /// Packets vanish. Connections stay and go on when the path heals.
    Silent,
    /// Connections break and dials are refused.
    Refused,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Silent => "silently",
            Self::Refused => "with refusals",
        })
    }
}

/// The paths between hosts.
#[derive(Debug, Default)]
pub(in crate::sim) struct Paths {
    pub(in crate::sim) weather: Weather,
    cuts: BTreeMap<(usize, usize), Cut>,
    held: Vec<(ConnId, Side, Message)>,
}

impl Paths {
    pub(in crate::sim) fn cut(&mut self, from: usize, to: usize, how: Cut) {
        self.cuts.insert((from, to), how);
    }

    /// Heals every cut. Returns what was held, in its order.
    pub(in crate::sim) fn heal(&mut self) -> Vec<(ConnId, Side, Message)> {
        self.cuts.clear();
        std::mem::take(&mut self.held)
    }

    pub(in crate::sim) fn cut_between(&self, from: usize, to: usize) -> Option<Cut> {
        self.cuts.get(&(from, to)).copied()
    }

    /// The worse of the cuts of both directions: a handshake needs both.
    pub(in crate::sim) fn cut_either_way(&self, a: usize, b: usize) -> Option<Cut> {
        let cuts = [self.cut_between(a, b), self.cut_between(b, a)];
        let silent = cuts.contains(&Some(Cut::Silent));
        if silent { Some(Cut::Silent) } else { cuts.into_iter().flatten().next() }
    }

    /// Keeps a message that a silent cut holds up, until it heals.
    pub(in crate::sim) fn hold(&mut self, conn: ConnId, to: Side, message: Message) {
        self.held.push((conn, to, message));
    }

    /// How long a packet takes.
    pub(in crate::sim) fn delay(&self, rng: &mut StdRng) -> Duration {
        let weather = &self.weather;
        let micros = rng.random_range(weather.delay_min..=weather.delay_max);
        let mut delay = Duration::from_micros(micros);
        let mut wait = RETRANSMISSION;
        while rng.random_range(0..1000) < weather.loss.min(500) {
            delay += wait;
            wait *= 2;
        }
        delay
    }
}
