use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;

use crux_crdt::Principal;
use crux_crdt::sign::Signed;

use super::lag::Lag;
use super::message::{Beacon, Evidence};
use super::run::BootNonce;
use crate::time::Instant;

/// What this node thinks of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Liveness {
    /// Heard of.
    Alive,
    /// Some observers hear nothing of it.
    Suspect,
    /// Gone, silent for too long, or not yet heard since this node started.
    Dead,
}

impl fmt::Display for Liveness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alive => "alive",
            Self::Suspect => "suspect",
            Self::Dead => "dead",
        })
    }
}

/// An observer's standing suspicion.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vote {
    pub(super) evidence: Evidence,
    pub(super) about: (u64, u64),
    /// When it came.
    pub(super) at: Instant,
}

/// Everything known of one member's life.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) liveness: Liveness,
    pub(super) suspect_since: Instant,
    /// The last beacon that came.
    pub(super) beacon: Option<Heard>,
    /// The last one of another run of the same member, if there was any.
    pub(super) other: Option<Box<Heard>>,
    /// How long its beacons are on their way.
    pub(super) lag: Lag,
    /// The freshest (incarnation, counter) heard of.
    pub(super) freshest: (u64, u64),
    /// When it was last heard, by beacon, link or beat.
    pub(super) heard_at: Instant,
    /// When its last beat came, or when this node began to expect them.
    pub(super) beat_at: Instant,
    pub(super) votes: BTreeMap<Principal, Vote>,
    pub(super) my_vote: Option<Evidence>,
    pub(super) voted_at: Instant,
    /// When it last suspected this node, and about which of its beacons.
    pub(super) accused: (Instant, (u64, u64)),
    /// When a suspicion about an older beacon of it was last passed on.
    pub(super) doubted_at: Instant,
    /// Whether this node observes it.
    pub(super) observed: bool,
}

/// A beacon that came, so that it can be passed on, and when it did.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) beacon: Beacon,
    pub(super) signature: [u8; 64],
    pub(super) at: Instant,
    /// Until when it excuses its sender's silence.
    pub(super) away_until: Instant,
}

impl Heard {
    /// One that came at this time, and was held up for so long.
    pub(super) fn new(beacon: &Signed<Beacon>, at: Instant, late: Duration) -> Self {
        let (signature, beacon) = (*beacon.signature(), beacon.value().clone());
        let announced = beacon.restart.map(|within| at + within.saturating_sub(late));
        Self { beacon, signature, at, away_until: announced.unwrap_or(Instant::ORIGIN) }
    }

    /// The run that sent it.
    pub(super) const fn nonce(&self) -> BootNonce {
        self.beacon.run.nonce
    }
}

/// What a new beacon says of its author.
#[derive(Debug, Clone, Copy)]
pub(super) struct News {
    /// No heartbeat named this beacon before it arrived.
    pub(super) fresh: bool,
    /// It refutes what this node suspected.
    pub(super) refutes: bool,
    /// It was that much longer on its way than others.
    pub(super) late: Option<Duration>,
}

/// What the votes come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    /// How many observers there are that are not themselves suspect.
    pub(super) observers: usize,
    /// How many say gone.
    pub(super) gone: usize,
    /// How many say gone or silent.
    pub(super) silent: usize,
}

impl Count {
    pub(super) const fn gone_by_majority(self) -> bool {
        self.gone * 2 > self.observers
    }

    pub(super) const fn silent_by_majority(self) -> bool {
        self.silent * 2 > self.observers
    }

    pub(super) fn is_suspect(self) -> bool {
        self.silent >= self.observers.clamp(1, 2)
    }
}

impl Subject {
    /// A member that was not heard yet.
    pub(super) const fn unheard(now: Instant) -> Self {
        Self {
            liveness: Liveness::Dead,
            suspect_since: Instant::NEVER,
            beacon: None,
            other: None,
            lag: Lag::UNKNOWN,
            freshest: (0, 0),
            heard_at: now,
            beat_at: now,
            votes: BTreeMap::new(),
            my_vote: None,
            voted_at: Instant::ORIGIN,
            accused: (Instant::ORIGIN, (0, 0)),
            doubted_at: Instant::ORIGIN,
            observed: false,
        }
    }

    /// The incarnation and counter of the last beacon that came.
    pub(super) fn beaconed(&self) -> Option<(u64, u64)> {
        self.beacon.as_ref().map(|heard| heard.beacon.mark())
    }

    /// Keeps a beacon fresher than the last one; one from its author's own mouth is never late.
    pub(super) fn keep(
        &mut self,
        beacon: &Signed<Beacon>,
        first_hand: bool,
        me: &Principal,
        now: Instant,
    ) -> News {
        let mark = beacon.value().mark();
        if let Some(last) = self.beacon.take_if(|last| last.nonce() != beacon.value().run.nonce) {
            // A run's clock starts with it.
            self.lag = Lag::UNKNOWN;
            self.other = Some(Box::new(last));
        }
        let late = if first_hand { None } else { self.lag.late(beacon.value().uptime, now) };
        let first = self.freshest == (0, 0);
        let fresh = mark > self.freshest || first;
        let late = late.filter(|_| !first);
        self.beacon = Some(Heard::new(beacon, now, late.unwrap_or_default()));
        self.freshest = mark;
        News { fresh, refutes: self.refute(me, mark), late }
    }

    /// Forgets the votes that (incarnation, counter) refutes. Whether this node's was among them.
    pub(super) fn refute(&mut self, me: &Principal, fresh: (u64, u64)) -> bool {
        if crux_crdt::planted!(NoRefutation) {
            return false;
        }
        self.votes.retain(|_, vote| vote.about >= fresh);
        let mine = self.my_vote.is_some() && !self.votes.contains_key(me);
        if mine {
            self.my_vote = None;
        }
        mine
    }

    /// Counts the votes of these observers.
    pub(super) fn count(&self, observers: &[Principal]) -> Count {
        let votes = || observers.iter().filter_map(|observer| self.votes.get(observer));
        Count {
            observers: observers.len(),
            gone: votes().filter(|vote| vote.evidence == Evidence::Gone).count(),
            silent: votes().count(),
        }
    }
}
