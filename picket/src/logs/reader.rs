//! Reads a log, and follows it over rotations, restarts and updates.
//!
//! A reader first goes through the files up to where they ended when it came ([`History`]), then on by the
//! index of lines: what is in memory from there, what is no longer there from the files. It is never
//! waited for. A reader that is slower than the log by all of the files loses the oldest lines, and gets
//! their number in [`Batch::lost`].
//!
//! **Invariant.** The lines that a reader gets, with those that it is told it lost and those that remarks
//! in the log count, are all lines from its beginning on, each once and in order.

use std::io;
use std::sync::Arc;

use tokio::sync::watch;

use super::history::{History, read_at};
use super::marks::Run;
use super::names::Found;
use super::query::{Batch, Query};
use super::service::{End, ServiceLog, State, lock};
use super::tail::{Block, skip};

/// How many bytes of lines a step takes, about.
const STEP_BYTES: usize = 256 * 1024;
/// How many readers a log has at once. Each may hold one file open that is already removed.
pub const READERS_MAX: u32 = 32;

/// The result of a step of a reader.
#[derive(Debug)]
pub enum Step {
    /// Lines, or none that were wanted: there may be more.
    Lines(Batch),
    /// Nothing until the log changes.
    Wait,
    /// There is nothing more to come.
    End,
}

/// A reader of a log. Its steps read files: call them where that may block.
#[derive(Debug)]
pub struct Reader {
    log: Arc<ServiceLog>,
    query: Query,
    history: Option<History>,
    /// Lines to leave out at the beginning of what is in memory, because of `tail`.
    leave_out: u64,
    /// The index of the next line.
    next: u64,
    /// The index after the last one, if it is known.
    end: Option<u64>,
}

/// Where to look for the next lines.
enum Place {
    Memory(Vec<Arc<Block>>),
    File(Run),
    Lost(u64),
}

impl Reader {
    /// Begins to read.
    ///
    /// # Errors
    /// [`io::ErrorKind::QuotaExceeded`] above [`READERS_MAX`]; or what the system says: a file cannot be
    /// read.
    pub fn open(log: Arc<ServiceLog>, query: Query) -> io::Result<Self> {
        let mut state = log.state();
        if state.followers >= READERS_MAX {
            return Err(io::Error::new(
                io::ErrorKind::QuotaExceeded,
                "too many readers of this log",
            ));
        }
        state.followers += 1;
        let (serial, offset, next) = state.marks.end();
        let now = state.tail.next();
        let fresh = state.tail.from(next, usize::MAX).unwrap_or_default();
        drop(state);
        let end = if query.follow { None } else { Some(now) };
        let mut reader = Self { log, query, history: None, leave_out: 0, next, end };
        let in_memory = reader.count_wanted(&fresh);
        let tail = reader.query.tail.map(|tail| tail.saturating_sub(in_memory));
        reader.leave_out = reader.query.tail.map_or(0, |tail| in_memory.saturating_sub(tail));
        let names = reader.log.names.clone();
        reader.history = Some(History::open(names, &reader.query, tail, (serial, offset), next)?);
        Ok(reader)
    }

    fn count_wanted(&self, blocks: &[Arc<Block>]) -> u64 {
        let lines = blocks.iter().flat_map(|block| block.from(self.next).split(|b| *b == b'\n'));
        lines.filter(|line| self.query.wants(line)).count() as u64
    }

    /// Tells when the log changed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.log.changed.subscribe()
    }

    /// The next lines. Reads files; never waits for lines.
    ///
    /// # Errors
    /// Those of the system: a file cannot be read.
    pub fn step(&mut self) -> io::Result<Step> {
        let mut batch = Batch::default();
        if let Some(history) = &mut self.history {
            if !history.read(&self.query, &mut batch)? {
                self.history = None;
            }
            return Ok(Step::Lines(batch));
        }
        let place = {
            let log = self.log.clone();
            let mut state = log.state();
            self.find_end(&state);
            if self.end.is_some_and(|end| end <= self.next) {
                return Ok(Step::End);
            }
            if self.next >= state.tail.next() {
                return Ok(Step::Wait);
            }
            self.place(&mut state)
        };
        match place {
            Place::Memory(blocks) => self.take(&blocks, &mut batch),
            Place::File(run) => self.read(run, &mut batch)?,
            Place::Lost(until) => self.lose(until, &mut batch),
        }
        Ok(Step::Lines(batch))
    }

    /// Looks whether the instance ended whose end is this reader's, or the service is removed.
    fn find_end(&mut self, state: &State) {
        // The last words of its instances may still be on their way.
        if state.is_over && state.nobody_writes() && self.end.is_none() {
            self.end = Some(state.tail.next());
        }
        let Some(instance) = self.query.until_exit.as_deref().filter(|_| self.end.is_none()) else {
            return;
        };
        match state.end_of(instance) {
            End::Open => {}
            End::At(index) => self.end = Some(index),
            End::Unknown => self.end = Some(state.tail.next()),
        }
    }

    fn place(&self, state: &mut State) -> Place {
        if let Some(blocks) = state.tail.from(self.next, STEP_BYTES) {
            return Place::Memory(blocks);
        }
        let first = state.tail.first_from(self.next);
        match state.marks.find(self.next).filter(|run| run.first < first) {
            Some(run) if run.begin > self.next => Place::Lost(run.begin),
            Some(run) => Place::File(run),
            None => Place::Lost(first),
        }
    }

    fn take(&mut self, blocks: &[Arc<Block>], batch: &mut Batch) {
        for block in blocks {
            let bytes = block.from(self.next);
            self.next = self.next.max(block.first);
            self.add(bytes, block.end() - self.next, batch);
            self.next = block.end();
        }
    }

    fn lose(&mut self, until: u64, batch: &mut Batch) {
        batch.lost += until - self.next;
        self.next = until;
    }

    fn read(&mut self, run: Run, batch: &mut Batch) -> io::Result<()> {
        let found = lock(&self.log.names).open(run.serial)?;
        let Found::File(file) = found else {
            // Removed since it was found.
            self.lose(run.next, batch);
            return Ok(());
        };
        // A run is at most a mark's distance and a block.
        let most = (run.end - run.offset).min(STEP_BYTES as u64);
        let bytes = read_at(&file, run.offset, most)?;
        self.next = self.next.max(run.first);
        let bytes = skip(&bytes, self.next - run.first);
        let lines = self.add(bytes, run.next - self.next, batch);
        self.next += lines;
        if lines == 0 {
            // A person cut the file short.
            self.lose(run.next, batch);
        }
        Ok(())
    }

    /// Adds what is wanted of these lines, and returns how many there were.
    fn add(&mut self, bytes: &[u8], most: u64, batch: &mut Batch) -> u64 {
        let most = self.end.map_or(most, |end| most.min(end.saturating_sub(self.next)));
        if self.leave_out == 0 {
            return batch.add(&self.query, bytes, most).lines;
        }
        let (mut lines, mut rest) = (0, bytes);
        while lines < most && self.leave_out > 0 && !rest.is_empty() {
            let end = super::line::newline(rest).map_or(rest.len(), |at| at + 1);
            let line = rest[..end].strip_suffix(b"\n").unwrap_or(&rest[..end]);
            self.leave_out -= u64::from(self.query.wants(line));
            (rest, lines) = (&rest[end..], lines + 1);
        }
        lines + batch.add(&self.query, rest, most - lines).lines
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.log.state();
        state.followers -= 1;
        if state.followers == 0 {
            state.tail.forget_recent();
        }
    }
}
