use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::fact::{Fact, Kind};
use crux_crdt::strew::Strew;
use crux_crdt::{Digest, Principal};
use rand::RngExt;
use rand::rngs::StdRng;

use super::aside::Aside;
use super::message::{Request, Response};
use super::output::{Merged, Output};
use super::places::Places;
use super::refused::Refused;
use super::roots::Roots;
use super::session::{Asking, Session, compare};
use super::{Config, Wanted};
use crate::context::Context;
use crate::link::ReplyId;
use crate::time::Instant;

/// A peer that waits for a place.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) theirs: Roots,
    pub(super) since: Instant,
}

/// The anti-entropy engine of one node. See the module for its invariant.
#[derive(Debug)]
pub struct State {
    pub(super) config: Config,
    context: Context,
    pub(super) linked: BTreeSet<Principal>,
    // Those that hold a place, and those that lost theirs.
    pub(super) sessions: BTreeMap<Principal, Session>,
    pub(super) places: Places,
    // Peers with other roots, waiting for a place.
    pub(super) waiting: BTreeMap<Principal, Waiting>,
    // When a place may be free for one of them.
    pub(super) place_at: Instant,
    // Peers that owe an answer to a session that was given up, and until when that is waited for.
    pub(super) owing: BTreeMap<Principal, Instant>,
    pub(super) refused: Refused,
    // Peers whose roots differed; looked at again when due.
    pub(super) doubted: BTreeMap<Principal, Instant>,
    // Peers that were asked for roots of which any difference counts at once.
    pressed: BTreeSet<Principal>,
    next_roots: Instant,
    announce_at: Option<Instant>,
    announced_at: Instant,
}

impl State {
    /// An engine without links. `seed`: of what is left to chance.
    pub fn new(config: Config, context: Context, seed: &[u8; 32], now: Instant) -> Self {
        let (next_roots, sessions_max) = (now + config.roots_period, config.sessions_max);
        Self {
            config,
            context,
            linked: BTreeSet::new(),
            sessions: BTreeMap::new(),
            places: Places::new(sessions_max, seed),
            waiting: BTreeMap::new(),
            place_at: Instant::NEVER,
            owing: BTreeMap::new(),
            refused: Refused::default(),
            doubted: BTreeMap::new(),
            pressed: BTreeSet::new(),
            next_roots,
            announce_at: None,
            announced_at: Instant::ORIGIN,
        }
    }

    /// A member is connected: compare roots at once.
    pub fn on_connected(&mut self, peer: Principal, strew: &Strew, aside: &Aside) -> Vec<Output> {
        self.linked.insert(peer);
        vec![self.press(peer, strew, aside)]
    }

    /// A member is gone; its session ends.
    pub fn on_disconnected(&mut self, peer: Principal, now: Instant, strew: &Strew) -> Vec<Output> {
        self.linked.remove(&peer);
        if self.sessions.remove(&peer).is_some() {
            self.places.leave(&peer, false, now);
        }
        self.waiting.remove(&peer);
        self.owing.remove(&peer);
        self.doubted.remove(&peer);
        self.pressed.remove(&peer);
        self.start_waiting(now, strew)
    }

    /// This replica has something that others should look for at once.
    pub fn announce_soon(&mut self, now: Instant) {
        let earliest = self.announced_at + self.config.announce_period;
        self.announce_at.get_or_insert(earliest.max(now));
    }

    /// A beacon shows another state than this node's.
    pub fn on_doubt(&mut self, peer: Principal, now: Instant) {
        if crux_crdt::planted!(NoRepair) {
            return;
        }
        if self.may_start_with(&peer, now) {
            self.doubted.entry(peer).or_insert(now + self.config.recheck_after);
        }
    }

    /// A peer is known to have what this node lacks: start a session without comparing roots.
    pub fn on_lacking(
        &mut self,
        peer: Principal,
        kind: Kind,
        now: Instant,
        strew: &Strew,
    ) -> Vec<Output> {
        if !self.may_start_with(&peer, now) {
            return Vec::new();
        }
        // A root of that set which no replica has, and no other one.
        self.wait(peer, Roots::new([(kind, Digest::default())]), now);
        self.start_waiting(now, strew)
    }

    /// There may be room again for what was not taken.
    pub fn on_room(&mut self) {
        self.refused.clear();
    }

    /// Others may be members now: what strangers said counts if one of them said it.
    pub fn on_members(&mut self) {
        self.refused.forget_strangers();
    }

    /// A peer waits for a place; one that did already, since when it did.
    fn wait(&mut self, peer: Principal, theirs: Roots, now: Instant) {
        let since = self.waiting.get(&peer).map_or(now, |waiting| waiting.since);
        self.waiting.insert(peer, Waiting { theirs, since });
    }

    fn may_start_with(&self, peer: &Principal, now: Instant) -> bool {
        let busy = self.sessions.contains_key(peer) || self.refused.is_resting(peer, now);
        self.linked.contains(peer) && !busy
    }

    /// A request came in. A malformed one is answered with nothing, so that
    /// nobody holds a place for it.
    pub fn on_request(
        &mut self,
        peer: Principal,
        id: ReplyId,
        body: &[u8],
        now: Instant,
        strew: &Strew,
        my_aside: &Aside,
    ) -> Vec<Output> {
        let request = match Request::decode(body) {
            Ok(request) => request,
            Err(error) => {
                let reply = Output::Reply { id, body: Vec::new() };
                return core::iter::once(reply).chain(unknown(peer, error.unknown())).collect();
            }
        };
        let body = match request {
            Request::Roots { roots, aside, urgent } => {
                let body = Response::encode_roots(&Roots::of(strew), my_aside);
                let mut out = vec![Output::Reply { id, body }, Output::Aside { peer, aside }];
                out.extend(self.on_roots(peer, roots, urgent, now, strew));
                return out;
            }
            Request::Ranges { kind, ranges } => {
                Response::encode_pieces(&compare(strew, kind, &ranges))
            }
            Request::Facts { kind, wanted } => {
                Response::encode_facts(kind, found(strew, kind, &wanted))
            }
            Request::Store(fact) => return vec![Output::Store { id, fact }],
            Request::Beacons(of) => return vec![Output::Tell { id, of }],
        };
        vec![Output::Reply { id, body }]
    }

    fn on_roots(
        &mut self,
        peer: Principal,
        theirs: Roots,
        urgent: bool,
        now: Instant,
        strew: &Strew,
    ) -> Vec<Output> {
        if theirs.agrees_with(&Roots::of(strew)) {
            self.doubted.remove(&peer);
            self.waiting.remove(&peer);
            if self.sessions.get(&peer).is_some_and(|session| !session.is_owed()) {
                // It waited for a place, and there is nothing left to fetch.
                self.sessions.remove(&peer);
            }
            return vec![Output::Complete { peer }];
        }
        if !self.may_start_with(&peer, now) {
            return Vec::new();
        }
        if urgent {
            self.wait(peer, theirs, now);
            return self.start_waiting(now, strew);
        }
        self.doubted.entry(peer).or_insert(now + self.config.recheck_after);
        Vec::new()
    }

    /// A response came in. A malformed one, or one that answers something else, ends the session.
    pub fn on_response(
        &mut self,
        peer: Principal,
        body: &[u8],
        now: Instant,
        strew: &Strew,
    ) -> Vec<Output> {
        if self.is_out_of_turn(&peer, body) {
            return self.on_failed(peer, now, strew);
        }
        // What was asked for: no signature of anything else is checked.
        let asked = self.sessions.get(&peer).map(Session::asked);
        let wanted = |key: &Digest| asked.is_none_or(|asked| asked.contains_key(key));
        match Response::decode_wanted(body, &self.context, wanted) {
            Ok(Response::Roots { roots, aside }) => {
                let mut out = vec![Output::Aside { peer, aside }];
                let urgent = self.pressed.remove(&peer);
                out.extend(self.on_roots(peer, roots, urgent, now, strew));
                out
            }
            Ok(Response::Pieces(pieces)) => self.on_pieces(peer, pieces, now, strew),
            Ok(Response::Facts { kind, facts }) if self.is_answer(peer, Asking::Facts(kind)) => {
                if let Some(session) = self.sessions.get_mut(&peer) {
                    session.on_facts(kind, &facts, strew);
                }
                vec![Output::Merge { peer, facts }]
            }
            // This engine asks for neither of the rest.
            Ok(_) => self.on_failed(peer, now, strew),
            Err(error) => {
                let mut out = self.on_failed(peer, now, strew);
                out.extend(unknown(peer, error.unknown()));
                out
            }
        }
    }

    /// A request failed, or its answer was malformed: the session ends, and the next comparison of
    /// roots starts another.
    pub fn on_failed(&mut self, peer: Principal, now: Instant, strew: &Strew) -> Vec<Output> {
        self.pressed.remove(&peer);
        self.owing.remove(&peer);
        if self.sessions.remove(&peer).is_some() {
            self.places.leave(&peer, false, now);
        }
        self.start_waiting(now, strew)
    }

    /// Goes on after a merge.
    pub fn resume(
        &mut self,
        peer: Principal,
        merged: Merged,
        now: Instant,
        strew: &Strew,
    ) -> Vec<Output> {
        if merged.brought {
            self.announce_soon(now);
        }
        let none = BTreeMap::new();
        let values = self.sessions.get(&peer).map_or(&none, Session::asked);
        self.refused.note(peer, merged, values, now);
        if let Some(session) = self.sessions.get_mut(&peer) {
            session.on_merged(strew);
        }
        self.go_on(peer, now, strew)
    }

    /// Does what is due.
    pub fn on_wake(
        &mut self,
        now: Instant,
        strew: &Strew,
        aside: &Aside,
        rng: &mut StdRng,
    ) -> Vec<Output> {
        self.expire(now);
        let mut out = self.start_waiting(now, strew);
        if self.announce_at.is_some_and(|at| at <= now) {
            self.announce_at = None;
            self.announced_at = now;
            let linked = self.linked.clone();
            out.extend(linked.into_iter().map(|peer| self.press(peer, strew, aside)));
        }
        let due: Vec<_> =
            self.doubted.iter().filter(|(_, at)| **at <= now).map(|(peer, _)| *peer).collect();
        for peer in due {
            self.doubted.remove(&peer);
            out.push(self.press(peer, strew, aside));
        }
        if self.next_roots <= now {
            self.next_roots = now + self.config.roots_period;
            if !self.linked.is_empty() && !crux_crdt::planted!(NoRepair) {
                let chosen = rng.random_range(0..self.linked.len());
                let peer = self.linked.iter().nth(chosen).copied();
                out.extend(peer.map(|peer| ask_roots(peer, strew, aside, false)));
            }
        }
        out
    }

    fn press(&mut self, peer: Principal, strew: &Strew, aside: &Aside) -> Output {
        self.pressed.insert(peer);
        ask_roots(peer, strew, aside, true)
    }

    /// When [`State::on_wake`] has something to do.
    pub fn deadline(&self) -> Instant {
        let doubted = self.doubted.values().copied().min().unwrap_or(Instant::NEVER);
        let overdue = self.sessions.values().map(Session::overdue_at);
        let late = overdue.chain(self.owing.values().copied()).min().unwrap_or(Instant::NEVER);
        let announce = self.announce_at.unwrap_or(Instant::NEVER);
        self.next_roots.min(announce).min(doubted).min(self.place_at).min(late)
    }

    /// How many comparisons run, wait or are due again.
    pub fn under_way(&self) -> usize {
        let due = self.doubted.len() + self.pressed.len();
        self.sessions.len() + self.waiting.len() + self.owing.len() + due
    }

    /// Whether any session runs.
    pub fn is_busy(&self) -> bool {
        !self.sessions.is_empty()
    }
}

/// That a peer is of another version, if what it sent says so.
fn unknown(peer: Principal, unknown: Option<(&'static str, u8)>) -> Option<Output> {
    let (what, found) = unknown?;
    Some(Output::OtherVersion { peer, what: format!("{what} {found}") })
}

fn ask_roots(peer: Principal, strew: &Strew, aside: &Aside, urgent: bool) -> Output {
    let request = Request::Roots { roots: Roots::of(strew), aside: aside.clone(), urgent };
    Output::Send { peer, request }
}

/// What is here of what is wanted, less what is held there as it is here. Each key counts once, and no more of them
/// than an honest peer asks for.
fn found<'a>(strew: &Strew, kind: Kind, wanted: &'a [Wanted]) -> Vec<(Fact, &'a Wanted)> {
    let mut seen = BTreeSet::new();
    let found =
        wanted.iter().filter(|want| seen.insert(want.key)).take(kind.fetched_max()).flat_map(
            |want| strew.under(kind, &want.key).into_iter().map(move |fact| (fact, want)),
        );
    let held = |fact: &Fact, want: &Wanted| {
        let id = fact.id();
        id.0.first_chunk().is_some_and(|head| want.held.binary_search(head).is_ok())
    };
    found.filter(|(fact, want)| !held(fact, want)).collect()
}
