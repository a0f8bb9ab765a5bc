use std::collections::{BTreeMap, BTreeSet, VecDeque};

use core::time::Duration;
use crux_crdt::Principal;
use crux_crdt::blob::{BlobId, PIECE_BYTES, PieceSet, Root};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::bucket::Bucket;
use super::command::{Command, Failure, Report};
use super::config::Config;
use super::event::{Event, SealFailure, Waiter};
use super::fetch::{Fetch, Stage};
use super::message::{Request, Response};
use super::provide::Provide;
use super::serve::Serve;
use crate::context::Context;
use crate::link::{RequestFailure, RequestId};
use crate::time::Instant;

/// What the blob mover has to know of the flock.
pub struct Facts<'a> {
    /// Members that a request reaches.
    pub linked: &'a BTreeSet<Principal>,
    /// Whether somebody's statements count.
    pub is_member: &'a dyn Fn(&Principal) -> bool,
    /// Who offers a blob in the strew.
    pub holders: &'a dyn Fn(&BlobId) -> Vec<Principal>,
}

impl core::fmt::Debug for Facts<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Facts").field("linked", self.linked).finish_non_exhaustive()
    }
}

/// A request in flight.
#[derive(Debug, Clone, Copy)]
struct Sent {
    blob: BlobId,
    peer: Principal,
    /// Which piece, under which root; none: what is held.
    piece: Option<(u32, Root)>,
    at: Instant,
}

/// The blob mover of one node. See the module for its invariants.
#[derive(Debug)]
pub struct State {
    config: Config,
    context: Context,
    rng: StdRng,
    fetches: BTreeMap<BlobId, Fetch>,
    /// Those of them that move, in the order of their turns.
    active: VecDeque<BlobId>,
    /// Those of them that wait for a place.
    queue: VecDeque<BlobId>,
    waiters: BTreeMap<Waiter, BlobId>,
    requests: BTreeMap<RequestId, Sent>,
    serve: Serve,
    provide: Provide,
    down: Bucket,
    next_request: u64,
}

impl State {
    /// A mover with nothing to do. What it draws comes from the seed.
    pub fn new(config: Config, context: Context, seed: [u8; 32]) -> Self {
        Self {
            serve: Serve::new(&config),
            provide: Provide::default(),
            down: Bucket::new(config.down_rate),
            config,
            context,
            rng: StdRng::from_seed(seed),
            fetches: BTreeMap::new(),
            active: VecDeque::new(),
            queue: VecDeque::new(),
            waiters: BTreeMap::new(),
            requests: BTreeMap::new(),
            next_request: 0,
        }
    }

    /// Takes in what happened, and says what is to be done.
    pub fn handle(&mut self, event: Event, now: Instant, facts: &Facts<'_>) -> Vec<Command> {
        let mut out = Vec::new();
        self.take_in(event, now, facts, &mut out);
        self.pump(now, facts, &mut out);
        out
    }

    /// When [`Event::Wake`] is due, as of the last call of [`State::handle`].
    pub fn deadline(&self, now: Instant) -> Instant {
        let active = self.active.iter().filter_map(|blob| self.fetches.get(blob));
        let fetches = active.map(|fetch| fetch.deadline(now, &self.config));
        let down = Some(self.down.ready()).filter(|at| *at > now && !self.active.is_empty());
        let others = self.serve.deadline(now).min(self.provide.deadline(now));
        fetches.chain(down).min().unwrap_or(Instant::NEVER).min(others)
    }

    fn take_in(&mut self, event: Event, now: Instant, facts: &Facts<'_>, out: &mut Vec<Command>) {
        match event {
            Event::Get { waiter, blob, wait } => self.on_get(waiter, blob, wait, out),
            Event::Cancel { waiter } => self.on_cancel(waiter),
            Event::Request { reply, peer, body } => {
                self.serve.on_request(reply, peer, &body, now, &self.config, out);
            }
            Event::Replied { reply } => self.serve.on_replied(reply, now),
            Event::Response { id, body } => self.on_response(id, &body, now, facts, out),
            Event::RequestFailed { id, failure } => self.on_failed(id, failure, now, out),
            Event::Begun { blob, result } => match (self.fetches.get_mut(&blob), result) {
                (Some(fetch), Ok(have)) if fetch.stage == Stage::Beginning => {
                    fetch.on_begun(have, now);
                }
                (Some(_), Err(failure)) => self.end(blob, &Err(Failure::Store(failure)), out),
                _ => {}
            },
            Event::Written { blob, index, result } => {
                let Some(fetch) = self.fetches.get_mut(&blob) else { return };
                if let Err(failure) = fetch.on_written(index, result, now, out) {
                    self.end(blob, &Err(failure), out);
                }
            }
            Event::Sealed { blob, result } => self.on_sealed(blob, result, out),
            Event::Looked { read, found } => {
                let blob = self.serve.looked_for(read);
                let fetch = blob.and_then(|blob| self.fetches.get(&blob));
                let known = fetch.and_then(|fetch| Some(fetch.claims.descriptors(&fetch.tree?)));
                self.serve.on_looked(read, found, known.unwrap_or_default(), out);
            }
            Event::LookedWhole { read, body } => self.serve.on_looked_whole(read, body, out),
            Event::Read { read, bytes } => {
                let fetches = &self.fetches;
                let part = |blob: &BlobId| part_of(fetches.get(blob)?);
                self.serve.on_read(read, bytes, part, out);
            }
            Event::Stored { kept, others } => {
                self.provide.on_stored(&self.context.me, kept, others, out);
            }
            Event::Provided { blob, told } => {
                self.provide.on_provided(blob, told, now, facts.linked.len(), &self.config);
            }
            Event::Providers { blob, peers, last } => {
                let Some(fetch) = self.fetches.get_mut(&blob) else { return };
                let members = peers.into_iter().filter(|peer| (facts.is_member)(peer));
                let others = members.filter(|peer| *peer != self.context.me);
                fetch.on_providers(others, last, now, &self.config);
            }
            Event::Wake => {}
        }
    }

    fn on_get(&mut self, waiter: Waiter, blob: BlobId, wait: Duration, out: &mut Vec<Command>) {
        if !self.fetches.contains_key(&blob) {
            if self.queue.len() >= self.config.queued_max {
                out.push(Command::Done { waiter, result: Err(Failure::Busy) });
                return;
            }
            self.fetches.insert(blob, Fetch::new(blob, self.rng.next_u64()));
            self.queue.push_back(blob);
        }
        if let Some(fetch) = self.fetches.get_mut(&blob) {
            fetch.waiters.insert(waiter, wait);
            self.waiters.insert(waiter, blob);
        }
    }

    fn on_cancel(&mut self, waiter: Waiter) {
        let Some(blob) = self.waiters.remove(&waiter) else { return };
        let Some(fetch) = self.fetches.get_mut(&blob) else { return };
        fetch.waiters.remove(&waiter);
        if fetch.waiters.is_empty() && fetch.stage != Stage::Sealing {
            self.drop_fetch(blob);
        }
    }

    fn on_response(
        &mut self,
        id: RequestId,
        body: &[u8],
        now: Instant,
        facts: &Facts<'_>,
        out: &mut Vec<Command>,
    ) {
        let Some(sent) = self.requests.remove(&id) else { return };
        let response = Response::decode(body, &self.context);
        let Some(fetch) = self.fetches.get_mut(&sent.blob) else { return };
        if sent.piece.is_none() {
            fetch.peers.get_mut(&sent.peer).into_iter().for_each(|peer| peer.asking = false);
        }
        match (sent.piece, response) {
            (None, Ok(Response::Have { holding, descriptors, others })) => {
                let crowd = others.iter().any(|other| *other != self.context.me);
                let holding_of = (holding, descriptors, crowd);
                fetch.on_have(sent.peer, holding_of, now, facts, &self.config);
            }
            (None, Ok(Response::Whole(body))) => fetch.on_whole(sent.peer, body, out),
            (None, Ok(Response::Unknown | Response::Busy { .. })) => {
                fetch.on_nothing(sent.peer, now);
            }
            (Some(piece), Ok(response)) => self.on_piece(id, sent, piece, response, now, out),
            (None, Ok(Response::Piece { .. }) | Err(_)) => {
                out.push(Command::Report(Report::Malformed { peer: sent.peer }));
                fetch.ban(sent.peer);
            }
            (Some((index, _)), Err(_)) => {
                fetch.on_lost(index, id);
                out.push(Command::Report(Report::Malformed { peer: sent.peer }));
                fetch.ban(sent.peer);
            }
        }
    }

    fn on_piece(
        &mut self,
        id: RequestId,
        sent: Sent,
        (index, root): (u32, Root),
        response: Response,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        let Some(fetch) = self.fetches.get_mut(&sent.blob) else { return };
        if let Some(peer) = fetch.peers.get_mut(&sent.peer) {
            peer.in_flight = peer.in_flight.saturating_sub(1);
            match &response {
                Response::Piece { .. } => peer.on_piece(now.since(sent.at), &self.config),
                Response::Busy { retry_after } => peer.on_busy(*retry_after, now),
                Response::Have { .. } | Response::Whole(_) | Response::Unknown => {}
            }
        }
        match response {
            Response::Piece { pieces, body } => {
                if let Some(pieces) = pieces {
                    fetch.on_pieces(sent.peer, pieces, now, &self.config);
                }
                if fetch.tree.is_some_and(|(followed, _)| followed == root) {
                    fetch.on_piece(sent.peer, index, body, out);
                }
                return;
            }
            Response::Busy { .. } => {}
            // It may have evicted it, or started anew; it is asked again, after a rest.
            Response::Unknown => fetch.on_broken_promise(sent.peer, now, &self.config),
            Response::Have { .. } | Response::Whole(_) => {
                out.push(Command::Report(Report::Malformed { peer: sent.peer }));
                fetch.ban(sent.peer);
            }
        }
        fetch.on_lost(index, id);
        self.down.give_back(PIECE_BYTES);
    }

    fn on_failed(
        &mut self,
        id: RequestId,
        failure: RequestFailure,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        let Some(sent) = self.requests.remove(&id) else { return };
        if sent.piece.is_some() {
            self.down.give_back(PIECE_BYTES);
        }
        let Some(fetch) = self.fetches.get_mut(&sent.blob) else { return };
        if failure == RequestFailure::NotConnected && fetch.sources.contains(&sent.peer) {
            out.push(Command::Reach { peer: sent.peer });
        }
        let Some((index, _)) = sent.piece else {
            fetch.peers.get_mut(&sent.peer).into_iter().for_each(|peer| peer.asking = false);
            fetch.on_nothing(sent.peer, now);
            return;
        };
        fetch.on_lost(index, id);
        if let Some(peer) = fetch.peers.get_mut(&sent.peer) {
            peer.in_flight = peer.in_flight.saturating_sub(1);
        }
        match failure {
            RequestFailure::Lost => fetch.on_broken_promise(sent.peer, now, &self.config),
            RequestFailure::Busy => fetch.on_no_room(sent.peer, now),
            RequestFailure::NotConnected | RequestFailure::Unsupported => {
                fetch.on_nothing(sent.peer, now);
            }
        }
    }

    fn on_sealed(&mut self, blob: BlobId, result: Result<(), SealFailure>, out: &mut Vec<Command>) {
        let Some(fetch) = self.fetches.get_mut(&blob) else { return };
        match result {
            Ok(()) => self.end(blob, &Ok(()), out),
            Err(failure) => {
                if let Err(failure) = fetch.on_unsealed(failure, out) {
                    self.end(blob, &Err(failure), out);
                }
            }
        }
    }

    /// Answers all who wait for a blob, and is done with it.
    fn end(&mut self, blob: BlobId, result: &Result<(), Failure>, out: &mut Vec<Command>) {
        let Some(fetch) = self.fetches.get(&blob) else { return };
        for waiter in fetch.waiters.keys() {
            self.waiters.remove(waiter);
            out.push(Command::Done { waiter: *waiter, result: result.clone() });
        }
        self.drop_fetch(blob);
    }

    /// Requests of it that are still in flight are taken in when they come, for nothing.
    fn drop_fetch(&mut self, blob: BlobId) {
        self.fetches.remove(&blob);
        self.active.retain(|other| *other != blob);
        self.queue.retain(|other| *other != blob);
    }

    fn pump(&mut self, now: Instant, facts: &Facts<'_>, out: &mut Vec<Command>) {
        self.admit();
        for blob in self.active.clone() {
            let Some(fetch) = self.fetches.get_mut(&blob) else { continue };
            if fetch.meet(now, facts, &self.config) {
                out.push(Command::Seek { blob });
            }
            fetch.step(now, &self.config, out);
            for waiter in fetch.give_up(now, &self.config, out) {
                self.waiters.remove(&waiter);
            }
            if fetch.waiters.is_empty() && fetch.stage != Stage::Sealing {
                self.drop_fetch(blob);
                continue;
            }
            self.ask_around(blob, now, out);
        }
        self.admit();
        while self.ask_for_one(now, out) {}
        self.serve.pump(now, &self.config, out);
        self.provide.pump(now, facts.linked.len(), &self.config, out);
    }

    /// Gives free places to those who wait.
    fn admit(&mut self) {
        while self.active.len() < self.config.fetches_max
            && let Some(blob) = self.queue.pop_front()
        {
            self.active.push_back(blob);
        }
    }

    /// Asks those who are due what they hold.
    fn ask_around(&mut self, blob: BlobId, now: Instant, out: &mut Vec<Command>) {
        let Some(fetch) = self.fetches.get_mut(&blob) else { return };
        let brief = fetch.stage != Stage::Seeking;
        for (principal, peer) in &mut fetch.peers {
            if peer.asking || peer.next_ask > now {
                continue;
            }
            peer.asking = true;
            self.next_request += 1;
            let id = RequestId(self.next_request);
            self.requests.insert(id, Sent { blob, peer: *principal, piece: None, at: now });
            let request = Request::Have { blob, brief };
            out.push(Command::Send { id, peer: *principal, request });
        }
    }

    /// Asks for one piece of the blob whose turn it is. Whether there was one to ask for.
    fn ask_for_one(&mut self, now: Instant, out: &mut Vec<Command>) -> bool {
        if self.in_flight() >= self.config.in_flight_max || self.down.ready() > now {
            return false;
        }
        for _ in 0..self.active.len() {
            let Some(blob) = self.active.pop_front() else { return false };
            self.active.push_back(blob);
            let Some(fetch) = self.fetches.get_mut(&blob) else { continue };
            let Some((index, peer)) = fetch.choose(now, &self.config) else { continue };
            let Some((root, _)) = fetch.tree else { continue };
            self.next_request += 1;
            let id = RequestId(self.next_request);
            fetch.note_asked(index, (id, peer, now), &self.config);
            self.requests.insert(id, Sent { blob, peer, piece: Some((index, root)), at: now });
            self.down.take(PIECE_BYTES, now);
            out.push(Command::Send { id, peer, request: Request::Piece { blob, root, index } });
            return true;
        }
        false
    }

    /// Pieces that are in memory or may be any moment.
    fn in_flight(&self) -> usize {
        let writing: usize = self.fetches.values().map(|fetch| fetch.writing.len()).sum();
        self.requests.values().filter(|sent| sent.piece.is_some()).count() + writing
    }
}

/// What is held of a blob that is being fetched.
fn part_of(fetch: &Fetch) -> Option<PieceSet> {
    (fetch.stage == Stage::Moving).then(|| fetch.have.clone())
}
