use std::collections::{BTreeMap, BTreeSet};

use core::time::Duration;
use crux_crdt::Principal;
use crux_crdt::blob::{BlobId, Descriptor, PieceSet};
use crux_crdt::sign::Signed;

use super::claims::{Claims, Tree};
use super::command::{Command, Failure, Report};
use super::config::Config;
use super::event::{SealFailure, Waiter, WriteFailure};
use super::message::Holding;
use super::peer::Peer;
use super::state::Facts;
use crate::link::RequestId;
use crate::time::Instant;

/// When there may be room for a request again: pieces come in about this time.
const NO_ROOM_REST: Duration = Duration::from_millis(100);

/// Where a fetch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is not known what to fetch.
    Seeking,
    /// The store makes room.
    Beginning,
    /// Pieces move.
    Moving,
    /// All pieces are there; the SHA-3 is compared.
    Sealing,
}

/// A piece that is in flight.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// Who was asked for it, and when, in this order.
    pub(super) copies: Vec<(RequestId, Principal, Instant)>,
    /// When somebody else is asked too.
    pub(super) deadline: Instant,
}

/// One blob on its way here.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) blob: BlobId,
    pub(super) stage: Stage,
    /// Who sent all of it, while that is being sealed.
    whole_from: Option<Principal>,
    pub(super) waiters: BTreeMap<Waiter, Duration>,
    pub(super) claims: Claims,
    /// What is followed.
    pub(super) tree: Option<Tree>,
    pub(super) peers: BTreeMap<Principal, Peer>,
    /// Said to hold it, by themselves in the strew or by the flock's index.
    pub(super) sources: BTreeSet<Principal>,
    /// Whom the flock's index named.
    providers: BTreeSet<Principal>,
    /// Who was asked since everybody was, where there are more than places.
    met: BTreeSet<Principal>,
    /// When the flock's index is asked; never: it is being asked. None: nobody was asked yet.
    pub(super) next_seek: Option<Instant>,
    /// Sent bad bytes or signed a false root: out, for this blob.
    banned: BTreeSet<Principal>,
    pub(super) have: PieceSet,
    pub(super) asked: BTreeMap<u32, Asked>,
    /// On their way to the disk, and who sent them.
    pub(super) writing: BTreeMap<u32, Principal>,
    /// How many of the peers that hold a part hold each piece.
    pub(super) counts: Vec<u16>,
    /// Every piece below is held or asked for.
    pub(super) cursor: u32,
    /// Others that fetch it too, as providers say.
    pub(super) crowd: bool,
    /// Gives each fetch its own order of pieces that are equally rare.
    pub(super) seed: u64,
    pub(super) first_stated: Option<Instant>,
    /// Since when nobody has a piece that is missing.
    pub(super) lonely: Option<Instant>,
    /// When a piece was verified last.
    pub(super) moved: Instant,
    pub(super) next_round: Instant,
}

impl Fetch {
    pub(super) fn new(blob: BlobId, seed: u64) -> Self {
        Self {
            blob,
            stage: Stage::Seeking,
            whole_from: None,
            waiters: BTreeMap::new(),
            claims: Claims::default(),
            tree: None,
            peers: BTreeMap::new(),
            sources: BTreeSet::new(),
            providers: BTreeSet::new(),
            met: BTreeSet::new(),
            next_seek: None,
            banned: BTreeSet::new(),
            have: PieceSet::default(),
            asked: BTreeMap::new(),
            writing: BTreeMap::new(),
            counts: Vec::new(),
            cursor: 0,
            crowd: false,
            seed,
            first_stated: None,
            lonely: None,
            moved: Instant::ORIGIN,
            next_round: Instant::ORIGIN,
        }
    }

    /// Finds out whom to ask: those that offer it first, then those that the flock's index named,
    /// then whoever is there. Returns whether the index is to be asked.
    pub(super) fn meet(&mut self, now: Instant, facts: &Facts<'_>, config: &Config) -> bool {
        self.peers.retain(|peer, state| facts.linked.contains(peer) || state.in_flight > 0);
        let all_have_places = (1..=config.peers_max).contains(&facts.linked.len());
        let first = if all_have_places { now + config.seek_after } else { now };
        let next_seek = *self.next_seek.get_or_insert(first);
        if now < self.next_round.min(next_seek) {
            return false;
        }
        self.next_round = now + config.ask_period;
        let offers = (facts.holders)(&self.blob).into_iter();
        let offers: Vec<_> = offers.filter(|peer| facts.linked.contains(peer)).collect();
        let due = next_seek <= now;
        let seeks = due && offers.is_empty() && !self.is_supplied();
        if due {
            self.next_seek = Some(if seeks { Instant::NEVER } else { now + config.seek_period });
        }
        self.sources = offers.iter().chain(&self.providers).copied().collect();
        let providers = self.providers.clone();
        let mut is_news = false;
        for peer in offers.into_iter().chain(providers).chain(facts.linked.iter().copied()) {
            let known = self.peers.contains_key(&peer) || self.banned.contains(&peer);
            if known || !facts.linked.contains(&peer) {
                continue;
            }
            if self.has_place(&peer, config) {
                self.peers.insert(peer, Peer::new(now, config));
                is_news |= self.met.insert(peer);
            } else if self.sources.contains(&peer) && !self.met.contains(&peer) {
                // It waits for the answers of others.
                self.next_round = now + config.settle;
            }
        }
        if !is_news {
            self.met.clear();
        }
        self.recount();
        seeks
    }

    /// Whether one more may be asked. Who was not yet asked takes the place of one that has nothing,
    /// unless that one offers it.
    fn has_place(&mut self, peer: &Principal, config: &Config) -> bool {
        if self.peers.len() < config.peers_max {
            return true;
        }
        let offers = |who| self.sources.contains(who) && !self.providers.contains(who);
        let mut idle =
            self.peers.iter().filter(|(who, state)| state.has_nothing() && !offers(*who));
        let idle = idle.next().map(|(who, _)| *who).filter(|_| !self.met.contains(peer));
        idle.is_some_and(|who| self.peers.remove(&who).is_some())
    }

    /// The flock's index named holders.
    pub(super) fn on_providers(
        &mut self,
        peers: impl Iterator<Item = Principal>,
        last: bool,
        now: Instant,
        config: &Config,
    ) {
        let room = config.peers_max.saturating_sub(self.providers.len());
        let before = self.providers.len();
        self.providers.extend(peers.take(room));
        if self.providers.len() > before {
            // They are asked at once.
            self.next_round = Instant::ORIGIN;
        }
        if last {
            self.next_seek = Some(now + config.seek_period);
        }
    }

    /// Counts again what is held in parts, after peers came or went.
    fn recount(&mut self) {
        self.counts = vec![0; self.have.count() as usize];
        let partial = self.peers.values().filter_map(|peer| peer.said.as_ref());
        for holding in partial.filter(|holding| !holding.pieces.is_complete()) {
            if Some((holding.root, holding.size)) == self.tree {
                for index in holding.pieces.iter() {
                    self.counts[index as usize] += 1;
                }
            }
        }
    }

    /// A peer said what it holds, what was signed about it, and whether others fetch it.
    pub(super) fn on_have(
        &mut self,
        from: Principal,
        (holding, descriptors, crowd): (Holding, Vec<Signed<Descriptor>>, bool),
        now: Instant,
        facts: &Facts<'_>,
        config: &Config,
    ) {
        let tree = (holding.root, holding.size);
        let signed = descriptors.into_iter().filter(|signed| signed.value().blob == self.blob);
        signed.filter(|s| (facts.is_member)(&s.author())).for_each(|s| self.claims.sign(s));
        self.crowd |= crowd || !holding.pieces.is_complete();
        let Some(peer) = self.peers.get_mut(&from) else { return };
        if self.claims.is_false(&tree) {
            peer.on_nothing(now);
            return;
        }
        self.claims.state(from, tree);
        self.first_stated.get_or_insert(now);
        let before = peer.said.take();
        peer.on_have(holding, now, config);
        self.update_counts(from, before.as_ref());
    }

    /// A peer repeated with a piece what it holds.
    pub(super) fn on_pieces(
        &mut self,
        from: Principal,
        pieces: PieceSet,
        now: Instant,
        config: &Config,
    ) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        let Some(before) = peer.said.clone() else { return };
        if pieces.count() == before.pieces.count() {
            peer.on_have(Holding { pieces, ..before.clone() }, now, config);
            self.update_counts(from, Some(&before));
        }
    }

    fn update_counts(&mut self, of: Principal, before: Option<&Holding>) {
        let now = self.peers.get(&of).and_then(|peer| peer.said.as_ref());
        let partial = |holding: &&Holding| {
            Some((holding.root, holding.size)) == self.tree && !holding.pieces.is_complete()
        };
        let (before, now) = (before.filter(partial), now.filter(partial));
        for (index, count) in self.counts.iter_mut().enumerate() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            let had = before.is_some_and(|holding| holding.pieces.contains(index));
            let has = now.is_some_and(|holding| holding.pieces.contains(index));
            *count = count.saturating_add(has.into()).saturating_sub(had.into());
        }
    }

    /// A peer sent all of a small blob. Of no use when something else is under way already.
    pub(super) fn on_whole(&mut self, from: Principal, body: Vec<u8>, out: &mut Vec<Command>) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        peer.heard = true;
        peer.next_ask = Instant::NEVER;
        if self.stage == Stage::Seeking {
            self.stage = Stage::Sealing;
            self.whole_from = Some(from);
            out.push(Command::Take { blob: self.blob, body });
        }
    }

    /// A peer has nothing of the blob, or not what it said.
    pub(super) fn on_nothing(&mut self, from: Principal, now: Instant) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        let before = peer.said.take();
        peer.on_nothing(now);
        self.update_counts(from, before.as_ref());
    }

    /// A piece was not asked for, since too much is being asked of a peer already, for other blobs
    /// too. It is not the peer's fault.
    pub(super) fn on_no_room(&mut self, at: Principal, now: Instant) {
        if let Some(peer) = self.peers.get_mut(&at) {
            peer.on_busy(NO_ROOM_REST, now);
        }
    }

    /// A peer did not send a piece that it said it holds. Time and again: it is given up.
    pub(super) fn on_broken_promise(&mut self, from: Principal, now: Instant, config: &Config) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        if peer.on_broken_promise(now, config) {
            self.ban(from);
        } else {
            self.on_nothing(from, now);
        }
    }

    /// Has nothing more to do with a peer, for this blob.
    pub(super) fn ban(&mut self, peer: Principal) {
        self.banned.insert(peer);
        self.peers.remove(&peer);
        self.recount();
    }

    /// Takes the step that is due, if one is: to a root, or to the end.
    pub(super) fn step(&mut self, now: Instant, config: &Config, out: &mut Vec<Command>) {
        match self.stage {
            Stage::Seeking => {
                let settled = self.first_stated.is_some_and(|first| now >= first + config.settle)
                    || self.peers.values().all(|peer| peer.heard);
                if let Some((root, size)) = self.claims.best().filter(|_| settled) {
                    self.tree = Some((root, size));
                    self.stage = Stage::Beginning;
                    out.push(Command::Begin { blob: self.blob, root, size });
                }
            }
            Stage::Moving if self.have.is_complete() => {
                self.stage = Stage::Sealing;
                out.push(Command::Seal { blob: self.blob });
            }
            Stage::Beginning | Stage::Moving | Stage::Sealing => {}
        }
    }

    /// The store takes pieces.
    pub(super) fn on_begun(&mut self, have: PieceSet, now: Instant) {
        self.moved = now;
        self.have = have;
        self.cursor = 0;
        self.stage = Stage::Moving;
        self.recount();
    }

    /// A piece came. Whether it is of use.
    pub(super) fn on_piece(
        &mut self,
        from: Principal,
        index: u32,
        body: Vec<u8>,
        out: &mut Vec<Command>,
    ) {
        self.asked.remove(&index);
        let wanted = self.stage == Stage::Moving
            && !self.banned.contains(&from)
            && !self.have.contains(index)
            && !self.writing.contains_key(&index);
        if let (true, Some((root, _))) = (wanted, self.tree) {
            self.writing.insert(index, from);
            out.push(Command::Write { blob: self.blob, root, index, body });
        } else {
            self.cursor = self.cursor.min(index);
        }
    }

    /// A piece is not coming from this request after all.
    pub(super) fn on_lost(&mut self, index: u32, id: RequestId) {
        if let Some(asked) = self.asked.get_mut(&index) {
            asked.copies.retain(|(copy, _, _)| *copy != id);
            if asked.copies.is_empty() {
                self.asked.remove(&index);
                self.cursor = self.cursor.min(index);
            }
        }
    }

    /// A piece was written, or was not.
    ///
    /// # Errors
    /// The store failed: the fetch is at its end.
    pub(super) fn on_written(
        &mut self,
        index: u32,
        result: Result<(), WriteFailure>,
        now: Instant,
        out: &mut Vec<Command>,
    ) -> Result<(), Failure> {
        let Some(from) = self.writing.remove(&index) else {
            return Ok(()); // Of a tree that is followed no longer.
        };
        match result {
            Ok(()) => {
                self.have.insert(index);
                self.moved = now;
                let waiters = self.waiters.keys().copied().collect();
                out.push(Command::Tell { waiters, progress: self.progress() });
                Ok(())
            }
            Err(WriteFailure::Damaged) => {
                self.cursor = self.cursor.min(index);
                if !self.banned.contains(&from) {
                    out.push(Command::Report(Report::BadPiece { peer: from, blob: self.blob }));
                    self.ban(from);
                }
                Ok(())
            }
            Err(WriteFailure::Store(failure)) => Err(Failure::Store(failure)),
        }
    }

    /// The SHA-3 was not right, or could not be compared.
    ///
    /// # Errors
    /// The store failed: the fetch is at its end.
    pub(super) fn on_unsealed(
        &mut self,
        failure: SealFailure,
        out: &mut Vec<Command>,
    ) -> Result<(), Failure> {
        match failure {
            SealFailure::Mismatch => {
                match self.whole_from.take() {
                    Some(liar) => self.on_false_whole(liar, out),
                    None => self.start_over(out),
                }
                Ok(())
            }
            SealFailure::Damaged(pieces) => {
                pieces.into_iter().for_each(|index| _ = self.have.remove(index));
                self.cursor = 0;
                self.stage = Stage::Moving;
                Ok(())
            }
            SealFailure::Store(failure) => Err(Failure::Store(failure)),
        }
    }

    /// What a peer sent is another blob. The others may have sent theirs meanwhile, for nothing.
    fn on_false_whole(&mut self, from: Principal, out: &mut Vec<Command>) {
        out.push(Command::Report(Report::BadPiece { peer: from, blob: self.blob }));
        self.ban(from);
        for peer in self.peers.values_mut().filter(|peer| peer.next_ask == Instant::NEVER) {
            peer.next_ask = Instant::ORIGIN;
        }
        self.stage = Stage::Seeking;
    }

    /// Follows another root, without those who signed this one.
    fn start_over(&mut self, out: &mut Vec<Command>) {
        out.push(Command::Abandon { blob: self.blob });
        if let Some(tree) = self.tree.take() {
            let signers = self.claims.convict(&tree);
            for peer in &signers {
                self.banned.insert(*peer);
                self.peers.remove(peer);
            }
            out.push(Command::Report(Report::FalseRoot { signers, blob: self.blob }));
            for peer in self.peers.values_mut() {
                if peer.said.as_ref().is_some_and(|said| (said.root, said.size) == tree) {
                    peer.said = None;
                    peer.next_ask = Instant::ORIGIN;
                }
            }
        }
        self.have = PieceSet::default();
        self.asked.clear();
        self.writing.clear();
        self.stage = Stage::Seeking;
        self.recount();
    }
}
