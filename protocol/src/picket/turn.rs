//! The working set of one call of the engine.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::service::Config;
use rand::rngs::StdRng;

use super::command::Command;
use super::id::InstanceId;
use super::images::Images;
use crate::time::Instant;

/// Everything that the parts of the engine share during one call of [`State::handle`](super::State::handle).
pub(super) struct Turn<'a> {
    pub(super) now: Instant,
    pub(super) out: &'a mut Vec<Command>,
    pub(super) rng: &'a mut StdRng,
    pub(super) images: &'a mut Images,
    /// Whether a fulcrum is there.
    pub(super) attached: bool,
    /// The ports of instances that go, while services are stepped.
    pub(super) busy: BTreeSet<u16>,
    /// The node stops, and each quit has so long.
    pub(super) within: Option<Duration>,
    /// Records that are being deleted, and when the next attempt is due.
    pub(super) forgetting: &'a mut BTreeMap<InstanceId, Instant>,
    /// When the engine's time had its last gap.
    pub(super) gap: Option<Instant>,
    /// The engine is called late.
    pub(super) lags: bool,
}

impl Turn<'_> {
    /// Whether an instance that goes has a port that a config wants. Its successor waits: a port that is taken is a
    /// failure, and five of them a crash loop.
    pub(super) fn is_busy(&self, config: &Config) -> bool {
        config
            .ports
            .iter()
            .filter_map(|(_, port)| port.number())
            .any(|port| self.busy.contains(&port))
    }

    /// Whether failures of checks of such a period count for nothing now.
    pub(super) fn is_quiet(&self, period: Duration) -> bool {
        self.lags || self.gap.is_some_and(|gap| self.now < gap + period)
    }
}
