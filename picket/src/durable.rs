//! Files that are there whole or not at all, also after a power loss.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::crash::{self, WRITE, Write};

/// Whether a write waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// It does, for the file and for its directory: the content outlives a power loss.
    Disk,
    /// It does not: enough for what is worth nothing after a restart of the machine.
    Memory,
}

/// Replaces a file: written beside it, readable by its owner alone, and renamed, with
/// the crash points of `of`.
///
/// # Errors
/// Those of the system. The old content is then still there, unless the error is that of the last
/// flush: then either is there.
pub fn write(of: Write, path: &Path, bytes: &[u8], sync: Sync) -> io::Result<()> {
    let aside = aside(path)?;
    crash::point_of(of.name(), WRITE[0]);
    let written = write_aside(&aside, bytes, sync).and_then(|()| {
        crash::point_of(of.name(), WRITE[1]);
        fs::rename(&aside, path)
    });
    if let Err(err) = written {
        let _ = fs::remove_file(&aside);
        return Err(err);
    }
    crash::point_of(of.name(), WRITE[2]);
    if sync == Sync::Disk {
        sync_parent(path)?;
    }
    crash::point_of(of.name(), WRITE[3]);
    Ok(())
}

fn write_aside(aside: &Path, bytes: &[u8], sync: Sync) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(aside)?;
    file.write_all(bytes)?;
    if sync == Sync::Disk {
        file.sync_all()?;
    }
    Ok(())
}

/// Flushes the directory of a file: what was made, renamed or removed in it.
///
/// # Errors
/// Those of the system.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    File::open(path.parent().ok_or(io::ErrorKind::InvalidInput)?)?.sync_all()
}

/// The name of the file that is written before it is renamed: one only, so that leftovers of a crash
/// do not pile up.
fn aside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut aside = std::ffi::OsString::from(".");
    aside.push(name);
    aside.push(".new");
    Ok(path.with_file_name(aside))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        for (content, sync) in
            [("one", Sync::Disk), ("two, longer", Sync::Memory), ("3", Sync::Disk)]
        {
            write(Write::Node, &path, content.as_bytes(), sync).expect("written");
            assert_eq!(fs::read_to_string(&path).expect("read"), content);
        }
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 1);
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_content() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        write(Write::Node, &path, b"old", Sync::Disk).expect("written");
        // A directory in the way of the file beside it.
        fs::create_dir(dir.path().join(".file.new")).expect("made");
        write(Write::Node, &path, b"new", Sync::Disk).expect_err("refused");
        assert_eq!(fs::read(&path).expect("read"), b"old");
    }
}
