use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::Principal;
use crux_crdt::path::Endpoint;
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;

use super::backoff::Backoff;
use super::seed::{Outcome, Seed, Told};
use crate::join::Refusal;
use crate::link::DialFailure;
use crate::time::Instant;

/// How many members from disk are dialled at the start. Enough to find the flock, few enough not to
/// storm it when thousands restart.
const START_MAX: usize = 32;
/// How long an entry may fail before a person is told, unless nobody but a person can end it: the other side
/// may start at the same time, on a slower machine. A guess.
const TELL_AFTER: Duration = Duration::from_secs(3);
/// How long an entry rests whose join was refused.
const REFUSED_REST: Duration = Duration::from_secs(10);
/// How long a member rests that states no address.
const NOWHERE_REST: Duration = Duration::from_secs(5);
/// A node with fewer links looks for more than it wants.
const LINKS_LOW: usize = 4;
/// How often it does. Where seven in eight died at once, a second or two finds a living one.
const MORE_EVERY: Duration = Duration::from_millis(200);
/// How many places found on the link are remembered.
const FOUND_MAX: usize = 64;

/// Why something is dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// An entry of the list, by its place.
    Entry(usize),
    /// A member that should be linked.
    Wanted(Principal),
    /// A member whose link closed.
    Probe(Principal),
    /// A dead member.
    Dead(Principal),
    /// A live member that is not wanted: few are linked.
    More(Principal),
    /// A peer whose gate is open by now.
    Redial(Principal),
    /// A joiner that is called back.
    Call(Principal),
}

/// A dial that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Why.
    pub purpose: Purpose,
    /// Where.
    pub addrs: Vec<String>,
    /// The key that must answer.
    pub expect: Option<Principal>,
}

/// What the engine may know of the rest of the node.
pub struct Facts<'a> {
    /// Whether a member has an open connection.
    pub is_linked: &'a dyn Fn(&Principal) -> bool,
    /// Whether a member is connected, or alive and need not be: a seed peer that leads there rests.
    pub is_within_reach: &'a dyn Fn(&Principal) -> bool,
    /// Live members this node should be linked to.
    pub wanted: &'a BTreeSet<Principal>,
    /// Dead members that have not departed, and since when they are dead.
    pub dead: &'a BTreeMap<Principal, Instant>,
    /// How many are linked.
    pub links: usize,
    /// How many members live, this node among them.
    pub live: usize,
    /// Those who live, this node left out.
    pub others: &'a dyn Fn() -> Vec<Principal>,
    /// Where a member says it is.
    pub addrs: &'a dyn Fn(&Principal) -> Vec<String>,
}

impl core::fmt::Debug for Facts<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Facts").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Entry {
    addr: String,
    backoff: Backoff,
    reached: Option<Principal>,
    myself: bool,
    outcome: Outcome,
    /// Since when every dial failed.
    failing_since: Option<Instant>,
    told: Told,
}

/// The dial engine of one node. See the module for its invariant.
#[derive(Debug)]
pub struct State {
    entries: Vec<Entry>,
    fixed: usize,
    members: BTreeMap<Principal, Backoff>,
    next_dead: Instant,
    next_more: Instant,
    started: bool,
}

impl State {
    /// An engine with these entries.
    pub fn new(entries: &[String], now: Instant) -> Self {
        let mut state = Self {
            entries: Vec::new(),
            fixed: entries.len(),
            members: BTreeMap::new(),
            next_dead: now,
            next_more: now,
            started: false,
        };
        entries.iter().for_each(|addr| state.push(addr, now));
        state
    }

    /// Of how many members it is remembered when to dial them again.
    pub fn members(&self) -> usize {
        self.members.len()
    }

    fn push(&mut self, addr: &str, now: Instant) {
        self.entries.push(Entry {
            addr: addr.to_owned(),
            backoff: Backoff::new(now),
            reached: None,
            myself: false,
            outcome: Outcome::Pending,
            failing_since: None,
            told: Told::default(),
        });
    }

    /// A place where a node of this flock may be, found on the link. Forgotten over restarts.
    pub fn on_found(&mut self, addr: &str, now: Instant) {
        let known = self.entries.iter().any(|entry| entry.addr == addr);
        if !known && self.entries.len() < self.fixed + FOUND_MAX {
            self.push(addr, now);
        }
    }

    /// Where this node was told to find others.
    pub fn has_entries(&self) -> bool {
        !self.entries.is_empty()
    }

    /// Whether it has an address other than this node's own, as far as is known.
    pub fn has_seeds(&self, own: &[Endpoint]) -> bool {
        let elsewhere =
            |entry: &&Entry| !entry.myself && !own.iter().any(|own| own.to_string() == entry.addr);
        self.entries.iter().take(self.fixed).any(|entry| elsewhere(&entry))
    }

    /// Whether this peer answered at the address of a seed peer.
    pub fn is_seed(&self, peer: &Principal) -> bool {
        self.entries.iter().take(self.fixed).any(|entry| entry.reached == Some(*peer))
    }

    /// The entries of `--join`, and what came of them. `is_member`: whether a peer let this node in.
    pub fn seeds(&self, is_member: impl Fn(&Principal) -> bool) -> Vec<Seed> {
        let seed = |entry: &Entry| {
            let joined = entry.reached.as_ref().is_some_and(&is_member);
            let outcome = if joined { Outcome::Answered } else { entry.outcome };
            Seed { addr: entry.addr.clone(), outcome, peer: entry.reached }
        };
        self.entries.iter().take(self.fixed).map(seed).collect()
    }

    /// A dial succeeded.
    pub fn on_dialled(&mut self, purpose: Purpose, peer: Principal, now: Instant) {
        if let Purpose::Entry(place) = purpose
            && let Some(entry) = self.entries.get_mut(place)
        {
            // A refusal counts until the peer lets this node in: it is dialled again after each.
            if !matches!(entry.outcome, Outcome::Refused(_)) || entry.reached != Some(peer) {
                entry.outcome = Outcome::Answered;
            }
            entry.reached = Some(peer);
            entry.failing_since = None;
            entry.backoff.succeed(now);
        }
        if let Some(backoff) = self.members.get_mut(&peer) {
            backoff.succeed(now);
        }
    }

    /// Somebody has something to send to this member, which is not linked: it is dialled without rest.
    pub fn hurry(&mut self, peer: &Principal, now: Instant) {
        if let Some(backoff) = self.members.get_mut(peer) {
            backoff.hurry(now);
        }
    }

    /// A dial failed. Returns the entry that it was of, if a person is to be told: it fails like this
    /// the second time in a row, and either a person has to do something or no dial succeeded for
    /// `TELL_AFTER`.
    pub fn on_failed(
        &mut self,
        purpose: Purpose,
        failure: DialFailure,
        now: Instant,
        rng: &mut StdRng,
    ) -> Option<Seed> {
        match purpose {
            Purpose::Entry(place) => {
                let entry = self.entries.get_mut(place)?;
                entry.myself |= failure == DialFailure::Myself;
                entry.reached = None;
                entry.backoff.fail(now, rng);
                let outcome = Outcome::Failed(failure);
                let before = core::mem::replace(&mut entry.outcome, outcome);
                let since = *entry.failing_since.get_or_insert(now);
                let late = outcome.needs_a_person() || now.since(since) >= TELL_AFTER;
                let fixed = place < self.fixed;
                let told = fixed && late && before == outcome && outcome.is_trouble();
                let news = told && entry.told.is_news(outcome, now);
                return news.then(|| Seed { addr: entry.addr.clone(), outcome, peer: None });
            }
            Purpose::Wanted(peer) => match self.members.get_mut(&peer) {
                Some(backoff) if failure == DialFailure::Closed => backoff.closed(now, rng),
                Some(backoff) => backoff.fail(now, rng),
                None => {}
            },
            Purpose::Probe(_)
            | Purpose::Dead(_)
            | Purpose::More(_)
            | Purpose::Redial(_)
            | Purpose::Call(_) => {}
        }
        None
    }

    /// A join through this peer was refused: its entries rest. Returns those of which a person is to be
    /// told.
    pub fn on_refused(&mut self, peer: Principal, refusal: Refusal, now: Instant) -> Vec<Seed> {
        let outcome = Outcome::Refused(refusal);
        let mut news = Vec::new();
        for entry in self.entries.iter_mut().filter(|entry| entry.reached == Some(peer)) {
            entry.backoff.rest(now, REFUSED_REST);
            entry.outcome = outcome;
            if entry.told.is_news(outcome, now) {
                news.push(Seed { addr: entry.addr.clone(), outcome, peer: Some(peer) });
            }
        }
        news
    }

    /// Whether an entry leads to this peer.
    pub fn leads_to(&self, peer: Principal) -> bool {
        self.entries.iter().any(|entry| entry.reached == Some(peer))
    }

    /// Asks for the dials that are due.
    pub fn on_wake(&mut self, now: Instant, facts: &Facts<'_>, rng: &mut StdRng) -> Vec<Request> {
        let mut out = self.dial_entries(now, facts);
        out.extend(self.dial_wanted(now, facts));
        if !self.started {
            self.started = true;
            self.rest_from_dead(now, facts, rng);
            out.extend(self.dial_known(facts));
        }
        if is_sparse(facts) && self.next_more <= now {
            self.next_more = now + MORE_EVERY;
            out.extend(dial_more(facts, rng));
        }
        if self.next_dead <= now {
            self.rest_from_dead(now, facts, rng);
            out.extend(self.dial_dead(facts, rng));
        }
        out
    }

    fn dial_entries(&mut self, now: Instant, facts: &Facts<'_>) -> Vec<Request> {
        let mut out = Vec::new();
        for (place, entry) in self.entries.iter_mut().enumerate() {
            let reached = entry.reached.is_some_and(|peer| (facts.is_within_reach)(&peer));
            if entry.myself || reached || !entry.backoff.is_due(now) {
                continue;
            }
            entry.backoff.start(now);
            out.push(Request {
                purpose: Purpose::Entry(place),
                addrs: vec![entry.addr.clone()],
                expect: None,
            });
        }
        out
    }

    fn dial_wanted(&mut self, now: Instant, facts: &Facts<'_>) -> Vec<Request> {
        self.members.retain(|peer, backoff| backoff.dialling || facts.wanted.contains(peer));
        let mut out = Vec::new();
        for peer in facts.wanted.iter().filter(|peer| !(facts.is_linked)(peer)) {
            let backoff = self.members.entry(*peer).or_insert_with(|| Backoff::new(now));
            if !backoff.is_due(now) {
                continue;
            }
            match to_member(Purpose::Wanted(*peer), *peer, facts) {
                Some(request) => {
                    backoff.start(now);
                    out.push(request);
                }
                // It says nowhere that it can be reached; it may say so later.
                None => backoff.rest(now, NOWHERE_REST),
            }
        }
        out
    }

    /// Members from disk at the start. Those that are nowhere but at the places of entries are dialled there.
    fn dial_known(&self, facts: &Facts<'_>) -> Vec<Request> {
        let is_entry = |addr: &String| self.entries.iter().any(|entry| entry.addr == *addr);
        let known = facts.dead.keys().filter(|peer| !(facts.is_linked)(peer));
        let known = known.filter_map(|peer| to_member(Purpose::Dead(*peer), *peer, facts));
        known.filter(|request| !request.addrs.iter().all(is_entry)).take(START_MAX).collect()
    }

    fn rest_from_dead(&mut self, now: Instant, facts: &Facts<'_>, rng: &mut StdRng) {
        let period = Duration::from_millis(500) * u32::try_from(facts.live).unwrap_or(u32::MAX);
        let period = period.clamp(Duration::from_secs(1), Duration::from_secs(60));
        self.next_dead = now + period.mul_f64(rng.random_range(0.8..1.2));
    }

    fn dial_dead(&self, facts: &Facts<'_>, rng: &mut StdRng) -> Option<Request> {
        let dead: Vec<_> =
            facts.dead.keys().filter(|peer| !(facts.is_linked)(peer)).copied().collect();
        let peer = *dead.get(rng.random_range(0..dead.len().max(1)))?;
        to_member(Purpose::Dead(peer), peer, facts)
    }

    /// When [`State::on_wake`] has something to do.
    pub fn deadline(&self, facts: &Facts<'_>) -> Instant {
        let (is_linked, is_within_reach) = (facts.is_linked, facts.is_within_reach);
        let idle = |entry: &&Entry| {
            !entry.myself && !entry.reached.is_some_and(|peer| is_within_reach(&peer))
        };
        let entries = self.entries.iter().filter(idle).map(|entry| entry.backoff.deadline());
        let wanted = facts
            .wanted
            .iter()
            .filter(|peer| !is_linked(peer))
            .map(|peer| self.members.get(peer).map_or(Instant::ORIGIN, Backoff::deadline));
        let dead = if facts.dead.is_empty() { Instant::NEVER } else { self.next_dead };
        let more = if is_sparse(facts) { self.next_more } else { Instant::NEVER };
        entries.chain(wanted).min().unwrap_or(Instant::NEVER).min(dead).min(more)
    }
}

/// Whether few are linked, and there are others than those who are wanted and dialled anyway.
fn is_sparse(facts: &Facts<'_>) -> bool {
    facts.links < LINKS_LOW && facts.live > 1 + facts.wanted.len()
}

/// Dials any live member. Otherwise a node whose observers all die at once would hear of no death, dial
/// only those, and be dead to the others, which do not know that they are now its observers.
fn dial_more(facts: &Facts<'_>, rng: &mut StdRng) -> Option<Request> {
    let others = (facts.others)().into_iter();
    let others = others.filter(|it| !(facts.is_linked)(it) && !facts.wanted.contains(it));
    let peer = others.choose(rng)?;
    to_member(Purpose::More(peer), peer, facts)
}

/// A dial to a member at the places it states.
pub(crate) fn to_member(purpose: Purpose, peer: Principal, facts: &Facts<'_>) -> Option<Request> {
    let addrs = (facts.addrs)(&peer);
    (!addrs.is_empty()).then_some(Request { purpose, addrs, expect: Some(peer) })
}
