//! What the mover does after each event: whose turn it is, and what is asked for.

use crux_crdt::blob::{BlobId, PIECE_BYTES};

use super::command::{Command, Failure};
use super::fetch::Stage;
use super::message::Request;
use super::state::{Facts, Sent, State};
use crate::link::RequestId;
use crate::time::Instant;

/// A piece that is late by [`Config::stall_min`](super::Config::stall_min) will hardly come, and one in so
/// many counts as in flight: peers that send nothing do not take the places of those that do.
const LATE_SHARE: usize = 2;

impl State {
    /// Requests of it that are still in flight are taken in when they come, for nothing.
    pub(super) fn drop_fetch(&mut self, blob: BlobId, out: &mut Vec<Command>) {
        let dropped = self.fetches.remove(&blob);
        self.active.retain(|other| *other != blob);
        self.queue.retain(|other| *other != blob);
        if dropped.is_some_and(|fetch| fetch.was_begun && !fetch.is_sealed) {
            out.push(Command::Rest { blob });
        }
    }

    pub(super) fn pump(&mut self, now: Instant, facts: &Facts<'_>, out: &mut Vec<Command>) {
        self.admit();
        self.give_up_queued(now, out);
        for blob in self.active.clone() {
            let Some(fetch) = self.fetches.get_mut(&blob) else { continue };
            if fetch.meet(now, facts, &self.config) {
                out.push(Command::Seek { blob });
            }
            fetch.step(now, &self.config, out);
            for waiter in fetch.give_up(now, out) {
                self.waiters.remove(&waiter);
            }
            if fetch.waiters.is_empty() && !fetch.is_sealing() {
                self.drop_fetch(blob, out);
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
        if self.queue.is_empty() {
            self.queue_due = Instant::NEVER;
        }
    }

    /// Answers those who would not wait longer, and for whose blob there was no place.
    fn give_up_queued(&mut self, now: Instant, out: &mut Vec<Command>) {
        // There may be thousands, and they are checked only when one is due.
        if now < self.queue_due {
            return;
        }
        let mut next = Instant::NEVER;
        for blob in self.queue.clone() {
            let Some(fetch) = self.fetches.get_mut(&blob) else { continue };
            let over = fetch.waiters.extract_if(.., |_, (since, wait)| now >= *since + *wait);
            for (waiter, _) in over {
                self.waiters.remove(&waiter);
                out.push(Command::Done { waiter, result: Err(Failure::Busy) });
            }
            let due = fetch.waiters.values().map(|(since, wait)| *since + *wait).min();
            next = next.min(due.unwrap_or(Instant::NEVER));
            if fetch.waiters.is_empty() {
                self.fetches.remove(&blob);
            }
        }
        self.queue.retain(|blob| self.fetches.contains_key(blob));
        self.queue_due = next;
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
        if self.in_flight(now) >= self.config.in_flight_max || self.down.ready() > now {
            for blob in &self.active {
                self.fetches.get_mut(blob).into_iter().for_each(|fetch| fetch.hold_back(now));
            }
            return false;
        }
        for _ in 0..self.active.len() {
            let Some(blob) = self.active.pop_front() else { return false };
            self.active.push_back(blob);
            let Some(fetch) = self.fetches.get_mut(&blob) else { continue };
            let id = RequestId(self.next_request + 1);
            let (tree, index, peer) =
                if let Some((tree, index, peer)) = fetch.choose_rival(now, &self.config) {
                    fetch.note_rival_asked(tree, peer, now);
                    (tree, index, peer)
                } else {
                    let Some((index, peer)) = fetch.choose(now, &self.config) else { continue };
                    let Some(tree) = fetch.tree else { continue };
                    fetch.note_asked(index, (id, peer, now), &self.config);
                    (tree, index, peer)
                };
            self.next_request += 1;
            self.requests.insert(id, Sent { blob, peer, piece: Some((index, tree)), at: now });
            self.down.take(PIECE_BYTES, now);
            let request = Request::Piece { blob, root: tree.0, index };
            out.push(Command::Send { id, peer, request });
            return true;
        }
        false
    }

    /// Pieces that are in memory or may be any moment.
    fn in_flight(&self, now: Instant) -> usize {
        let held = self.fetches.values().map(|fetch| fetch.writing.len() + fetch.waiting_pieces());
        let pieces = || self.requests.values().filter(|sent| sent.piece.is_some());
        let late = pieces().filter(|sent| now >= sent.at + self.config.stall_min).count();
        held.sum::<usize>() + pieces().count() - late + late.div_ceil(LATE_SHARE)
    }
}
