use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use crux_crdt::act::{ACTS_PER_AUTHOR_MAX, Act, Statement};
use crux_crdt::fact::{Fact, Gone, Kind};
use crux_crdt::record::{Frontier, Header, Marker, Record, ServiceKey, slots_root};
use crux_crdt::sign::{Identity, Signed};
use crux_crdt::{Digest, Principal};

use super::change::{Change, Origin, Rejection};
use super::own::Own;
use crate::context::Context;
use crate::leader::Claim;
use crate::link::ReplyId;

/// How many changes may wait; those of peers fill half of it. More means a disk that does not answer.
const QUEUE_MAX: usize = 4096;

/// A write that is under way.
#[derive(Debug, Clone)]
pub struct Write {
    /// This node's new record, if what it says changed.
    pub record: Option<Arc<Record>>,
    /// Its new acts.
    pub acts: Vec<Arc<Signed<Act>>>,
    /// The new fence.
    pub fence: Option<Claim>,
    /// The fence that is forgotten; before the new one counts.
    pub forgotten: Option<Claim>,
    /// Facts of others to be kept for good.
    pub kept: Vec<Fact>,
    /// Facts that a person signed.
    pub stated: Vec<Fact>,
    /// What was removed at incarnation 0, where the record cannot say it: an earlier life that is found
    /// after the next start must not bring it back.
    pub removed: Vec<ServiceKey>,
}

impl Write {
    const fn empty() -> Self {
        Self {
            record: None,
            acts: Vec::new(),
            fence: None,
            forgotten: None,
            kept: Vec::new(),
            stated: Vec::new(),
            removed: Vec::new(),
        }
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.record.is_none()
            && self.acts.is_empty()
            && self.fence.is_none()
            && self.forgotten.is_none()
            && self.kept.is_empty()
            && self.stated.is_empty()
            && self.removed.is_empty()
    }
}

/// One who waited for a change, and the act that was signed for it, if one was.
pub type Waiter = (Origin, Change, Result<Option<Arc<Signed<Act>>>, Rejection>);

/// What became of the changes of one write.
#[derive(Debug)]
pub struct Commit {
    /// What was written; empty if it could not be.
    pub write: Write,
    /// The callers that waited.
    pub waiters: Vec<Waiter>,
    /// Whether it is durable.
    pub durable: bool,
}

#[derive(Debug)]
struct Flight {
    own: Own,
    marker: Marker,
    commit: Commit,
    /// What is being written that was stated, and that the disk dropped meanwhile.
    gone: BTreeSet<Place>,
}

/// An author's place under a key of a kind.
type Place = (Kind, Digest, Principal);

fn place_of(fact: &Fact) -> Place {
    (fact.kind(), fact.key(), fact.author())
}

/// The author engine of one node. See the module for its invariant.
#[derive(Debug)]
pub struct State {
    context: Context,
    identity: Arc<Identity>,
    committed: Own,
    /// The marker of the next record.
    next: Marker,
    /// What markers have once the incarnation changes.
    nonce: [u8; 16],
    queue: VecDeque<(Origin, Change)>,
    flight: Option<Flight>,
    unsaid: bool,
}

impl State {
    /// Goes on from what was on disk. No record was signed under `first` yet; `nonce` is this
    /// start's, and what markers have above its incarnation.
    pub fn new(
        context: Context,
        identity: Arc<Identity>,
        own: Own,
        first: Marker,
        nonce: [u8; 16],
    ) -> Self {
        Self {
            context,
            identity,
            committed: own,
            next: first,
            nonce,
            queue: VecDeque::new(),
            flight: None,
            unsaid: true,
        }
    }

    /// How many changes wait or are being written.
    pub fn under_way(&self) -> usize {
        self.queue.len() + usize::from(self.flight.is_some())
    }

    /// What this node durably says.
    pub const fn committed(&self) -> &Own {
        &self.committed
    }

    /// The incarnation of the next record.
    pub const fn incarnation(&self) -> u64 {
        self.next.incarnation
    }

    /// Puts a change into the queue. `false`: the queue is full, and it was not.
    pub fn push(&mut self, origin: Origin, change: Change) -> bool {
        let most = if matches!(origin, Origin::Peer(_)) { QUEUE_MAX / 2 } else { QUEUE_MAX };
        if self.queue.len() >= most {
            return false;
        }
        if let Change::Keep(fact) = &change {
            self.keep_newest(fact);
        }
        self.queue.push_back((origin, change));
        true
    }

    /// Takes back the changes of a kind that wait.
    pub fn retract(&mut self, is: impl Fn(&Change) -> bool) {
        self.queue.retain(|(_, change)| !is(change));
    }

    /// Lets everyone who waits for a fact that this one makes void wait for this one: of each author so many are
    /// held under a key as a replica holds, however many are sent.
    fn keep_newest(&mut self, fact: &Fact) {
        let place = place_of(fact);
        let queued = self.queue.iter().filter_map(|(_, change)| match change {
            Change::Keep(held) if place_of(held) == place => Some(held.clone()),
            _ => None,
        });
        let mut kept: Vec<_> = queued.collect();
        kept.push(fact.clone());
        let kept = Fact::kept(kept);
        for (_, change) in &mut self.queue {
            if let Change::Keep(held) = change
                && place_of(held) == place
                && !kept.contains(held)
            {
                held.clone_from(fact);
            }
        }
    }

    /// What an author has under a key is held no more, and the disk drops it. Returns the peers that waited until
    /// it is written. If a person stated it, it is written once more after that, if it still may be.
    pub fn on_gone(&mut self, gone: &Gone) -> Vec<ReplyId> {
        let place = (gone.kind, gone.key, gone.author);
        let mut peers = Vec::new();
        let mut stays = |origin: &Origin, change: &Change| match (origin, change) {
            (Origin::Peer(id), Change::Keep(fact)) if place_of(fact) == place => {
                peers.push(*id);
                false
            }
            _ => true,
        };
        self.queue.retain(|(origin, change)| stays(origin, change));
        if let Some(Flight { commit, gone, .. }) = &mut self.flight {
            commit.waiters.retain(|(origin, change, _)| stays(origin, change));
            let stated = commit.write.stated.iter().any(|fact| place_of(fact) == place);
            gone.extend(stated.then_some(place));
        }
        peers
    }

    /// What was stated and waits for the next write, a list for each who waits, in their order.
    pub fn stated(&self) -> Vec<&[Fact]> {
        let stated = self.queue.iter().filter_map(|(_, change)| match change {
            Change::State(facts) => Some(facts.as_slice()),
            _ => None,
        });
        stated.collect()
    }

    /// Takes out of the queue what was stated and does not pass, in the order of [`State::stated`].
    pub fn take_stated(&mut self, passes: &[bool]) -> Vec<(Origin, Change)> {
        let mut passes = passes.iter();
        let mut taken = Vec::new();
        self.queue.retain(|(origin, change)| {
            let stays = !matches!(change, Change::State(_)) || passes.next().is_none_or(|it| *it);
            if !stays {
                taken.push((*origin, change.clone()));
            }
            stays
        });
        taken
    }

    /// Puts changes that were taken out before a write back in front of those that wait for the next one.
    pub fn put_back(&mut self, changes: Vec<(Origin, Change)>) {
        changes.into_iter().rev().for_each(|it| self.queue.push_front(it));
    }

    /// Whether a change of this kind waits or is being written.
    pub fn is_pending(&self, is: impl Fn(&Change) -> bool) -> bool {
        let flying = self.flight.iter().flat_map(|flight| &flight.commit.waiters);
        self.queue.iter().map(|(_, change)| change).any(&is)
            || flying.map(|(_, change, _)| change).any(&is)
    }

    /// The greatest fence that waits or is being written.
    pub fn pending_fence(&self) -> Option<Claim> {
        let flying = self.flight.iter().flat_map(|flight| &flight.commit.waiters);
        let changes = self.queue.iter().map(|(_, change)| change);
        let fence = |change: &Change| match change {
            Change::Fence(claim) => Some(*claim),
            _ => None,
        };
        changes.chain(flying.map(|(_, change, _)| change)).filter_map(fence).max()
    }

    /// Writes what this node says at the next start, though nothing changed.
    pub const fn say_again(&mut self) {
        self.unsaid = true;
    }

    /// Whether [`State::start`] has something to do.
    pub fn has_something_to_say(&self) -> bool {
        self.flight.is_none() && (self.unsaid || !self.queue.is_empty())
    }

    /// Starts the next write, if none is under way and there is something to do. The write may be
    /// empty: then it counts as durable at once.
    pub fn start(&mut self, frontier: Frontier, said: Option<&Record>) -> Option<Write> {
        if !self.has_something_to_say() {
            return None;
        }
        let mut build = Build {
            own: self.committed.clone(),
            marker: self.next,
            frontier,
            write: Write::empty(),
            forced: self.unsaid,
        };
        let queue = std::mem::take(&mut self.queue);
        let mut waiters = Vec::new();
        for (origin, change) in queue {
            let result = self.apply(&mut build, &change);
            waiters.push((origin, change, result));
        }
        let unsaid = build.forced
            || !build.write.acts.is_empty()
            || !said.is_some_and(|said| build.own.is_said_by(said));
        if unsaid {
            build.write.record = Some(Arc::new(self.sign_record(&build)));
            build.marker.seq += 1;
        }
        let write = build.write.clone();
        let commit = Commit { write: build.write, waiters, durable: false };
        let gone = BTreeSet::new();
        self.flight = Some(Flight { own: build.own, marker: build.marker, commit, gone });
        Some(write)
    }

    fn apply(
        &self,
        build: &mut Build,
        change: &Change,
    ) -> Result<Option<Arc<Signed<Act>>>, Rejection> {
        match change {
            Change::Register(registration) => build.own.register(registration.clone())?,
            Change::Deregister(key) => build.deregister(key)?,
            Change::Set(set) => build.own.set(set.clone())?,
            Change::Claim(claim) => build.own.profile.claim = *claim,
            Change::StandDown => build.own.profile.claim = 0,
            Change::Firm => build.own.profile.provisional = false,
            Change::Addresses(addresses) => {
                let mut profile = build.own.profile.clone();
                profile.addresses.clone_from(addresses);
                if !profile.is_within_bounds() {
                    return Err(Rejection::Profile);
                }
                build.own.profile = profile;
            }
            Change::Act(statement) => return self.sign_act(build, statement.clone()).map(Some),
            Change::Reincarnate(above) => build.reincarnate(*above, self.nonce),
            Change::Recover(record) => {
                build.own.take_over(record);
                build.reincarnate(record.marker().incarnation, self.nonce);
            }
            Change::Yield { to, above } => {
                build.own.yield_to(*to);
                build.reincarnate(*above, self.nonce);
                build.forced = true;
            }
            Change::Fence(claim) => build.write.fence = build.write.fence.max(Some(*claim)),
            Change::ForgetFence(claim) => build.write.forgotten = Some(*claim),
            Change::Keep(fact) if build.write.kept.contains(fact) => {}
            Change::Keep(fact) => build.write.kept.push(fact.clone()),
            Change::State(facts) => build.write.stated.extend(facts.iter().cloned()),
        }
        Ok(None)
    }

    fn sign_act(
        &self,
        build: &mut Build,
        statement: Statement,
    ) -> Result<Arc<Signed<Act>>, Rejection> {
        if build.frontier.count >= ACTS_PER_AUTHOR_MAX {
            return Err(Rejection::TooManyActs(ACTS_PER_AUTHOR_MAX));
        }
        let act =
            Act { number: build.frontier.count + 1, previous: build.frontier.head, statement };
        let signed = Arc::new(Signed::sign(act, &self.context.flock, &self.identity));
        build.frontier = Frontier { count: build.frontier.count + 1, head: signed.id() };
        build.write.acts.push(signed.clone());
        Ok(signed)
    }

    fn sign_record(&self, build: &Build) -> Record {
        let slots = build.own.slots();
        let header = Header {
            marker: build.marker,
            slots_root: slots_root(slots.keys()),
            profile_hash: build.own.profile.hash(),
            acts: build.frontier,
        };
        let header = Signed::sign(header, &self.context.flock, &self.identity);
        Record::new(header, build.own.profile.clone(), slots)
            .expect("the parts were made for each other, within the bounds that Own keeps")
    }

    /// The write under way ended. What it wrote is now what this node says; or nothing changed, and
    /// what the node itself asked for waits for the next write. Claims and forgotten fences do not:
    /// whether they are wanted is another question by then.
    pub fn finish(&mut self, durable: bool) -> Option<Commit> {
        let mut flight = self.flight.take()?;
        // A marker that was handed to the disk may be there though the write failed: it is spent.
        self.next = flight.marker;
        if durable {
            self.unsaid = false;
            self.state_again(&mut flight);
            self.committed = flight.own;
        } else {
            flight.commit.write = Write::empty();
            self.wait_again(&mut flight.commit.waiters);
        }
        flight.commit.durable = durable;
        Some(flight.commit)
    }

    /// Puts what was stated, and dropped by the disk after it was written, back to the front of the queue.
    fn state_again(&mut self, flight: &mut Flight) {
        if flight.gone.is_empty() {
            return;
        }
        let is_gone = |change: &Change| match change {
            Change::State(facts) => facts.iter().any(|fact| flight.gone.contains(&place_of(fact))),
            _ => false,
        };
        let waiters = std::mem::take(&mut flight.commit.waiters);
        let (again, rest): (Vec<_>, Vec<_>) =
            waiters.into_iter().partition(|(_, change, _)| is_gone(change));
        flight.commit.waiters = rest;
        for (origin, change, _) in again.into_iter().rev() {
            self.queue.push_front((origin, change));
        }
    }

    /// Puts what nobody else would ask for again back to the front of the queue.
    fn wait_again(&mut self, waiters: &mut Vec<Waiter>) {
        let lost = |(origin, change, _): &Waiter| {
            *origin == Origin::Internal
                && !matches!(change, Change::Claim(_) | Change::ForgetFence(_))
        };
        let (again, rest): (Vec<_>, Vec<_>) = std::mem::take(waiters).into_iter().partition(lost);
        *waiters = rest;
        for (origin, change, _) in again.into_iter().rev() {
            self.queue.push_front((origin, change));
        }
    }
}

struct Build {
    own: Own,
    marker: Marker,
    frontier: Frontier,
    write: Write,
    forced: bool,
}

impl Build {
    fn deregister(&mut self, key: &ServiceKey) -> Result<(), Rejection> {
        let result = self.own.deregister(key);
        // Also if it is not known here: an earlier life may have it.
        if self.marker.incarnation == 0 && self.own.is_touched(key) {
            self.write.removed.push(key.clone());
        }
        result
    }

    fn reincarnate(&mut self, above: u64, nonce: [u8; 16]) {
        if self.marker.incarnation <= above {
            self.marker = Marker { incarnation: above.saturating_add(1), nonce, seq: 0 };
            self.forced = true;
        }
    }
}
