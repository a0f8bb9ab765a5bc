use std::cmp::{Ordering, Reverse};
use std::collections::binary_heap::PeekMut;
use std::collections::{BTreeMap, BinaryHeap};

use crux_protocol::flock::Event;
use crux_protocol::link::RequestId;
use crux_protocol::time::Instant;

use super::host::Process;
use super::net::{Attempt, ConnId, Message, Side};
use super::site::Errand;

/// Something that happens at one instant.
#[derive(Debug)]
pub(super) enum Happening {
    /// A process is told something.
    Tell(Process, Box<Event>),
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
    /// Something that a machine under its so manieth supervisor is in the middle of is done.
    Site(Process, u64, Box<Errand>),
    /// The gossip of a process is tended.
    Heartbeat(Process),
    /// Nobody answered a request in time.
    TimedOut(Process, RequestId),
}

/// What is going to happen, by time and then by the order in which it was put in.
///
/// Sorted is only what happens within the slice of time that has begun; what comes later lies unsorted
/// in slices of its own. There are millions of messages on their way when thousands of nodes start.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Which slice has begun, and what is left of it and of those before.
    slice: u64,
    begun: BinaryHeap<Entry>,
    later: BTreeMap<u64, Vec<Entry>>,
    next: u64,
}

/// How long a slice is, in microseconds.
const SLICE: u64 = 500;

#[derive(Debug)]
struct Entry {
    at: Instant,
    number: u64,
    what: Happening,
}

impl Entry {
    const fn order(&self) -> Reverse<(Instant, u64)> {
        Reverse((self.at, self.number))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    /// The greatest is what happens next.
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl Queue {
    pub(super) fn push(&mut self, at: Instant, what: Happening) {
        let entry = Entry { at, number: self.next, what };
        self.next += 1;
        let slice = u64::try_from(at.since_origin().as_micros()).unwrap_or(u64::MAX) / SLICE;
        if slice <= self.slice {
            self.begun.push(entry);
        } else {
            self.later.entry(slice).or_default().push(entry);
        }
    }

    /// Takes out what happens next, if that is not after `until`.
    pub(super) fn pop(&mut self, until: Instant) -> Option<(Instant, Happening)> {
        if self.begun.is_empty() {
            let (slice, entries) = self.later.pop_first()?;
            self.slice = slice;
            self.begun = entries.into();
        }
        let first = self.begun.peek_mut().filter(|first| first.at <= until)?;
        let Entry { at, what, .. } = PeekMut::pop(first);
        Some((at, what))
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    #[test]
    fn things_happen_in_order_of_time_and_then_of_their_arrival() {
        let mut rng = StdRng::from_seed([1; 32]);
        let (mut queue, mut now, mut order) = (Queue::default(), Instant::ORIGIN, Vec::new());
        let mut put = 0;
        while put < 5_000 {
            for _ in 0..rng.random_range(0..4) {
                let at = now + Duration::from_micros(rng.random_range(0..4_000) / 100 * 100);
                queue.push(at, Happening::Heartbeat(Process { host: put, boot: 0 }));
                put += 1;
            }
            let until = now + Duration::from_micros(rng.random_range(0..700));
            while let Some((at, Happening::Heartbeat(process))) = queue.pop(until) {
                assert!(now <= at && at <= until);
                now = at;
                order.push((at, process.host));
            }
            now = until;
        }
        assert!(order.len() > 4_000);
        assert!(order.is_sorted());
    }
}
