use core::time::Duration;

use super::claims::Tree;
use super::config::Config;
use super::message::Holding;
use crate::time::Instant;

/// What a provider is believed to need for a piece before it sent one.
const LATENCY_FIRST: Duration = Duration::from_millis(100);
/// How many pieces a provider is asked for at first.
const WINDOW_FIRST: usize = 2;
/// How often in a row a provider may not send a piece that it said it holds.
const FAILURES_MAX: u32 = 3;
/// How long one that has nothing is left alone at most.
const REST_MAX: Duration = Duration::from_secs(5);
/// How long one that sent no piece yet may take for the first while others would send some.
const BARREN_AFTER: Duration = Duration::from_millis(1500);

/// One node that is asked for a blob.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    /// What it said last that it holds.
    pub(super) said: Option<Holding>,
    /// Whether it answered at all.
    pub(super) heard: bool,
    /// How many pieces are in flight from it.
    pub(super) in_flight: usize,
    /// How long a piece takes, smoothed.
    pub(super) latency: Duration,
    /// When it is asked what it holds, unless it is being asked.
    pub(super) next_ask: Instant,
    pub(super) asking: bool,
    window: usize,
    not_before: Instant,
    failures: u32,
    rest: Duration,
    /// When it was asked for a piece first.
    tried: Option<Instant>,
    delivered: bool,
}

impl Peer {
    /// One that is to be asked now.
    pub(super) fn new(now: Instant, config: &Config) -> Self {
        Self {
            said: None,
            heard: false,
            in_flight: 0,
            latency: LATENCY_FIRST,
            next_ask: now,
            asking: false,
            window: WINDOW_FIRST.min(config.window_max),
            not_before: Instant::ORIGIN,
            failures: 0,
            rest: config.ask_period,
            tried: None,
            delivered: false,
        }
    }

    /// The tree that it said the blob has.
    pub(super) fn tree(&self) -> Option<Tree> {
        self.said.as_ref().map(|said| (said.root, said.size))
    }

    /// It is asked for a piece.
    pub(super) fn on_asked(&mut self, now: Instant) {
        self.in_flight += 1;
        self.tried.get_or_insert(now);
    }

    /// Whether it was asked for a piece.
    pub(super) const fn is_tried(&self) -> bool {
        self.tried.is_some()
    }

    /// Whether it was asked for pieces long ago, and sent none ever.
    pub(super) fn is_barren(&self, now: Instant) -> bool {
        !self.delivered && self.tried.is_some_and(|at| now >= at + BARREN_AFTER)
    }

    /// Whether it may be asked for one more piece.
    pub(super) fn has_room(&self, now: Instant) -> bool {
        self.in_flight < self.window && self.not_before <= now
    }

    /// Whether it was asked, and has nothing to give.
    pub(super) const fn has_nothing(&self) -> bool {
        self.heard && self.said.is_none() && !self.asking && self.in_flight == 0
    }

    /// When it takes requests again, if it asked for a rest.
    pub(super) const fn rests_until(&self) -> Instant {
        self.not_before
    }

    /// It said what it holds. All of it: there is no need to ask again.
    pub(super) fn on_have(&mut self, holding: Holding, now: Instant, config: &Config) {
        let full = holding.pieces.is_complete();
        self.next_ask = if full { Instant::NEVER } else { now + config.ask_period };
        self.said = Some(holding);
        self.heard = true;
        self.rest = config.ask_period;
    }

    /// It has nothing of the blob. One that has nothing time and again is asked less often.
    pub(super) fn on_nothing(&mut self, now: Instant) {
        self.said = None;
        self.heard = true;
        self.next_ask = now + self.rest;
        self.rest = (self.rest * 2).min(REST_MAX);
    }

    /// A piece of it came after that long.
    pub(super) fn on_piece(&mut self, took: Duration, config: &Config) {
        self.failures = 0;
        self.delivered = true;
        self.latency = (self.latency * 3 + took) / 4;
        if took < config.target {
            self.window = (self.window + 1).min(config.window_max);
        } else if took > config.target * 2 {
            self.window = (self.window - 1).max(1);
        }
    }

    /// It asked for a rest.
    pub(super) fn on_busy(&mut self, retry_after: Duration, now: Instant) {
        self.window = (self.window / 2).max(1);
        self.not_before = self.not_before.max(now + retry_after);
    }

    /// A piece of it is overdue, and another was asked.
    pub(super) const fn on_stall(&mut self) {
        self.window = 1;
    }

    /// It did not send a piece that it said it holds. Whether it is to be given up.
    pub(super) fn on_broken_promise(&mut self, now: Instant, config: &Config) -> bool {
        self.window = 1;
        self.failures += 1;
        self.not_before = self.not_before.max(now + config.ask_period);
        self.failures >= FAILURES_MAX
    }
}
