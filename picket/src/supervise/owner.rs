//! Gives what is in a directory to another user, when the user of a service changes.
//!
//! The programs of the old user may still have the directory open, and could put links there while this runs as root.
//!
//! **Invariant**: only what lies in the directory and belongs to its old owner changes hands. Each entry is looked at
//! and changed by one descriptor, which follows no link; and a file with a second name stays as it is, because that
//! name may be elsewhere.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, chownat, fstat, openat};
use rustix::io::Errno;

use crate::user::User;

/// How deep directories are entered. A guess, deeper than programs nest them, and each takes a descriptor.
const DEPTH_MAX: usize = 64;

/// Gives a directory, and whatever in it belongs to its owner, to a user. Nothing is done if it is that user's.
///
/// # Errors
/// Those of the system, or that directories are nested too deep. A part may be given then; the rest is the next time,
/// because the directory itself is last.
pub(super) fn give(dir: &Path, user: &User) -> io::Result<()> {
    let fd = openat(CWD, dir, directory(), Mode::empty())?;
    let before = fstat(&fd)?.st_uid;
    if before == user.uid {
        return Ok(());
    }
    give_entries(fd.as_fd(), before, user, DEPTH_MAX)?;
    Ok(chown(fd.as_fd(), user)?)
}

fn give_entries(dir: BorrowedFd<'_>, from: u32, user: &User, depth: usize) -> io::Result<()> {
    if depth == 0 {
        return Err(io::Error::other("its directories are nested too deep"));
    }
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if [c".", c".."].contains(&name) {
            continue;
        }
        match openat(dir, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
            // Removed meanwhile.
            Err(Errno::NOENT) => {}
            opened => give_entry(&opened?, from, user, depth)?,
        }
    }
    Ok(())
}

fn give_entry(entry: &OwnedFd, from: u32, user: &User, depth: usize) -> io::Result<()> {
    let Stat { st_uid, st_mode, st_nlink, .. } = fstat(entry)?;
    let is_dir = FileType::from_raw_mode(st_mode) == FileType::Directory;
    if is_dir {
        // The same directory, whatever has its name by now.
        let inside = openat(entry, c".", directory(), Mode::empty())?;
        give_entries(inside.as_fd(), from, user, depth - 1)?;
    }
    if st_uid == from && (is_dir || st_nlink == 1) {
        chown(entry.as_fd(), user)?;
    }
    Ok(())
}

fn chown(fd: BorrowedFd<'_>, user: &User) -> rustix::io::Result<()> {
    let (uid, gid) = (rustix::fs::Uid::from_raw(user.uid), rustix::fs::Gid::from_raw(user.gid));
    chownat(fd, c"", Some(uid), Some(gid), AtFlags::EMPTY_PATH)
}

const fn directory() -> OFlags {
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, chown, symlink};

    use super::*;

    fn user(uid: u32) -> User {
        User { name: "x".to_owned(), uid, gid: uid + 1, groups: Vec::new() }
    }

    fn owner(path: &Path) -> (u32, u32) {
        let meta = fs::symlink_metadata(path).unwrap();
        (meta.uid(), meta.gid())
    }

    #[test]
    fn what_was_the_old_user_s_is_the_new_one_s_and_nothing_else() {
        if !rustix::process::geteuid().is_root() {
            // Nobody else can give files away.
            return;
        }
        let all = tempfile::tempdir().unwrap();
        let path = |name: &str| all.path().join(name);
        let (old, new) = (user(40_001), user(40_002));
        fs::create_dir_all(path("home/a/b")).unwrap();
        for file in ["elsewhere", "shared", "home/one", "home/a/two", "home/a/b/three", "home/root"]
        {
            fs::write(path(file), "").unwrap();
        }
        symlink("../elsewhere", path("home/link")).unwrap();
        symlink("..", path("home/up")).unwrap();
        fs::hard_link(path("shared"), path("home/second")).unwrap();
        let given = ["home", "home/a", "home/a/b", "home/one", "home/a/two", "home/a/b/three"];
        for name in given.iter().chain(&["elsewhere", "shared"]) {
            chown(path(name), Some(old.uid), Some(old.gid)).unwrap();
        }
        give(&path("home"), &new).unwrap();
        for name in given {
            assert_eq!(owner(&path(name)), (new.uid, new.gid), "{name}");
        }
        for name in ["elsewhere", "shared"] {
            assert_eq!(owner(&path(name)), (old.uid, old.gid), "{name}");
        }
        assert_eq!(owner(&path("home/root")), (0, 0));
        // Once it is the user's, nothing in it is looked at any more.
        chown(path("home/one"), Some(old.uid), None).unwrap();
        give(&path("home"), &new).unwrap();
        assert_eq!(owner(&path("home/one")).0, old.uid);
    }

    #[test]
    fn directories_without_end_are_an_error_and_not_given_half() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let all = tempfile::tempdir().unwrap();
        let mut deep = all.path().to_owned();
        (0..DEPTH_MAX + 1).for_each(|_| deep.push("d"));
        fs::create_dir_all(&deep).unwrap();
        let error = give(all.path(), &user(40_002)).unwrap_err();
        assert!(error.to_string().contains("nested too deep"), "{error}");
        assert_eq!(owner(all.path()).0, 0, "the next time it is tried again");
    }
}
