//! Reads the files of a log: from a line near the end, or from a time, up to where they ended when the
//! reader came.
//!
//! One file is open at a time. If the log rotates faster than it is read, the file that is open can be read
//! to its end although it has no name any more; files that went meanwhile are lost, and their lines are
//! counted.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use super::disk::KEPT_LINE_MAX;
use super::names::{Found, Names};
use super::query::{Batch, Query};
use super::service::lock;

/// How many bytes are read at once. A line fits four times.
const READ_BYTES: u64 = 128 * 1024;
const _: () = assert!(READ_BYTES > 4 * KEPT_LINE_MAX);

/// A place in the files: serial number, and offset.
pub(super) type Place = (u64, u64);

/// A reader's way through the files.
#[derive(Debug)]
pub(super) struct History {
    names: Arc<Mutex<Names>>,
    at: Place,
    end: Place,
    /// The index of the line that is written there next.
    next: u64,
    /// The file at `at`, once it was opened.
    file: Option<File>,
}

impl History {
    /// From the first line that the query asks for to `end`. `tail` of the wanted lines are in the files.
    pub(super) fn open(
        names: Arc<Mutex<Names>>,
        query: &Query,
        tail: Option<u64>,
        end: Place,
        next: u64,
    ) -> io::Result<Self> {
        let at = (lock(&names).oldest(), 0);
        let mut history = Self { names, at, end, next, file: None };
        history.at = history.start(query, tail)?;
        Ok(history)
    }

    /// Looks for the first wanted line, backwards.
    fn start(&self, query: &Query, tail: Option<u64>) -> io::Result<Place> {
        let (mut place, mut left) = (self.end, tail);
        for serial in (self.at.0..=self.end.0).rev() {
            if left == Some(0) {
                break;
            }
            let found = lock(&self.names).open(serial)?;
            let Found::File(file) = found else { continue };
            // The clock may have stepped while the file was written, but not since.
            let since = query.since_ms.map(|ms| UNIX_EPOCH + Duration::from_millis(ms));
            if since.is_some_and(|since| {
                file.metadata().and_then(|of| of.modified()).is_ok_and(|at| at < since)
            }) {
                break;
            }
            let end = if serial == self.end.0 { self.end.1 } else { file.metadata()?.len() };
            place = (serial, 0);
            if let Some(left) = &mut left {
                place.1 = last_lines(&file, end, query, left)?;
            }
        }
        Ok(place)
    }

    /// Adds the next lines; `false` at the end.
    pub(super) fn read(&mut self, query: &Query, into: &mut Batch) -> io::Result<bool> {
        if self.at >= self.end {
            return Ok(false);
        }
        let Some(file) = self.file.take() else { return self.reach(into) };
        let limit = if self.at.0 == self.end.0 { self.end.1 - self.at.1 } else { u64::MAX };
        let bytes = read_at(&file, self.at.1, limit.min(READ_BYTES))?;
        let added = into.add(query, &bytes, u64::MAX);
        self.at.1 += added.bytes as u64;
        if added.bytes == 0 && bytes.len() as u64 == READ_BYTES {
            // The rest that a loss of power leaves has no newlines, and may be long.
            into.damaged += 1;
            self.at.1 += READ_BYTES;
        } else if added.bytes == 0 {
            // The end of the file, or a half line that a crash left there.
            self.at = (self.at.0 + 1, 0);
            return Ok(self.at < self.end);
        }
        self.file = Some(file);
        Ok(true)
    }

    /// Opens the file where the reader is.
    fn reach(&mut self, into: &mut Batch) -> io::Result<bool> {
        let found = lock(&self.names).open(self.at.0)?;
        match found {
            Found::File(file) => self.file = Some(file),
            Found::Nothing => self.at = (self.at.0 + 1, 0),
            Found::Removed { oldest } => {
                into.lost += lock(&self.names).lost(self.at.0, self.end.0, self.next);
                self.at = (oldest, 0);
            }
        }
        Ok(self.at < self.end)
    }
}

/// Up to so many bytes of a file.
pub(super) fn read_at(file: &File, offset: u64, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(most).unwrap_or(usize::MAX)];
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

/// Where the last `left` wanted lines of a file begin, which ends at `end`; or all of them, if they are
/// fewer. Takes those that it found from `left`.
fn last_lines(file: &File, mut end: u64, query: &Query, left: &mut u64) -> io::Result<u64> {
    let mut first = end;
    while end > 0 && *left > 0 {
        let begin = end.saturating_sub(READ_BYTES);
        let bytes = read_at(file, begin, end - begin)?;
        // A line that begins before these bytes is read with those before them.
        let skip = if begin == 0 {
            0
        } else {
            super::line::newline(&bytes).map_or(bytes.len(), |at| at + 1)
        };
        let mut rest = &bytes[skip..];
        while *left > 0 && !rest.is_empty() {
            let body = rest.strip_suffix(b"\n").unwrap_or(rest);
            let at = body.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
            if query.wants(&body[at..]) {
                *left -= 1;
                first = begin + (skip + at) as u64;
            }
            rest = &rest[..at];
        }
        // Without a newline in all of it, it is damage, and is left out.
        end = if skip == bytes.len() { begin } else { begin + skip as u64 };
    }
    Ok(if *left > 0 { 0 } else { first })
}
