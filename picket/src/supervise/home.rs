//! The own directory of an instance, and the way to it.
//!
//! A program that is another user finds its directory only if it may enter those above it. So where the node is root,
//! its data directory may be entered by everybody (0711), and still be listed and read by nobody else. This gives away
//! that a file of a known name is there, with its size and its times; nothing in it, because whatever lies in the data
//! directory beside `services` is its owner's alone: it is made so before each start, also what a person put there
//! since. Sockets are left as they are: whom they answer is decided by the peer's user.
//!
//! Not done: a place outside of the data directory, which would be one more to configure, to keep and to remove; access
//! lists, which not every file system has; a mount for each program, which containers refuse.

use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use super::owner;
use crate::user::User;

/// The mode of a directory that others may only enter.
const ENTER: u32 = 0o711;

/// Makes the directory of an instance, unless it is there, for its user; none: the node's own. One that was another
/// user's changes hands, with that user's files in it.
pub(super) fn make(data_dir: &Path, home: &Path, user: Option<&User>) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(home)?;
    let Some(user) = user.filter(|user| user.uid != 0) else { return Ok(()) };
    owner::give(home, user)?;
    close_others(data_dir, home)?;
    let above = home.ancestors().skip(1).take_while(|dir| dir.starts_with(data_dir));
    above
        .filter(|dir| fs::metadata(dir).is_ok_and(|meta| mode(&meta) & 0o001 == 0))
        .try_for_each(enter)
}

fn mode(meta: &Metadata) -> u32 {
    meta.permissions().mode()
}

fn enter(dir: &Path) -> io::Result<()> {
    fs::set_permissions(dir, Permissions::from_mode(ENTER))
}

/// Takes from others what they might do with what is in the data directory, beside the way to `home`.
fn close_others(data_dir: &Path, home: &Path) -> io::Result<()> {
    for entry in fs::read_dir(data_dir)? {
        let path = entry?.path();
        match fs::symlink_metadata(&path) {
            // The node replaces its files.
            Err(err) if err.kind() == io::ErrorKind::NotFound => {}
            Ok(meta) if !(meta.is_file() || meta.is_dir()) || home.starts_with(&path) => {}
            Ok(meta) if mode(&meta) & 0o077 == 0 => {}
            meta => gone(fs::set_permissions(&path, Permissions::from_mode(mode(&meta?) & 0o700)))?,
        }
    }
    Ok(())
}

fn gone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode_of(path: &Path) -> u32 {
        mode(&fs::metadata(path).unwrap()) & 0o777
    }

    #[test]
    fn another_user_may_enter_and_nobody_may_read() {
        let dir = tempfile::tempdir().unwrap();
        let above = mode_of(dir.path());
        let data = dir.path().join("d");
        fs::create_dir(&data).unwrap();
        fs::write(data.join("database"), "").unwrap();
        fs::set_permissions(&data, Permissions::from_mode(0o700)).unwrap();
        fs::set_permissions(data.join("database"), Permissions::from_mode(0o644)).unwrap();
        let home = data.join("services/web/1");
        make(&data, &home, None).unwrap();
        assert_eq!(
            (mode_of(&data), mode_of(&data.join("database"))),
            (0o700, 0o644),
            "nothing is changed"
        );
        // Only root can give a directory away; this is the user who runs the test.
        let own = rustix::process::geteuid().as_raw();
        let user = User {
            name: "x".to_owned(),
            uid: own.max(1),
            gid: rustix::process::getegid().as_raw(),
            groups: Vec::new(),
        };
        make(&data, &home, Some(&user)).unwrap();
        assert_eq!((mode_of(&data), mode_of(&data.join("database"))), (0o711, 0o600));
        assert_eq!((mode_of(&data.join("services/web")), mode_of(&home)), (0o711, 0o700));
        // The next start closes files that come later, and the way stays open.
        fs::write(data.join("secret"), "").unwrap();
        fs::set_permissions(data.join("secret"), Permissions::from_mode(0o644)).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(data.join("it.sock")).unwrap();
        fs::set_permissions(data.join("it.sock"), Permissions::from_mode(0o666)).unwrap();
        make(&data, &home, Some(&user)).unwrap();
        assert_eq!(
            (mode_of(&data.join("secret")), mode_of(&data.join("services"))),
            (0o600, 0o711)
        );
        assert_eq!(mode_of(&data.join("it.sock")), 0o666);
        assert_eq!(mode_of(dir.path()), above, "what is above is not the node's");
    }
}
