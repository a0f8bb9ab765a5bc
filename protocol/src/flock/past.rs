use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Arc;

use crux_crdt::Digest;
use crux_crdt::record::{Marker, Record};
use rand::Rng;
use rand::rngs::StdRng;

use crate::liveness::BootNonce;
use crate::time::Instant;

/// How long a node that may have a past waits for a member to compare itself with before it speaks.
/// As long as the leader engine waits at a start: longer than finding the others takes.
const LISTEN_FOR: Duration = Duration::from_secs(2);
/// How long a node waits for a newer record of its own before it continues above the one it found:
/// longer than members that hold different ones take to compare them. A guess.
const LOOK_FOR: Duration = Duration::from_secs(1);
/// How long a run that spoke lets a record of another one stand above its own: longer than two runs take to
/// hear of each other and one of them to stop.
const STAND_FOR: Duration = Duration::from_secs(10);
/// Earlier lives that are remembered. A node that lost its disk more often in one run has other
/// troubles.
const OUTLIVED_MAX: usize = 256;

/// What a record of this identity means that this run did not write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Nothing: it is known, or lower than what this run says.
    Known,
    /// A previous incarnation: continue above it.
    Earlier,
    /// Another run of this identity, alive or not, said something above this one.
    Above,
}

/// What it is time for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Take over what this record says, and go on above it.
    Recover(Arc<Record>),
    /// Members hold nothing of a previous incarnation: this is the first one.
    Rise,
    /// This record stood above what this run says for so long that its author is gone, or yields.
    GoAbove(Arc<Record>),
    /// Another run beaconed at this incarnation, and this one still runs.
    Outlast(u64),
}

/// What is known of this identity's past at a start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// Its record on the disk.
    pub(super) last: Option<&'a Record>,
    /// The incarnation up to which it left or was retired; 0 if it did not.
    pub(super) ended: u64,
    /// Whether the key is older than this start.
    pub(super) key: bool,
    /// Whether there are other members.
    pub(super) others: bool,
}

/// The earlier lives of this identity.
///
/// **Invariants**
/// * The record of a previous incarnation that members still hold is not replaced by a run that does not know
///   of it.
/// * A record of this identity that this run did not write is never above this run's for good.
///
/// A start goes above the last life on its disk. But the disk may be new, or an old copy: then what
/// the run says would replace, at the others, what it never saw. Therefore
///
/// * a node that may have a past *listens* first. It says nothing new before it compared itself with
///   a member, or met none for two seconds;
/// * a run that *forgot*, with an old key and nothing on its disk, speaks at incarnation 0, below
///   every life that knew what it said, and through restarts, until it compared itself with a member.
///
/// A greater record of its own is taken for a previous incarnation as long as this run has not compared itself with
/// anybody, and for the whole run if it forgot: who knows what is still held somewhere. The run goes
/// on above it. Later, or if a previous incarnation speaks once more, another run of this identity may be alive.
/// Which of two stops is for [`super::twins`] to say; a run that still runs after ten seconds goes above
/// the record, too.
#[derive(Debug)]
pub(super) struct Past {
    /// This run.
    nonce: BootNonce,
    /// What was said at incarnation 0, now or before a restart, has this one.
    first_nonce: BootNonce,
    /// The run whose record was on the disk.
    parent: Option<BootNonce>,
    /// The newest record of a previous incarnation that was seen.
    newest: Option<(Marker, Digest)>,
    forgot: bool,
    /// Nobody was compared with yet.
    alone: bool,
    listen_until: Option<Instant>,
    /// The runs above which this one went on.
    outlived: BTreeSet<BootNonce>,
    found: Option<(Instant, Arc<Record>)>,
    /// The greater record of another run, and until when it may be there.
    above: Option<(Instant, Arc<Record>)>,
    /// At which incarnation another run beaconed, and until when its last word may come.
    outlast: Option<(Instant, u64)>,
    rise_at: Option<Instant>,
}

impl Past {
    /// Starts from what is known. Returns the marker of the first record too.
    pub(super) fn new(known: Known<'_>, now: Instant, rng: &mut StdRng) -> (Self, Marker) {
        let mut nonce = [0; 16];
        rng.fill_bytes(&mut nonce);
        let last = known.last.map(Record::marker);
        let used = last.map_or(0, |last| last.incarnation).max(known.ended);
        let forgot = known.key && used == 0 && !crux_crdt::planted!(IncarnationReused);
        let first = match last {
            Some(last) if forgot => Marker { seq: last.seq.saturating_add(1), ..last },
            _ if forgot => Marker { incarnation: 0, nonce, seq: 0 },
            _ => Marker { incarnation: used.saturating_add(1), nonce, seq: 0 },
        };
        let past = Self {
            nonce,
            first_nonce: first.nonce,
            parent: last.map(|last| last.nonce),
            newest: known.last.map(Record::total),
            forgot,
            alone: true,
            listen_until: (forgot || known.others).then(|| now + LISTEN_FOR),
            outlived: BTreeSet::new(),
            found: None,
            above: None,
            outlast: None,
            rise_at: None,
        };
        (past, first)
    }

    /// What markers above incarnation 0 have in this run.
    pub(super) const fn nonce(&self) -> BootNonce {
        self.nonce
    }

    /// Whether this run continues, or is about to, from what that one wrote; or has written nothing itself yet.
    pub(super) fn is_heir_of(&self, nonce: &BootNonce) -> bool {
        let found = self.found.as_ref().is_some_and(|(_, found)| found.marker().nonce == *nonce);
        self.is_listening() || self.is_child_of(nonce) || found || self.outlived.contains(nonce)
    }

    /// Whether that is the run whose record was on the disk.
    pub(super) fn is_child_of(&self, nonce: &BootNonce) -> bool {
        self.parent == Some(*nonce)
    }

    /// Another run beaconed at that incarnation, and perhaps stops for this one. This run goes above it later:
    /// at once, it would go above the last word of that run, which comes after its beacons, and nobody would
    /// pass that on.
    pub(super) fn outlast(&mut self, incarnation: u64, now: Instant) {
        let (at, known) = self.outlast.unwrap_or((now + STAND_FOR, 0));
        self.outlast = Some((at, known.max(incarnation)));
    }

    /// The other run stops for this one: its record is above this one's no longer than it takes to read.
    pub(super) fn yielded_to(&mut self, now: Instant) {
        self.above.iter_mut().chain(&mut self.found).for_each(|(at, _)| *at = now);
    }

    /// Whether this node may not say anything new yet.
    pub(super) const fn is_listening(&self) -> bool {
        self.listen_until.is_some()
    }

    /// A replica of another member was compared with.
    pub(super) fn on_compared(&mut self, now: Instant) {
        if !std::mem::take(&mut self.alone) || self.found.is_some() {
            return;
        }
        if self.forgot {
            // Another member may hold what this one lacks.
            self.rise_at = Some(now + LOOK_FOR);
            self.listen_until = self.listen_until.and(self.rise_at);
        } else {
            self.listen_until = None;
        }
    }

    /// A record of this identity came in. `incarnation` is that of this run.
    pub(super) fn look_at(
        &mut self,
        record: &Arc<Record>,
        incarnation: u64,
        now: Instant,
    ) -> Meaning {
        let theirs = record.marker();
        let mine = [self.nonce, self.first_nonce].contains(&theirs.nonce);
        if mine || Some(record.total()) <= self.newest {
            return Meaning::Known;
        }
        let above = (theirs.incarnation, theirs.nonce) > (incarnation, self.nonce);
        let known = self.outlived.contains(&theirs.nonce) || self.outlived.len() >= OUTLIVED_MAX;
        if known || !(self.alone || self.forgot) {
            if !above {
                return Meaning::Known;
            }
            self.newest = Some(record.total());
            let at = self.above.as_ref().map_or(now + STAND_FOR, |(at, _)| *at);
            self.above = Some((at, record.clone()));
            return Meaning::Above;
        }
        self.newest = Some(record.total());
        let at = self.found.as_ref().map_or(now + LOOK_FOR, |(at, _)| *at);
        self.found = Some((at, record.clone()));
        self.rise_at = None;
        self.listen_until = self.listen_until.and(Some(at));
        Meaning::Earlier
    }

    /// What it is time for. Then this node may say what it likes.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Due> {
        self.listen_until.take_if(|until| *until <= now);
        if let Some((_, record)) = self.found.take_if(|(at, _)| *at <= now) {
            self.outlived.insert(record.marker().nonce);
            return Some(Due::Recover(record));
        }
        if let Some((_, record)) = self.above.take_if(|(at, _)| *at <= now) {
            self.outlived.insert(record.marker().nonce);
            return Some(Due::GoAbove(record));
        }
        if let Some((_, incarnation)) = self.outlast.take_if(|(at, _)| *at <= now) {
            return Some(Due::Outlast(incarnation));
        }
        self.rise_at.take_if(|at| *at <= now).map(|_| Due::Rise)
    }

    /// When [`Past::take_due`] has something to do.
    pub(super) fn deadline(&self) -> Instant {
        let found = self.found.as_ref().map(|(at, _)| *at);
        let above = self.above.as_ref().map(|(at, _)| *at);
        let outlast = self.outlast.map(|(at, _)| at);
        let all = [self.listen_until, found, above, outlast, self.rise_at];
        all.into_iter().flatten().min().unwrap_or(Instant::NEVER)
    }
}
