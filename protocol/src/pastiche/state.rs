use std::collections::{BTreeMap, BTreeSet, VecDeque};

use core::time::Duration;
use crux_crdt::Principal;
use crux_crdt::blob::{BlobId, Descriptor, PIECE_BYTES, PieceSet, Root};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::bucket::Bucket;
use super::claims::Tree;
use super::command::{Command, Failure, Report};
use super::config::Config;
use super::event::{Event, SealFailure, TryFailure, Waiter};
use super::fetch::{Fetch, Stage};
use super::message::Response;
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
    /// The members that offer a blob in the strew, and what each signed of it.
    pub holders: &'a dyn Fn(&BlobId) -> Vec<(Principal, Descriptor)>,
}

impl core::fmt::Debug for Facts<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Facts").field("linked", self.linked).finish_non_exhaustive()
    }
}

/// A request in flight.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) blob: BlobId,
    pub(super) peer: Principal,
    /// Which piece of which tree; none: what is held.
    pub(super) piece: Option<(u32, Tree)>,
    pub(super) at: Instant,
}

/// The blob mover of one node. See the module for its invariants.
#[derive(Debug)]
pub struct State {
    pub(super) config: Config,
    context: Context,
    rng: StdRng,
    pub(super) fetches: BTreeMap<BlobId, Fetch>,
    /// Those of them that move, in the order of their turns.
    pub(super) active: VecDeque<BlobId>,
    /// Those of them that wait for a place.
    pub(super) queue: VecDeque<BlobId>,
    /// Nobody who waits for a place would give up before.
    pub(super) queue_due: Instant,
    pub(super) waiters: BTreeMap<Waiter, BlobId>,
    pub(super) requests: BTreeMap<RequestId, Sent>,
    pub(super) serve: Serve,
    pub(super) provide: Provide,
    pub(super) down: Bucket,
    pub(super) next_request: u64,
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
            queue_due: Instant::NEVER,
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
        fetches.chain(down).chain([others, self.queue_due]).min().unwrap_or(Instant::NEVER)
    }

    fn take_in(&mut self, event: Event, now: Instant, facts: &Facts<'_>, out: &mut Vec<Command>) {
        match event {
            Event::Get { waiter, blob, wait } => self.on_get(waiter, blob, (now, wait), out),
            Event::Cancel { waiter } => self.on_cancel(waiter, out),
            Event::Request { reply, peer, body } => {
                self.serve.on_request(reply, peer, &body, now, &self.config, out);
            }
            Event::Replied { reply } => self.serve.on_replied(reply, now),
            Event::Response { id, body } => self.on_response(id, &body, now, facts, out),
            Event::RequestFailed { id, failure } => self.on_failed(id, failure, now, out),
            Event::Begun { blob, root, size, result } => {
                let Some(fetch) = self.touched(blob, out) else { return };
                let result = fetch.on_begun((root, size), result, now, out);
                self.end_failed(blob, &result, out);
            }
            Event::Written { blob, root, index, result } => {
                let Some(fetch) = self.touched(blob, out) else { return };
                let result = fetch.on_written((root, index), result, now, out);
                self.end_failed(blob, &result, out);
            }
            Event::Tried { blob, root, size, result } => {
                self.on_tried(blob, (root, size), result, out);
            }
            Event::Sealed { blob, result } => self.on_sealed(blob, result, now, out),
            Event::Looked { read, found } => {
                let blob = self.serve.looked_for(read);
                let fetch = blob.and_then(|blob| self.fetches.get(&blob));
                let known = fetch.and_then(|fetch| Some(fetch.claims.descriptors(&fetch.tree?)));
                self.serve.on_looked(read, found, known.unwrap_or_default(), out);
            }
            Event::LookedWhole { read, body } => self.serve.on_looked_whole(read, body, out),
            Event::Read { read, bytes } => {
                let fetches = &self.fetches;
                let part = |blob: &BlobId, root: &Root| part_of(fetches.get(blob)?, root);
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

    fn on_get(
        &mut self,
        waiter: Waiter,
        blob: BlobId,
        waits: (Instant, Duration),
        out: &mut Vec<Command>,
    ) {
        if !self.fetches.contains_key(&blob) {
            if self.queue.len() >= self.config.queued_max {
                out.push(Command::Done { waiter, result: Err(Failure::Busy) });
                return;
            }
            self.fetches.insert(blob, Fetch::new(blob, self.rng.next_u64(), waits.0));
            self.queue.push_back(blob);
        }
        if self.queue.contains(&blob) {
            self.queue_due = self.queue_due.min(waits.0 + waits.1);
        }
        if let Some(fetch) = self.fetches.get_mut(&blob) {
            fetch.waiters.insert(waiter, waits);
            self.waiters.insert(waiter, blob);
        }
    }

    fn on_cancel(&mut self, waiter: Waiter, out: &mut Vec<Command>) {
        let Some(blob) = self.waiters.remove(&waiter) else { return };
        let Some(fetch) = self.fetches.get_mut(&blob) else { return };
        fetch.waiters.remove(&waiter);
        if fetch.waiters.is_empty() && !fetch.is_sealing() {
            self.drop_fetch(blob, out);
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
        (index, tree): (u32, Tree),
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
                if fetch.tree == Some(tree) {
                    fetch.on_piece(sent.peer, index, body, out);
                } else {
                    fetch.on_rival(tree, (index, sent.peer, body), now, out);
                }
                return;
            }
            Response::Busy { .. } => {}
            // It may have evicted it, or restarted; it is asked again, after a rest.
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

    /// The fetch of a blob that the store touched, and so holds for it. If nobody fetches it by now,
    /// it rests again.
    fn touched(&mut self, blob: BlobId, out: &mut Vec<Command>) -> Option<&mut Fetch> {
        let fetch = self.fetches.get_mut(&blob);
        if fetch.is_none() {
            out.push(Command::Rest { blob });
        }
        let fetch = fetch?;
        fetch.was_begun = true;
        Some(fetch)
    }

    fn end_failed(&mut self, blob: BlobId, result: &Result<(), Failure>, out: &mut Vec<Command>) {
        if result.is_err() {
            self.end(blob, result, out);
        }
    }

    fn on_tried(
        &mut self,
        blob: BlobId,
        tree: Tree,
        result: Result<(), TryFailure>,
        out: &mut Vec<Command>,
    ) {
        let Some(fetch) = self.fetches.get_mut(&blob) else { return };
        match result {
            Ok(()) => {
                fetch.is_sealed = true;
                self.end(blob, &Ok(()), out);
            }
            Err(failure) => {
                let result = fetch.on_tried(tree, failure, out);
                self.end_failed(blob, &result, out);
            }
        }
    }

    fn on_sealed(
        &mut self,
        blob: BlobId,
        result: Result<(), SealFailure>,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        let Some(fetch) = self.fetches.get_mut(&blob) else { return };
        match result {
            Ok(()) => {
                fetch.is_sealed = true;
                self.end(blob, &Ok(()), out);
            }
            Err(failure) => {
                let result = fetch.on_unsealed(failure, now, out);
                self.end_failed(blob, &result, out);
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
        self.drop_fetch(blob, out);
    }
}

/// What is held of a blob that is being fetched by this root. Of another tree that is here, because it was
/// followed once, only the store knows.
///
/// Never all of it, as in [`serve`](super::serve): to hold all says that the SHA-3 matched, and who says so of a
/// false tree is out.
fn part_of(fetch: &Fetch, root: &Root) -> Option<PieceSet> {
    let follows = fetch.tree.is_some_and(|(followed, _)| followed == *root);
    let mut part = (follows && fetch.stage == Stage::Moving).then(|| fetch.have.clone())?;
    if part.is_complete() {
        part.remove(part.count().saturating_sub(1));
    }
    Some(part)
}

#[cfg(test)]
mod tests {
    use crux_crdt::blob::PIECE_BYTES;

    use super::*;

    #[test]
    fn a_fetch_never_says_that_it_holds_all_of_a_blob() {
        let root = Root([1; 32]);
        let mut fetch = Fetch::new(BlobId([2; 32]), 3, Instant::ORIGIN);
        for count in 1..4_u32 {
            let size = PIECE_BYTES * u64::from(count);
            (fetch.tree, fetch.stage, fetch.have) =
                (Some((root, size)), Stage::Moving, PieceSet::all(size));
            let part = part_of(&fetch, &root).expect("it follows that tree");
            assert_eq!(part.iter().collect::<Vec<_>>(), (0..count - 1).collect::<Vec<_>>());
            fetch.have.remove(0);
            assert_eq!(part_of(&fetch, &root).as_ref(), Some(&fetch.have), "a part as it is");
            assert_eq!(part_of(&fetch, &Root([9; 32])), None);
        }
    }
}
