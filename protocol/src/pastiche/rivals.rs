//! Which of several trees of one blob a fetch follows, if its holders disagree.
//!
//! Any member can state, and sign, any tree, and a lying one may have any number of keys. Only the SHA-3
//! tells which tree is true, and only at the end. So trees are tried, much as a dialler tries the addresses
//! of a host (RFC 8305, "Happy Eyeballs"): the fetch requests one piece of each in turn. The tree that it
//! follows has the **floor**, and gets it by a piece that arrived, never by a promise.
//!
//! **Invariants**
//!
//! * One tree has the floor, and only its pieces are written. Another tree gets it only when the holder of
//!   the floor gives way, and only if that other tree sent a piece since its last turn: it is *ready*.
//! * The floor goes to a ready rival when the tree that has it
//!   - brings no verified piece for [`STALL`], or for a share of the time that the callers still wait: so
//!     many trees that bring nothing do not use that time up together;
//!   - has requested as many bytes as a rival has in all: the smaller tree is cheaper to refute. A rival
//!     that did not finish in its earlier turns waits for as long as its last turn took, or until twice as
//!     many bytes were requested of each;
//!   - had its turn of [`TURN`], is not about to finish, and the rival was never measured, or was faster,
//!     or is owed a turn because it had fewer by [`OWED`].
//! * Turns and patience double with each turn of a tree. Of several ready trees one with fewer turns goes
//!   first.
//! * The pieces of a tree that loses the floor stay, and are the first to make room for others; of two such
//!   trees the one with more pieces stays. A rival of one piece takes neither floor nor room: its SHA-3 is
//!   taken in memory.
//! * A rival that sends nothing costs one request now and then, and costs the tree with the floor nothing.
//!
//! **Why a fetch ends.** Let a member send the true tree, all of it within a time X while the tree has the
//! floor. A turn counts when it ends, for the tree that had it, so in the end the true tree is owed one. It
//! waits only for owed trees that had fewer turns, and each of these has more afterwards. So it gets turn
//! after turn, each twice as long as the one before. It loses the floor early only when it brings nothing
//! for longer and longer, or to a smaller tree, which itself then waits for longer and longer, or for twice
//! as many bytes. Hence one of its turns is longer than X, at the cost of a factor for each tree beside it,
//! if it is never silent for a quarter of the time that the callers wait. If its pieces stay meanwhile,
//! which is so unless another tree got more, the fetch ends sooner.
//!
//! The room that a false tree takes while it has the floor is at most the size of the true tree, or what
//! arrives of it in the time that the true tree had before and did not finish in; and the pieces that rest
//! beside it make room for it.
//!
//! **Order.** Trees that were not measured or are owed a turn come first, those with fewer turns before
//! others; then the faster; of equals those with fewer requests, those that more nodes signed, those
//! that more peers serve, and then by lot: neither the bytes of a root nor a size counts.

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::BTreeMap;

use crux_crdt::Principal;
use crux_crdt::blob::PIECE_BYTES;

use super::choose::mix;
use super::claims::Tree;
use super::command::{Command, Failure, Report};
use super::config::Config;
use super::event::{StoreFailure, TryFailure};
use super::fetch::{Fetch, Stage};
use super::peer::Peer;
use crate::time::Instant;

/// How long a tree has the floor at first before a rival may have it.
const TURN: Duration = Duration::from_secs(2);
/// For how long it may bring nothing at first, while a rival would.
const STALL: Duration = Duration::from_secs(1);
/// It may bring nothing for this part of the time after which those who wait give up.
const STALL_SHARE: u32 = 4;
/// How long after one rival was asked the next is: a piece takes less, most often.
const STAGGER: Duration = Duration::from_millis(100);
/// All rivals are asked within this part of the time that somebody waits.
const STAGGER_SHARE: u32 = 4;
/// For how long the tree that has the floor waits for the first piece of a smaller one.
const PAUSE: Duration = Duration::from_millis(250);
/// How long until a rival is asked again at first.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How often these times double at most: a turn is some weeks then.
const DOUBLINGS_MAX: u32 = 20;
/// By how many turns a tree must have had fewer to get the next one although it was slower. So one that
/// was found slow takes a quarter of the time of the one that is followed. With twice as many it gets it
/// although that one is about to end.
const OWED: u32 = 2;

/// What became of a tree so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Trial {
    /// How many turns it had.
    turns: u32,
    /// How fast its pieces came in the last turn that tells, in bytes a second; none: in none.
    pace: Option<u64>,
    /// How often a piece of it was asked for while it had not the floor and none came, and when last.
    asked: u32,
    asked_at: Option<Instant>,
    /// Whether it sent a piece since its last turn.
    is_ready: bool,
    /// Why the store does not take it.
    pub(super) refused: Option<StoreFailure>,
}

/// The turn of the tree that has the floor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    /// When it got the floor.
    floor: Instant,
    /// When this turn began, and how many pieces were held then.
    since: Instant,
    held: u32,
    /// When a piece was verified last.
    moved: Instant,
}

/// A rival that delivered, and waits for the writes of the one before to end.
#[derive(Debug)]
pub(super) struct Challenger {
    pub(super) tree: Tree,
    /// The piece, and who sent it; none: it came before the floor was free.
    pub(super) piece: Option<(u32, Principal, Vec<u8>)>,
}

/// Whether one piece is all of a tree.
const fn is_small(tree: &Tree) -> bool {
    tree.1 <= PIECE_BYTES
}

impl Turn {
    pub(super) const fn new(now: Instant, held: u32) -> Self {
        Self { floor: now, since: now, held, moved: now }
    }

    /// A piece was verified, or this node itself holds back.
    pub(super) const fn move_on(&mut self, now: Instant) {
        self.moved = now;
    }
}

/// A time that doubles.
fn doubled(time: Duration, times: u32) -> Duration {
    time * (1 << times.min(DOUBLINGS_MAX))
}

impl Fetch {
    /// The trees that somebody serves and the store would take, and how many do.
    pub(super) fn served(&self) -> BTreeMap<Tree, usize> {
        let mut served = BTreeMap::new();
        for tree in self.peers.values().filter_map(Peer::tree) {
            if self.trials.get(&tree).is_none_or(|trial| trial.refused.is_none()) {
                *served.entry(tree).or_default() += 1;
            }
        }
        served
    }

    /// What is to be followed although no piece of it came: the only tree there is, or an empty one, which
    /// is refuted at once.
    pub(super) fn uncontested(&self) -> Option<Tree> {
        let served = self.served();
        let empty = served.keys().find(|(_, size)| *size == 0);
        let only = served.keys().next().filter(|_| served.len() == 1);
        empty.or(only).copied()
    }

    fn trial(&self, tree: &Tree) -> Trial {
        self.trials.get(tree).cloned().unwrap_or_default()
    }

    /// Whether the tree that has the floor, if one has, gives way to a rival that delivers.
    fn gives_way(&self, to: &Tree, now: Instant) -> bool {
        let Some(followed) = self.tree else { return true };
        let stalled = now >= self.stalls_at(self.trial(&followed).turns);
        stalled || self.is_past(to, now) || self.had_its_turn(to, now)
    }

    /// Whether the tree that has the floor had it for long enough, as against this rival.
    fn had_its_turn(&self, rival: &Tree, now: Instant) -> bool {
        let (own, rival) = (self.own_turns(), self.trial(rival));
        let behind = own.saturating_sub(rival.turns);
        let is_due = behind >= OWED || rival.pace.is_none_or(|pace| pace > self.pace(now));
        let ends = behind < 2 * OWED && self.ends_soon(now);
        now >= self.turn.since + doubled(TURN, own) && is_due && !ends
    }

    /// When the tree that has the floor was silent for too long. Not as long as those who wait would be
    /// patient: each that has the floor and brings nothing takes a part of what is left of that.
    fn stalls_at(&self, turns: u32) -> Instant {
        let over = self.waiters.values().map(|(since, wait)| self.moved.max(*since) + *wait);
        let left = over.min().map_or(Duration::ZERO, |over| over.since(self.turn.moved));
        self.turn.moved + doubled(STALL, turns).min(left / STALL_SHARE)
    }

    /// How many turns the tree that has the floor had before.
    fn own_turns(&self) -> u32 {
        self.tree.map_or(0, |tree| self.trial(&tree).turns)
    }

    /// Whether as many bytes were asked for as a rival has in all, and there are more to ask for. One that
    /// did not end in its turns waits for as long as the last one took, or until twice as many bytes were
    /// asked for with each.
    fn is_past(&self, rival: &Tree, now: Instant) -> bool {
        let pieces = self.have.held() as usize + self.asked.len() + self.writing.len();
        let bytes = u128::from(pieces as u64 * PIECE_BYTES);
        let turns = self.trial(rival).turns;
        let doubled_size = u128::from(rival.1) << turns.min(DOUBLINGS_MAX);
        let is_due = bytes >= doubled_size || now >= self.due_after(turns);
        let is_more = pieces < self.have.count() as usize && bytes >= u128::from(rival.1);
        is_more && is_due && !is_small(rival)
    }

    /// When the tree that has the floor had it for as long as the last turn of one that had so many.
    fn due_after(&self, turns: u32) -> Instant {
        self.turn.floor + turns.checked_sub(1).map_or(Duration::ZERO, |last| doubled(TURN, last))
    }

    /// Of the rivals that are ready and to which the floor would be given, the one that is to have it.
    pub(super) fn next_ready(&self, now: Instant) -> Option<Tree> {
        let served = self.served().into_keys().filter(|tree| Some(*tree) != self.tree);
        let ready = served.map(|tree| (self.trial(&tree), tree)).filter(|(trial, tree)| {
            trial.is_ready && !self.claims.is_false(tree) && self.gives_way(tree, now)
        });
        let first = ready.min_by_key(|(trial, tree)| {
            (trial.turns, Reverse(trial.pace), Reverse(self.claims.signers(tree)))
        });
        first.map(|(_, tree)| tree)
    }

    /// Bytes a second in this turn.
    fn pace(&self, now: Instant) -> u64 {
        let bytes = u64::from(self.have.held().saturating_sub(self.turn.held)) * PIECE_BYTES;
        let millis = u64::try_from(now.since(self.turn.since).as_millis()).unwrap_or(u64::MAX);
        bytes.saturating_mul(1000) / millis.max(1)
    }

    /// Whether what is missing comes in less time than the tree has had.
    fn ends_soon(&self, now: Instant) -> bool {
        let missing = u64::from(self.have.count() - self.have.held()) * PIECE_BYTES;
        let had = now.since(self.turn.floor).as_secs();
        missing <= self.pace(now).saturating_mul(had)
    }

    /// A piece to ask of a rival, and of whom.
    pub(super) fn choose_rival(
        &self,
        now: Instant,
        config: &Config,
    ) -> Option<(Tree, u32, Principal)> {
        let rivals = self.rivals(now, config)?;
        let next = self.rival_asked.map(|at| at + self.stagger(rivals.len()));
        let asked_now = next.is_some_and(|next| now < next);
        let own = self.own_turns();
        let due = |tree: &Tree, trial: &Trial| {
            let again = trial.asked.saturating_sub(1);
            let rested = |at| now >= at + doubled(ASK_AGAIN, again);
            let small = is_small(tree) && self.trying.is_none();
            (!asked_now || (self.tree.is_some() && self.is_past(tree, now)))
                && trial.asked_at.is_none_or(rested)
                && (small || (!is_small(tree) && self.gives_way(tree, now)))
        };
        let of = |(tree, by): (Tree, usize)| {
            let trial = self.trial(&tree);
            let (index, peer) = self.first_piece(&tree, now).filter(|_| due(&tree, &trial))?;
            let first = trial.pace.is_none() || own.saturating_sub(trial.turns) >= OWED;
            let turns = Reverse(if first { trial.turns } else { 0 });
            let lot = mix(self.seed ^ u64::from_be_bytes(*tree.0.0.first_chunk()?));
            let signers = self.claims.signers(&tree);
            let rank = (first, turns, trial.pace, Reverse(trial.asked), signers, by, lot);
            Some((rank, (tree, index, peer)))
        };
        rivals.into_iter().filter_map(of).max_by_key(|(rank, _)| *rank).map(|(_, piece)| piece)
    }

    /// The trees that compete for the floor; none: there is no contest, or this is not the time for it.
    fn rivals(&self, now: Instant, config: &Config) -> Option<BTreeMap<Tree, usize>> {
        let is_time = match self.stage {
            Stage::Seeking => self.is_settled(now, config) && self.writing.is_empty(),
            Stage::Moving => true,
            Stage::Beginning | Stage::Sealing => false,
        };
        let mut rivals = Some(self.served()).filter(|_| is_time && self.challenger.is_none())?;
        if let Some(followed) = &self.tree {
            rivals.remove(followed);
        }
        let least = if self.tree.is_some() { 1 } else { 2 };
        Some(rivals).filter(|rivals| rivals.len() >= least)
    }

    fn stagger(&self, rivals: usize) -> Duration {
        let shortest = self.waiters.values().map(|(_, wait)| *wait).min().unwrap_or_default();
        let parts = u32::try_from(rivals).unwrap_or(u32::MAX).saturating_mul(STAGGER_SHARE);
        STAGGER.min(shortest / parts.max(1))
    }

    /// The first piece that somebody has of a tree, of a peer that takes requests: one that was not asked
    /// yet, if there is one.
    fn first_piece(&self, tree: &Tree, now: Instant) -> Option<(u32, Principal)> {
        let of = self.peers.iter().filter(|(_, peer)| peer.tree() == Some(*tree));
        let roomy = of.filter(|(_, peer)| peer.has_room(now));
        let (principal, peer) = roomy.min_by_key(|(_, peer)| (peer.is_tried(), peer.in_flight))?;
        let index = peer.said.as_ref()?.pieces.iter().next()?;
        Some((index, *principal))
    }

    /// Remembers that a piece of a rival was asked for.
    pub(super) fn note_rival_asked(&mut self, tree: Tree, of: Principal, now: Instant) {
        self.rival_asked = Some(now);
        let trial = self.trials.entry(tree).or_default();
        trial.asked += 1;
        trial.asked_at = Some(now);
        self.peers.get_mut(&of).into_iter().for_each(|peer| peer.on_asked(now));
    }

    /// Whether the tree that has the floor waits for a rival: for one that delivered, or for the first
    /// piece of one that is no larger than what was asked for so far.
    pub(super) fn is_paused(&self, now: Instant) -> bool {
        let waits = |(tree, trial): (&Tree, &Trial)| {
            let is_new = trial.asked == 1 || trial.pace.is_some();
            let asked = trial.asked_at.is_some_and(|at| now < at + PAUSE);
            is_new && asked && Some(*tree) != self.tree && self.is_past(tree, now)
        };
        self.challenger.is_some() || self.trials.iter().any(waits)
    }

    /// A piece came of a tree that has not the floor.
    pub(super) fn on_rival(
        &mut self,
        tree: Tree,
        (index, from, body): (u32, Principal, Vec<u8>),
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        let is_time = matches!(self.stage, Stage::Seeking | Stage::Moving);
        let is_open = !self.claims.is_false(&tree) && self.trial(&tree).refused.is_none();
        if self.is_banned(&from) || !is_open {
            return;
        }
        let turns = self.trial(&tree).turns;
        let first = |ready: Tree| turns <= self.trial(&ready).turns;
        let is_due = is_time
            && self.challenger.is_none()
            && self.gives_way(&tree, now)
            && self.next_ready(now).is_none_or(first);
        if is_small(&tree) {
            if is_time && self.trying.is_none() {
                self.trying = Some((tree, from));
                let ((root, size), blob) = (tree, self.blob);
                out.push(Command::Try { blob, root, size, body });
            }
        } else if is_due {
            let piece = Some((index, from, body));
            self.challenger = Some(Challenger { tree, piece });
        } else if let Some(trial) = self.trials.get_mut(&tree) {
            // It delivers: it has the floor as soon as it may.
            trial.asked = 0;
            trial.asked_at = None;
            trial.is_ready = true;
        }
    }

    /// The SHA-3 of a tree of one piece was compared, and is another one, or could not be.
    ///
    /// # Errors
    /// It is the blob, and the store failed: the fetch is at its end.
    pub(super) fn on_tried(
        &mut self,
        tree: Tree,
        failure: TryFailure,
        out: &mut Vec<Command>,
    ) -> Result<(), Failure> {
        let Some((_, from)) = self.trying.take_if(|(tried, _)| *tried == tree) else {
            return Ok(());
        };
        match failure {
            TryFailure::Damaged => {
                out.push(Command::Report(Report::BadPiece { peer: from, blob: self.blob }));
                self.ban(from);
                Ok(())
            }
            TryFailure::Mismatch => {
                self.refute(tree, out);
                self.recount();
                Ok(())
            }
            TryFailure::Store(failure) => Err(Failure::Store(failure)),
        }
    }

    /// The tree that has the floor begins its next turn, if nobody took the floor at the end of this one.
    pub(super) fn renew_turn(&mut self, now: Instant) {
        let Some(tree) = self.tree else { return };
        if now >= self.turn.since + doubled(TURN, self.trial(&tree).turns) + PAUSE {
            self.note_turn(now);
            self.turn.since = now;
            self.turn.held = self.have.held();
        }
    }

    /// Notes how a turn was.
    pub(super) fn note_turn(&mut self, now: Instant) {
        let Some(tree) = self.tree else { return };
        let pace = self.pace(now);
        let is_full = now >= self.turn.since + TURN;
        let trial = self.trials.entry(tree).or_default();
        trial.turns = trial.turns.saturating_add(1);
        // A short turn tells little, and one in which nothing came nothing.
        if pace > 0 && (is_full || trial.pace.is_none()) {
            trial.pace = Some(pace);
        }
    }

    /// A tree gets the floor: to get it once more it has to deliver again.
    pub(super) fn note_floor(&mut self, tree: Tree) {
        self.trials.entry(tree).or_default().is_ready = false;
    }

    /// When the floor may change hands without an event.
    pub(super) fn rival_deadline(&self, now: Instant, config: &Config) -> Instant {
        let Some(rivals) = self.rivals(now, config) else { return Instant::NEVER };
        let own = self.tree.map(|tree| self.trial(&tree).turns);
        let turn = own.into_iter().flat_map(|turns| {
            let end = self.turn.since + doubled(TURN, turns);
            [self.stalls_at(turns), end, end + PAUSE]
        });
        let asked = rivals.keys().filter_map(|tree| self.trials.get(tree)).flat_map(|trial| {
            let again = doubled(ASK_AGAIN, trial.asked.saturating_sub(1));
            trial.asked_at.into_iter().flat_map(move |at| [at + PAUSE, at + again])
        });
        let next = self.rival_asked.map(|at| at + self.stagger(rivals.len()));
        let tried = rivals.keys().map(|tree| self.due_after(self.trial(tree).turns));
        let due = turn.chain(asked).chain(next).chain(tried);
        due.filter(|at| *at > now).min().unwrap_or(Instant::NEVER)
    }
}
