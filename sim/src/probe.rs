use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::Principal;
use crux_protocol::time::Instant;

/// Times how long it takes from a request until a node holds what came of it.
#[derive(Debug, Default)]
pub(super) struct Probe {
    /// The members whose next record is awaited.
    open: BTreeMap<Principal, Asked>,
    done: Vec<Vec<Duration>>,
}

/// Since when, and who has it after how long.
#[derive(Debug)]
struct Asked {
    at: Instant,
    held: BTreeSet<usize>,
    times: Vec<Duration>,
}

impl Probe {
    /// An author was asked for something now. What it was asked for before is waited for no more.
    pub(super) fn expect(&mut self, author: Principal, now: Instant) {
        let asked = Asked { at: now, held: BTreeSet::new(), times: Vec::new() };
        self.done.extend(self.open.insert(author, asked).map(|before| before.times));
    }

    /// A host merged a record of that author.
    pub(super) fn holds(&mut self, host: usize, author: Principal, now: Instant) {
        if let Some(asked) = self.open.get_mut(&author)
            && asked.held.insert(host)
        {
            asked.times.push(now.since(asked.at));
        }
    }

    /// All times so far, ascending for each request. Nothing is waited for any more.
    pub(super) fn take(&mut self) -> Vec<Vec<Duration>> {
        let open = std::mem::take(&mut self.open);
        self.done.extend(open.into_values().map(|asked| asked.times));
        std::mem::take(&mut self.done)
    }
}
