//! The whole of it: inputs, files, readers.

mod drains;
mod files;
mod model;
mod readers;
mod removed;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crux_protocol::time::Instant;

use super::disk::{Dir, path_of};
use super::service::Budget;
use super::*;
use crate::clock::Moment;

/// A moment so many milliseconds after the origin.
fn ms(ms: u64) -> Moment {
    Moment { at: Instant::ORIGIN + Duration::from_millis(ms), unix_ms: 1_700_000_000_000 + ms }
}

/// A directory that is full on command.
#[derive(Debug)]
struct Full {
    dir: Dir,
    room: Arc<AtomicU64>,
}

impl Disk for Full {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let len = bytes.len() as u64;
        if self.room.load(Ordering::Relaxed) < len {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.room.fetch_sub(len, Ordering::Relaxed);
        self.dir.append(bytes)
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.dir.rotate()
    }

    fn length(&self) -> u64 {
        self.dir.length()
    }
}

fn open(dir: &Path, log_max: u64) -> Arc<ServiceLog> {
    Arc::new(ServiceLog::open(dir, log_max, Budget::default(), Instant::ORIGIN).unwrap())
}

/// A log on a disk with so much room, which can be changed.
fn open_full(dir: &Path, room: u64) -> (Arc<ServiceLog>, Arc<AtomicU64>) {
    let room = Arc::new(AtomicU64::new(room));
    let disk = Full { dir: Dir::open(dir).unwrap(), room: room.clone() };
    let log =
        ServiceLog::with_disk(dir, Box::new(disk), LOG_MAX, Budget::default(), Instant::ORIGIN);
    (Arc::new(log), room)
}

/// The texts of all files, the oldest first.
fn on_disk(dir: &Path) -> String {
    (0..=OLD_FILES).rev().filter_map(|age| fs::read_to_string(path_of(dir, age)).ok()).collect()
}

/// Reads until the reader has to wait or ends: texts, and how many it lost.
fn read(reader: &mut Reader) -> (Vec<String>, u64) {
    let (mut texts, mut lost) = (Vec::new(), 0);
    while let Step::Lines(batch) = reader.step().unwrap() {
        lost += batch.lost;
        texts.extend(batch.lines().map(|line| String::from_utf8_lossy(line.text).into_owned()));
    }
    (texts, lost)
}

fn all(log: &Arc<ServiceLog>, query: Query) -> Vec<String> {
    read(&mut Reader::open(log.clone(), query).unwrap()).0
}
