//! Links: who is connected, and what comes in over a link.

use std::time::Duration;

use crux_crdt::Principal;

use super::state::{Link, Route, State};
use crate::link::{self, Protocol, RequestFailure, RequestId};
use crate::time::Instant;

/// How long a link whose gate is closed is left alone, so that a handshake can end first.
const TEND_AFTER: Duration = Duration::from_millis(700);
/// How long a link stands at least before it is made anew because the other gate is closed: a peer
/// whose gate never opens is not dialled in a loop.
const SHUT_REST: Duration = Duration::from_millis(100);
/// How long until a link to a stranger is looked at again.
const STRANGER_REST: Duration = Duration::from_secs(10);

impl State {
    pub(super) fn on_link(&mut self, event: link::Event, now: Instant) {
        match event {
            link::Event::Dialled { id, peer, .. } => self.on_dialled(id, peer, now),
            link::Event::DialFailed { id, failure } => self.on_dial_failed(id, failure, now),
            link::Event::Connected { peer, addr, outbound, member } => {
                let tend_at = now + TEND_AFTER;
                let (open, dialled, since) = (member, outbound, now);
                let link = Link { addr, open, dialled, since, tend_at, shut: false };
                self.on_connected(peer, link, now);
            }
            link::Event::Disconnected { peer } => self.on_disconnected(peer, now),
            link::Event::Gossip { id, topic, from, data } => {
                let verdict = self.on_gossip(topic, from, &data, now);
                self.link(link::Command::Judge { id, verdict });
            }
            link::Event::Request { id, peer, protocol, body } => {
                self.on_request(id, peer, protocol, &body, now);
            }
            link::Event::Response { id, peer, body } => self.on_response(id, peer, &body, now),
            link::Event::RequestFailed { id, peer, failure } => {
                self.on_request_failed(id, peer, failure, now);
            }
            link::Event::Beat { peer, incarnation, counter } => {
                let outputs = self.liveness.on_beat(peer, (incarnation, counter), now);
                self.act_on_liveness(outputs, now);
            }
            link::Event::Found { peer, addrs } => self.on_found(peer, &addrs),
            // The blob mover's.
            link::Event::Replied { .. }
            | link::Event::Provided { .. }
            | link::Event::Providers { .. } => {}
        }
    }

    fn on_connected(&mut self, peer: Principal, link: Link, now: Instant) {
        self.links.insert(peer, link);
        self.others.on_connected(&peer);
        if link.open {
            self.compare_with(peer, now);
            let outputs = self.liveness.on_connected(peer, now);
            self.act_on_liveness(outputs, now);
            self.ask_to_store_what_waits(peer);
            self.recall(peer, now);
            self.send_what_waits(peer);
        }
    }

    pub(super) fn compare_with(&mut self, peer: Principal, now: Instant) {
        let aside = self.aside_for(&peer, now);
        let outputs = self.sync.on_connected(peer, &self.strew, &aside);
        self.act_on_sync(outputs, now);
    }

    fn on_disconnected(&mut self, peer: Principal, now: Instant) {
        self.links.remove(&peer);
        self.join.on_disconnected(peer);
        let outputs = self.sync.on_disconnected(peer, now, &self.strew);
        self.act_on_sync(outputs, now);
        let outputs = self.liveness.on_disconnected(peer);
        self.act_on_liveness(outputs, now);
    }

    fn on_request(
        &mut self,
        id: link::ReplyId,
        peer: Principal,
        protocol: Protocol,
        body: &[u8],
        now: Instant,
    ) {
        match protocol {
            Protocol::Join => self.on_join_request(peer, id, body, now),
            Protocol::Sync => {
                let aside = self.aside_for(&peer, now);
                let outputs = self.sync.on_request(peer, id, body, now, &self.strew, &aside);
                self.act_on_sync(outputs, now);
            }
            Protocol::Call => self.on_call(peer, id, body, now),
            Protocol::Pastiche => {} // The blob mover's.
        }
    }

    fn on_response(&mut self, id: RequestId, peer: Principal, body: &[u8], now: Instant) {
        let route = self.requests.remove(&id);
        if route.is_some_and(|route| route.protocol() == Protocol::Sync) {
            self.others.on_served(&peer);
        }
        match route {
            Some(Route::Join { calling }) => self.on_join_response(peer, calling, body, now),
            Some(Route::Sync) => {
                let outputs = self.sync.on_response(peer, body, now, &self.strew);
                self.act_on_sync(outputs, now);
            }
            Some(Route::Hearsay) => self.on_hearsay(peer, body, now),
            Some(Route::Store(wait, fact)) => self.on_stored((wait, fact), peer, body),
            Some(Route::HandOver) => self.on_handed_over(body, now),
            Some(Route::Ping(ping)) => self.on_ping_answer(ping, peer, Some(body), now),
            Some(Route::Forward(control)) => self.on_forward_answer(control, Some(body)),
            Some(Route::HandBack) => self.on_handed_back(peer, now),
            None => {}
        }
    }

    pub(super) fn on_request_failed(
        &mut self,
        id: RequestId,
        peer: Principal,
        failure: RequestFailure,
        now: Instant,
    ) {
        let route = self.requests.remove(&id);
        if failure == RequestFailure::Unsupported {
            self.on_shut(peer, route.map(Route::protocol), now);
        }
        match route {
            Some(Route::Join { calling }) => {
                let outputs = self.join.on_failed(peer, calling);
                self.act_on_join(outputs, now);
            }
            Some(Route::Sync) => {
                let outputs = self.sync.on_failed(peer, now, &self.strew);
                self.act_on_sync(outputs, now);
            }
            Some(Route::Hearsay) => self.hearing = false,
            Some(Route::Ping(ping)) => self.on_ping_failed(ping, peer, failure, now),
            Some(Route::Forward(control)) => self.on_forward_answer(control, None),
            Some(Route::HandBack) => self.on_not_handed_back(peer, now),
            Some(Route::Store(..) | Route::HandOver) | None => {}
        }
    }

    /// A peer does not support a protocol: its gate was closed when this link was made, or it is of another
    /// version. That one is left alone for a while.
    fn on_shut(&mut self, peer: Principal, protocol: Option<Protocol>, now: Instant) {
        protocol.into_iter().for_each(|protocol| self.on_unsupported(peer, protocol));
        let other = self.others.lacks(&peer);
        let Some(link) = self.links.get_mut(&peer) else { return };
        link.shut |= protocol != Some(Protocol::Join);
        let other = other || protocol == Some(Protocol::Join);
        let rest = if other { now + STRANGER_REST } else { link.since + SHUT_REST };
        link.tend_at = now.max(rest);
    }

    /// Looks after links on which a gate is closed.
    pub(super) fn tend_links(&mut self, now: Instant) {
        let due: Vec<_> = self
            .links
            .iter()
            .filter(|(_, link)| (!link.open || link.shut) && link.tend_at <= now)
            .map(|(peer, _)| *peer)
            .collect();
        for peer in due {
            let known = self.strew.membership().contains(&peer);
            let busy = self.join.is_busy_with(&peer);
            let Some(link) = self.links.get_mut(&peer) else { continue };
            link.tend_at = now + TEND_AFTER;
            let outstayed = !known && now.since(link.since) >= STRANGER_REST;
            if busy {
                // Its handshake has a patience of its own.
            } else if outstayed {
                self.link(link::Command::Disconnect { peer });
            } else if known || link.dialled {
                let outputs = self.join.knock(peer, known, now);
                self.act_on_join(outputs, now);
            }
        }
    }

    pub(super) fn tend_deadline(&self) -> Instant {
        let links = self.links.values().filter(|link| !link.open || link.shut);
        links.map(|link| link.tend_at).min().unwrap_or(Instant::NEVER)
    }
}
