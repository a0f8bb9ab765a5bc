use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::Principal;
use crux_protocol::time::Instant;

/// Times how long it takes from a request until a node holds what came of it.
#[derive(Debug, Default)]
pub(super) struct Probe {
    /// Whose next record is waited for, since when, and who has it.
    open: BTreeMap<Principal, (Instant, BTreeSet<usize>)>,
    latencies: Vec<Duration>,
}

impl Probe {
    /// An author was asked for something now.
    pub(super) fn expect(&mut self, author: Principal, now: Instant) {
        self.open.insert(author, (now, BTreeSet::new()));
    }

    /// A host merged a record of that author.
    pub(super) fn holds(&mut self, host: usize, author: Principal, now: Instant) {
        if let Some((asked, held)) = self.open.get_mut(&author)
            && held.insert(host)
        {
            self.latencies.push(now.since(*asked));
        }
    }

    /// All times so far. Nothing is waited for any more.
    pub(super) fn take(&mut self) -> Vec<Duration> {
        self.open.clear();
        std::mem::take(&mut self.latencies)
    }
}
