//! Which of several trees of one blob is followed, when not all say the same.
//!
//! Any member can state, and sign, any tree, and one that lies may have any number of keys. The SHA-3 tells
//! which tree is right, but only at the end. So trees are tried, much as a dialler tries the addresses of a
//! host (RFC 8305, "Happy Eyeballs"): one piece is asked of each in turn, and a tree gets the **floor** (it
//! is the one that is followed) by a piece that came, never by a promise.
//!
//! **Invariants**
//!
//! * One tree has the floor, and only its pieces are written. Another gets it only with a piece in hand,
//!   and only when the one before gives way.
//! * The floor is given to a rival that delivers when the tree that has it
//!   - brings no verified piece for [`STALL`];
//!   - has asked for as many bytes as a rival has in all: the smaller one is cheaper to refute. So what
//!     false trees take from this node's room and time is at most the size of the true one, each;
//!   - had its turn of [`TURN`], is not about to end, and the rival was never tried or was faster.
//! * Turns and patience double with each turn of a tree, so that one that is slow gets long enough, and a
//!   tree that is followed again and again costs a factor and not the blob.
//! * A rival that sends nothing costs one request now and then, and the one that has the floor nothing.
//!
//! **Order.** Trees that had no turn come first, then the faster; of equals those that were asked less
//! often, those that more nodes signed, those that more peers serve, and then by lot: neither the bytes of
//! a root nor a size counts.

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::BTreeMap;

use crux_crdt::Principal;
use crux_crdt::blob::PIECE_BYTES;

use super::choose::mix;
use super::claims::Tree;
use super::config::Config;
use super::event::StoreFailure;
use super::fetch::{Fetch, Stage};
use super::peer::Peer;
use crate::time::Instant;

/// How long a tree has the floor at first before a rival may have it.
const TURN: Duration = Duration::from_secs(2);
/// For how long it may bring nothing at first, while a rival would.
const STALL: Duration = Duration::from_secs(1);
/// How long after one rival was asked the next is: a piece takes less, most often.
const STAGGER: Duration = Duration::from_millis(100);
/// All rivals are asked within this part of the time that somebody waits.
const STAGGER_SHARE: u32 = 4;
/// For how long the tree that has the floor waits for the first piece of a smaller one.
const PAUSE: Duration = Duration::from_millis(250);
/// How long until a rival is asked again at first.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How often these times double at most.
const DOUBLINGS_MAX: u32 = 8;

/// What became of a tree so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Trial {
    /// How many turns it had.
    turns: u32,
    /// How fast its pieces came in the last one, in bytes a second.
    pace: u64,
    /// How often a piece of it was asked for while it had not the floor, and when last.
    asked: u32,
    asked_at: Option<Instant>,
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
    /// The piece, and who sent it. An empty blob has none.
    pub(super) piece: Option<(u32, Principal, Vec<u8>)>,
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
        let (own, rival) = (self.trial(&followed), self.trial(to));
        let untried = rival.turns == 0;
        let stalled = now >= self.turn.moved + doubled(STALL, own.turns);
        let over = self.is_past(to) && (untried || rival.pace > 0);
        let had_its_turn = now >= self.turn.since + doubled(TURN, own.turns)
            && !self.ends_soon(now)
            && (untried || rival.pace > self.pace(now));
        stalled || over || had_its_turn
    }

    /// Whether as many bytes were asked for as a rival has in all, and there are more to ask for.
    fn is_past(&self, rival: &Tree) -> bool {
        let pieces = self.have.held() as usize + self.asked.len() + self.writing.len();
        pieces < self.have.count() as usize && pieces as u64 * PIECE_BYTES >= rival.1
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
        let due = |tree: &Tree, trial: &Trial| {
            let again = trial.asked.saturating_sub(1);
            let rested = |at| now >= at + doubled(ASK_AGAIN, again);
            (!asked_now || (self.tree.is_some() && self.is_past(tree)))
                && trial.asked_at.is_none_or(rested)
                && self.gives_way(tree, now)
        };
        let of = |(tree, by): (Tree, usize)| {
            let trial = self.trial(&tree);
            let (index, peer) = self.first_piece(&tree, now).filter(|_| due(&tree, &trial))?;
            let untried = trial.turns == 0;
            let lot = mix(self.seed ^ u64::from_be_bytes(*tree.0.0.first_chunk()?));
            let rank = (untried, trial.pace, Reverse(trial.asked), self.claims.signers(&tree), by);
            Some(((rank, lot), (tree, index, peer)))
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
            let is_new = trial.asked == 1 || trial.pace > 0;
            let asked = trial.asked_at.is_some_and(|at| now < at + PAUSE);
            is_new && asked && Some(*tree) != self.tree && self.is_past(tree)
        };
        self.challenger.is_some() || self.trials.iter().any(waits)
    }

    /// A piece came of a tree that has not the floor.
    pub(super) fn on_rival(
        &mut self,
        tree: Tree,
        (index, from, body): (u32, Principal, Vec<u8>),
        now: Instant,
    ) {
        let is_time = matches!(self.stage, Stage::Seeking | Stage::Moving);
        let is_open = !self.claims.is_false(&tree) && self.trial(&tree).refused.is_none();
        if self.is_banned(&from) || !is_open || self.challenger.is_some() {
            return;
        }
        if is_time && self.gives_way(&tree, now) {
            let piece = Some((index, from, body));
            self.challenger = Some(Challenger { tree, piece });
        } else if let Some(trial) = self.trials.get_mut(&tree) {
            // It delivers: it is asked again as soon as it may have the floor.
            trial.asked = 0;
            trial.asked_at = None;
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
        let trial = self.trials.entry(tree).or_default();
        trial.turns = trial.turns.saturating_add(1);
        trial.pace = pace;
    }

    /// When the floor may change hands without an event.
    pub(super) fn rival_deadline(&self, now: Instant, config: &Config) -> Instant {
        let Some(rivals) = self.rivals(now, config) else { return Instant::NEVER };
        let own = self.tree.map(|tree| self.trial(&tree).turns);
        let turn = own.into_iter().flat_map(|turns| {
            let end = self.turn.since + doubled(TURN, turns);
            [self.turn.moved + doubled(STALL, turns), end, end + PAUSE]
        });
        let asked = rivals.keys().filter_map(|tree| self.trials.get(tree)).flat_map(|trial| {
            let again = doubled(ASK_AGAIN, trial.asked.saturating_sub(1));
            trial.asked_at.into_iter().flat_map(move |at| [at + PAUSE, at + again])
        });
        let next = self.rival_asked.map(|at| at + self.stagger(rivals.len()));
        let due = turn.chain(asked).chain(next);
        due.filter(|at| *at > now).min().unwrap_or(Instant::NEVER)
    }
}
