//! The files of a service's log.
//!
//! `current` is written; when it is full it becomes `1`, `1` becomes `2`, and so on to [`OLD_FILES`]; the
//! oldest is removed. The last file holds no half line after an append that failed: it is made as short as
//! it was, which needs no room.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::line::{LINE_MAX, Line};

/// How many files there are beside `current`.
pub const OLD_FILES: u64 = 4;
/// The smallest file: a few of the longest lines fit. A smaller `log_max` counts as five of these.
const FILE_BYTES_MIN: u64 = 64 * 1024;
/// The longest kept line with its time, instance and stream.
pub(super) const KEPT_LINE_MAX: u64 = LINE_MAX as u64 + 512;

/// When a file is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    file_bytes: u64,
}

impl Rotation {
    /// Files that have `log_max` bytes in all.
    pub fn new(log_max: u64) -> Self {
        Self { file_bytes: (log_max / (OLD_FILES + 1)).max(FILE_BYTES_MIN) }
    }

    /// How many more bytes fit into a file of such a length.
    pub const fn room(self, len: u64) -> u64 {
        self.file_bytes.saturating_sub(len)
    }
}

/// Where a log is written. Tests have one that is full on command.
pub trait Disk: Send + std::fmt::Debug {
    /// Appends to the current file: all of it or, after an error, nothing.
    ///
    /// # Errors
    /// Those of the system.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes the current file the first old one, and begins another.
    ///
    /// # Errors
    /// Those of the system; then the current file is still the same.
    fn rotate(&mut self) -> io::Result<()>;

    /// The length of the current file in bytes.
    fn length(&self) -> u64;
}

/// The path of a file: `age` 0 is the current one, then 1 to [`OLD_FILES`].
pub(super) fn path_of(dir: &Path, age: u64) -> PathBuf {
    if age == 0 { dir.join("current") } else { dir.join(age.to_string()) }
}

/// A directory.
#[derive(Debug)]
pub(super) struct Dir {
    path: PathBuf,
    current: File,
    len: u64,
}

impl Dir {
    /// Opens the log in a directory, or begins one. A line that a crash left without its end is ended, or
    /// removed if not even its text had begun.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let mut dir = Self { path: path.to_owned(), current: begin(&path_of(path, 0))?, len: 0 };
        dir.len = dir.current.metadata()?.len();
        dir.mend()?;
        Ok(dir)
    }

    fn mend(&mut self) -> io::Result<()> {
        let from = self.len.saturating_sub(KEPT_LINE_MAX);
        let mut end = Vec::new();
        self.current.seek(SeekFrom::Start(from))?;
        self.current.read_to_end(&mut end)?;
        let tail = end.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        if tail == end.len() {
            return Ok(());
        }
        if Line::parse(&end[tail..]).is_some() {
            return self.append(b"\n");
        }
        self.shorten(from + tail as u64)
    }

    fn shorten(&mut self, len: u64) -> io::Result<()> {
        self.current.set_len(len)?;
        self.len = len;
        Ok(())
    }
}

/// Opens a file to append to, or makes it.
fn begin(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

impl Disk for Dir {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(err) = self.current.write_all(bytes) {
            // Should this fail as well, a reader skips the half line.
            self.shorten(self.len).ok();
            return Err(err);
        }
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        // First what a full disk refuses.
        let next = self.path.join("next");
        let file = begin(&next)?;
        file.set_len(0)?;
        for age in (0..OLD_FILES).rev() {
            match fs::rename(path_of(&self.path, age), path_of(&self.path, age + 1)) {
                // A person removed it, or it never was.
                Err(err) if err.kind() == io::ErrorKind::NotFound => {}
                renamed => renamed?,
            }
        }
        fs::rename(next, path_of(&self.path, 0))?;
        (self.current, self.len) = (file, 0);
        Ok(())
    }

    fn length(&self) -> u64 {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_their_share_and_room_for_a_line() {
        assert_eq!(Rotation::new(40 << 20).room(0), 8 << 20);
        assert_eq!(Rotation::new(40 << 20).room((8 << 20) + 1), 0);
        assert!(Rotation::new(0).room(0) > KEPT_LINE_MAX);
    }

    #[test]
    fn the_oldest_file_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Dir::open(dir.path()).unwrap();
        for text in ["a\n", "b\n", "c\n", "d\n", "e\n", "f\n"] {
            log.append(text.as_bytes()).unwrap();
            log.rotate().unwrap();
        }
        let read = |age| fs::read_to_string(path_of(dir.path(), age)).unwrap();
        assert_eq!([0, 1, 2, 3, 4].map(read).concat(), "f\ne\nd\nc\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 5);
    }

    /// A crash may leave any part of what was written.
    #[test]
    fn a_log_opens_after_a_crash_at_each_byte() {
        let lines = "2026-11-30T18:45:24.123Z web o first\n2026-11-30T18:45:24.123Z web o second\n";
        for len in 0..=lines.len() {
            let dir = tempfile::tempdir().unwrap();
            fs::write(path_of(dir.path(), 0), &lines[..len]).unwrap();
            let mut log = Dir::open(dir.path()).unwrap();
            log.append(b"2026-11-30T18:45:24.123Z web o third\n").unwrap();
            let text = fs::read(path_of(dir.path(), 0)).unwrap();
            assert_eq!(log.length(), text.len() as u64);
            let lines = text.strip_suffix(b"\n").unwrap().split(|b| *b == b'\n');
            assert!(lines.into_iter().all(|line| Line::parse(line).is_some()), "{len}");
        }
    }

    #[test]
    fn a_directory_that_is_not_one_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("web"), "").unwrap();
        assert!(Dir::open(&dir.path().join("web")).is_err());
    }
}
