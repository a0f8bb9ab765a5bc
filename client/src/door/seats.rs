//! Which connections the control socket serves, and which of them it closes.
//!
//! A connection has a seat from the moment it is accepted. It is *idle* while it has no call open.
//! An idle one is closed after a while, sooner if it never made a call. When all seats are taken, the
//! one that has been idle for longest makes room for a newcomer, once it had a moment to say something.
//!
//! Invariant: there are at most `max` seats; a connection with an open call is never closed; and
//! because fewer calls than seats are taken ([`Limits`](super::limits::Limits)), a newcomer waits no
//! longer than [`LINGER`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::limits::LONG_PER_CONNECTION;

/// How long a connection may take until its first call, and how long before it makes room.
const SILENT_MAX: Duration = Duration::from_secs(10);
const HELLO: Duration = Duration::from_millis(250);
/// The same after its last call: a program may hold its connection and call now and then, and an
/// answer that was given may still be on its way.
const IDLE_MAX: Duration = Duration::from_secs(300);
const LINGER: Duration = Duration::from_secs(2);

/// One connection.
#[derive(Debug)]
struct Seat {
    /// Since when it is as it is: accepted, or the end of its last call.
    since: Instant,
    /// How many calls it has open, and how many of them are long ones.
    calls: usize,
    long: usize,
    /// Whether it ever made a call.
    called: bool,
    /// Closes it; none once it was used.
    close: Option<oneshot::Sender<()>>,
}

impl Seat {
    /// When it is closed if nothing happens; none while it has a call open or is closing.
    fn ends(&self) -> Option<Instant> {
        let patience = if self.called { IDLE_MAX } else { SILENT_MAX };
        self.is_idle().then(|| self.since + patience)
    }

    /// From when on it makes room for a newcomer.
    fn yields(&self) -> Option<Instant> {
        let patience = if self.called { LINGER } else { HELLO };
        self.is_idle().then(|| self.since + patience)
    }

    fn is_idle(&self) -> bool {
        self.calls == 0 && self.close.is_some()
    }
}

/// All seats. Time is handed in.
#[derive(Debug)]
struct Table {
    seats: BTreeMap<u64, Seat>,
    next: u64,
    max: usize,
}

impl Table {
    fn take(&mut self, now: Instant) -> (u64, oneshot::Receiver<()>) {
        let (close, closed) = oneshot::channel();
        let id = self.next;
        self.next += 1;
        let seat = Seat { since: now, calls: 0, long: 0, called: false, close: Some(close) };
        self.seats.insert(id, seat);
        (id, closed)
    }

    /// Closes what was idle for too long.
    fn expire(&mut self, now: Instant) {
        for seat in self.seats.values_mut() {
            if seat.ends().is_some_and(|at| at <= now) {
                drop(seat.close.take());
            }
        }
    }

    /// Closes the connection that can be spared most, if it had its moment.
    fn make_room(&mut self, now: Instant) {
        let is_on_its_way = self.seats.values().any(|seat| seat.close.is_none());
        let spare = self.seats.values_mut().filter(|seat| seat.is_idle());
        let spare = spare.min_by_key(|seat| seat.yields());
        if let Some(seat) = spare
            && !is_on_its_way
            && seat.yields().is_some_and(|at| at <= now)
        {
            drop(seat.close.take());
        }
    }

    fn is_full(&self) -> bool {
        self.seats.len() >= self.max
    }

    /// When there is something to do if nothing happens.
    fn due(&self) -> Option<Instant> {
        let ends = self.seats.values().filter_map(Seat::ends).min();
        let yields = self.seats.values().filter_map(Seat::yields).min();
        if self.is_full() { ends.into_iter().chain(yields).min() } else { ends }
    }
}

/// The seats of one control socket. Clones share them.
#[derive(Debug, Clone)]
pub struct Seats {
    table: Arc<Mutex<Table>>,
    changed: Arc<Notify>,
}

impl Seats {
    /// At most so many.
    pub fn new(max: usize) -> Self {
        let table = Table { seats: BTreeMap::new(), next: 0, max };
        Self { table: Arc::new(Mutex::new(table)), changed: Arc::default() }
    }

    /// Resolves when a connection may be accepted. Closes those that have to go meanwhile.
    pub async fn free(&self) {
        loop {
            let due = {
                let (mut table, now) = (self.table(), Instant::now());
                table.expire(now);
                if !table.is_full() {
                    return;
                }
                table.make_room(now);
                table.due()
            };
            self.change_or(due).await;
        }
    }

    /// Closes idle connections in time, for ever.
    pub async fn sweep(&self) {
        loop {
            let due = {
                let mut table = self.table();
                table.expire(Instant::now());
                table.due()
            };
            self.change_or(due).await;
        }
    }

    async fn change_or(&self, due: Option<Instant>) {
        let due = async {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.changed.notified() => {}
            () = due => {}
        }
    }

    /// Takes a seat. The second half resolves when the connection is to be closed.
    pub fn take(&self) -> (Line, oneshot::Receiver<()>) {
        let (id, closed) = self.table().take(Instant::now());
        (Line { seats: self.clone(), id }, closed)
    }

    /// Closes the connection that can be spared most: the system has no descriptor left.
    pub fn spare_one(&self) {
        self.table().make_room(Instant::now());
    }

    /// Closes all that never made a call: the node stops, and some of them have not said enough to be
    /// told so.
    pub fn close_silent(&self) {
        let mut table = self.table();
        for seat in table.seats.values_mut().filter(|seat| seat.is_idle() && !seat.called) {
            drop(seat.close.take());
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's seat, as its calls see it.
#[derive(Debug, Clone)]
pub struct Line {
    seats: Seats,
    id: u64,
}

impl Line {
    /// Opens a call; none where the connection has as many long ones as it may.
    pub fn open(&self, long: bool) -> Option<Open> {
        let mut table = self.seats.table();
        // The connection may be gone while its last request is checked.
        if let Some(seat) = table.seats.get_mut(&self.id) {
            if long && seat.long >= LONG_PER_CONNECTION {
                return None;
            }
            seat.calls += 1;
            seat.long += usize::from(long);
            seat.called = true;
        }
        Some(Open { line: self.clone(), long })
    }

    /// Gives the seat back: the connection is closed.
    pub fn leave(&self) {
        self.seats.table().seats.remove(&self.id);
        self.seats.changed.notify_one();
    }
}

/// An open call. Ends when dropped.
#[derive(Debug)]
pub struct Open {
    line: Line,
    long: bool,
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(seat) = self.line.seats.table().seats.get_mut(&self.line.id) {
            seat.calls -= 1;
            seat.long -= usize::from(self.long);
            seat.since = Instant::now();
        }
        self.line.seats.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table, and for each connection that came whether it is to close.
    struct Fixture {
        table: Table,
        closed: Vec<oneshot::Receiver<()>>,
        start: Instant,
    }

    impl Fixture {
        fn new(max: usize) -> Self {
            let table = Table { seats: BTreeMap::new(), next: 0, max };
            Self { table, closed: Vec::new(), start: Instant::now() }
        }

        fn take(&mut self, at: Duration) {
            self.closed.push(self.table.take(self.start + at).1);
        }

        fn call(&mut self, id: u64) {
            let seat = self.table.seats.get_mut(&id).unwrap();
            (seat.calls, seat.called) = (1, true);
        }

        fn answer(&mut self, id: u64, at: Duration) {
            let seat = self.table.seats.get_mut(&id).unwrap();
            (seat.calls, seat.since) = (0, self.start + at);
        }

        fn closed(&mut self) -> Vec<usize> {
            use oneshot::error::TryRecvError::Closed;
            let closed = self.closed.iter_mut().map(|closed| closed.try_recv() == Err(Closed));
            closed.enumerate().filter(|(_, closed)| *closed).map(|(id, _)| id).collect()
        }
    }

    #[test]
    fn the_silent_go_first_and_those_with_a_call_stay() {
        let mut f = Fixture::new(4);
        (0..4).for_each(|_| f.take(Duration::ZERO));
        f.call(0);
        f.call(1);
        f.answer(1, Duration::ZERO);
        f.table.expire(f.start + SILENT_MAX - Duration::from_millis(1));
        assert!(f.closed().is_empty());
        f.table.expire(f.start + SILENT_MAX);
        assert_eq!(f.closed(), [2, 3]);
        f.table.expire(f.start + IDLE_MAX);
        assert_eq!(f.closed(), [1, 2, 3]);
        f.table.expire(f.start + IDLE_MAX * 100);
        assert_eq!(f.closed(), [1, 2, 3], "a call may take as long as it takes");
        assert_eq!(f.table.due(), None);
    }

    #[test]
    fn a_newcomer_gets_the_seat_of_the_one_that_is_idle_for_longest() {
        let mut f = Fixture::new(3);
        (0..3).for_each(|i| f.take(Duration::from_millis(i)));
        f.call(0);
        assert!(f.table.is_full());
        f.table.make_room(f.start + HELLO);
        assert!(f.closed().is_empty(), "each has a moment to say something");
        assert_eq!(f.table.due(), Some(f.start + HELLO + Duration::from_millis(1)));
        f.table.make_room(f.start + HELLO * 2);
        f.table.make_room(f.start + HELLO * 2);
        assert_eq!(f.closed(), [1], "one newcomer, one seat");
        f.table.seats.remove(&1);
        f.call(2);
        f.answer(2, HELLO);
        f.take(HELLO);
        f.table.make_room(f.start + LINGER);
        assert_eq!(f.closed(), [1, 3], "one that called lingers");
        f.table.seats.remove(&3);
        f.table.make_room(f.start + HELLO + LINGER);
        assert_eq!(f.closed(), [1, 2, 3]);
        f.table.make_room(f.start + IDLE_MAX);
        assert_eq!(f.closed(), [1, 2, 3], "a call is never cut");
    }

    #[tokio::test]
    async fn a_connection_has_room_for_short_calls_beside_its_long_ones() {
        let seats = Seats::new(1);
        let (line, _closed) = seats.take();
        let mut long: Vec<_> = (0..LONG_PER_CONNECTION).map(|_| line.open(true).unwrap()).collect();
        assert!(line.open(true).is_none());
        assert!(line.open(false).is_some());
        drop(long.pop());
        assert!(line.open(true).is_some());
    }
}
