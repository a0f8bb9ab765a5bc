//! The acts in the replica: which of them are taken in, count and are shared.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Strew;
use super::footprint::cost_of;
use crate::act::{
    ACTS_BYTES_PER_AUTHOR_MAX, ACTS_PER_AUTHOR_MAX, Act, EVICTIONS_BYTES_MAX, Statement,
};
use crate::record::Frontier;
use crate::sign::Signed;
use crate::{Digest, Principal};

/// What merging an act did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActOutcome {
    /// It is new; these principals' standing changed by it.
    New(BTreeSet<Principal>),
    /// It was there.
    Known,
    /// Its author signed more acts of known kinds than [`ACTS_PER_AUTHOR_MAX`]; or more of unknown kinds than that,
    /// or more bytes of them than [`ACTS_BYTES_PER_AUTHOR_MAX`]; evictions count as unknown unless they are the
    /// operator's, which have [`EVICTIONS_BYTES_MAX`] for themselves. It was not taken in.
    TooMany,
    /// The replica is full, and the act would bring a member or make its author take more. It was not
    /// taken in.
    NoRoom,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Chain {
    ids: Vec<Digest>,
    frontier: Frontier,
    /// How many of them count for nothing and may be large: see [`Weight::Idle`].
    idle: usize,
    /// How many bytes these have, without their envelopes.
    idle_bytes: usize,
    /// How many bytes the evictions by the operator have, without their envelopes.
    evictions_bytes: usize,
    /// What its acts take in memory.
    pub(super) cost: usize,
}

impl Chain {
    pub(super) fn pack(&mut self) {
        self.ids.shrink_to_fit();
    }
}

/// By which bound an act is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// By the number of them.
    Small,
    /// Of a kind that this build does not know, or an eviction that is not the operator's: by number and bytes.
    Idle,
    /// An eviction by the operator.
    Eviction,
}

impl Strew {
    /// Merges an act.
    pub fn merge_act(&mut self, act: Arc<Signed<Act>>) -> ActOutcome {
        if self.acts.contains_key(&act.id()) {
            return ActOutcome::Known;
        }
        let cost = cost_of(act.value());
        if self.has_signed_too_much(&act) {
            return ActOutcome::TooMany;
        }
        if !self.has_room_for(&act, cost) {
            return ActOutcome::NoRoom;
        }
        self.note_in_chain(&act, cost);
        if self.shares(&act) {
            self.acts_index.insert(act.id(), act.id());
        }
        let changed = self.membership.apply(&act, self.acts.values());
        self.footprint.grow(act.author(), cost);
        let evicts = self.membership.evicts(&act).is_some();
        self.acts.insert(act.id(), act);
        if evicts {
            // Which admissions count is another question for each of them now.
            self.share_again();
        }
        for principal in &changed {
            if !evicts {
                self.wake(*principal);
            }
            self.refresh(*principal);
        }
        ActOutcome::New(changed)
    }

    fn note_in_chain(&mut self, act: &Signed<Act>, cost: usize) {
        let (weight, bytes) = (self.weight(act), act.value().bytes());
        let chain = self.chains.entry(act.author()).or_default();
        chain.ids.push(act.id());
        match weight {
            Weight::Small => {}
            Weight::Idle => {
                chain.idle += 1;
                chain.idle_bytes += bytes;
            }
            Weight::Eviction => chain.evictions_bytes += bytes,
        }
        chain.cost += cost;
        let reach = Frontier { count: act.value().number, head: act.id() };
        if (reach.count, reach.head) > (chain.frontier.count, chain.frontier.head) {
            chain.frontier = reach;
        }
    }

    /// Shares the acts of a principal that is reached now, or is the operator.
    pub(super) fn wake(&mut self, principal: Principal) {
        if let Some(chain) = self.chains.get(&principal) {
            self.share(&chain.ids.clone());
        }
    }

    /// Brings the index in line with which of all acts are shared.
    fn share_again(&mut self) {
        let differs =
            |act: &Signed<Act>| self.shares(act) != self.acts_index.get(&act.id()).is_some();
        let differing = self.acts.values().filter(|act| differs(act)).map(|act| act.id());
        self.share(&differing.collect::<Vec<_>>());
    }

    /// Brings the index in line with which of these acts are shared.
    fn share(&mut self, ids: &[Digest]) {
        for id in ids {
            let is_shared = self.acts.get(id).is_some_and(|act| self.shares(act));
            match (is_shared, self.acts_index.get(id).is_some()) {
                (true, false) => self.acts_index.insert(*id, *id),
                (false, true) => self.acts_index.remove(id),
                _ => {}
            }
        }
    }

    fn weight(&self, act: &Signed<Act>) -> Weight {
        match act.value().statement {
            Statement::Evict { .. } if self.operator == Some(act.author()) => Weight::Eviction,
            Statement::Evict { .. } | Statement::Later(_) => Weight::Idle,
            _ => Weight::Small,
        }
    }

    /// Whether an act would be one too many of its author. Idle ones have bounds of their own, so that they never decide
    /// whether another one counts.
    fn has_signed_too_much(&self, act: &Signed<Act>) -> bool {
        let most = usize::try_from(ACTS_PER_AUTHOR_MAX).unwrap_or(usize::MAX);
        let Some(chain) = self.chains.get(&act.author()) else { return false };
        let (others, bytes) = (chain.ids.len() - chain.idle, act.value().bytes());
        match self.weight(act) {
            Weight::Small => others >= most,
            Weight::Idle => {
                chain.idle >= most || chain.idle_bytes + bytes > ACTS_BYTES_PER_AUTHOR_MAX
            }
            Weight::Eviction => {
                others >= most || chain.evictions_bytes + bytes > EVICTIONS_BYTES_MAX
            }
        }
    }

    fn has_room_for(&self, act: &Signed<Act>, cost: usize) -> bool {
        let author = act.author();
        if self.weight(act) == Weight::Eviction {
            // A full replica is no reason to keep an evicted node.
            return true;
        }
        let takes = || self.footprint.takes(&author, self.footprint.of(&author) + cost);
        match act.value().statement {
            Statement::Admit { subject, .. } if !self.membership.contains(&subject) => {
                self.footprint.takes_another(&author) && takes()
            }
            Statement::Leave { incarnation } if self.frees(&author, &author, incarnation) => true,
            Statement::Retire { subject, incarnation }
                if self.frees(&author, &subject, incarnation) =>
            {
                true
            }
            _ => takes(),
        }
    }

    /// Whether the departure of this subject, stated by that author, gives back what the act takes. So a full
    /// replica takes in whom others forget.
    fn frees(&self, author: &Principal, subject: &Principal, incarnation: u64) -> bool {
        let counts = self.membership.contains(author) && !self.footprint.is_own(subject);
        let record = self.record(subject).filter(|_| counts);
        record.is_some_and(|it| !it.slots().is_empty() && it.marker().incarnation <= incarnation)
    }

    /// Whether an act is, or would be, shared with other replicas: its author may say it. Its author is a member; or
    /// it is the operator's, an eviction or of a kind that this build does not know; or it is an admission that
    /// counts by an evicted principal that is reached.
    pub fn shares(&self, act: &Signed<Act>) -> bool {
        let author = act.author();
        let is_operators = || match act.value().statement {
            Statement::Later(_) | Statement::Evict { .. } => self.operator == Some(author),
            _ => false,
        };
        self.membership.contains(&author)
            || is_operators()
            || (self.membership.passes(&author) && self.membership.admission_stands(act))
    }

    /// An act by its id, whether or not it counts.
    pub fn act(&self, id: &Digest) -> Option<&Arc<Signed<Act>>> {
        self.acts.get(id)
    }

    /// Every act, by id, whether or not it counts.
    pub fn acts(&self) -> impl Iterator<Item = &Arc<Signed<Act>>> {
        self.acts.values()
    }

    /// How far an author's acts go.
    pub fn frontier(&self, author: &Principal) -> Frontier {
        self.chains.get(author).map(|chain| chain.frontier).unwrap_or_default()
    }
}
