//! The events of a node.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crux_protocol::time::Instant;
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::error::EventsError;
use super::event::{Draft, Event, GAP, SUPPRESSED};
use super::file::{Append, BYTES_MAX, File, Real, number, parse};
use super::flood::Flood;
use super::query::{At, Cursor, EventQuery, Item};
use super::reserve::Reserve;
use crate::clock::Moment;

/// How many of the last events a node keeps at least. From the issue.
pub const EVENTS_KEPT: usize = 4096;
/// How many events wait while the disk refuses them: some 100 KiB.
pub(super) const PENDING_MAX: usize = 256;
/// How long a disk that refused is left alone.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How many bytes of the file a step of a reader takes.
const STEP_BYTES: u64 = 256 * 1024;

/// The events of a node. Shared by those that report, the one that writes, and readers.
#[derive(Debug)]
pub struct Events {
    path: PathBuf,
    boot: String,
    state: Mutex<State>,
    file: Mutex<File>,
    changed: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    flood: Flood,
    reserve: Reserve,
    /// Events that are not in the file yet, the oldest first.
    pending: VecDeque<Event>,
    /// Whether an event got no number, because the disk refused to reserve one.
    unnumbered: bool,
    /// Counts how often the file was replaced.
    generation: u64,
    retry_at: Option<Instant>,
    /// The node's name, as it was last.
    node: String,
}

impl Events {
    /// Opens the events in the picket's directory, which exists. `boot` is the id of this boot.
    ///
    /// # Errors
    /// [`EventsError`]: a file cannot be read or made. Damage in it is not an error.
    pub fn open(dir: &Path, boot: &str, now: Moment) -> Result<Self, EventsError> {
        Self::open_on(dir, boot, now, Box::new(Real))
    }

    pub(super) fn open_on(
        dir: &Path,
        boot: &str,
        now: Moment,
        append: Box<dyn Append>,
    ) -> Result<Self, EventsError> {
        let (path, numbers) = (dir.join("events"), dir.join("events.seq"));
        let (file, end) = File::open(&path, append).map_err(|err| failed("opening", &path, err))?;
        let is_same_boot = end.boot.as_deref() == Some(boot);
        let reserve = Reserve::open(numbers.clone(), end.last)
            .map_err(|err| failed("opening", &numbers, err))?;
        let given = reserve.given();
        let state = State {
            flood: Flood::default(),
            reserve,
            pending: VecDeque::new(),
            unnumbered: false,
            generation: 0,
            retry_at: None,
            node: String::new(),
        };
        let (state, file) = (Mutex::new(state), Mutex::new(file));
        let events =
            Self { path, boot: boot.to_owned(), state, file, changed: watch::Sender::new(0) };
        if given > end.last && !is_same_boot {
            // The machine lost power, or somebody removed the file.
            let gap = events.gap(end.last, given, now);
            events.state().pending.push_back(gap);
        }
        Ok(events)
    }

    /// Keeps an event, unless there were too many of its kind in this second. Waits for the disk only once
    /// in some thousand events, to reserve numbers.
    pub fn push(&self, draft: Draft, now: Moment) {
        let mut state = self.state();
        state.node.clone_from(&draft.node);
        self.say_suppressed(&mut state, now);
        if state.flood.keeps(&draft.kind, now.at) {
            self.add(&mut state, draft.bound(), now);
        }
        drop(state);
        self.wake();
    }

    /// When [`Events::tick`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.state().flood.deadline()
    }

    /// Says of which kinds events were left out, once their second is over.
    pub fn tick(&self, now: Moment) {
        self.say_suppressed(&mut self.state(), now);
        self.wake();
    }

    fn say_suppressed(&self, state: &mut State, now: Moment) {
        for (kind, count) in state.flood.due(now.at) {
            let detail =
                [("kind".to_owned(), kind.clone().into()), ("count".to_owned(), count.into())];
            let draft = Draft {
                kind: SUPPRESSED.to_owned(),
                node: state.node.clone(),
                text: format!("{count} more events of kind {kind} within a second"),
                detail: Map::from_iter(detail),
                principal: None,
            };
            self.add(state, draft, now);
        }
    }

    fn add(&self, state: &mut State, draft: Draft, now: Moment) {
        let Ok(seq) = state.reserve.next() else {
            state.unnumbered = true;
            return;
        };
        if std::mem::take(&mut state.unnumbered) {
            state.pending.push_back(self.gap(seq - 1, seq, now));
            // The event needs the next number; where that is refused as well, the gap has to do.
            return self.add(state, draft, now);
        }
        state.pending.push_back(self.event(seq, draft, now));
        if state.pending.len() > PENDING_MAX {
            self.overflow(state, now);
        }
    }

    /// Puts a gap in the place of the oldest two that wait.
    fn overflow(&self, state: &mut State, now: Moment) {
        let (Some(first), Some(second)) = (state.pending.pop_front(), state.pending.pop_front())
        else {
            return;
        };
        let after = first.gap_after().unwrap_or(first.seq - 1);
        state.pending.push_front(self.gap(after, second.seq, now));
    }

    fn event(&self, seq: u64, draft: Draft, now: Moment) -> Event {
        let Draft { kind, node, principal, detail, text } = draft;
        let up_ms = u64::try_from(now.at.since_origin().as_millis()).unwrap_or(u64::MAX);
        let boot = self.boot.clone();
        Event { seq, at: now.unix_ms, up_ms, boot, kind, node, principal, detail, text }
    }

    /// A record that events after `after` up to `until` may be missing.
    fn gap(&self, after: u64, until: u64, now: Moment) -> Event {
        let draft = Draft {
            kind: GAP.to_owned(),
            text: "events may be missing here".to_owned(),
            detail: Map::from_iter([("after".to_owned(), Value::from(after))]),
            ..Draft::default()
        };
        self.event(until, draft, now)
    }

    /// Writes what waits to the file, and makes it short again if it is long. Blocks for as long as the
    /// disk does.
    ///
    /// # Errors
    /// [`EventsError`], the first time that the disk refuses; what waits stays in memory, as far as it fits.
    pub fn write(&self, now: Moment) -> Result<(), EventsError> {
        let mut file = lock(&self.file);
        let (batch, was_refused) = {
            let state = self.state();
            if state.retry_at.is_some_and(|at| now.at < at) {
                return Ok(());
            }
            (Vec::from_iter(state.pending.iter().cloned()), state.retry_at.is_some())
        };
        if batch.is_empty() {
            return Ok(());
        }
        let written = self.shorten(&mut file, now).and_then(|()| file.append(&batch));
        let mut state = self.state();
        match written {
            Ok(()) => {
                state.retry_at = None;
                // Events that came meanwhile, and a gap that took the place of some, stay.
                let last = batch.last().map_or(0, |event| event.seq);
                state.pending.retain(|event| event.seq > last);
                Ok(())
            }
            Err(err) => {
                state.retry_at = Some(now.at + RETRY_AFTER);
                if was_refused { Ok(()) } else { Err(failed("writing", &self.path, err)) }
            }
        }
    }

    /// Rewrites the file if it is long. Where the disk has no room for that, it may grow a little.
    fn shorten(&self, file: &mut File, now: Moment) -> io::Result<()> {
        if !file.is_long() {
            return Ok(());
        }
        let bytes = file.newest(|dropped| self.gap(0, dropped, now))?;
        let replaced = file.replace(&bytes);
        // A reader that opened the new file for the old one meanwhile read it from its beginning.
        self.state().generation += 1;
        match replaced {
            Err(err) if fs::metadata(&self.path)?.len() > 2 * BYTES_MAX => Err(err),
            _ => Ok(()),
        }
    }

    /// Whether [`Events::write`] has something to do.
    pub fn wants_write(&self, now: Instant) -> bool {
        let state = self.state();
        !state.pending.is_empty() && state.retry_at.is_none_or(|at| at <= now)
    }

    /// Writes what waits and makes all durable: before the picket ends. Afterwards nothing is missing, even
    /// if the machine is restarted.
    ///
    /// # Errors
    /// [`EventsError`]: then the next picket says that events may be missing.
    pub fn close(&self, now: Moment) -> Result<(), EventsError> {
        self.state().retry_at = None;
        self.write(now)?;
        lock(&self.file).sync().map_err(|err| failed("writing", &self.path, err))?;
        let written = self.state().reserve.close();
        written.map_err(|err| failed("writing", &self.path.with_extension("seq"), err))
    }

    /// A reader.
    pub fn read(&self, query: EventQuery) -> Cursor {
        let given = self.state().reserve.given();
        let after = query.after.unwrap_or(0);
        let tells_gap = query.after.is_some();
        // A number that was never given is of another node, or of a directory that was put back.
        let first = (after > given).then_some(Item::Gap { after, until: given });
        Cursor { query, after: after.min(given), tells_gap, first, at: None }
    }

    /// The next events for a reader, some at a time; empty: nothing until [`Events::changes`] tells of
    /// something. Reads the file: call it where that may block.
    ///
    /// # Errors
    /// [`EventsError`]: the file cannot be read.
    pub fn next(&self, cursor: &mut Cursor) -> Result<Vec<Item>, EventsError> {
        let mut items: Vec<Item> = cursor.first.take().into_iter().collect();
        loop {
            let before = cursor.after;
            let is_end =
                self.step(cursor, &mut items).map_err(|err| failed("reading", &self.path, err))?;
            if !items.is_empty() || (is_end && cursor.after == before) {
                return Ok(items);
            }
        }
    }

    /// Reads a part of the file and, at its end, what waits. Whether this was the end.
    fn step(&self, cursor: &mut Cursor, items: &mut Vec<Item>) -> io::Result<bool> {
        // Those that wait are taken first: those that are written meanwhile are then in the file as well.
        let pending: Vec<Event> = {
            let state = self.state();
            if cursor.at.as_ref().is_none_or(|at| at.generation != state.generation) {
                let file = fs::File::open(&self.path)?;
                cursor.at = Some(At { file, generation: state.generation, offset: 0 });
            }
            state.pending.iter().filter(|event| event.seq > cursor.after).cloned().collect()
        };
        let Some(at) = &mut cursor.at else { return Ok(true) };
        let bytes = read_at(&at.file, at.offset, STEP_BYTES)?;
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        at.offset += whole as u64;
        for line in bytes[..whole].split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
            if number(line).is_some_and(|seq| seq <= cursor.after) {
                continue;
            }
            match parse(line) {
                Some(event) => cursor.take(event, items),
                None => cursor.damaged(items),
            }
        }
        if bytes.len() as u64 == STEP_BYTES {
            if whole == 0 {
                // No line is so long: damage.
                at_damage(cursor, items);
            }
            return Ok(false);
        }
        for event in
            pending.into_iter().filter(|event| event.seq > cursor.after).collect::<Vec<_>>()
        {
            cursor.take(event, items);
        }
        Ok(true)
    }

    /// Tells when there may be more for readers.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn wake(&self) {
        if self.changed.receiver_count() > 0 {
            self.changed.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Cursor {
    /// An event that is read.
    fn take(&mut self, event: Event, items: &mut Vec<Item>) {
        let after = self.after;
        self.after = event.seq;
        if let Some(gap) = event.gap_after() {
            if self.tells_gap {
                items.push(Item::Gap { after: gap.max(after), until: event.seq });
            }
        } else if self.query.wants(&event) {
            items.push(Item::Event(event));
        }
        self.tells_gap = true;
    }

    /// A line that is not an event.
    fn damaged(&mut self, items: &mut Vec<Item>) {
        let gap = Item::Gap { after: self.after, until: self.after + 1 };
        if items.last() != Some(&gap) {
            items.push(gap);
        }
    }
}

fn at_damage(cursor: &mut Cursor, items: &mut Vec<Item>) {
    if let Some(at) = &mut cursor.at {
        at.offset += STEP_BYTES;
    }
    cursor.damaged(items);
}

fn read_at(file: &fs::File, offset: u64, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(most).unwrap_or(0)];
    let mut len = 0;
    while len < bytes.len() {
        match file.read_at(&mut bytes[len..], offset + len as u64) {
            Ok(0) => break,
            Ok(n) => len += n,
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => return Err(err),
        }
    }
    bytes.truncate(len);
    Ok(bytes)
}

fn failed(doing: &'static str, path: &Path, source: io::Error) -> EventsError {
    EventsError { doing, path: path.to_owned(), source }
}

/// Locks; a panic elsewhere left whole values.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
