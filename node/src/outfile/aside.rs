//! A regular file that is written beside its place.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::fs::{flock, fstat, statat};
use rustix::fs::{linkat, openat, renameat, renameat_with, unlinkat};
use rustix::io::Errno;

use super::place::Spot;
use super::unfinished::{Leftover, Unfinished};
use super::{Content, Disk, sync_names};
use crate::error::{Error, Kind};

/// The permission bits that are kept: not those that say as whom a program runs.
const KEPT: u32 = 0o777;

/// A file on its way to its place.
#[derive(Debug)]
pub(super) struct Aside {
    dir: Arc<File>,
    name: OsString,
    file: File,
    // Its name until it is finished; none: it has no name.
    hidden: Option<(Unfinished, OsString)>,
    content: Content,
    // Whether something is at its place.
    is_taken: bool,
}

impl Aside {
    /// Begins, without a name if `unnamed` and the file system can do that.
    pub(super) fn make(spot: Spot, content: Content, unnamed: bool) -> Result<Self, Error> {
        let Spot { dir, name, old } = spot;
        let dir = Arc::new(dir);
        let is_plain = content == Content::Plain;
        let is_taken = old.is_some();
        let kept = old.filter(|_| is_plain);
        // What replaces a file is nobody else's business until it has that file's mode.
        let mode = if is_plain && kept.is_none() { 0o666 } else { 0o600 };
        let (file, hidden) = open(&dir, Mode::from_raw_mode(mode), unnamed)
            .map_err(|err| Error::io(format!("making {}", name.display()), &err))?;
        if let Some(old) = kept {
            take_after(&file, &old, &name)?;
        }
        Ok(Self { dir, name, file, hidden, content, is_taken })
    }

    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Gives it its name, once its content is durable.
    pub(super) fn finish(self, disk: &dyn Disk) -> io::Result<()> {
        disk.step("written");
        disk.sync(&self.file)?;
        disk.step("durable");
        let Self { dir, name, file, hidden, content, is_taken } = self;
        let is_secret = content == Content::Secret;
        // Until it has its name: of two secrets for one empty file, one gets there.
        let taken = if is_secret && is_taken { take_empty(&dir, &name)? } else { None };
        let may_replace = !is_secret || taken.is_some();
        match hidden {
            Some((unfinished, hidden)) => {
                unfinished.keep(|| rename(&dir, &hidden, &name, may_replace))?;
            }
            None if is_taken && may_replace => link_over(&dir, &file, &name)?,
            None => match link(&file, &dir, &name) {
                Err(Errno::EXIST) if may_replace => link_over(&dir, &file, &name)?,
                linked => linked?,
            },
        }
        drop(taken);
        disk.step("named");
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let readable = openat(&dir, ".", flags, Mode::empty()).map(File::from);
        sync_names(disk, readable.map_err(io::Error::from))
    }
}

/// Opens a file in a directory that nobody else sees, or under a name of its own.
fn open(
    dir: &Arc<File>,
    mode: Mode,
    unnamed: bool,
) -> io::Result<(File, Option<(Unfinished, OsString)>)> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    if unnamed
        && let Ok(file) = openat(dir, ".", flags | OFlags::TMPFILE, mode).map(File::from)
        && proc_path(&file).exists()
    {
        return Ok((file, None));
    }
    let flags = flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
    under_a_name(dir, |name| Ok(File::from(openat(dir, name, flags, mode)?)))
        .map(|(unfinished, name, file)| (file, Some((unfinished, name))))
}

/// Makes something under a hidden name.
fn under_a_name<T>(
    dir: &Arc<File>,
    make: impl Fn(&OsStr) -> io::Result<T>,
) -> io::Result<(Unfinished, OsString, T)> {
    let left = |name: &OsStr| Leftover::File { dir: dir.clone(), name: name.to_owned() };
    Unfinished::under_a_name(left, make)
}

/// Takes an empty file that a secret is to replace: as long as what is returned lives, nobody else who asks
/// like this has it. Fails when there is something in it, or another file in its place; none: it is gone.
fn take_empty(dir: &File, name: &OsStr) -> io::Result<Option<File>> {
    let open = |flags| {
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        openat(dir, name, flags, Mode::empty())
    };
    // Over a network a lock takes a file that is open for writing.
    let opened = open(OFlags::RDWR).or_else(|err| match err {
        Errno::ACCESS => open(OFlags::RDONLY),
        err => Err(err),
    });
    let file = match opened {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(None),
        Err(err) => return Err(err.into()),
    };
    // The holder of the lock is about to replace it.
    let taken = flock(&file, FlockOperation::NonBlockingLockExclusive);
    taken.map_err(|err| if err == Errno::WOULDBLOCK { Errno::EXIST } else { err })?;
    let (taken, now) = (fstat(&file)?, statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?);
    let is_there = (now.st_dev, now.st_ino, now.st_size) == (taken.st_dev, taken.st_ino, 0);
    if is_there { Ok(Some(file)) } else { Err(io::ErrorKind::AlreadyExists.into()) }
}

/// Gives a file the mode and the owner of the one that it replaces.
fn take_after(file: &File, old: &Metadata, name: &OsStr) -> Result<(), Error> {
    let doing = |err: &io::Error| Error::io(format!("making {}", name.display()), err);
    let new = file.metadata().map_err(|err| doing(&err))?;
    let other = |old: u32, new: u32| (old != new).then_some(old);
    let (uid, gid) = (other(old.uid(), new.uid()), other(old.gid(), new.gid()));
    if uid.is_some() || gid.is_some() {
        fchown(file, uid, gid).map_err(|err| {
            Error::new(Kind::PermissionDenied, format!("its owner cannot be kept: {err}"))
                .augment(format!("replacing {}", name.display()))
                .with_hint("Remove the file first, or give another path.")
        })?;
    }
    let mode = Permissions::from_mode(old.mode() & KEPT);
    file.set_permissions(mode).map_err(|err| doing(&err))
}

/// Where a file without a name can be linked from.
fn proc_path(file: &File) -> PathBuf {
    Path::new("/proc/self/fd").join(file.as_raw_fd().to_string())
}

fn link(file: &File, dir: &File, name: &OsStr) -> Result<(), Errno> {
    linkat(CWD, proc_path(file), dir, name, AtFlags::SYMLINK_FOLLOW)
}

/// Puts a file without a name in the place of another: there is no link that replaces.
fn link_over(dir: &Arc<File>, file: &File, name: &OsStr) -> io::Result<()> {
    let (unfinished, hidden, ()) = under_a_name(dir, |hidden| Ok(link(file, dir, hidden)?))?;
    unfinished.keep(|| Ok(renameat(&**dir, &hidden, &**dir, name)?))
}

fn rename(dir: &File, from: &OsStr, to: &OsStr, may_replace: bool) -> io::Result<()> {
    if may_replace {
        return Ok(renameat(dir, from, dir, to)?);
    }
    match renameat_with(dir, from, dir, to, RenameFlags::NOREPLACE) {
        // File systems that cannot do that can link.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            linkat(dir, from, dir, to, AtFlags::empty())?;
            Ok(unlinkat(dir, from, AtFlags::empty())?)
        }
        renamed => Ok(renamed?),
    }
}
