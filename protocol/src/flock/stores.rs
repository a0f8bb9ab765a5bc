//! What a person wrote and waits until other members stored it: this node's record, or facts.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::Principal;
use crux_crdt::fact::Fact;

use super::control::{Answer, ControlError, ControlId};
use super::state::{Route, State};
use crate::fact;
use crate::link::Protocol;
use crate::sync::{Request, Response};
use crate::time::Instant;

/// How long a caller waits for other members to store what it wrote where the caller does not say. Less than the
/// ten seconds that a command waits by default, or nobody would read how many did.
pub const STORE_PATIENCE: Duration = Duration::from_secs(8);
/// The longest that a caller waits, whatever the caller allows: a front end waits a minute.
pub const STORE_PATIENCE_MAX: Duration = Duration::from_secs(50);

/// How many facts one member is asked to store at once, so that a thousand of 64 KiB are not encoded for each of all
/// members at the same time. A guess.
const ASKED_AT_ONCE: usize = 16;

/// How far a member is with the facts of a caller.
#[derive(Debug, Default)]
struct Asked {
    /// Which it stored, by number.
    stored: BTreeSet<usize>,
    /// The first that it was not asked for.
    next: usize,
}

/// A caller that waits for other members.
#[derive(Debug)]
pub(super) struct StoreWait {
    need: u32,
    /// The members that were asked.
    asked: BTreeMap<Principal, Asked>,
    until: Instant,
    /// What is answered; none as long as it is not on this node's own disk.
    answer: Option<Answer>,
    /// What the others are to store; none: this node's record as it is.
    facts: Vec<Fact>,
}

impl StoreWait {
    pub(super) fn new(need: u32, patience: Duration, now: Instant) -> Self {
        let until = now + patience.min(STORE_PATIENCE_MAX);
        Self { need, asked: BTreeMap::new(), until, answer: None, facts: Vec::new() }
    }

    /// How many there are to be stored.
    fn whole(&self) -> usize {
        self.facts.len().max(1)
    }

    /// How many members stored all of it.
    fn stored(&self) -> usize {
        self.asked.values().filter(|asked| asked.stored.len() >= self.whole()).count()
    }

    /// When it has waited long enough. What is still being written here is answered when that ends.
    pub(super) fn deadline(&self) -> Instant {
        if self.answer.is_some() { self.until } else { Instant::NEVER }
    }
}

impl State {
    /// Answers what is durable here: at once, or when the other members that the caller asked for have it.
    pub(super) fn answer_when_stored(&mut self, id: ControlId, answer: Answer, facts: Vec<Fact>) {
        match self.stores.get_mut(&id) {
            Some(wait) => {
                (wait.answer, wait.facts) = (Some(answer), facts);
                self.ask_all_to_store(id);
            }
            None => self.answer(id, Ok(answer)),
        }
    }

    /// Asks everyone who is linked to store it.
    pub(super) fn ask_all_to_store(&mut self, id: ControlId) {
        for peer in self.linked() {
            self.ask_to_store(id, peer);
        }
    }

    /// This node's record is another one, which those may take who refused the last.
    pub(super) fn ask_again_to_store(&mut self) {
        for id in self.waiting_stores() {
            if self.stores.get(&id).is_some_and(|wait| wait.facts.is_empty()) {
                self.ask_all_to_store(id);
            }
        }
    }

    /// A peer is linked that was not asked.
    pub(super) fn ask_to_store_what_waits(&mut self, peer: Principal) {
        for id in self.waiting_stores() {
            self.ask_to_store(id, peer);
        }
    }

    fn waiting_stores(&self) -> Vec<ControlId> {
        let waiting = self.stores.iter().filter(|(_, wait)| wait.answer.is_some());
        waiting.map(|(id, _)| *id).collect()
    }

    /// Asks a member from the first on that it did not store.
    fn ask_to_store(&mut self, id: ControlId, peer: Principal) {
        let Some(wait) = self.stores.get_mut(&id) else { return };
        wait.asked.entry(peer).or_default().next = 0;
        for _ in 0..ASKED_AT_ONCE {
            self.ask_for_next(id, peer);
        }
    }

    fn ask_for_next(&mut self, id: ControlId, peer: Principal) {
        let Some(wait) = self.stores.get_mut(&id) else { return };
        let whole = wait.whole();
        let Some(asked) = wait.asked.get_mut(&peer) else { return };
        let next = (asked.next..whole).find(|number| !asked.stored.contains(number));
        asked.next = next.map_or(whole, |number| number + 1);
        let own = || self.strew.record(&self.context.me).cloned().map(Fact::from);
        let fact = next.and_then(|number| match wait.facts.get(number) {
            Some(fact) => Some((number, fact.clone())),
            None => own().map(|own| (number, own)),
        });
        if let Some((number, fact)) = fact {
            let body = Request::Store(fact::whole(&fact)).encode();
            self.send(peer, Protocol::Sync, body, Route::Store(id, number));
        }
    }

    /// A member answered whether it stored one of them.
    pub(super) fn on_stored(
        &mut self,
        (id, number): (ControlId, usize),
        peer: Principal,
        body: &[u8],
    ) {
        if body != Response::encode_stored(true) {
            return;
        }
        let Some(wait) = self.stores.get_mut(&id) else { return };
        let is_new = wait.asked.entry(peer).or_default().stored.insert(number);
        if wait.stored() < wait.need as usize {
            if is_new {
                self.ask_for_next(id, peer);
            }
        } else if let Some(StoreWait { answer: Some(answer), .. }) = self.stores.remove(&id) {
            self.answer(id, Ok(answer));
        }
    }

    /// Says how many stored what waited long enough.
    pub(super) fn expire_stores(&mut self, now: Instant) {
        let late = self.stores.iter().filter(|(_, wait)| wait.deadline() <= now);
        for id in late.map(|(id, _)| *id).collect::<Vec<_>>() {
            if let Some(wait) = self.stores.remove(&id) {
                let got = u32::try_from(wait.stored()).unwrap_or(u32::MAX);
                self.answer(id, Err(ControlError::NotStored { got, need: wait.need }));
            }
        }
    }
}
