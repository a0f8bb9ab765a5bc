use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Arc;

use crux_crdt::Digest;
use crux_crdt::record::{Marker, Record};

use crate::time::Instant;

/// How long a node waits for a newer record of its own before it goes on above the one it found:
/// longer than members that hold different ones take to compare them. A guess.
const LOOK_FOR: Duration = Duration::from_secs(1);
/// Earlier lives that are remembered. A node that lost its disk more often in one run has other
/// troubles.
const OUTLIVED_MAX: usize = 256;

/// What a record of this identity means that this run did not write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Nothing: it is known, or lower than what this run says.
    Known,
    /// An earlier life: go on above it.
    Earlier,
    /// This identity runs elsewhere, and goes on there.
    Elsewhere,
}

/// The earlier lives of this identity.
///
/// **Invariant**: of two runs of one identity that hear of each other exactly one stops, and a run
/// whose earlier life is over never does.
///
/// A greater record of its own is an earlier life as long as this run has not compared itself with
/// anybody, and for the whole run where it found no record of its own on its disk: the disk was lost,
/// and who knows what is still held somewhere. The run goes on above it. An earlier life is over, so
/// it does not answer; who goes on above this run once more is another run, and the lower one stops.
#[derive(Debug)]
pub(super) struct Past {
    /// This run.
    nonce: [u8; 16],
    /// The newest record of an earlier life that was seen.
    newest: Option<(Marker, Digest)>,
    /// Nothing was on the disk.
    forgot: bool,
    /// Nobody was compared with yet.
    alone: bool,
    /// The runs above which this one went on.
    outlived: BTreeSet<[u8; 16]>,
    found: Option<(Instant, Arc<Record>)>,
}

impl Past {
    /// Starts from what was on disk.
    pub(super) fn new(nonce: [u8; 16], last: Option<&Record>) -> Self {
        let newest = last.map(Record::total);
        let forgot = last.is_none();
        Self { nonce, newest, forgot, alone: true, outlived: BTreeSet::new(), found: None }
    }

    /// A replica of another member was compared with.
    pub(super) const fn on_compared(&mut self) {
        self.alone = false;
    }

    /// A record of this identity came in. `incarnation` is that of this run.
    pub(super) fn look_at(
        &mut self,
        record: &Arc<Record>,
        incarnation: u64,
        now: Instant,
    ) -> Meaning {
        let theirs = record.marker();
        if theirs.nonce == self.nonce || Some(record.total()) <= self.newest {
            return Meaning::Known;
        }
        let above = (theirs.incarnation, theirs.nonce) > (incarnation, self.nonce);
        if above && (self.outlived.contains(&theirs.nonce) || !(self.alone || self.forgot)) {
            return Meaning::Elsewhere;
        }
        if !self.alone && !self.forgot || self.outlived.len() >= OUTLIVED_MAX {
            return Meaning::Known;
        }
        self.newest = Some(record.total());
        let at = self.found.as_ref().map_or(now + LOOK_FOR, |(at, _)| *at);
        self.found = Some((at, record.clone()));
        Meaning::Earlier
    }

    /// The record to go on above, when it is time.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Arc<Record>> {
        let (_, record) = self.found.take_if(|(at, _)| *at <= now)?;
        self.outlived.insert(record.marker().nonce);
        Some(record)
    }

    /// When [`Past::take_due`] has something.
    pub(super) fn deadline(&self) -> Instant {
        self.found.as_ref().map_or(Instant::NEVER, |(at, _)| *at)
    }
}
