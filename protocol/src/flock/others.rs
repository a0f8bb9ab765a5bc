//! Peers that run another version of Crux, whose formats this build does not know.
//!
//! **Invariant**: such a peer is named once while this node runs, with its address, however often it shows what it
//! is; nothing is held against it; at most [`NAMED_MAX`] are named, and as many remembered. When that many are, a
//! further one takes the place of one that is so no more, and is listed without being named.
//!
//! There are two ways to see it. What a peer sends names a version or kind that this build does not know.
//! Or the peer does not support a protocol. The protocol of joins is served to everybody, so one failure is enough.
//! The others are also refused where the peer's gate is closed, and then the peer says in the next handshake
//! that it does not know this node, or opens its gate. So it is of another version if it says
//! [`REDIALS_MAX`] times that it knows this node, and refuses all the same.

use std::collections::BTreeMap;

use crux_crdt::Principal;

use super::command::Notice;
use super::state::{Route, State};
use crate::link::Protocol;

/// How many such peers are named. A flock in the middle of an upgrade has some; more are not told apart
/// anyway.
const NAMED_MAX: usize = 64;
/// How often a peer says that it knows this node, and then refuses what members get, before it counts as one
/// of another version. An honest one opens its gate with the first or second new connection.
const REDIALS_MAX: u8 = 5;
/// Of how many peers it is counted how often they were dialled again: more members at once do not refuse.
const REDIALLED_MAX: usize = 1024;

/// A peer whose formats this node does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherVersion {
    /// Where it is.
    pub addr: String,
    /// What showed it.
    pub what: String,
}

/// Whether it is news what a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    None,
    /// The list changed.
    Changed,
    /// It is to be named, too.
    First,
}

#[derive(Debug, PartialEq, Eq)]
struct Named {
    other: OtherVersion,
    /// Whether it lacks a protocol; else it sent something.
    lacks: bool,
    /// Whether it is so as far as this node knows: it may have been upgraded since.
    current: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Others {
    named: BTreeMap<Principal, Named>,
    /// How many were named.
    told: usize,
    redialled: BTreeMap<Principal, u8>,
}

impl Others {
    /// Remembers what a peer is. Returns whether that is news.
    fn note(&mut self, peer: Principal, other: OtherVersion, lacks: bool) -> News {
        let now = Named { other, lacks, current: true };
        if let Some(named) = self.named.get_mut(&peer) {
            let news = if *named == now { News::None } else { News::Changed };
            *named = now;
            return news;
        }
        if self.named.len() >= NAMED_MAX {
            let past = self.named.iter().find(|(_, named)| !named.current);
            let Some(past) = past.map(|(peer, _)| *peer) else { return News::None };
            self.named.remove(&past);
        }
        self.named.insert(peer, now);
        if self.told >= NAMED_MAX {
            return News::Changed;
        }
        self.told += 1;
        News::First
    }

    /// A peer says that this node is a member, and is dialled again for that.
    pub(super) fn on_redial(&mut self, peer: Principal) {
        if self.redialled.len() >= REDIALLED_MAX && !self.redialled.contains_key(&peer) {
            self.redialled.clear();
        }
        let times = self.redialled.entry(peer).or_default();
        *times = times.saturating_add(1);
    }

    /// A peer served a protocol that only members get.
    pub(super) fn on_served(&mut self, peer: &Principal) {
        self.redialled.remove(peer);
        self.forget_if(peer, |named| named.lacks);
    }

    /// A peer is connected: what it sent before, it may not send again.
    pub(super) fn on_connected(&mut self, peer: &Principal) {
        self.forget_if(peer, |named| !named.lacks);
    }

    fn forget_if(&mut self, peer: &Principal, is: impl Fn(&Named) -> bool) {
        if let Some(named) = self.named.get_mut(peer).filter(|named| is(named)) {
            named.current = false;
        }
    }

    /// Whether a peer lacks a protocol, as far as this node knows.
    pub(super) fn lacks(&self, peer: &Principal) -> bool {
        self.named.get(peer).is_some_and(|named| named.current && named.lacks)
    }

    /// How much it remembers.
    pub(super) fn footprint(&self) -> usize {
        self.named.len() + self.redialled.len()
    }
}

impl Route {
    /// By which protocol.
    pub(super) const fn protocol(self) -> Protocol {
        match self {
            Self::Join { .. } => Protocol::Join,
            Self::Sync | Self::Hearsay | Self::Store(..) | Self::HandOver | Self::HandBack => {
                Protocol::Sync
            }
            Self::Ping(_) | Self::Forward(_) => Protocol::Call,
        }
    }
}

impl State {
    /// A peer sent what this build does not know.
    pub(super) fn note_other_version(&mut self, peer: Principal, what: &str) {
        self.note(peer, format!("it sent {what}"), false);
    }

    /// A peer does not support a protocol.
    pub(super) fn on_unsupported(&mut self, peer: Principal, protocol: Protocol) {
        let times = self.others.redialled.get(&peer).copied().unwrap_or_default();
        if protocol == Protocol::Join || times >= REDIALS_MAX {
            self.note(peer, format!("it does not speak {}", protocol.name()), true);
        }
    }

    fn note(&mut self, peer: Principal, what: String, lacks: bool) {
        let other = OtherVersion { addr: self.whereabouts(&peer), what };
        let news = self.others.note(peer, other.clone(), lacks);
        if news == News::First {
            self.notice(Notice::OtherVersion { addr: other.addr, what: other.what });
        }
        self.changed |= news != News::None;
    }

    /// Where a peer is: as dialled, as it states, or as it is seen.
    fn whereabouts(&self, peer: &Principal) -> String {
        let link = self.links.get(peer);
        let dialled = link.filter(|link| link.dialled).map(|link| link.addr.to_string());
        let seen = link.map(|link| link.addr.to_string());
        let stated = || self.addresses_of(peer).into_iter().next();
        dialled.or_else(stated).or(seen).unwrap_or_else(|| peer.short())
    }

    /// Peers that run another version of Crux, as far as this node knows; 64 at most.
    pub fn other_versions(&self) -> Vec<OtherVersion> {
        let current = self.others.named.values().filter(|named| named.current);
        current.map(|named| named.other.clone()).collect()
    }
}
