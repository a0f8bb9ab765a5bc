//! The log of one service: its instances put lines in, a flush writes them, readers read.
//!
//! ```text
//!  pipe ─ Input ─ cutters ─ gate ─▶ tail ──flush──▶ files
//!                             │       └──────┬────────┘
//!                       counted          readers
//! ```
//!
//! Three locks. `state` is held for moments, and no disk is touched under it: this is what putting a line
//! in takes. `writer` is held by the one flush. `names` is held while files are renamed or opened.
//! Order: `writer`, then one of the others.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crux_protocol::time::Instant;
use tokio::sync::watch;

use super::disk::{Dir, Disk, Rotation};
use super::gate::{BURST, Gate};
use super::line::Line;
use super::marks::Marks;
use super::names::Names;
use super::tail::{Tail, crux, remark};
use super::writer::Writer;
use crate::clock::Moment;

/// How many bytes stay in memory while the disk refuses them.
pub const REFUSED_BYTES_MAX: usize = 256 * 1024;
/// How many bytes wait for a disk that only is slow: the burst, which the gate lets through at once, and
/// what each line takes beside its text.
#[expect(clippy::cast_possible_truncation, reason = "16 MiB")]
const WAITING_BYTES_MAX: usize = 2 * BURST as usize;
/// The same for all services together: a few bursts at once.
const WAITING_ALL_MAX: u64 = 64 << 20;
/// How long a disk that refused is left alone.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How many ends of instances are remembered, for readers that wait for one.
const CLOSED_MAX: usize = 64;

/// Why lines were dropped before they were written.
const TOO_FAST: &str = "more than 1 MiB/s";
const DISK_REFUSES: &str = "the disk takes nothing";
const DISK_SLOW: &str = "the disk is too slow";

/// News about a log that a person should hear, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The disk takes nothing more; the last [`REFUSED_BYTES_MAX`] bytes stay in memory.
    Refused(String),
    /// It takes lines again; so many had to be dropped.
    Writable {
        /// Lines that were dropped meanwhile.
        dropped: u64,
    },
}

/// The bytes that wait in memory, in all logs.
#[derive(Debug, Clone, Default)]
pub(super) struct Budget(Arc<AtomicU64>);

/// The log of a service.
#[derive(Debug)]
pub struct ServiceLog {
    pub(super) state: Mutex<State>,
    pub(super) writer: Mutex<Writer>,
    pub(super) names: Arc<Mutex<Names>>,
    pub(super) changed: watch::Sender<u64>,
    /// How many bytes the files may have in all. Apart from the writer, which may wait for the disk.
    log_max: AtomicU64,
    budget: Budget,
}

/// The part of a log that is in memory.
#[derive(Debug)]
pub(super) struct State {
    pub(super) tail: Tail,
    pub(super) marks: Marks,
    gate: Gate,
    /// Instances that may still write, with how many inputs each.
    open: BTreeMap<String, u32>,
    /// Instances that ended, with the index after their last line.
    closed: VecDeque<(String, u64)>,
    pub(super) followers: u32,
    /// Its service is removed: nothing more comes, and nobody waits for it.
    pub(super) is_over: bool,
    /// When to try again, while the disk refuses.
    pub(super) retry_at: Option<Instant>,
    /// Lines dropped since the disk began to refuse.
    pub(super) dropped: u64,
    /// The bytes that this log has counted in the budget.
    counted: u64,
}

impl ServiceLog {
    /// Opens the log in a directory, or begins one.
    ///
    /// # Errors
    /// Those of the system: the directory cannot be made or read.
    pub(super) fn open(dir: &Path, log_max: u64, budget: Budget, now: Instant) -> io::Result<Self> {
        Ok(Self::with_disk(dir, Box::new(Dir::open(dir)?), log_max, budget, now))
    }

    pub(super) fn with_disk(
        dir: &Path,
        disk: Box<dyn Disk>,
        log_max: u64,
        budget: Budget,
        now: Instant,
    ) -> Self {
        let names = Arc::new(Mutex::new(Names::new(dir)));
        let marks = Marks::new(lock(&names).current(), disk.length());
        let state = State {
            tail: Tail::default(),
            marks,
            gate: Gate::new(now),
            open: BTreeMap::new(),
            closed: VecDeque::new(),
            followers: 0,
            is_over: false,
            retry_at: None,
            dropped: 0,
            counted: 0,
        };
        let writer = Writer::new(disk, Rotation::new(log_max), names.clone());
        let (state, writer) = (Mutex::new(state), Mutex::new(writer));
        let log_max = AtomicU64::new(log_max);
        Self { state, writer, names, changed: watch::Sender::new(0), log_max, budget }
    }

    /// Changes how many bytes the files have in all; the next flush follows it. Waits for nothing.
    pub fn set_max(&self, log_max: u64) {
        self.log_max.store(log_max, Ordering::Relaxed);
    }

    /// How many bytes the files may have in all.
    pub fn max(&self) -> u64 {
        self.log_max.load(Ordering::Relaxed)
    }

    /// Says whether its service is removed. Those who follow it get what is there, and then its end.
    pub(super) fn set_over(&self, is_over: bool) {
        self.state().is_over = is_over;
        self.wake();
    }

    /// Whether its service is removed.
    pub(super) fn is_over(&self) -> bool {
        self.state().is_over
    }

    /// Whether nothing waits to be written.
    pub(super) fn is_written(&self) -> bool {
        let state = self.state();
        state.tail.unwritten() >= state.tail.next()
    }

    /// Whether lines wait to be written and may be now.
    pub fn wants_flush(&self, now: Instant) -> bool {
        let state = self.state();
        state.tail.unwritten() < state.tail.next() && state.retry_at.is_none_or(|at| at <= now)
    }

    /// When [`ServiceLog::flush`] should be called again after the disk refused.
    pub fn retry_at(&self) -> Option<Instant> {
        self.state().retry_at
    }

    /// Writes what waits. Blocks for as long as the disk does; nobody who puts lines in waits for it.
    pub fn flush(&self, now: Moment) -> Option<Notice> {
        let notice = {
            let mut writer = lock(&self.writer);
            writer.set_rotation(Rotation::new(self.max()));
            writer.flush(self, now)
        };
        let mut state = self.state();
        state.account(&self.budget);
        notice
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// An instance begins to write.
    pub(super) fn opened(&self, instance: &str) {
        *self.state().open.entry(instance.to_owned()).or_default() += 1;
    }

    /// One of its inputs ended.
    pub(super) fn closed(&self, instance: &str) {
        self.state().close(instance);
        self.wake();
    }

    /// Puts lines in, and says what is missing since too much was written.
    pub(super) fn put(&self, now: Moment, instance: &str, lines: impl FnOnce(&mut Putting<'_>)) {
        let mut state = self.state();
        let before = state.tail.next();
        lines(&mut Putting { state: &mut state, now, instance });
        state.say_missing(now, instance, false);
        if state.tail.next() == before {
            return;
        }
        state.bound(&self.budget, now, instance);
        drop(state);
        self.wake();
    }

    /// When a remark on missing lines is due, if no line comes before.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.state().gate.deadline()
    }

    fn wake(&self) {
        if self.changed.receiver_count() > 0 {
            self.changed.send_modify(|count| *count = count.wrapping_add(1));
        }
    }
}

impl Drop for ServiceLog {
    fn drop(&mut self) {
        let counted = self.state().counted;
        self.budget.0.fetch_sub(counted, Ordering::Relaxed);
    }
}

/// An instance's lines on their way in.
pub(super) struct Putting<'a> {
    state: &'a mut State,
    now: Moment,
    instance: &'a str,
}

impl Putting<'_> {
    /// Puts a line in, or counts it.
    pub(super) fn line(&mut self, stream: super::Stream, piece: super::Piece<'_>) {
        let Self { state, now, instance } = self;
        // As much as a line takes on the disk, or a flood of empty ones would be free.
        let bytes = (piece.text.len() + instance.len() + 32) as u64;
        if !state.gate.pass(bytes, !piece.partial, now.at) {
            return;
        }
        state.say_missing(*now, instance, true);
        let (at_ms, text, partial) = (now.unix_ms, piece.text, piece.partial);
        state.tail.push(&Line { at_ms, instance, stream, partial, text });
    }

    /// The output ends: what is missing is said now.
    pub(super) fn end(&mut self) {
        self.state.say_missing(self.now, self.instance, true);
    }
}

impl State {
    /// Writes the remark on what the gate did not let pass: `now_or_never` before another line and at the
    /// end, otherwise only once it is due.
    fn say_missing(&mut self, now: Moment, instance: &str, now_or_never: bool) -> bool {
        if !now_or_never && self.gate.deadline().is_none_or(|at| now.at < at) {
            return false;
        }
        let Some(missing) = self.gate.take_missing() else { return false };
        self.tail.push(&crux(now, instance, &remark(missing, TOO_FAST)));
        true
    }

    /// Drops the oldest waiting lines where too much waits.
    fn bound(&mut self, budget: &Budget, now: Moment, instance: &str) {
        let all = self.account(budget);
        let (most, why) = match self.retry_at {
            Some(_) => (REFUSED_BYTES_MAX, DISK_REFUSES),
            None if all > WAITING_ALL_MAX => (REFUSED_BYTES_MAX, DISK_SLOW),
            None => (WAITING_BYTES_MAX, DISK_SLOW),
        };
        self.trim(most, now, instance, why);
        self.account(budget);
    }

    fn trim(&mut self, most: usize, now: Moment, instance: &str, why: &str) {
        self.dropped += self.tail.trim(most, now, instance, why);
    }

    /// The disk refuses: only the last lines stay.
    pub(super) fn refused(&mut self, now: Moment) {
        self.retry_at = Some(now.at + RETRY_AFTER);
        self.trim(REFUSED_BYTES_MAX, now, "-", DISK_REFUSES);
    }

    /// Counts in the budget what waits now, and returns what waits in all logs.
    fn account(&mut self, budget: &Budget) -> u64 {
        let cost = self.tail.cost() as u64;
        let before = budget.0.fetch_add(cost, Ordering::Relaxed);
        budget.0.fetch_sub(self.counted, Ordering::Relaxed);
        let all = (before + cost).saturating_sub(self.counted);
        self.counted = cost;
        all
    }

    fn close(&mut self, instance: &str) {
        let Some(inputs) = self.open.get_mut(instance) else { return };
        *inputs -= 1;
        if *inputs > 0 {
            return;
        }
        self.open.remove(instance);
        self.closed.push_back((instance.to_owned(), self.tail.next()));
        if self.closed.len() > CLOSED_MAX {
            self.closed.pop_front();
        }
    }

    /// Whether no instance writes any more.
    pub(super) fn nobody_writes(&self) -> bool {
        self.open.is_empty()
    }

    /// The index after the last line of an instance that ended; none while it writes, or if its end is
    /// forgotten or was never seen.
    pub(super) fn end_of(&self, instance: &str) -> End {
        if self.open.contains_key(instance) {
            return End::Open;
        }
        let end = self.closed.iter().rev().find(|(of, _)| of == instance);
        end.map_or(End::Unknown, |(_, index)| End::At(*index))
    }
}

/// Whether an instance ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It may still write.
    Open,
    /// After this index there is nothing of it.
    At(u64),
    /// It does not write, and this log has not seen its end.
    Unknown,
}

/// Locks; a panic elsewhere left whole values.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
