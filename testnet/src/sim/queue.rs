use std::collections::BTreeMap;

use crux_protocol::flock::Event;
use crux_protocol::link::RequestId;
use crux_protocol::time::Instant;

use super::host::Process;
use super::net::{Attempt, ConnId, Message, Side};

/// Something that happens at one instant.
#[derive(Debug)]
pub(super) enum Happening {
    /// A process is told something.
    Tell(Process, Event),
    /// The timer of a process; only the one with its newest number counts.
    Wake(Process, u64),
    /// The disk of a process finished what it was given, up to this number.
    Written(Process, u64),
    /// A dial comes to its next address.
    Dial(Attempt),
    /// One end of a connection is up.
    Established(ConnId, Side),
    /// A connection that one end was told to close is closed there.
    Shut(ConnId, Side),
    /// A message reaches an end of a connection.
    Arrive(ConnId, Side, Message),
    /// The gossip of a process is tended.
    Heartbeat(Process),
    /// Nobody answered a request in time.
    TimedOut(Process, RequestId),
}

/// What is going to happen, by time and then by the order in which it was put in.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: BTreeMap<(Instant, u64), Happening>,
    next: u64,
}

impl Queue {
    pub(super) fn push(&mut self, at: Instant, what: Happening) {
        self.entries.insert((at, self.next), what);
        self.next += 1;
    }

    /// Takes out what happens next, if that is not after `until`.
    pub(super) fn pop(&mut self, until: Instant) -> Option<(Instant, Happening)> {
        let entry = self.entries.first_entry().filter(|entry| entry.key().0 <= until)?;
        let ((at, _), what) = entry.remove_entry();
        Some((at, what))
    }
}
