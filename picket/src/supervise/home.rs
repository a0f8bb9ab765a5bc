//! The own directory of an instance, and the way to it.
//!
//! A program that is another user finds its directory only if it may enter those above it. So where the node is root,
//! its data directory may be entered by everybody, and still be listed and read by nobody else: every file in it is its
//! owner's alone. Files that are not are made so first.

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
    if mode(&fs::metadata(data_dir)?) & 0o001 == 0 {
        close_files(data_dir)?;
    }
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

/// Takes from others what they might do with what is in a directory.
fn close_files(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        if !meta.is_symlink() && mode(&meta) & 0o077 != 0 {
            fs::set_permissions(entry.path(), Permissions::from_mode(mode(&meta) & 0o700))?;
        }
    }
    Ok(())
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
        // Only root can give a directory away; this is whoever runs the test.
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
        assert_eq!(mode_of(dir.path()), above, "what is above is not the node's");
    }
}
