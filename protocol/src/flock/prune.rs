//! Links that nobody needs are closed.
//!
//! **Invariant**: a link to whom this node observes, by whom it is observed, or whom it calls, is not
//! closed here; others are while there are more than [`LINKS_KEPT`], half of the surplus a second.
//!
//! Gossip keeps every connection open that ever was, so with the dials at the start, joins and calls a
//! node of a large flock would end with a link to each other one, and advertise its gossip to a tenth
//! of them. The observers alone link the flock well: sixteen links each, at random.

use core::time::Duration;
use std::collections::BTreeMap;

use crux_crdt::Principal;
use rand::seq::IteratorRandom;

use super::state::{Link, State};
use crate::link;
use crate::liveness::{self, Liveness};
use crate::time::Instant;

/// How many links a node of a large flock keeps: those of its observers and some more, so that a few
/// deaths at once leave it well linked. From the design, page 09.
const LINKS_KEPT: usize = 24;
/// How often links are closed.
const PRUNE_EVERY: Duration = Duration::from_secs(1);
/// How long a link stays open at least. What it was made for, a join, a call or a first look at the other
/// replica, has begun by then.
const PRUNE_AFTER: Duration = Duration::from_secs(5);
/// One in so many surplus links is closed at a time: gossip finds others by its next heartbeat.
const PRUNE_ONE_IN: usize = 2;

impl State {
    /// Closes some of the links that are too many. Whether one is in use the adapter knows.
    pub(super) fn prune_links(&mut self, now: Instant) {
        let surplus = self.links.len().saturating_sub(LINKS_KEPT);
        if surplus == 0 || now < self.prune_at {
            return;
        }
        self.prune_at = now + PRUNE_EVERY;
        let wanted = self.find_wanted();
        let idle = self.links.iter().filter(|(peer, link)| {
            link.open && now.since(link.since) >= PRUNE_AFTER && !wanted.contains(*peer)
        });
        let idle = idle.map(|(peer, _)| *peer);
        let chosen: Vec<Principal> = idle.sample(&mut self.rng, surplus.div_ceil(PRUNE_ONE_IN));
        for peer in chosen {
            self.link(link::Command::Release { peer });
        }
    }

    pub(super) fn prune_deadline(&self) -> Instant {
        if self.links.len() > LINKS_KEPT { self.prune_at } else { Instant::NEVER }
    }
}

/// Whether somebody need not be dialled to find the flock: it is linked, or it lives and enough
/// others are. Else each of thousands would keep a link to the one that all were told of.
pub(super) fn is_within_reach(
    links: &BTreeMap<Principal, Link>,
    liveness: &liveness::State,
    peer: &Principal,
) -> bool {
    let lives = || liveness.liveness(peer) != Liveness::Dead;
    links.contains_key(peer) || (links.len() >= LINKS_KEPT / 2 && lives())
}
