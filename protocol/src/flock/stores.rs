//! Registrations that wait until other members stored them.

use core::time::Duration;
use std::collections::BTreeSet;

use crux_crdt::Principal;
use crux_crdt::canon::Encoder;
use crux_crdt::record::Registration;

use super::control::{Answer, ControlError, ControlId};
use super::state::{Route, State};
use crate::frame::RecordFrame;
use crate::link::Protocol;
use crate::sync::{Request, Response};
use crate::time::Instant;

/// How long a registration waits for other members to store it where the caller does not say. Less than the
/// ten seconds that a command waits by default, or nobody would read how many did.
pub const STORE_PATIENCE: Duration = Duration::from_secs(8);
/// The longest that a registration waits, whatever the caller allows: a front end waits a minute.
pub const STORE_PATIENCE_MAX: Duration = Duration::from_secs(50);

/// A registration that waits for other members.
#[derive(Debug)]
pub(super) struct StoreWait {
    need: u32,
    /// The members that stored it.
    got: BTreeSet<Principal>,
    until: Instant,
    /// What is answered; none as long as it is not on this node's own disk.
    pub(super) answer: Option<Registration>,
}

impl StoreWait {
    pub(super) fn new(need: u32, patience: Duration, now: Instant) -> Self {
        let until = now + patience.min(STORE_PATIENCE_MAX);
        Self { need, got: BTreeSet::new(), until, answer: None }
    }

    /// When it has waited long enough. What is still being written here is answered when that ends.
    pub(super) fn deadline(&self) -> Instant {
        if self.answer.is_some() { self.until } else { Instant::NEVER }
    }
}

impl State {
    /// Asks everyone who is linked to store this node's record.
    pub(super) fn ask_all_to_store(&mut self, id: ControlId) {
        for peer in self.linked() {
            self.ask_to_store(id, peer);
        }
    }

    /// This node's record is another one, which those may take who refused the last.
    pub(super) fn ask_again_to_store(&mut self) {
        for id in self.waiting_stores() {
            self.ask_all_to_store(id);
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

    fn ask_to_store(&mut self, id: ControlId, peer: Principal) {
        let Some(record) = self.strew.record(&self.context.me).cloned() else { return };
        let mut frame = Encoder::default();
        RecordFrame::seal(&mut frame, &record, usize::MAX, |_| false);
        let body = Request::Store(frame.finish()).encode();
        self.send(peer, Protocol::Sync, body, Route::Store(id));
    }

    /// A member answered whether it stored a record.
    pub(super) fn on_stored(&mut self, id: ControlId, peer: Principal, body: &[u8]) {
        let Ok(Response::Stored(true)) = Response::decode(body, &self.context) else { return };
        let Some(wait) = self.stores.get_mut(&id) else { return };
        wait.got.insert(peer);
        if wait.got.len() >= wait.need as usize
            && let Some(StoreWait { answer: Some(registration), .. }) = self.stores.remove(&id)
        {
            self.answer(id, Ok(Answer::Registered(registration)));
        }
    }

    /// Says how many stored what waited long enough.
    pub(super) fn expire_stores(&mut self, now: Instant) {
        let late = self.stores.iter().filter(|(_, wait)| wait.deadline() <= now);
        for id in late.map(|(id, _)| *id).collect::<Vec<_>>() {
            if let Some(wait) = self.stores.remove(&id) {
                let got = u32::try_from(wait.got.len()).unwrap_or(u32::MAX);
                self.answer(id, Err(ControlError::NotStored { got, need: wait.need }));
            }
        }
    }
}
