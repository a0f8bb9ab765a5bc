//! What is at a place.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};

use super::{Content, doing};
use crate::error::{Error, Kind};

/// As many links in a row as the kernel follows.
const LINKS_MAX: usize = 40;
/// Whatever everybody may write to, and only owners may delete from.
const SHARED: u32 = 0o1002;

/// Whether a path names this process's standard output. A file of the name `-` is `./-`.
pub fn is_stdout(path: &Path) -> bool {
    ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].iter().any(|name| path == Path::new(name))
}

/// Where output goes.
#[derive(Debug)]
pub(super) enum Place {
    /// To a regular file, which may not be there yet.
    File(Spot),
    /// Into something that is no file.
    Stream {
        /// Where it is.
        path: PathBuf,
        /// Whether it may be a file after all, which another process has open.
        append: bool,
    },
}

/// The place of a regular file.
#[derive(Debug)]
pub(super) struct Spot {
    /// The directory, open.
    pub(super) dir: File,
    /// The name in it.
    pub(super) name: OsString,
    /// The file that is there.
    pub(super) old: Option<Metadata>,
}

impl Place {
    /// Finds out what is there, and refuses what is not written to.
    pub(super) fn find(path: &Path, content: Content) -> Result<Self, Error> {
        let is_link = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink());
        let resolved = resolve(path)?;
        let dir_path = match resolved.parent() {
            Some(dir) if dir != Path::new("") => dir,
            _ => Path::new("."),
        };
        // What a process has open: to rename something over it would not reach that process.
        if is_in_proc(dir_path) {
            let is_file = fs::metadata(&resolved).is_ok_and(|meta| meta.is_file());
            if content == Content::Secret && is_file {
                return Err(open_file(path));
            }
            return Ok(Self::Stream { path: resolved, append: true });
        }
        let old = match fs::metadata(&resolved) {
            Ok(meta) => Some(meta),
            Err(err) if err.kind() == io::ErrorKind::NotFound => None,
            Err(err) => return Err(doing("looking at", path, &err)),
        };
        refuse(path, &resolved, old.as_ref())?;
        if let Some(old) = &old {
            let dir = fs::metadata(dir_path).map_err(|err| doing("looking at", dir_path, &err))?;
            refuse_planted(path, &dir, old)?;
            if !old.is_file() {
                return Ok(Self::Stream { path: resolved, append: false });
            }
        }
        let is_taken = old.as_ref().is_some_and(|old| old.len() > 0) || is_link;
        if content == Content::Secret && is_taken {
            return Err(exists(path));
        }
        // Without reading it: there are directories into which one may only write.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = openat(CWD, dir_path, flags, Mode::empty()).map(File::from);
        let dir = dir.map_err(|err| doing("opening", dir_path, &err.into()))?;
        let name = resolved.file_name().map(OsString::from).unwrap_or_default();
        Ok(Self::File(Spot { dir, name, old }))
    }
}

/// Refuses what cannot be written to.
fn refuse(path: &Path, resolved: &Path, old: Option<&Metadata>) -> Result<(), Error> {
    let shown = path.display();
    if old.is_some_and(Metadata::is_dir) {
        return Err(Error::new(Kind::AlreadyExists, format!("{shown} is a directory"))
            .with_hint("Name a file in it."));
    }
    if old.is_some_and(|old| old.file_type().is_socket()) {
        return Err(Error::new(Kind::AlreadyExists, format!("{shown} is a socket"))
            .with_hint("Give the path of a file, or one at which there is nothing yet."));
    }
    let bytes = resolved.as_os_str().as_bytes();
    if resolved.file_name().is_none() || bytes.ends_with(b"/") || bytes.ends_with(b"/.") {
        return Err(Error::new(Kind::InvalidArgument, format!("{shown} names no file"))
            .with_hint("Give the path of a file: a directory, and a name in it."));
    }
    Ok(())
}

/// Where the links at a path lead to.
fn resolve(path: &Path) -> Result<PathBuf, Error> {
    let mut at = path.to_owned();
    for _ in 0..LINKS_MAX {
        check_parents(path, at.parent().unwrap_or(Path::new("")))?;
        let link = match fs::symlink_metadata(&at) {
            Ok(meta) if meta.is_symlink() => meta,
            _ => return Ok(at),
        };
        let dir = at.parent().unwrap_or(Path::new("")).to_owned();
        if is_in_proc(&dir) {
            return Ok(at);
        }
        check_link(path, &dir, &link)?;
        let target = fs::read_link(&at).map_err(|err| doing("looking at", &at, &err))?;
        at = dir.join(target);
    }
    Err(too_many_links(path))
}

/// Refuses a directory to which a link leads that somebody else put where everybody writes.
fn check_parents(path: &Path, dir: &Path) -> Result<(), Error> {
    let parts = |path: &Path| -> Vec<OsString> {
        path.components().rev().map(|part| part.as_os_str().to_owned()).collect()
    };
    let (mut at, mut rest, mut links) = (PathBuf::new(), parts(dir), 0);
    while let Some(part) = rest.pop() {
        let next = at.join(part);
        let link = fs::symlink_metadata(&next).ok().filter(Metadata::is_symlink);
        // Those of the kernel lead where no path does.
        let Some(link) = link.filter(|_| !is_in_proc(&at)) else {
            at = next;
            continue;
        };
        check_link(path, &at, &link)?;
        links += 1;
        if links > LINKS_MAX {
            return Err(too_many_links(path));
        }
        let target = fs::read_link(&next).map_err(|err| doing("looking at", &next, &err))?;
        // One that begins at the root replaces what it is joined to.
        rest.extend(parts(&target));
    }
    Ok(())
}

/// Refuses to follow a link in a directory that somebody else put there.
fn check_link(path: &Path, dir: &Path, link: &Metadata) -> Result<(), Error> {
    match fs::metadata(here_if_empty(dir)) {
        Ok(dir) => refuse_planted(path, &dir, link),
        Err(_) => Ok(()),
    }
}

fn here_if_empty(dir: &Path) -> &Path {
    if dir == Path::new("") { Path::new(".") } else { dir }
}

fn is_in_proc(dir: &Path) -> bool {
    fs::canonicalize(here_if_empty(dir)).is_ok_and(|dir| dir.starts_with("/proc"))
}

fn too_many_links(path: &Path) -> Error {
    let message = format!("{} leads through too many links", path.display());
    Error::new(Kind::InvalidArgument, message).with_hint("Give the path of the file itself.")
}

/// A secret goes to no file that a process has open: others may read it, and it would be added to what is
/// there.
fn open_file(path: &Path) -> Error {
    let message = format!("{} is a file that a process has open", path.display());
    Error::new(Kind::InvalidArgument, message)
        .with_hint("Give the path of the file instead: it then gets mode 0600.")
}

/// Refuses what somebody else put into a directory where everybody writes.
fn refuse_planted(path: &Path, dir: &Metadata, found: &Metadata) -> Result<(), Error> {
    let me = rustix::process::geteuid().as_raw();
    if !is_planted((dir.mode(), dir.uid()), found.uid(), me) {
        return Ok(());
    }
    let message =
        format!("{} is somebody else's, in a directory where everybody writes", path.display());
    Err(Error::new(Kind::PermissionDenied, message)
        .with_hint("Give another path: its owner would see, or choose, where the output goes."))
}

/// Whether something in a directory (its mode and owner) belongs neither to the caller nor to the owner of
/// the directory, and everybody may put things there.
pub(super) const fn is_planted((mode, dir_owner): (u32, u32), owner: u32, me: u32) -> bool {
    mode & SHARED == SHARED && owner != me && owner != dir_owner
}

/// A secret is never written over.
pub(super) fn exists(path: &Path) -> Error {
    Error::new(Kind::AlreadyExists, "the file exists")
        .augment(format!("writing {}", path.display()))
        .with_hint("Keys are never overwritten. Give another path, or move the file away.")
}
