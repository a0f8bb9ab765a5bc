//! Dials: whom this node wants to be linked to, and what comes of it.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crux_crdt::Principal;

use super::command::Notice;
use super::prune::is_within_reach;
use super::state::State;
use crate::dial::{self, Purpose};
use crate::link::{self, DialFailure, DialId};
use crate::time::Instant;

impl State {
    pub(super) fn on_dialled(&mut self, id: DialId, peer: Principal, now: Instant) {
        let Some(request) = self.dials.remove(&id) else { return };
        self.dial.on_dialled(request.purpose, peer, now);
        if request.purpose == Purpose::Call(peer) {
            let outputs = self.join.on_called(peer, true);
            self.act_on_join(outputs, now);
            return;
        }
        let known = self.strew.membership().contains(&peer);
        let Some(link) = self.links.get_mut(&peer) else { return };
        let was_shut = std::mem::replace(&mut link.shut, false);
        link.dialled = true;
        if link.open {
            // A second link may have opened beside one whose other gate was closed.
            self.send_what_waits(peer);
            if was_shut {
                // Or that one is closed, too, which only shows when it is used.
                self.compare_with(peer, now);
                self.recall(peer, now);
            }
        } else if !self.join.is_busy_with(&peer) {
            let outputs = self.join.knock(peer, known, now);
            self.act_on_join(outputs, now);
        }
    }

    pub(super) fn on_dial_failed(&mut self, id: DialId, failure: DialFailure, now: Instant) {
        let Some(request) = self.dials.remove(&id) else { return };
        let seed = self.dial.on_failed(request.purpose, failure, now, &mut self.rng);
        if let Some(seed) = seed {
            self.changed = true;
            self.notice(Notice::Seed(seed));
        }
        if failure == DialFailure::OtherFlock {
            let addr = request.addrs.join(", ");
            self.notice(Notice::OtherFlock { addr });
        }
        match request.purpose {
            Purpose::Call(peer) => {
                let outputs = self.join.on_called(peer, false);
                self.act_on_join(outputs, now);
            }
            Purpose::Probe(peer) | Purpose::Wanted(peer) if is_refused(failure) => {
                let outputs = self.liveness.on_refused(peer, now);
                self.act_on_liveness(outputs, now);
            }
            Purpose::Dead(peer) => self.link(link::Command::Find { peer }),
            _ => {}
        }
    }

    /// The address book knows other places of a dead member than its profile does.
    pub(super) fn on_found(&mut self, peer: Principal, addrs: &[SocketAddr]) {
        let known = self.addresses_of(&peer);
        let news: Vec<_> =
            addrs.iter().map(ToString::to_string).filter(|addr| !known.contains(addr)).collect();
        if !news.is_empty() && !self.links.contains_key(&peer) {
            let purpose = Purpose::Redial(peer);
            self.dial(dial::Request { purpose, addrs: news, expect: Some(peer) });
        }
    }

    /// Where a member says it is.
    pub(super) fn addresses_of(&self, peer: &Principal) -> Vec<String> {
        let record = self.strew.record(peer);
        record
            .map(|record| record.profile().addresses.iter().map(ToString::to_string).collect())
            .unwrap_or_default()
    }

    pub(super) fn dial_what_is_due(&mut self, now: Instant) {
        let requests = self.with_dial_facts(|dial, facts, rng| dial.on_wake(now, facts, rng));
        requests.into_iter().for_each(|request| self.dial(request));
    }

    pub(super) fn dial_deadline(&mut self) -> Instant {
        self.with_dial_facts(|dial, facts, _| dial.deadline(facts))
    }

    fn with_dial_facts<T>(
        &mut self,
        call: impl FnOnce(&mut dial::State, &dial::Facts<'_>, &mut rand::rngs::StdRng) -> T,
    ) -> T {
        let wanted = self.wanted.take().unwrap_or_else(|| self.find_wanted());
        let (strew, links, liveness) = (&self.strew, &self.links, &self.liveness);
        let facts = dial::Facts {
            is_linked: &|peer| links.contains_key(peer),
            is_within_reach: &|peer| is_within_reach(links, liveness, peer),
            wanted: &wanted,
            dead: &self.dead_since,
            links: links.len(),
            live: liveness.live(),
            others: &|| liveness.others().collect(),
            addrs: &|peer| {
                let record = strew.record(peer);
                let addresses = record.map(|record| record.profile().addresses.iter());
                addresses.into_iter().flatten().map(ToString::to_string).collect()
            },
        };
        let result = call(&mut self.dial, &facts, &mut self.rng);
        self.wanted = Some(wanted);
        result
    }

    /// The members to be connected to. Remembered until a member changes.
    pub(super) fn find_wanted(&self) -> BTreeSet<Principal> {
        let mut wanted = self.liveness.observed().clone();
        wanted.extend(self.liveness.observers_of_me());
        wanted.extend(self.waiting.values().map(|call| call.peer));
        wanted.extend(self.reached.keys());
        wanted
    }
}

/// Whether a failure is evidence that a member does not run there. A connection that was closed is
/// none: a peer that makes room for others closes it, too.
const fn is_refused(failure: DialFailure) -> bool {
    matches!(failure, DialFailure::Refused | DialFailure::WrongPeer { .. })
}
