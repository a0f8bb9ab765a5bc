//! The serving side: fair shares, bounded memory, and a word to those who must wait.
//!
//! Requests wait in one line per peer, and the lines take turns. Within a line the piece goes first
//! that was sent least often, so that a seed with many fetchers sends everything once before it
//! sends anything twice; but for what waited for [`Config::waiting_max`], which goes before that.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crux_crdt::Principal;
use crux_crdt::blob::{BlobId, Descriptor, PIECE_BYTES, PieceSet, Root};
use crux_crdt::sign::Signed;

use super::bucket::Bucket;
use super::command::{Command, Report};
use super::config::Config;
use super::event::ReadId;
use super::message::{Holding, OTHERS_MAX, Request, Response};
use crate::link::ReplyId;
use crate::time::Instant;

/// How many questions about holdings may be at the store.
const LOOKS_MAX: usize = 256;
/// How many requests for pieces may wait, of all peers.
const WAITING_MAX: usize = 1024;
/// How many go out, and how many wait, while it is not known how fast they go.
const UNPACED_MAX: usize = 8;
/// For how many blobs it is remembered who asks for what.
const DEMANDS_MAX: usize = 64;
/// How many of those who ask for one blob are remembered.
const ASKERS_MAX: usize = 64;
/// For how many pieces, of all blobs, it is remembered how often they were sent.
const SENT_MAX: usize = 64 * 1024;
/// How long one that asked counts as fetching.
const ASKER_LIFE: Duration = Duration::from_secs(10);
/// The shortest rest that is asked for.
const RETRY_MIN: Duration = Duration::from_millis(50);

/// A question about what is held.
#[derive(Debug, Clone, Copy)]
struct Look {
    reply: ReplyId,
    peer: Principal,
    blob: BlobId,
    brief: bool,
}

/// A request for a piece.
#[derive(Debug, Clone, Copy)]
struct Job {
    at: Instant,
    reply: ReplyId,
    blob: BlobId,
    root: Root,
    index: u32,
}

/// What is wanted of one blob.
#[derive(Debug, Default)]
struct Demand {
    /// How often each piece was sent, or is being read: of those that are here.
    sent: BTreeMap<u32, u32>,
    askers: BTreeMap<Principal, Instant>,
    last: Instant,
}

/// The serving side of one node.
#[derive(Debug)]
pub(super) struct Serve {
    looks: BTreeMap<ReadId, Look>,
    lines: BTreeMap<Principal, VecDeque<Job>>,
    turns: VecDeque<Principal>,
    /// At the store; false: nobody waits for it any longer.
    reading: BTreeMap<ReadId, (Job, bool)>,
    /// Sent, and not yet gone.
    leaving: BTreeSet<ReplyId>,
    demands: BTreeMap<BlobId, Demand>,
    up: Bucket,
    /// How long after the one before it a piece is gone, smoothed.
    pace: Duration,
    last_gone: Option<Instant>,
    next_read: u64,
}

impl Serve {
    pub(super) const fn new(config: &Config) -> Self {
        Self {
            looks: BTreeMap::new(),
            lines: BTreeMap::new(),
            turns: VecDeque::new(),
            reading: BTreeMap::new(),
            leaving: BTreeSet::new(),
            demands: BTreeMap::new(),
            up: Bucket::new(config.up_rate),
            pace: Duration::ZERO,
            last_gone: None,
            next_read: 0,
        }
    }

    /// A peer asks.
    pub(super) fn on_request(
        &mut self,
        reply: ReplyId,
        peer: Principal,
        body: &[u8],
        now: Instant,
        config: &Config,
        out: &mut Vec<Command>,
    ) {
        match Request::decode(body) {
            Ok(Request::Have { blob, brief }) => {
                self.on_have(Look { reply, peer, blob, brief }, now, out);
            }
            Ok(Request::Piece { blob, root, index }) => {
                let job = Job { at: now, reply, blob, root, index };
                self.on_piece(peer, job, config, out);
            }
            Err(_) => {
                out.push(Command::Report(Report::Malformed { peer }));
                out.push(Command::Reply { reply, response: Response::Unknown });
            }
        }
    }

    fn on_have(&mut self, look: Look, now: Instant, out: &mut Vec<Command>) {
        if self.looks.len() >= LOOKS_MAX {
            let response = Response::Busy { retry_after: RETRY_MIN };
            out.push(Command::Reply { reply: look.reply, response });
            return;
        }
        self.note_asker(look.blob, look.peer, now);
        let read = self.read_id();
        self.looks.insert(read, look);
        out.push(Command::Look { read, blob: look.blob });
    }

    fn note_asker(&mut self, blob: BlobId, peer: Principal, now: Instant) {
        if !self.demands.contains_key(&blob) && self.demands.len() >= DEMANDS_MAX {
            let oldest = self.demands.iter().min_by_key(|(_, demand)| demand.last);
            if let Some(oldest) = oldest.map(|(blob, _)| *blob) {
                self.demands.remove(&oldest);
            }
        }
        let demand = self.demands.entry(blob).or_default();
        demand.last = now;
        demand.askers.retain(|_, at| now.since(*at) < ASKER_LIFE);
        if demand.askers.len() < ASKERS_MAX {
            demand.askers.insert(peer, now);
        }
    }

    /// Which blob a question to the store is about.
    pub(super) fn looked_for(&self, read: ReadId) -> Option<BlobId> {
        self.looks.get(&read).map(|look| look.blob)
    }

    /// The store knows what is held. `descriptors`: what else was stated of it.
    pub(super) fn on_looked(
        &mut self,
        read: ReadId,
        found: Option<(Holding, Vec<Signed<Descriptor>>)>,
        mut descriptors: Vec<Signed<Descriptor>>,
        out: &mut Vec<Command>,
    ) -> Option<()> {
        let Look { reply, peer, blob, brief } = self.looks.remove(&read)?;
        let response = match found {
            None => Response::Unknown,
            Some((mut holding, own)) => {
                if own.is_empty() && holding.pieces.is_complete() {
                    // That it holds all of it says only a node that compared the SHA-3.
                    holding.pieces.remove(holding.pieces.count().saturating_sub(1));
                }
                descriptors.splice(0..0, own);
                if brief {
                    descriptors.clear();
                }
                let others = self.others(&peer, &blob);
                Response::Have { holding, descriptors, others }
            }
        };
        out.push(Command::Reply { reply, response });
        Some(())
    }

    /// The store gave a small blob whole.
    pub(super) fn on_looked_whole(&mut self, read: ReadId, body: Vec<u8>, out: &mut Vec<Command>) {
        if let Some(Look { reply, .. }) = self.looks.remove(&read) {
            out.push(Command::Reply { reply, response: Response::Whole(body) });
        }
    }

    fn others(&self, than: &Principal, blob: &BlobId) -> Vec<Principal> {
        let demand = self.demands.get(blob);
        let askers = demand.into_iter().flat_map(|demand| demand.askers.keys());
        askers.filter(|asker| *asker != than).take(OTHERS_MAX).copied().collect()
    }

    fn on_piece(&mut self, peer: Principal, job: Job, config: &Config, out: &mut Vec<Command>) {
        let line = self.lines.entry(peer).or_default();
        if line.is_empty() {
            self.turns.push_back(peer);
        }
        line.push_back(job);
        let waiting: usize = self.lines.values().map(VecDeque::len).sum();
        let too_many = self.lines.get(&peer).map_or(0, VecDeque::len) > config.waiting_per_peer_max;
        if too_many || waiting > self.paced(config) {
            self.send_one_away(waiting, config, out);
        }
    }

    /// How many pieces go out within [`Config::waiting_max`], at the pace of late. So many may wait,
    /// and so many are handed to the network: more would only be late.
    fn paced(&self, config: &Config) -> usize {
        let each = self.pace.max(self.up.time_for(PIECE_BYTES));
        if each.is_zero() {
            return UNPACED_MAX;
        }
        let most = config.waiting_max.as_nanos() / each.as_nanos();
        usize::try_from(most).unwrap_or(WAITING_MAX).clamp(2, WAITING_MAX)
    }

    /// Of those with the most in line, tells one to come later that wants what was sent already. So
    /// it looks for another source, where one may be.
    fn send_one_away(&mut self, waiting: usize, config: &Config, out: &mut Vec<Command>) {
        let longest = self.lines.values().map(VecDeque::len).max().unwrap_or(0);
        let places = self.lines.iter().filter(|(_, line)| line.len() == longest);
        let jobs = places.flat_map(|(peer, line)| {
            line.iter().enumerate().map(|(place, job)| (self.times_sent(job), place, *peer))
        });
        let Some((_, place, peer)) = jobs.max() else { return };
        let Some(line) = self.lines.get_mut(&peer) else { return };
        if let Some(job) = line.remove(place) {
            let each = self.pace.max(self.up.time_for(PIECE_BYTES));
            let retry_after = each * u32::try_from(waiting).unwrap_or(u32::MAX);
            let retry_after = retry_after.clamp(RETRY_MIN, config.waiting_max);
            out.push(Command::Reply { reply: job.reply, response: Response::Busy { retry_after } });
        }
        if line.is_empty() {
            self.lines.remove(&peer);
            self.turns.retain(|turn| *turn != peer);
        }
    }

    fn times_sent(&self, job: &Job) -> u32 {
        let demand = self.demands.get(&job.blob);
        demand.and_then(|demand| demand.sent.get(&job.index)).copied().unwrap_or(0)
    }

    /// Starts the reads that may start.
    pub(super) fn pump(&mut self, now: Instant, config: &Config, out: &mut Vec<Command>) {
        let most = self.paced(config).min(config.reads_max);
        while self.reading.len() + self.leaving.len() < most && self.up.ready() <= now {
            let Some(job) = self.next_job(now, config) else { break };
            self.up.take(PIECE_BYTES, now);
            let read = self.read_id();
            self.reading.insert(read, (job, true));
            let Job { blob, root, index, .. } = job;
            out.push(Command::Read { read, blob, root, index });
        }
    }

    /// The next peer's turn: of what it asks for, what was sent least often, or what waited for too long. It
    /// may have lost what it asks for again, and would take this node for one that breaks its promises.
    fn next_job(&mut self, now: Instant, config: &Config) -> Option<Job> {
        let peer = self.turns.pop_front()?;
        let line = self.lines.get(&peer)?;
        let is_late = line.front().is_some_and(|job| now >= job.at + config.waiting_max);
        let places = 0..if is_late { 1 } else { line.len() };
        let least = places.min_by_key(|place| self.times_sent(&line[*place]))?;
        let line = self.lines.get_mut(&peer)?;
        let job = line.remove(least)?;
        if line.is_empty() {
            self.lines.remove(&peer);
        } else {
            self.turns.push_back(peer);
        }
        self.count(&job);
        Some(job)
    }

    /// Counts that a piece is sent. Where too many are counted, those of the blob that was asked for longest
    /// ago are forgotten; where that is this one, no more of it are counted.
    fn count(&mut self, job: &Job) {
        let counted: usize = self.demands.values().map(|demand| demand.sent.len()).sum();
        if counted >= SENT_MAX && self.times_sent(job) == 0 {
            let Some(own) = self.demands.get(&job.blob).map(|demand| demand.last) else { return };
            let others = self.demands.iter_mut().filter(|(blob, _)| **blob != job.blob);
            let others = others.map(|(_, demand)| demand).filter(|it| !it.sent.is_empty());
            let oldest = others.min_by_key(|demand| demand.last);
            let Some(oldest) = oldest.filter(|demand| demand.last <= own) else { return };
            oldest.sent.clear();
        }
        if let Some(demand) = self.demands.get_mut(&job.blob) {
            *demand.sent.entry(job.index).or_default() += 1;
        }
    }

    /// A piece that is not here was not sent.
    fn uncount(&mut self, job: &Job) {
        let Some(demand) = self.demands.get_mut(&job.blob) else { return };
        let Some(sent) = demand.sent.get_mut(&job.index) else { return };
        *sent -= 1;
        if *sent == 0 {
            demand.sent.remove(&job.index);
        }
    }

    /// The store read a piece, or has it not. `pieces`: what is held of that blob by now, if a part.
    pub(super) fn on_read(
        &mut self,
        read: ReadId,
        bytes: Option<Vec<u8>>,
        pieces: impl FnOnce(&BlobId, &Root) -> Option<PieceSet>,
        out: &mut Vec<Command>,
    ) -> Option<()> {
        let (job, is_wanted) = self.reading.remove(&read)?;
        if bytes.is_none() {
            self.uncount(&job);
        }
        if !is_wanted {
            self.up.give_back(PIECE_BYTES);
            return Some(());
        }
        let response = match bytes {
            Some(body) => {
                self.leaving.insert(job.reply);
                Response::Piece { pieces: pieces(&job.blob, &job.root), body }
            }
            None => {
                self.up.give_back(PIECE_BYTES);
                Response::Unknown
            }
        };
        out.push(Command::Reply { reply: job.reply, response });
        Some(())
    }

    /// A reply is gone, or its connection: nobody waits for it any longer. It is said once, hence what
    /// is still being read then must not be handed over as if it would be said again.
    pub(super) fn on_replied(&mut self, reply: ReplyId, now: Instant) {
        if self.leaving.remove(&reply) {
            if let Some(since) = self.last_gone {
                let took = now.since(since);
                let first = self.pace.is_zero();
                self.pace = if first { took } else { (self.pace * 7 + took) / 8 };
            }
            // The pace is that of a line that never runs dry.
            self.last_gone = (!self.leaving.is_empty()).then_some(now);
        }
        for (job, is_wanted) in self.reading.values_mut() {
            *is_wanted &= job.reply != reply;
        }
        for line in self.lines.values_mut() {
            line.retain(|job| job.reply != reply);
        }
        self.lines.retain(|_, line| !line.is_empty());
        self.turns.retain(|peer| self.lines.contains_key(peer));
    }

    fn read_id(&mut self) -> ReadId {
        self.next_read += 1;
        ReadId(self.next_read)
    }

    /// When [`Serve::pump`] has something to do that no event brings.
    pub(super) fn deadline(&self, now: Instant) -> Instant {
        let ready = if self.turns.is_empty() { Instant::NEVER } else { self.up.ready() };
        if ready > now { ready } else { Instant::NEVER }
    }
}
