//! Dials: several addresses, one answer.
//!
//! libp2p dials several addresses at once only if it knows whose key to expect, and then gives up
//! on all of them when the first that answers has another key. So each address is a dial of its
//! own here, and this is the book-keeping: addresses are tried in their order, the next one as
//! soon as one fails or after a stagger, whichever is first; the first that is established
//! answers the dial, and what else is under way is abandoned.
//!
//! ```text
//!   start ─▶ next ─▶ attempt ──▶ established ─▶ Dialled, abandon the others
//!              ▲        ├──────▶ failed, none left ─▶ DialFailed with the most telling reason
//!              └────────┴─ failed, or due
//! ```
//!
//! Invariant. A dial leaves the table at the moment it is answered, hence is answered once.

mod failure;
mod resolve;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use crux_crdt::Principal;
use libp2p::swarm::ConnectionId;
use tokio::time::Instant;

use super::limits::{DIAL_STAGGER, DIALS_MAX};
use crate::link::{DialFailure, DialId};

pub(super) use failure::classify;
pub(super) use resolve::resolve;

/// A dial in progress.
#[derive(Debug)]
struct Dial {
    expect: Option<Principal>,
    untried: VecDeque<SocketAddr>,
    under_way: BTreeSet<ConnectionId>,
    /// The most telling failure so far.
    failure: Option<DialFailure>,
    /// When the next address is tried, if nothing failed before.
    due: Option<Instant>,
}

/// All dials in progress.
#[derive(Debug, Default)]
pub(super) struct Dials {
    dials: BTreeMap<DialId, Dial>,
    of_connection: BTreeMap<ConnectionId, DialId>,
    due: BTreeSet<(Instant, DialId)>,
}

/// What to do about a dial.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Wait.
    Wait,
    /// Dial this address, then call [`Dials::attempted`].
    Try { addr: SocketAddr, expect: Option<Principal> },
    /// Tell the engine that it failed.
    Fail(DialFailure),
}

impl Dials {
    /// Begins a dial. Returns false if there are too many.
    pub(super) fn start(&mut self, id: DialId, expect: Option<Principal>) -> bool {
        if self.dials.len() >= DIALS_MAX {
            return false;
        }
        let dial = Dial {
            expect,
            untried: VecDeque::new(),
            under_way: BTreeSet::new(),
            failure: None,
            due: None,
        };
        self.dials.insert(id, dial).is_none()
    }

    /// Says which addresses a dial has.
    pub(super) fn resolved(&mut self, id: DialId, addrs: Vec<SocketAddr>) {
        if let Some(dial) = self.dials.get_mut(&id) {
            dial.untried = addrs.into();
        }
    }

    /// Returns what to do about a dial now.
    pub(super) fn next(&mut self, id: DialId) -> Step {
        let Some(dial) = self.dials.get_mut(&id) else {
            return Step::Wait;
        };
        if let Some(due) = dial.due.take() {
            self.due.remove(&(due, id));
        }
        match dial.untried.pop_front() {
            Some(addr) => Step::Try { addr, expect: dial.expect },
            None if dial.under_way.is_empty() => {
                let failure = dial.failure.unwrap_or(DialFailure::Unreachable);
                self.dials.remove(&id);
                Step::Fail(failure)
            }
            None => Step::Wait,
        }
    }

    /// Says which connection came of [`Step::Try`].
    pub(super) fn attempted(&mut self, id: DialId, connection: ConnectionId, now: Instant) {
        let Some(dial) = self.dials.get_mut(&id) else {
            return;
        };
        dial.under_way.insert(connection);
        self.of_connection.insert(connection, id);
        if !dial.untried.is_empty() {
            let due = now + DIAL_STAGGER;
            dial.due = Some(due);
            self.due.insert((due, id));
        }
    }

    /// Says that an address failed before there was a connection for it.
    pub(super) fn failed_at_once(&mut self, id: DialId, failure: DialFailure) {
        if let Some(dial) = self.dials.get_mut(&id) {
            dial.failure = Some(dial.failure.map_or(failure, |other| other.min(failure)));
        }
    }

    /// Says that a connection failed. Returns its dial, if it was of one.
    pub(super) fn failed(
        &mut self,
        connection: ConnectionId,
        failure: DialFailure,
    ) -> Option<DialId> {
        let id = self.of_connection.remove(&connection)?;
        let dial = self.dials.get_mut(&id)?;
        dial.under_way.remove(&connection);
        self.failed_at_once(id, failure);
        Some(id)
    }

    /// Says that a connection was established. Returns its dial, if it was of one, and what else
    /// was under way for it.
    pub(super) fn established(
        &mut self,
        connection: ConnectionId,
    ) -> Option<(DialId, Vec<ConnectionId>)> {
        let id = self.of_connection.remove(&connection)?;
        let mut dial = self.dials.remove(&id)?;
        if let Some(due) = dial.due {
            self.due.remove(&(due, id));
        }
        dial.under_way.remove(&connection);
        let others: Vec<ConnectionId> = dial.under_way.into_iter().collect();
        for other in &others {
            self.of_connection.remove(other);
        }
        Some((id, others))
    }

    /// Returns when [`Dials::pop_due`] has something next.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Returns a dial whose next address is to be tried by now.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<DialId> {
        let (due, id) = *self.due.first()?;
        if due > now {
            return None;
        }
        self.due.remove(&(due, id));
        if let Some(dial) = self.dials.get_mut(&id) {
            dial.due = None;
        }
        Some(id)
    }
}

#[cfg(test)]
mod dial_test;
