//! Links: who is connected, who is dialled, who is joining.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crux_crdt::Principal;
use crux_crdt::act::{Act, NUMBER_LIMIT, Statement};
use crux_crdt::sign::Signed;

use super::command::Notice;
use super::state::{Link, Route, State};
use crate::author::{Change, Origin};
use crate::dial::{self, Purpose};
use crate::join::{self, Hello, Refusal};
use crate::link::{self, DialFailure, DialId, Protocol, RequestFailure, RequestId};
use crate::liveness::Liveness;
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
        if link.open {
            let beacon = self.liveness.beacon().to_vec();
            let outputs = self.sync.on_connected(peer, &self.strew, &beacon);
            self.act_on_sync(outputs, now);
            let outputs = self.liveness.on_connected(peer, now);
            self.act_on_liveness(outputs, now);
            self.ask_to_store_what_waits(peer);
            self.send_what_waits(peer);
        }
    }

    fn on_disconnected(&mut self, peer: Principal, now: Instant) {
        self.links.remove(&peer);
        self.join.on_disconnected(peer);
        let outputs = self.sync.on_disconnected(peer, &self.strew);
        self.act_on_sync(outputs, now);
        let outputs = self.liveness.on_disconnected(peer);
        self.act_on_liveness(outputs, now);
    }

    fn on_dialled(&mut self, id: DialId, peer: Principal, now: Instant) {
        let Some(request) = self.dials.remove(&id) else { return };
        self.dial.on_dialled(request.purpose, peer, now);
        if request.purpose == Purpose::Call(peer) {
            let outputs = self.join.on_called(peer, true);
            self.act_on_join(outputs, now);
            return;
        }
        let known = self.strew.membership().contains(&peer);
        let Some(link) = self.links.get_mut(&peer) else { return };
        (link.shut, link.dialled) = (false, true);
        if link.open {
            // A second link may have opened beside one whose other gate was closed.
            self.send_what_waits(peer);
        } else if !self.join.is_busy_with(&peer) {
            let outputs = self.join.knock(peer, known, now);
            self.act_on_join(outputs, now);
        }
    }

    fn on_dial_failed(&mut self, id: DialId, failure: DialFailure, now: Instant) {
        let Some(request) = self.dials.remove(&id) else { return };
        self.dial.on_failed(request.purpose, failure, now, &mut self.rng);
        if failure == DialFailure::Handshake {
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
    fn on_found(&mut self, peer: Principal, addrs: &[SocketAddr]) {
        let known = self.addresses_of(&peer);
        let news: Vec<_> =
            addrs.iter().map(ToString::to_string).filter(|addr| !known.contains(addr)).collect();
        if !news.is_empty() && !self.links.contains_key(&peer) {
            let purpose = Purpose::Redial(peer);
            self.dial(dial::Request { purpose, addrs: news, expect: Some(peer) });
        }
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
                let beacon = self.liveness.beacon().to_vec();
                let outputs = self.sync.on_request(peer, id, body, now, &self.strew, &beacon);
                self.act_on_sync(outputs, now);
            }
            Protocol::Call => self.on_call(peer, id, body, now),
            Protocol::Pastiche => {} // The blob mover's.
        }
    }

    fn on_response(&mut self, id: RequestId, peer: Principal, body: &[u8], now: Instant) {
        match self.requests.remove(&id) {
            Some(Route::Join { calling }) => self.on_join_response(peer, calling, body, now),
            Some(Route::Sync) => {
                let outputs = self.sync.on_response(peer, body, now, &self.strew);
                self.act_on_sync(outputs, now);
            }
            Some(Route::Store(wait)) => self.on_stored(wait, peer, body),
            Some(Route::Ping(ping)) => self.on_ping_answer(ping, peer, Some(body), now),
            Some(Route::Forward(control)) => self.on_forward_answer(control, Some(body)),
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
        if failure == RequestFailure::Unsupported
            && let Some(link) = self.links.get_mut(&peer)
        {
            // The peer's gate was closed when this link was made.
            link.shut = true;
            link.tend_at = now.max(link.since + SHUT_REST);
        }
        match self.requests.remove(&id) {
            Some(Route::Join { calling }) => {
                let outputs = self.join.on_failed(peer, calling);
                self.act_on_join(outputs, now);
            }
            Some(Route::Sync) => {
                let outputs = self.sync.on_failed(peer, &self.strew);
                self.act_on_sync(outputs, now);
            }
            Some(Route::Ping(ping)) => self.on_ping_answer(ping, peer, None, now),
            Some(Route::Forward(control)) => self.on_forward_answer(control, None),
            Some(Route::Store(_)) | None => {}
        }
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

    fn on_join_request(&mut self, peer: Principal, id: link::ReplyId, body: &[u8], now: Instant) {
        let outputs = self
            .with_join_facts(|join, facts, rng| join.on_request(peer, id, body, now, facts, rng));
        self.act_on_join(outputs, now);
    }

    fn on_join_response(&mut self, peer: Principal, calling: bool, body: &[u8], now: Instant) {
        let outputs = self.with_join_facts(|join, facts, rng| {
            join.on_response(peer, calling, body, now, facts, rng)
        });
        self.act_on_join(outputs, now);
    }

    fn with_join_facts<T>(
        &mut self,
        call: impl FnOnce(&mut join::State, &join::Facts<'_>, &mut rand::rngs::StdRng) -> T,
    ) -> T {
        let own = &self.author.committed().profile;
        let hello = Hello {
            nonce: [0; 32],
            name: own.name.clone(),
            addresses: own.addresses.clone(),
            agreement_key: own.agreement_key,
            incarnation: self.author.incarnation(),
            alone: self.is_alone(),
        };
        let (liveness, links) = (&self.liveness, &self.links);
        let facts = join::Facts {
            strew: &self.strew,
            names: &self.names,
            is_alive: &|member| liveness.liveness(member) != Liveness::Dead,
            hello,
            seen_from: &|peer| links.get(peer).map(|link| link.addr.ip()),
        };
        call(&mut self.join, &facts, &mut self.rng)
    }

    pub(super) fn act_on_join(&mut self, outputs: Vec<join::Output>, now: Instant) {
        for output in outputs {
            match output {
                join::Output::Send { peer, request } => {
                    let calling = matches!(request, join::Request::Callback { .. });
                    self.send(peer, Protocol::Join, request.encode(), Route::Join { calling });
                }
                join::Output::Reply { id, response } => self.reply(id, response.encode()),
                join::Output::Call { peer, addrs } => {
                    let addrs = addrs.iter().map(ToString::to_string).collect();
                    let purpose = Purpose::Call(peer);
                    self.dial(dial::Request { purpose, addrs, expect: Some(peer) });
                }
                join::Output::Admit { peer, retire, joining, yields } => {
                    if yields {
                        self.leave_claim_behind(now);
                    }
                    self.admit(peer, retire, joining, now);
                }
                join::Output::Merge(acts) => _ = self.merge_acts(acts, now),
                join::Output::Keep(act) => self.keep_welcome(act),
                join::Output::Redial(peer) => self.redial(peer),
                join::Output::Failed { peer, refusal, joining } => {
                    self.on_join_failed(peer, refusal, joining, now);
                }
            }
        }
    }

    fn admit(&mut self, peer: Principal, retire: Option<Principal>, joining: bool, now: Instant) {
        let generation = self.strew.membership().next_generation();
        let statement = Statement::Admit { subject: peer, generation };
        if let Some(subject) = retire {
            self.retire(subject, Origin::Internal);
        }
        if let Some(act) = self.own_admission_of(peer) {
            // Who comes again, having lost its disk or having nothing better to do, gets the same.
            let outputs = self.join.on_signed(peer, joining, Some(act));
            self.act_on_join(outputs, now);
            return;
        }
        let origin = Origin::Join { peer, joining };
        if !self.author.push(origin, Change::Act(statement)) {
            let outputs = self.join.on_signed(peer, joining, None);
            self.act_on_join(outputs, now);
        }
    }

    /// A join changes no leader: who comes alone leaves its own claim behind, though it be on its way
    /// to the disk, and makes no other before it knows whom it came to.
    fn leave_claim_behind(&mut self, now: Instant) {
        if !self.is_alone() {
            return;
        }
        let claims = self.author.committed().profile.claim > 0
            || self.author.is_pending(|change| matches!(change, Change::Claim(_)));
        if claims {
            self.author.push(Origin::Internal, Change::StandDown);
        }
        self.leader.hold_off(now);
    }

    fn own_admission_of(&self, peer: Principal) -> Option<Arc<Signed<Act>>> {
        let me = self.context.me;
        let mut acts = self.strew.acts();
        acts.find(|act| act.author() == me && join::admits(act, peer)).cloned()
    }

    fn is_alone(&self) -> bool {
        self.strew.membership().members().nth(1).is_none()
    }

    pub(super) fn retire(&mut self, subject: Principal, origin: Origin) -> bool {
        let incarnation = self.strew.record(&subject).map_or(0, |r| r.marker().incarnation);
        let statement = Statement::Retire { subject, incarnation };
        // One that no peer would take in must not be signed: replicas would differ for ever.
        incarnation < NUMBER_LIMIT && self.author.push(origin, Change::Act(statement))
    }

    /// Closes what there is and dials anew, so that both gates are looked at again.
    fn redial(&mut self, peer: Principal) {
        if self.links.get(&peer).is_some_and(|link| link.open && !link.shut) {
            return;
        }
        let mut addrs = self.addresses_of(&peer);
        if addrs.is_empty()
            && let Some(link) = self.links.get(&peer)
        {
            addrs.push(link.addr.to_string());
        }
        self.refresh_members();
        self.link(link::Command::Disconnect { peer });
        let purpose = Purpose::Redial(peer);
        self.dial(dial::Request { purpose, addrs, expect: Some(peer) });
    }

    fn on_join_failed(&mut self, peer: Principal, refusal: Refusal, joining: bool, now: Instant) {
        if self.strew.membership().contains(&peer) {
            // The handshake the other way round was faster.
            return;
        }
        self.notice(Notice::JoinFailed { peer, refusal, joining });
        if joining && !self.join.is_busy_with(&peer) {
            self.dial.on_refused(peer, now);
            self.link(link::Command::Disconnect { peer });
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
        let (strew, links) = (&self.strew, &self.links);
        let facts = dial::Facts {
            is_linked: &|peer| links.contains_key(peer),
            wanted: &wanted,
            dead: &self.dead_since,
            live: self.liveness.live(),
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
}

impl State {
    /// Whom to be linked to. Remembered until a member changes.
    fn find_wanted(&self) -> BTreeSet<Principal> {
        let mut wanted = self.liveness.observed().clone();
        wanted.extend(self.liveness.observers_of_me());
        wanted.extend(self.waiting.values().map(|call| call.peer));
        wanted.extend(self.reached.keys());
        wanted
    }
}

const fn is_refused(failure: DialFailure) -> bool {
    matches!(failure, DialFailure::Refused | DialFailure::WrongPeer { .. })
}
