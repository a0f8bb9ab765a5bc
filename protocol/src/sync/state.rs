use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use crux_crdt::Principal;
use crux_crdt::act::Act;
use crux_crdt::sign::Signed;
use crux_crdt::strew::Strew;
use rand::RngExt;
use rand::rngs::StdRng;

use super::aside::Aside;
use super::message::{Request, Response, Roots};
use super::session::{Session, compare};
use super::{Config, RecordsWanted};
use crate::context::Context;
use crate::frame::RecordFrame;
use crate::link::ReplyId;
use crate::time::Instant;

/// What the engine asks of whoever drives it.
#[derive(Debug)]
pub enum Output {
    /// Send a request over `/crux/sync/3`.
    Send {
        /// To whom.
        peer: Principal,
        /// What.
        request: Request,
    },
    /// Answer a request.
    Reply {
        /// Which.
        id: ReplyId,
        /// The encoded [`Response`].
        body: Vec<u8>,
    },
    /// Merge acts, then call [`State::resume`].
    MergeActs {
        /// Who sent them.
        peer: Principal,
        /// The acts; their signatures held.
        acts: Vec<Arc<Signed<Act>>>,
    },
    /// Merge records, then call [`State::resume`].
    MergeRecords {
        /// Who sent them.
        peer: Principal,
        /// The records; the headers' signatures held.
        frames: Vec<RecordFrame>,
    },
    /// Store a record durably, then answer with [`Response::encode_stored`].
    Store {
        /// The request to answer.
        id: ReplyId,
        /// The encoded frame; not yet verified.
        frame: Vec<u8>,
    },
    /// This came along with roots; the beacon is not yet verified.
    Aside {
        /// Who sent it.
        peer: Principal,
        /// What came along.
        aside: Aside,
    },
    /// Answer with [`Response::encode_beacons`] what is heard of these.
    Tell {
        /// The request to answer.
        id: ReplyId,
        /// Of whom.
        of: Vec<Principal>,
    },
    /// Nothing that this peer had is lacking here: its roots are the same, or a session ended.
    Complete {
        /// The peer.
        peer: Principal,
    },
}

/// The anti-entropy engine of one node. See the module for its invariant.
#[derive(Debug)]
pub struct State {
    config: Config,
    context: Context,
    linked: BTreeSet<Principal>,
    sessions: BTreeMap<Principal, Session>,
    // Peers with other roots, waiting for a session.
    waiting: BTreeMap<Principal, Roots>,
    // The peer whose turn it was last.
    served: Principal,
    // Peers whose roots differed; looked at again when due.
    doubted: BTreeMap<Principal, Instant>,
    // Peers that were asked for roots of which any difference counts at once.
    pressed: BTreeSet<Principal>,
    next_roots: Instant,
    announce_at: Option<Instant>,
    announced_at: Instant,
}

impl State {
    /// An engine without links.
    pub fn new(config: Config, context: Context, now: Instant) -> Self {
        let next_roots = now + config.roots_period;
        Self {
            config,
            context,
            linked: BTreeSet::new(),
            sessions: BTreeMap::new(),
            waiting: BTreeMap::new(),
            served: Principal::default(),
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
    pub fn on_disconnected(&mut self, peer: Principal, strew: &Strew) -> Vec<Output> {
        self.linked.remove(&peer);
        self.sessions.remove(&peer);
        self.waiting.remove(&peer);
        self.doubted.remove(&peer);
        self.pressed.remove(&peer);
        self.start_waiting(strew)
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
        if self.linked.contains(&peer) && !self.sessions.contains_key(&peer) {
            self.doubted.entry(peer).or_insert(now + self.config.recheck_after);
        }
    }

    /// A peer is known to have what this node lacks: start a session without comparing roots.
    pub fn on_lacking(&mut self, peer: Principal, strew: &Strew) -> Vec<Output> {
        if !self.linked.contains(&peer) || self.sessions.contains_key(&peer) {
            return Vec::new();
        }
        // Roots that differ in the registers alone.
        let mine = Roots::of(strew);
        self.waiting.insert(peer, Roots { registers: mine.acts, acts: mine.acts });
        self.start_waiting(strew)
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
        let Ok(request) = Request::decode(body) else {
            return vec![Output::Reply { id, body: Vec::new() }];
        };
        let body = match request {
            Request::Roots { roots, aside, urgent } => {
                let body = Response::encode_roots(&Roots::of(strew), my_aside);
                let mut out = vec![Output::Reply { id, body }, Output::Aside { peer, aside }];
                out.extend(self.on_roots(peer, roots, urgent, now, strew));
                return out;
            }
            Request::Ranges { set, ranges } => {
                Response::encode_pieces(&compare(strew, set, &ranges))
            }
            Request::Acts(ids) => {
                let acts: Vec<_> = ids.iter().filter_map(|id| strew.act(id)).collect();
                Response::encode_acts(acts.into_iter())
            }
            Request::Records(wanted) => encode_records(strew, &wanted),
            Request::Store(frame) => return vec![Output::Store { id, frame }],
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
        if theirs == Roots::of(strew) {
            self.doubted.remove(&peer);
            self.waiting.remove(&peer);
            return vec![Output::Complete { peer }];
        }
        if self.sessions.contains_key(&peer) || !self.linked.contains(&peer) {
            return Vec::new();
        }
        if urgent {
            self.waiting.insert(peer, theirs);
            return self.start_waiting(strew);
        }
        self.doubted.entry(peer).or_insert(now + self.config.recheck_after);
        Vec::new()
    }

    /// A response came in. A malformed one ends the session.
    pub fn on_response(
        &mut self,
        peer: Principal,
        body: &[u8],
        now: Instant,
        strew: &Strew,
    ) -> Vec<Output> {
        match Response::decode(body, &self.context) {
            Ok(Response::Roots { roots, aside }) => {
                let mut out = vec![Output::Aside { peer, aside }];
                let urgent = self.pressed.remove(&peer);
                out.extend(self.on_roots(peer, roots, urgent, now, strew));
                out
            }
            Ok(Response::Pieces(pieces)) => {
                if let Some(session) = self.sessions.get_mut(&peer) {
                    session.on_pieces(pieces, strew);
                }
                self.resume(peer, false, now, strew)
            }
            Ok(Response::Acts(acts)) => vec![Output::MergeActs { peer, acts }],
            Ok(Response::Records(frames)) => {
                if let Some(session) = self.sessions.get_mut(&peer) {
                    session.on_records(&frames.iter().map(|f| f.header.author()).collect());
                }
                vec![Output::MergeRecords { peer, frames }]
            }
            // This engine asks for neither.
            Ok(Response::Stored(_) | Response::Beacons(_)) => Vec::new(),
            Err(_) => self.on_failed(peer, strew),
        }
    }

    /// A request failed, or its answer was malformed: the session ends, and the next comparison of
    /// roots starts another.
    pub fn on_failed(&mut self, peer: Principal, strew: &Strew) -> Vec<Output> {
        self.sessions.remove(&peer);
        self.pressed.remove(&peer);
        self.start_waiting(strew)
    }

    /// Goes on after a merge. `brought`: something was new.
    pub fn resume(
        &mut self,
        peer: Principal,
        brought: bool,
        now: Instant,
        strew: &Strew,
    ) -> Vec<Output> {
        if brought {
            self.announce_soon(now);
        }
        let Some(session) = self.sessions.get_mut(&peer) else { return Vec::new() };
        session.brought |= brought;
        if let Some(request) = session.next(strew) {
            return vec![Output::Send { peer, request }];
        }
        self.sessions.remove(&peer);
        let mut out = vec![Output::Complete { peer }];
        out.extend(self.start_waiting(strew));
        out
    }

    /// The next peer in turn, so that no peer keeps others from theirs.
    fn take_waiting(&mut self) -> Option<(Principal, Roots)> {
        let after = (Bound::Excluded(self.served), Bound::Unbounded);
        let next = self.waiting.range(after).next().or_else(|| self.waiting.first_key_value());
        let peer = next.map(|(peer, _)| *peer)?;
        self.served = peer;
        self.waiting.remove_entry(&peer)
    }

    fn start_waiting(&mut self, strew: &Strew) -> Vec<Output> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let mine = Roots::of(strew);
        let mut out = Vec::new();
        while self.sessions.len() < self.config.sessions_max {
            let Some((peer, theirs)) = self.take_waiting() else { break };
            if theirs == mine || self.sessions.contains_key(&peer) {
                continue;
            }
            let mut session = Session::new(&mine, &theirs);
            if let Some(request) = session.next(strew) {
                out.push(Output::Send { peer, request });
                self.sessions.insert(peer, session);
            }
        }
        out
    }

    /// Does what is due.
    pub fn on_wake(
        &mut self,
        now: Instant,
        strew: &Strew,
        aside: &Aside,
        rng: &mut StdRng,
    ) -> Vec<Output> {
        let mut out = Vec::new();
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
        self.next_roots.min(self.announce_at.unwrap_or(Instant::NEVER)).min(doubted)
    }

    /// How many comparisons run, wait or are due again.
    pub fn under_way(&self) -> usize {
        let due = self.doubted.len() + self.pressed.len();
        self.sessions.len() + self.waiting.len() + due
    }

    /// Whether any session runs.
    pub fn is_busy(&self) -> bool {
        !self.sessions.is_empty()
    }
}

fn ask_roots(peer: Principal, strew: &Strew, aside: &Aside, urgent: bool) -> Output {
    let request = Request::Roots { roots: Roots::of(strew), aside: aside.clone(), urgent };
    Output::Send { peer, request }
}

fn encode_records(strew: &Strew, wanted: &[RecordsWanted]) -> Vec<u8> {
    let records: Vec<_> = wanted
        .iter()
        .filter_map(|want| Some((strew.shown_record(&want.author)?.clone(), want)))
        .collect();
    Response::encode_records(&records)
}
