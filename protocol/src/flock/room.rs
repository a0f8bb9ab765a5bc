//! The room that the replica takes: what is dropped of members that departed, and who brought what.
//!
//! **Invariant**: what this node holds of others takes at most twice `replica_max`; the strew sees to
//! it. Here a full replica is noticed, said, and noticed to have room again.

use std::collections::{BTreeMap, VecDeque};

use crux_crdt::Principal;
use crux_crdt::act::Statement;
use crux_crdt::fact::Fact;
use crux_crdt::strew::Strew;

use super::command::Notice;
use super::config::{Config, Restored};
use super::state::State;
use crate::context::Context;

/// How many members are named that brought most.
const NAMED_MAX: usize = 3;

/// By how many bytes the replica has to shrink before what was not taken is asked for again.
const ROOM_AGAIN: usize = 16 * 1024;

/// What is known of the room in the replica.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// What the replica took when something was not taken in last; none: it has room since.
    full_at: Option<usize>,
    /// Whether that was said.
    said: bool,
}

/// A member, and what its admissions brought into the replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    /// The member.
    pub member: Principal,
    /// The chain of admissions that leads to it, from a member that this node admitted to the member's
    /// own sponsor; empty if this node admitted it.
    pub through: Vec<Principal>,
    /// How many it admitted that this node knows by it first.
    pub authors: usize,
    /// What these, and its own acts, take in memory, in bytes.
    pub bytes: usize,
}

/// The replica of a node that starts, and the departed members whose records are whole on its disk, with
/// what these take.
pub(super) fn restore(
    config: &Config,
    context: &Context,
    restored: &Restored,
) -> (Strew, Vec<(Principal, usize)>) {
    let facts = restored.facts.iter().cloned();
    let mut strew = Strew::restore(context.me, context.operator, facts);
    strew.set_limit(config.replica_max);
    let records = restored.facts.iter().filter_map(|fact| match fact {
        Fact::Record(record) => Some(record),
        _ => None,
    });
    let whole = records.filter(|record| !record.is_stripped());
    let departed = whole.filter(|record| {
        let held = strew.record(&record.author());
        held.is_some_and(|held| held.is_stripped() && held.id() == record.id())
    });
    let departed = departed.map(|record| (record.author(), record.footprint())).collect();
    (strew, departed)
}

impl State {
    /// There was no room for what another member has.
    pub(super) const fn note_refusal(&mut self) {
        self.room.full_at = Some(self.strew.footprint());
    }

    /// Says that the replica is full, once each time it gets there, and notices when it has room again.
    pub(super) fn look_at_room(&mut self) {
        let Some(full_at) = self.room.full_at else { return };
        if self.strew.footprint() + ROOM_AGAIN <= full_at {
            self.room = Room::default();
            self.sync.on_room();
        } else if !self.room.said {
            self.room.said = true;
            self.notice(Notice::ReplicaFull { bytes: self.config.replica_max });
        }
    }

    /// Whether this peer would be a further member of a full replica.
    pub(super) fn has_no_room_for(&self, peer: &Principal) -> bool {
        self.is_replica_full() && !self.strew.membership().contains(peer)
    }

    /// Whether the replica is full: then it may lack what others show.
    pub const fn is_replica_full(&self) -> bool {
        self.room.full_at.is_some() || self.strew.is_full()
    }

    /// Where the replica is full, in bytes.
    pub const fn replica_max(&self) -> usize {
        self.config.replica_max
    }

    /// The members whose admissions brought most into the replica, at most three, most first. Each
    /// author counts for the member by which the shortest chain of admissions from this node leads to it.
    pub fn brought_most(&self) -> Vec<Brought> {
        let sponsors = sponsors(&self.strew, self.context.me);
        let mut all: BTreeMap<Principal, (usize, usize)> = BTreeMap::new();
        for (subject, sponsor) in &sponsors {
            let (authors, bytes) = all.entry(*sponsor).or_default();
            *authors += 1;
            *bytes += self.strew.footprint_of(subject);
        }
        all.remove(&self.context.me);
        let mut all: Vec<_> = all
            .into_iter()
            .map(|(member, (authors, bytes))| {
                let bytes = bytes + self.strew.footprint_of(&member);
                Brought { member, through: Vec::new(), authors, bytes }
            })
            .collect();
        all.sort_by_key(|brought| std::cmp::Reverse((brought.bytes, brought.member)));
        all.truncate(NAMED_MAX);
        for brought in &mut all {
            brought.through = chain_to(brought.member, &sponsors, self.context.me);
        }
        all
    }
}

/// By whom each member was admitted, on the shortest chain of admissions from this node.
fn sponsors(strew: &Strew, me: Principal) -> BTreeMap<Principal, Principal> {
    let mut admitted = BTreeMap::<Principal, Vec<_>>::new();
    for act in strew.acts() {
        if let Statement::Admit { subject, .. } = act.value().statement {
            admitted.entry(act.author()).or_default().push(subject);
        }
    }
    let mut sponsors = BTreeMap::new();
    let mut work = VecDeque::from([me]);
    while let Some(sponsor) = work.pop_front() {
        for subject in admitted.remove(&sponsor).unwrap_or_default() {
            if subject != me && !sponsors.contains_key(&subject) {
                sponsors.insert(subject, sponsor);
                work.push_back(subject);
            }
        }
    }
    sponsors
}

fn chain_to(
    member: Principal,
    sponsors: &BTreeMap<Principal, Principal>,
    me: Principal,
) -> Vec<Principal> {
    let before = |at: &Principal| sponsors.get(at).copied().filter(|sponsor| *sponsor != me);
    let mut chain: Vec<_> = std::iter::successors(before(&member), before).collect();
    chain.reverse();
    chain
}
