//! Sessions: which goes on, which waits, and which is given up. [`Places`](super::places) decides.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crux_crdt::Principal;
use crux_crdt::fact::Kind;
use crux_crdt::strew::Strew;

use super::message::Piece;
use super::output::Output;
use super::places::{Place, Waiter};
use super::roots::Roots;
use super::session::{ANSWER_WITHIN, Asking, PARKED_ITEMS_MAX, Session};
use super::state::{State, Waiting};
use crate::time::Instant;

impl State {
    /// Whether this is what the peer owes. What it owes to a session that was given up is as good.
    pub(super) fn is_answer(&mut self, peer: Principal, what: Asking) -> bool {
        match self.sessions.get_mut(&peer) {
            Some(session) => session.on_answer(what),
            None => self.owing.remove(&peer).is_some(),
        }
    }

    /// Whether this is an answer with signatures to something that was not asked. None of them is checked.
    pub(super) fn is_out_of_turn(&self, peer: &Principal, body: &[u8]) -> bool {
        let asking = self.sessions.get(peer).map(Session::asking);
        let owed = self.owing.contains_key(peer);
        Asking::of(body).is_some_and(|what| asking.map_or(!owed, |asking| asking != Some(what)))
    }

    pub(super) fn on_pieces(
        &mut self,
        peer: Principal,
        pieces: Vec<Piece>,
        now: Instant,
        strew: &Strew,
    ) -> Vec<Output> {
        self.refused.expire(now);
        let session = self.sessions.get_mut(&peer);
        let answered = session.and_then(|session| {
            let asked = |kind: &Kind| session.on_answer(Asking::Pieces(*kind));
            let kind = Kind::KNOWN.iter().copied().find(asked)?;
            session.on_pieces(kind, pieces, strew, &self.refused);
            Some(())
        });
        match answered {
            Some(()) => self.go_on(peer, now, strew),
            None => self.on_failed(peer, now, strew),
        }
    }

    /// Asks the next thing, if the session has its place; else it waits for one.
    pub(super) fn go_on(&mut self, peer: Principal, now: Instant, strew: &Strew) -> Vec<Output> {
        let Some(session) = self.sessions.get_mut(&peer) else {
            return self.start_waiting(now, strew);
        };
        if !self.places.holds(&peer) {
            let waits = || Waiting { theirs: Roots::of(strew), since: now };
            self.waiting.entry(peer).or_insert_with(waits);
            self.limit_parked(now);
            return self.start_waiting(now, strew);
        }
        if let Some(request) = session.next(strew, now) {
            return vec![Output::Send { peer, request }];
        }
        let mut out = self.end(peer, now);
        out.extend(self.start_waiting(now, strew));
        out
    }

    /// A session that owes nothing has nothing more to ask.
    fn end(&mut self, peer: Principal, now: Instant) -> Vec<Output> {
        let well = self.sessions.remove(&peer).is_some_and(|session| session.is_well());
        self.places.leave(&peer, well, now);
        if well { vec![Output::Complete { peer }] } else { Vec::new() }
    }

    /// Gives the places there are to those who wait.
    pub(super) fn start_waiting(&mut self, now: Instant, strew: &Strew) -> Vec<Output> {
        let mut out = Vec::new();
        while let Some((peer, place)) = self.next_place(now) {
            if place == Place::OfAnother {
                self.limit_parked(now);
            }
            out.extend(self.start(peer, now, strew));
        }
        let due = self.places.due(ready(&self.waiting, &self.owing), now);
        self.place_at = due.unwrap_or(Instant::NEVER);
        out
    }

    /// Starts the session of a peer that has a place now, or goes on with the one that lost its place.
    fn start(&mut self, peer: Principal, now: Instant, strew: &Strew) -> Vec<Output> {
        let Some(Waiting { theirs, .. }) = self.waiting.remove(&peer) else { return Vec::new() };
        let mine = Roots::of(strew);
        let session = match self.sessions.entry(peer) {
            Entry::Occupied(parked) => parked.into_mut(),
            Entry::Vacant(_) if theirs.agrees_with(&mine) => {
                // No session, so nothing about how it ended.
                let well = self.places.is_well(&peer);
                self.places.leave(&peer, well, now);
                return Vec::new();
            }
            Entry::Vacant(none) => none.insert(Session::new(&mine, &theirs)),
        };
        match session.next(strew, now) {
            Some(request) => vec![Output::Send { peer, request }],
            None => self.end(peer, now),
        }
    }

    fn next_place(&mut self, now: Instant) -> Option<(Principal, Place)> {
        self.places.next(ready(&self.waiting, &self.owing), &self.linked, now)
    }

    /// A session without a place goes on where it was when it has one again, unless all of them remember
    /// too much: then the one that remembers most is given up. A peer that stalls has no means against
    /// one whose differences are few: its own session is the heavier one.
    fn limit_parked(&mut self, now: Instant) {
        let places = &self.places;
        let parked = || self.sessions.iter().filter(|(peer, _)| !places.holds(peer));
        let mut items: usize = parked().map(|(_, session)| session.items()).sum();
        if items <= PARKED_ITEMS_MAX {
            return;
        }
        let mut parked: Vec<_> = parked().map(|(peer, it)| (it.items(), *peer)).collect();
        parked.sort_unstable();
        while items > PARKED_ITEMS_MAX
            && let Some((most, peer)) = parked.pop()
        {
            items -= most;
            self.give_up(peer, now);
        }
    }

    /// Gives up a session. A new one starts when its answer came, or did not in time.
    fn give_up(&mut self, peer: Principal, now: Instant) {
        if let Some(session) = self.sessions.remove(&peer)
            && session.is_owed()
        {
            self.owing.insert(peer, now + ANSWER_WITHIN);
        }
        self.places.leave(&peer, false, now);
        self.waiting.remove(&peer);
        self.doubted.entry(peer).or_insert(now + self.config.recheck_after);
    }

    /// Gives up what is overdue.
    pub(super) fn expire(&mut self, now: Instant) {
        self.owing.retain(|_, until| *until > now);
        let late = self.sessions.iter().filter(|(_, session)| session.is_overdue(now));
        for peer in late.map(|(peer, _)| *peer).collect::<Vec<_>>() {
            self.sessions.remove(&peer);
            self.places.leave(&peer, false, now);
        }
    }
}

/// Those who wait and owe nothing to a session that was given up.
fn ready<'a>(
    waiting: &'a BTreeMap<Principal, Waiting>,
    owing: &'a BTreeMap<Principal, Instant>,
) -> impl Iterator<Item = Waiter<'a>> {
    let ready = waiting.iter().filter(|(peer, _)| !owing.contains_key(peer));
    ready.map(|(peer, waiting)| (peer, waiting.since))
}
