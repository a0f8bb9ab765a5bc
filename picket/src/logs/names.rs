//! Which file has which serial number, and what the removed ones had.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::disk::{OLD_FILES, path_of};
use super::line::newline;

/// How many removed files are remembered with the number of their lines. A reader that is further behind,
/// by 8 GiB in files of 8 MiB, gets a count of lost lines that is too small.
const REMOVED_MAX: usize = 1024;

/// The files of a log by serial number. Its lock is held while files are renamed, and while a reader opens
/// one; never while one is read or written.
#[derive(Debug)]
pub(super) struct Names {
    dir: PathBuf,
    /// The serial number of the current file.
    current: u64,
    /// The removed files, the oldest first.
    removed: VecDeque<Count>,
    /// The files that were written since the log was opened.
    counts: VecDeque<Count>,
}

/// How many lines a file has.
#[derive(Debug, Clone, Copy)]
struct Count {
    serial: u64,
    lines: u64,
    /// Whether the file was begun since the log was opened, so that these are all its lines.
    is_whole: bool,
    /// The index after its last line.
    end: u64,
}

/// A file, as a reader finds it.
#[derive(Debug)]
pub(super) enum Found {
    /// Here it is.
    File(File),
    /// It never was, or a person removed it.
    Nothing,
    /// The log removed it. The oldest one that is left has this serial number.
    Removed { oldest: u64 },
}

impl Names {
    pub(super) fn new(dir: &Path) -> Self {
        let begun = Count { serial: OLD_FILES, lines: 0, is_whole: false, end: 0 };
        let (removed, counts) = (VecDeque::new(), VecDeque::from([begun]));
        // So that the oldest file has number 0.
        Self { dir: dir.to_owned(), current: OLD_FILES, removed, counts }
    }

    pub(super) const fn current(&self) -> u64 {
        self.current
    }

    /// The serial number of the oldest file that there can be.
    pub(super) const fn oldest(&self) -> u64 {
        self.current - OLD_FILES
    }

    pub(super) fn path(&self, serial: u64) -> PathBuf {
        path_of(&self.dir, self.current - serial)
    }

    /// Opens a file.
    pub(super) fn open(&self, serial: u64) -> io::Result<Found> {
        if serial < self.oldest() {
            return Ok(Found::Removed { oldest: self.oldest() });
        }
        match File::open(self.path(serial)) {
            Ok(file) => Ok(Found::File(file)),
            Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
            Err(err) => Err(err),
        }
    }

    /// How many lines the removed files had from one on, up to the line with this index in file `last`.
    pub(super) fn lost(&self, from: u64, last: u64, index: u64) -> u64 {
        let removed = self.removed.iter().filter(|of| (from..=last).contains(&of.serial));
        let lines = removed.map(|of| match of.serial == last {
            true => of.lines.saturating_sub(of.end.saturating_sub(index)),
            false => of.lines,
        });
        lines.sum()
    }

    /// How many lines the file has that the next rotation removes.
    pub(super) fn lines_of_oldest(&self) -> u64 {
        let known = self.counts.iter().find(|of| of.serial == self.oldest() && of.is_whole);
        // It is about to go; where it cannot be read, its lines are not missed by name.
        known.map_or_else(|| count(&self.path(self.oldest())).unwrap_or(0), |of| of.lines)
    }

    /// The files were renamed. The oldest had so many lines.
    pub(super) fn rotated(&mut self, lines: u64) {
        let serial = self.oldest();
        let end = self.counts.iter().find(|of| of.serial == serial).map_or(0, |of| of.end);
        self.removed.push_back(Count { serial, lines, is_whole: true, end });
        if self.removed.len() > REMOVED_MAX {
            self.removed.pop_front();
        }
        self.current += 1;
        self.counts.push_back(Count { serial: self.current, lines: 0, is_whole: true, end: 0 });
        let oldest = self.oldest();
        self.counts.retain(|of| of.serial >= oldest);
    }

    /// Lines were written to the current file; `end` is the index after them.
    pub(super) fn count(&mut self, lines: u64, end: u64) {
        if let Some(of) = self.counts.back_mut().filter(|of| of.serial == self.current) {
            (of.lines, of.end) = (of.lines + lines, end);
        }
    }
}

/// How many lines a file has.
fn count(path: &Path) -> io::Result<u64> {
    let (mut file, mut buf, mut lines) = (File::open(path)?, vec![0; 64 * 1024], 0);
    loop {
        let mut bytes = match file.read(&mut buf)? {
            0 => return Ok(lines),
            n => &buf[..n],
        };
        while let Some(at) = newline(bytes) {
            lines += 1;
            bytes = &bytes[at + 1..];
        }
    }
}
