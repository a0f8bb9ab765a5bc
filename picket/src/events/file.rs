//! The file of events: a JSON object a line, appended to, and rewritten when it is long.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::event::Event;
use super::log::EVENTS_KEPT;
use crate::crash::{self, Write};
use crate::durable::{self, Sync};

/// The largest file in bytes, from the design.
pub(super) const BYTES_MAX: u64 = 8 << 20;
/// How many bytes of events stay when it is rewritten.
const BYTES_KEPT: usize = 6 << 20;
/// How many lines there are when it is rewritten: not with each event, and not many more than are promised.
const LINES_MAX: usize = EVENTS_KEPT + EVENTS_KEPT / 4;

/// Where bytes are appended. Tests have one that refuses.
pub(super) trait Append: Send + std::fmt::Debug {
    /// All of it.
    fn append(&mut self, file: &mut fs::File, bytes: &[u8]) -> io::Result<()>;
}

/// The real one.
#[derive(Debug)]
pub(super) struct Real;

impl Append for Real {
    fn append(&mut self, file: &mut fs::File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }
}

/// The file.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    file: fs::File,
    append: Box<dyn Append>,
    len: u64,
    lines: usize,
}

/// The end of the file, as it was found.
#[derive(Debug, Default)]
pub(super) struct End {
    /// The greatest number in it; 0: none.
    pub(super) last: u64,
    /// The boot that wrote the last whole line.
    pub(super) boot: Option<String>,
}

impl File {
    /// Opens the file, or makes it. A line without its end is removed.
    pub(super) fn open(path: &Path, append: Box<dyn Append>) -> io::Result<(Self, End)> {
        let mut file = open(path)?;
        let mut bytes = Vec::new();
        let len = file.metadata()?.len();
        // More than this build writes is somebody else's: the end of it counts.
        file.seek(SeekFrom::Start(len.saturating_sub(2 * BYTES_MAX)))?;
        file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let len = len - (bytes.len() - whole) as u64;
        file.set_len(len)?;
        let lines = lines(&bytes[..whole]);
        let events = || lines.iter().rev().filter_map(|line| parse(line));
        let last = lines.iter().filter_map(|line| number(line)).max();
        let end = End { last: last.unwrap_or(0), boot: events().next().map(|event| event.boot) };
        let count = lines.len();
        Ok((Self { path: path.to_owned(), file, append, len, lines: count }, end))
    }

    /// Appends events: all of them or, after an error, none.
    pub(super) fn append(&mut self, events: &[Event]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for event in events {
            serde_json::to_writer(&mut bytes, event)?;
            bytes.push(b'\n');
        }
        crash::point("events.append.before");
        if let Err(err) = self.append.append(&mut self.file, &bytes) {
            // Should this fail as well, the half line is damage that readers leave out.
            self.file.set_len(self.len).ok();
            return Err(err);
        }
        self.len += bytes.len() as u64;
        self.lines += events.len();
        crash::point("events.append.after");
        Ok(())
    }

    /// Whether it is time to rewrite it.
    pub(super) const fn is_long(&self) -> bool {
        self.lines > LINES_MAX || self.len > BYTES_MAX
    }

    /// The newest lines of the file, to be written in its place, after what `gap` says of the others. It
    /// gets the greatest number of those left out.
    pub(super) fn newest(&self, gap: impl FnOnce(u64) -> Event) -> io::Result<Vec<u8>> {
        let bytes = fs::read(&self.path)?;
        let all = lines(&bytes);
        let mut from = all.len().saturating_sub(EVENTS_KEPT);
        while all[from..].iter().map(|line| line.len() + 1).sum::<usize>() > BYTES_KEPT {
            from += 1 + (all.len() - from) / 8;
        }
        let dropped = all[..from].iter().filter_map(|line| number(line)).max().unwrap_or(0);
        let mut new = serde_json::to_vec(&gap(dropped))?;
        new.push(b'\n');
        for line in &all[from..] {
            new.extend_from_slice(line);
            new.push(b'\n');
        }
        Ok(new)
    }

    /// Replaces the file.
    pub(super) fn replace(&mut self, bytes: &[u8]) -> io::Result<()> {
        durable::write(Write::Events, &self.path, bytes, Sync::Disk)?;
        self.file = open(&self.path)?;
        (self.len, self.lines) = (bytes.len() as u64, lines(bytes).len());
        Ok(())
    }

    /// Makes it durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        crash::point("events.close.before");
        self.file.sync_data()?;
        crash::point("events.close.after");
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<fs::File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

/// The lines, without their ends.
pub(super) fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    let lines = bytes.strip_suffix(b"\n").map(|bytes| bytes.split(|b| *b == b'\n').collect());
    lines.unwrap_or_default()
}

/// An event; none if the line is damaged.
pub(super) fn parse(line: &[u8]) -> Option<Event> {
    serde_json::from_slice(line).ok()
}

/// The number at the beginning of a line, which is enough to skip it.
pub(super) fn number(line: &[u8]) -> Option<u64> {
    let digits = line.strip_prefix(b"{\"seq\":")?;
    let end = digits.iter().position(|b| !b.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}
