//! Writes what waits in a log to its files.

use std::io;
use std::sync::{Arc, Mutex};

use super::disk::{Disk, Rotation};
use super::line::newline;
use super::marks::Written;
use super::names::Names;
use super::service::{Notice, ServiceLog, lock};
use super::tail::Block;
use crate::clock::Moment;

/// How many bytes a flush takes at once: enough that the locks cost nothing.
const TAKE_BYTES: usize = 1 << 20;

/// The one that writes.
#[derive(Debug)]
pub(super) struct Writer {
    disk: Box<dyn Disk>,
    rotation: Rotation,
    names: Arc<Mutex<Names>>,
}

/// The part of a block that could not be written, and why.
struct Refused {
    rest: Block,
    error: io::Error,
}

impl Writer {
    pub(super) fn new(disk: Box<dyn Disk>, rotation: Rotation, names: Arc<Mutex<Names>>) -> Self {
        Self { disk, rotation, names }
    }

    pub(super) const fn set_rotation(&mut self, rotation: Rotation) {
        self.rotation = rotation;
    }

    /// Writes until nothing waits, or the disk refuses.
    pub(super) fn flush(&mut self, log: &ServiceLog, now: Moment) -> Option<Notice> {
        let refused_before = log.state().retry_at.is_some();
        let mut error = String::new();
        loop {
            let mut state = log.state();
            if state.retry_at.is_some_and(|at| now.at < at) {
                break;
            }
            let blocks = state.tail.take(TAKE_BYTES);
            drop(state);
            if blocks.is_empty() {
                break;
            }
            let refused = blocks.iter().find_map(|block| self.block(log, block).err());
            let mut state = log.state();
            if let Some(refused) = refused {
                error = refused.error.to_string();
                state.tail.failed(refused.rest);
                state.refused(now);
                break;
            }
            state.retry_at = None;
        }
        let mut state = log.state();
        match (refused_before, state.retry_at.is_some()) {
            (false, true) => Some(Notice::Refused(error)),
            (true, false) => Some(Notice::Writable { dropped: std::mem::take(&mut state.dropped) }),
            _ => None,
        }
    }

    /// Writes a block, to two files where it does not fit into one.
    fn block(&mut self, log: &ServiceLog, block: &Block) -> Result<(), Refused> {
        let (mut bytes, mut first, mut covers) = (&*block.bytes, block.first, block.covers);
        while !bytes.is_empty() {
            let (part, rest, lines) = self.part(bytes);
            let written = self.make_room(log, part.len()).and_then(|()| {
                let offset = self.disk.length();
                self.disk.append(part)?;
                Ok(offset)
            });
            let offset = match written {
                Ok(offset) => offset,
                Err(error) => {
                    let (bytes, lines) = (bytes.to_vec(), block.end() - first);
                    let missing = block.missing;
                    return Err(Refused {
                        rest: Block { first, lines, bytes, missing, covers },
                        error,
                    });
                }
            };
            lock(&self.names).count(lines, first + lines);
            let serial = lock(&self.names).current();
            let bytes_written = part.len() as u64;
            let written = Written { serial, offset, bytes: bytes_written, first, lines, covers };
            log.state().marks.add(written);
            (bytes, first, covers) = (rest, first + lines, 0);
        }
        let mut state = log.state();
        let is_followed = state.followers > 0;
        state.tail.written(is_followed);
        Ok(())
    }

    /// The lines at the beginning that fit into the current file, or else into the next; then the rest, and
    /// how many lines fit.
    fn part<'a>(&self, bytes: &'a [u8]) -> (&'a [u8], &'a [u8], u64) {
        let room = match self.rotation.room(self.disk.length()) {
            room if (bytes.len() as u64) <= room => room,
            room => match fitting(bytes, room) {
                // Not even one line: it goes to the next file.
                (0, _) => self.rotation.room(0),
                (end, lines) => return (&bytes[..end], &bytes[end..], lines),
            },
        };
        let (end, lines) = fitting(bytes, room);
        (&bytes[..end], &bytes[end..], lines)
    }

    /// Begins another file if so many bytes do not fit into the current one.
    fn make_room(&mut self, log: &ServiceLog, bytes: usize) -> io::Result<()> {
        if self.disk.length() == 0 || self.rotation.room(self.disk.length()) >= bytes as u64 {
            return Ok(());
        }
        let lines = lock(&self.names).lines_of_oldest();
        let oldest = {
            let mut names = lock(&self.names);
            self.disk.rotate()?;
            names.rotated(lines);
            names.oldest()
        };
        log.state().marks.forget_before(oldest);
        Ok(())
    }
}

/// The length of the lines at the beginning that have at most so many bytes, and how many they are.
fn fitting(bytes: &[u8], room: u64) -> (usize, u64) {
    let (mut end, mut lines) = (0, 0);
    while let Some(at) = newline(&bytes[end..]) {
        if (end + at + 1) as u64 > room {
            break;
        }
        (end, lines) = (end + at + 1, lines + 1);
    }
    (end, lines)
}
