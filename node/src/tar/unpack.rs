use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Read, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, RenameFlags};
use rustix::fs::{mkdirat, openat, renameat_with, symlinkat};
use rustix::io::Errno;

use super::TarError;
use super::limits::{Limits, Tally};
use super::reader::{Entry, Reader, What};
use crate::outfile::unfinished::{Leftover, Unfinished};
use crate::outfile::{Disk, Real, sync_names};

const BUFFER_BYTES: usize = 256 * 1024;
/// What its owner needs of a directory while it is filled.
const FILLING: u32 = 0o700;
/// The permissions of a directory that the archive does not mention.
const IMPLIED: u32 = 0o755;

/// Unpacks an archive to a directory that must not be there: it appears with all of its content, or
/// not at all.
///
/// # Errors
/// [`TarError`]; nothing is left then.
pub fn unpack(from: impl Read, to: &Path) -> Result<(), TarError> {
    unpack_within(Limits::STANDARD, from, to, &Real)
}

pub(super) fn unpack_within(
    limits: Limits,
    from: impl Read,
    to: &Path,
    disk: &dyn Disk,
) -> Result<(), TarError> {
    let shown = || to.display().to_string();
    let parent = match to.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    if to.file_name().is_none() || to.symlink_metadata().is_ok() {
        return Err(TarError::Exists(shown()));
    }
    let doing = |what: &'static str| move |err: io::Error| TarError::io(what, shown(), err);
    let make = |name: &OsStr| DirBuilder::new().mode(IMPLIED).create(parent.join(name));
    let left = |name: &OsStr| Leftover::Tree(parent.join(name));
    let made = Unfinished::under_a_name(left, make);
    let (unfinished, name, ()) = made.map_err(doing("making"))?;
    let temp = parent.join(name);
    let root = File::open(&temp).map_err(doing("opening"))?;
    let mut unpacker = Unpacker::new(root, limits);
    let mut reader = Reader::new(from);
    while let Some(entry) = reader.next()? {
        unpacker.entry(&mut reader, &entry)?;
    }
    unpacker.close_directories()?;
    disk.sync_file_system(&unpacker.root).map_err(doing("writing"))?;
    disk.step("durable");
    let named = unfinished.keep(|| Ok(renameat_with(CWD, &temp, CWD, to, RenameFlags::NOREPLACE)?));
    named.map_err(|err| match err.kind() {
        io::ErrorKind::AlreadyExists => TarError::Exists(shown()),
        _ => doing("making")(err),
    })?;
    disk.step("named");
    sync_names(disk, File::open(parent)).map_err(doing("writing"))
}

struct Unpacker {
    root: File,
    tally: Tally,
    // Directories that were made for what is in them, before an entry of their own.
    implied: BTreeSet<Vec<u8>>,
    // Directories whose owner may do less with them than filling takes, with what is theirs in the end.
    closed: BTreeMap<Vec<u8>, u32>,
    buffer: Vec<u8>,
}

impl Unpacker {
    fn new(root: File, limits: Limits) -> Self {
        let (implied, closed) = Default::default();
        let (tally, buffer) = (Tally::new(limits), vec![0; BUFFER_BYTES]);
        Self { root, tally, implied, closed, buffer }
    }

    fn entry<R: Read>(&mut self, reader: &mut Reader<R>, entry: &Entry) -> Result<(), TarError> {
        let name = &entry.name;
        let parts = parts(name)?;
        self.tally.check_name(&parts)?;
        let Some((last, parents)) = parts.split_last() else {
            // The root itself, as `./`.
            return match entry.what {
                What::Directory { mode } => self.narrow(&[], mode),
                _ => Err(TarError::not_safe(name, "it has no name")),
            };
        };
        if let What::Link { target } = &entry.what {
            self.tally.check_link(&parts, target)?;
        }
        let path = parts.join(&b'/');
        if self.implied.remove(&path)
            && let What::Directory { mode } = entry.what
        {
            return self.narrow(&parts, mode);
        }
        let dir = self.parent(parents)?;
        self.tally.count()?;
        let last = OsStr::from_bytes(last);
        let made = match &entry.what {
            What::Directory { mode } => {
                if mode & FILLING != FILLING {
                    self.closed.insert(path, *mode);
                }
                mkdirat(&dir, last, Mode::from_raw_mode(mode | FILLING))
            }
            What::Link { target } => symlinkat(OsStr::from_bytes(target), &dir, last),
            What::File { mode } => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
                let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                match openat(&dir, last, flags, Mode::from_raw_mode(*mode)) {
                    Ok(file) => return self.content(reader, &File::from(file), name),
                    Err(err) => Err(err),
                }
            }
        };
        made.map_err(|err| match err {
            Errno::EXIST => TarError::not_safe(name, "it is there twice"),
            err => TarError::io("making", name, err),
        })
    }

    fn content<R: Read>(
        &mut self,
        reader: &mut Reader<R>,
        mut file: &File,
        name: &[u8],
    ) -> Result<(), TarError> {
        loop {
            match reader.read(&mut self.buffer)? {
                0 => return Ok(()),
                count => file
                    .write_all(&self.buffer[..count])
                    .map_err(|err| TarError::io("writing", name, err))?,
            }
        }
    }

    /// Opens the directory that an entry is in, made if there is none, without following links.
    fn parent(&mut self, parts: &[&[u8]]) -> Result<File, TarError> {
        let failed = |err: io::Error| TarError::io("opening", parts.join(&b'/'), err);
        let mut dir = self.root.try_clone().map_err(failed)?;
        for (depth, part) in parts.iter().enumerate() {
            let name = OsStr::from_bytes(part);
            dir = match open_dir(&dir, name) {
                Ok(dir) => dir,
                Err(Errno::NOENT) => {
                    self.tally.count()?;
                    let made = mkdirat(&dir, name, Mode::from_raw_mode(IMPLIED));
                    made.map_err(|err| failed(err.into()))?;
                    self.implied.insert(parts[..=depth].join(&b'/'));
                    open_dir(&dir, name).map_err(|err| failed(err.into()))?
                }
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    let name = parts[..=depth].join(&b'/');
                    return Err(TarError::not_safe(&name, "it is not a directory and has content"));
                }
                Err(err) => return Err(failed(err.into())),
            };
        }
        Ok(dir)
    }

    /// Takes from a directory that was made with [`IMPLIED`] what the archive does not give it.
    fn narrow(&mut self, parts: &[&[u8]], mode: u32) -> Result<(), TarError> {
        if mode & FILLING != FILLING {
            self.closed.insert(parts.join(&b'/'), mode);
        }
        self.restrict(parts, mode | FILLING)
    }

    /// Leaves a directory only those of its permissions that are in `mode`: what the umask took is not
    /// given back.
    fn restrict(&mut self, parts: &[&[u8]], mode: u32) -> Result<(), TarError> {
        let failed = |err: io::Error| TarError::io("making", parts.join(&b'/'), err);
        let dir = self.parent(parts)?;
        let now = dir.metadata().map_err(failed)?.permissions().mode();
        dir.set_permissions(Permissions::from_mode(now & mode & 0o777)).map_err(failed)
    }

    /// Takes from directories what their owner does not have in the end: of what is within a directory first.
    fn close_directories(&mut self) -> Result<(), TarError> {
        while let Some((path, mode)) = self.closed.pop_last() {
            let parts: Vec<_> =
                path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).collect();
            self.restrict(&parts, mode)?;
        }
        Ok(())
    }
}

fn open_dir(dir: &File, name: &OsStr) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(dir, name, flags, Mode::empty()).map(File::from)
}

/// The parts of a name. `.` and empty ones mean nothing.
fn parts(name: &[u8]) -> Result<Vec<&[u8]>, TarError> {
    let refuse = |why| Err(TarError::not_safe(name, why));
    if name.starts_with(b"/") {
        return refuse("the name is absolute");
    }
    let is_part = |part: &&[u8]| !matches!(*part, b"" | b".");
    let parts: Vec<_> = name.split(|byte| *byte == b'/').filter(is_part).collect();
    if parts.contains(&&b".."[..]) {
        return refuse("the name leads out of the tree");
    }
    Ok(parts)
}
