//! Which numbers may be given: `events.seq` has the last one of the reserved block.
//!
//! A picket that was killed may have given numbers that are in no file: those of events that waited for a
//! full disk, or that a loss of power took. How many is not known, also because the picket before it may have
//! been killed as well, so the rest of the block is skipped. Only an end in order gives it back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::crash::Write;
use crate::durable::{self, Sync};

/// How many numbers are reserved at once.
pub(super) const BLOCK: u64 = 4096;

/// The numbers.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    /// The last number that was given.
    given: u64,
    /// The last that may be given.
    end: u64,
}

impl Reserve {
    /// The numbers after those that may have been given. `last` is the last one in the file.
    pub(super) fn open(path: PathBuf, last: u64) -> io::Result<Self> {
        let (end, is_whole) = read(&path)?;
        let given = end.max(last);
        // A damaged file says nothing: a block beyond what is known was given at most.
        let given = if is_whole { given } else { given + BLOCK };
        Ok(Self { path, given, end: end.max(last) })
    }

    /// The last number that was given, or may have been.
    pub(super) const fn given(&self) -> u64 {
        self.given
    }

    /// The next number. Once in [`BLOCK`] it waits for the disk; if that refuses, no number is given.
    pub(super) fn next(&mut self) -> io::Result<u64> {
        if self.given >= self.end {
            let end = self.given + BLOCK;
            durable::write(
                Write::EventNumbers,
                &self.path,
                format!("{end}\n").as_bytes(),
                Sync::Disk,
            )?;
            self.end = end;
        }
        self.given += 1;
        Ok(self.given)
    }
}

/// The end of the block, and whether the file says so: a missing one does, with 0.
fn read(path: &Path) -> io::Result<(u64, bool)> {
    match fs::read(path) {
        Ok(bytes) => {
            let text = std::str::from_utf8(&bytes).ok().and_then(|text| text.strip_suffix('\n'));
            let end = text.and_then(|text| text.parse().ok());
            Ok((end.unwrap_or(0), end.is_some()))
        }
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok((0, true)),
        Err(err) => Err(err),
    }
}

impl Reserve {
    /// Gives back the rest of the block: every number that was given is in the file.
    pub(super) fn close(&mut self) -> io::Result<()> {
        let given = self.given;
        durable::write(
            Write::EventNumbers,
            &self.path,
            format!("{given}\n").as_bytes(),
            Sync::Disk,
        )?;
        self.end = given;
        Ok(())
    }
}
