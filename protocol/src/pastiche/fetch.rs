use std::collections::{BTreeMap, BTreeSet};

use core::time::Duration;
use crux_crdt::Principal;
use crux_crdt::blob::{BlobId, PieceSet, Root};

use super::claims::{Claims, Tree};
use super::command::{Command, Failure, Report};
use super::config::Config;
use super::event::{SealFailure, StoreFailure, Waiter, WriteFailure};
use super::peer::Peer;
use super::rivals::{Challenger, Trial, Turn};
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
    /// The members asked for it, and when, in this order.
    pub(super) copies: Vec<(RequestId, Principal, Instant)>,
    /// When somebody else is asked too.
    pub(super) deadline: Instant,
}

/// One blob on its way here.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) blob: BlobId,
    pub(super) stage: Stage,
    /// Whether the store may hold pieces of it.
    pub(super) was_begun: bool,
    pub(super) is_sealed: bool,
    /// The member that sent all of it, while that is being sealed.
    pub(super) whole_from: Option<Principal>,
    /// The tree of one piece whose SHA-3 is being compared, and who sent it.
    pub(super) trying: Option<(Tree, Principal)>,
    /// The caller that waits, since when, and for how long without a piece.
    pub(super) waiters: BTreeMap<Waiter, (Instant, Duration)>,
    pub(super) claims: Claims,
    /// What is followed: what has the floor.
    pub(super) tree: Option<Tree>,
    pub(super) turn: Turn,
    /// What takes the floor next.
    pub(super) challenger: Option<Challenger>,
    pub(super) trials: BTreeMap<Tree, Trial>,
    /// When a rival was asked for a piece last.
    pub(super) rival_asked: Option<Instant>,
    pub(super) peers: BTreeMap<Principal, Peer>,
    /// Said to hold it, by themselves in the strew or by the flock's index.
    pub(super) sources: BTreeSet<Principal>,
    /// The members that the flock's index named.
    pub(super) providers: BTreeSet<Principal>,
    /// The members asked in the present round, where there are more members than places.
    pub(super) met: BTreeSet<Principal>,
    /// When those who state a tree that many state make place again, and for how many until then.
    pub(super) swaps: (Instant, usize),
    /// When the flock's index is asked; never: it is being asked. None: nobody was asked yet.
    pub(super) next_seek: Option<Instant>,
    /// Whether a search in the index came to its end.
    pub(super) is_sought: bool,
    /// Sent bad bytes or signed a false root: out, for this blob.
    banned: BTreeSet<Principal>,
    pub(super) have: PieceSet,
    pub(super) asked: BTreeMap<u32, Asked>,
    /// On their way to the disk, and who sent them.
    pub(super) writing: BTreeMap<u32, Principal>,
    /// How many of the peers that hold a part hold each piece; empty: nobody holds a part.
    pub(super) counts: Vec<u16>,
    /// Every piece below is held or asked for.
    pub(super) cursor: u32,
    /// Others that fetch it too, as providers say.
    pub(super) crowd: bool,
    /// Gives each fetch its own order of pieces that are equally rare.
    pub(super) seed: u64,
    pub(super) first_stated: Option<Instant>,
    /// When a piece was verified last, or a tree refuted, or the blob was wanted first: those who wait do
    /// so from then on.
    pub(super) moved: Instant,
    pub(super) next_round: Instant,
}

impl Fetch {
    pub(super) fn new(blob: BlobId, seed: u64, now: Instant) -> Self {
        Self {
            blob,
            stage: Stage::Seeking,
            was_begun: false,
            is_sealed: false,
            whole_from: None,
            trying: None,
            waiters: BTreeMap::new(),
            claims: Claims::default(),
            tree: None,
            turn: Turn::new(Instant::ORIGIN, 0),
            challenger: None,
            trials: BTreeMap::new(),
            rival_asked: None,
            peers: BTreeMap::new(),
            sources: BTreeSet::new(),
            providers: BTreeSet::new(),
            met: BTreeSet::new(),
            swaps: (Instant::ORIGIN, 0),
            next_seek: None,
            is_sought: false,
            banned: BTreeSet::new(),
            have: PieceSet::default(),
            asked: BTreeMap::new(),
            writing: BTreeMap::new(),
            counts: Vec::new(),
            cursor: 0,
            crowd: false,
            seed,
            first_stated: None,
            moved: now,
            next_round: Instant::ORIGIN,
        }
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

    /// Whether a peer is out, for this blob.
    pub(super) fn is_banned(&self, peer: &Principal) -> bool {
        self.banned.contains(peer)
    }

    /// Has nothing more to do with a peer, for this blob.
    pub(super) fn ban(&mut self, peer: Principal) {
        self.banned.insert(peer);
        self.peers.remove(&peer);
        self.recount();
    }

    /// Whether those who were asked had time to state other trees.
    pub(super) fn is_settled(&self, now: Instant, config: &Config) -> bool {
        self.first_stated.is_some_and(|first| now >= first + config.settle)
            || self.peers.values().all(|peer| peer.heard)
    }

    /// Takes the step that is due, if one is: to a tree, to another one, or to the end.
    pub(super) fn step(&mut self, now: Instant, config: &Config, out: &mut Vec<Command>) {
        let next = match self.stage {
            Stage::Moving if self.have.is_complete() => {
                if let (Some((root, size)), None) = (self.tree, self.whole_from) {
                    self.stage = Stage::Sealing;
                    out.push(Command::Seal { blob: self.blob, root, size });
                }
                return;
            }
            Stage::Moving => {
                self.renew_turn(now);
                None
            }
            Stage::Seeking => self.uncontested().filter(|_| self.is_settled(now, config)),
            Stage::Beginning | Stage::Sealing => return,
        };
        self.challenger.take_if(|next| {
            let from = next.piece.as_ref().map(|(_, from, _)| from);
            self.claims.is_false(&next.tree) || from.is_some_and(|from| self.banned.contains(from))
        });
        if self.challenger.is_none() {
            let ready = self.next_ready(now).map(|tree| Challenger { tree, piece: None });
            self.challenger = ready;
        }
        let next = self.challenger.as_ref().map(|next| next.tree).or(next);
        if let Some(tree) = next.filter(|_| self.writing.is_empty()) {
            self.follow(tree, now, out);
        }
    }

    /// Gives the floor to a tree.
    fn follow(&mut self, tree: Tree, now: Instant, out: &mut Vec<Command>) {
        self.note_turn(now);
        self.note_floor(tree);
        self.leave();
        self.tree = Some(tree);
        self.stage = Stage::Beginning;
        self.was_begun = true;
        out.push(Command::Begin { blob: self.blob, root: tree.0, size: tree.1 });
    }

    /// Follows nothing. What is still in flight may be of use when the tree is followed again.
    fn leave(&mut self) {
        self.tree = None;
        self.have = PieceSet::default();
        self.asked.clear();
        self.stage = Stage::Seeking;
        self.recount();
    }

    /// The store takes pieces, or has no room for a blob of that size.
    ///
    /// # Errors
    /// The store failed: the fetch is at its end.
    pub(super) fn on_begun(
        &mut self,
        tree: Tree,
        result: Result<PieceSet, StoreFailure>,
        now: Instant,
        out: &mut Vec<Command>,
    ) -> Result<(), Failure> {
        // It may be of an earlier fetch.
        if self.stage != Stage::Beginning || self.tree != Some(tree) {
            return Ok(());
        }
        let challenger = self.challenger.take();
        match result {
            Ok(have) => {
                self.turn = Turn::new(now, have.held());
                self.have = have;
                self.cursor = 0;
                self.stage = Stage::Moving;
                self.recount();
                if let Some((index, from, body)) = challenger.and_then(|next| next.piece) {
                    self.on_piece(from, index, body, out);
                }
                Ok(())
            }
            Err(failure) => self.refuse(failure),
        }
    }

    /// The store has no room for the tree that is followed. Another one may be smaller.
    fn refuse(&mut self, failure: StoreFailure) -> Result<(), Failure> {
        let is_room = matches!(failure, StoreFailure::Quota | StoreFailure::DiskFull);
        let Some(tree) = self.tree.filter(|_| is_room) else { return Err(Failure::Store(failure)) };
        self.trials.entry(tree).or_default().refused = Some(failure);
        self.leave();
        Ok(())
    }

    /// A piece came of the tree that is followed.
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
        if let (true, Some((root, size))) = (wanted, self.tree) {
            self.writing.insert(index, from);
            out.push(Command::Write { blob: self.blob, root, size, index, body });
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

    /// This node itself holds back: nobody is late for that.
    pub(super) fn hold_back(&mut self, now: Instant) {
        if self.stage == Stage::Moving && self.asked.is_empty() {
            self.moved = now;
            self.turn.move_on(now);
        }
    }

    /// A piece was written, or was not.
    ///
    /// # Errors
    /// The store failed: the fetch is at its end.
    pub(super) fn on_written(
        &mut self,
        (root, index): (Root, u32),
        result: Result<(), WriteFailure>,
        now: Instant,
        out: &mut Vec<Command>,
    ) -> Result<(), Failure> {
        let Some(from) = self.writing.remove(&index) else { return Ok(()) };
        if self.tree.is_none_or(|(followed, _)| followed != root) {
            return Ok(());
        }
        match result {
            Ok(()) => {
                self.have.insert(index);
                self.moved = now;
                self.turn.move_on(now);
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
            Err(WriteFailure::Store(failure)) => {
                let is_contest = self.served().keys().any(|tree| Some(*tree) != self.tree);
                if is_contest { self.refuse(failure) } else { Err(Failure::Store(failure)) }
            }
        }
    }

    /// The SHA-3 was not right, or could not be compared.
    ///
    /// # Errors
    /// The store failed: the fetch is at its end.
    pub(super) fn on_unsealed(
        &mut self,
        failure: SealFailure,
        now: Instant,
        out: &mut Vec<Command>,
    ) -> Result<(), Failure> {
        match failure {
            SealFailure::Mismatch => {
                match self.whole_from.take() {
                    // It cost its sender nothing: those who wait do not wait longer for it.
                    Some(liar) => self.on_false_whole(liar, out),
                    None => {
                        self.moved = now;
                        self.start_over(out);
                    }
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

    /// Follows another root, without those who signed this one.
    fn start_over(&mut self, out: &mut Vec<Command>) {
        if let Some(tree) = self.tree.take() {
            out.push(Command::Abandon { blob: self.blob, root: tree.0, size: tree.1 });
            self.refute(tree, out);
        }
        self.first_stated = None;
        self.ask_all_again();
        self.leave();
    }

    /// A tree was found false. Its signers are out, and so are the members that said that they hold all
    /// of it: only a member that compared the SHA-3 says that. Others may have been deceived, and are
    /// asked again.
    pub(super) fn refute(&mut self, tree: Tree, out: &mut Vec<Command>) {
        let signers = self.claims.convict(&tree);
        let has_all = |peer: &Peer| {
            peer.tree() == Some(tree)
                && peer.said.as_ref().is_some_and(|it| it.pieces.is_complete())
        };
        let servers = self.peers.iter().filter(|(_, peer)| has_all(peer)).map(|(who, _)| *who);
        let servers: Vec<_> = servers.filter(|who| !signers.contains(who)).collect();
        for peer in signers.iter().chain(&servers) {
            self.banned.insert(*peer);
            self.peers.remove(peer);
        }
        out.push(Command::Report(Report::FalseRoot { signers, servers, blob: self.blob }));
        for peer in self.peers.values_mut().filter(|peer| peer.tree() == Some(tree)) {
            peer.said = None;
            peer.next_ask = Instant::ORIGIN;
        }
        self.trials.remove(&tree);
    }

    /// How many pieces are in memory that are not to be written yet.
    pub(super) fn waiting_pieces(&self) -> usize {
        usize::from(self.challenger.is_some()) + usize::from(self.trying.is_some())
    }

    /// Whether the store looks at the whole blob: it ends by itself, and soon.
    pub(super) fn is_sealing(&self) -> bool {
        self.stage == Stage::Sealing || self.whole_from.is_some() || self.trying.is_some()
    }
}
