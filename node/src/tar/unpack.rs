use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, RenameFlags, mkdirat, openat, renameat_with, symlinkat, syncfs};
use rustix::io::Errno;

use super::reader::{Entry, Reader, What};
use super::{DEPTH_MAX, NAME_BYTES_MAX, TarError};

const BUFFER_BYTES: usize = 256 * 1024;

/// Unpacks an archive to a directory that must not be there: it appears with all of its content, or
/// not at all.
///
/// # Errors
/// [`TarError`]; nothing is left then.
pub fn unpack(from: impl Read, to: &Path) -> Result<(), TarError> {
    let shown = || to.display().to_string();
    let parent = match to.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let (Some(name), false) = (to.file_name(), to.symlink_metadata().is_ok()) else {
        return Err(TarError::Exists(shown()));
    };
    let temp = Temp::make(parent, name)?;
    let root = File::open(&temp.0).map_err(|err| TarError::io("opening", shown(), err))?;
    let mut unpacker = Unpacker { root, implied: BTreeSet::new(), buffer: vec![0; BUFFER_BYTES] };
    let mut reader = Reader::new(from);
    while let Some(entry) = reader.next()? {
        unpacker.entry(&mut reader, &entry)?;
    }
    syncfs(&unpacker.root).map_err(|err| TarError::io("writing", shown(), err))?;
    let cwd = rustix::fs::CWD;
    match renameat_with(cwd, &temp.0, cwd, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => Err(TarError::Exists(shown())),
        Err(err) => Err(TarError::io("making", shown(), err)),
    }
}

/// A fresh directory, deleted with all that is in it unless it was renamed.
struct Temp(PathBuf);

impl Temp {
    fn make(parent: &Path, name: &OsStr) -> Result<Self, TarError> {
        let mut hidden = OsStr::new(".").to_owned();
        hidden.push(name);
        hidden.push(format!(".{}", std::process::id()));
        let path = parent.join(hidden);
        let made = DirBuilder::new().mode(0o755).create(&path);
        made.map_err(|err| TarError::io("making", path.as_os_str().as_bytes(), err))?;
        Ok(Self(path))
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        // Renamed, it is not there any more. This does not follow links.
        fs::remove_dir_all(&self.0).ok();
    }
}

struct Unpacker {
    root: File,
    // Directories that were made for what is in them, before an entry of their own.
    implied: BTreeSet<Vec<u8>>,
    buffer: Vec<u8>,
}

impl Unpacker {
    fn entry<R: Read>(&mut self, reader: &mut Reader<R>, entry: &Entry) -> Result<(), TarError> {
        let name = &entry.name;
        let parts = parts(name)?;
        let Some((last, parents)) = parts.split_last() else {
            // The root itself, as `./`.
            return match entry.what {
                What::Directory => Ok(()),
                _ => Err(TarError::not_safe(name, "it has no name")),
            };
        };
        let dir = self.parent(parents)?;
        let last = OsStr::from_bytes(last);
        let made = match &entry.what {
            What::Directory => match mkdirat(&dir, last, Mode::from_raw_mode(0o755)) {
                Err(Errno::EXIST) if self.implied.remove(&parts.join(&b'/')) => Ok(()),
                made => made,
            },
            What::Link { target } => {
                if !is_link_inside(&parts.join(&b'/'), target) {
                    return Err(TarError::not_safe(
                        name,
                        "it is a link that leads out of the tree",
                    ));
                }
                symlinkat(OsStr::from_bytes(target), &dir, last)
            }
            What::File { executable } => {
                let mode = Mode::from_raw_mode(if *executable { 0o755 } else { 0o644 });
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
                match openat(&dir, last, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, mode) {
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
            match mkdirat(&dir, name, Mode::from_raw_mode(0o755)) {
                Ok(()) => drop(self.implied.insert(parts[..=depth].join(&b'/')).then_some(())),
                Err(Errno::EXIST) => {}
                Err(err) => return Err(failed(err.into())),
            }
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            dir = match openat(&dir, name, flags, Mode::empty()) {
                Ok(dir) => dir.into(),
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    let name = parts[..=depth].join(&b'/');
                    return Err(TarError::not_safe(&name, "it is no directory and has content"));
                }
                Err(err) => return Err(failed(err.into())),
            };
        }
        Ok(dir)
    }
}

/// The parts of a name. `.` and empty ones mean nothing.
fn parts(name: &[u8]) -> Result<Vec<&[u8]>, TarError> {
    let refuse = |why| Err(TarError::not_safe(name, why));
    if name.len() > NAME_BYTES_MAX {
        return refuse("the name is too long");
    }
    if name.starts_with(b"/") {
        return refuse("the name is absolute");
    }
    if name.contains(&0) {
        return refuse("there is a zero in the name");
    }
    let is_part = |part: &&[u8]| !matches!(*part, b"" | b".");
    let parts: Vec<_> = name.split(|byte| *byte == b'/').filter(is_part).collect();
    if parts.contains(&&b".."[..]) {
        return refuse("the name leads out of the tree");
    }
    if parts.len() > DEPTH_MAX {
        return Err(TarError::TooMuch { what: "levels", max: DEPTH_MAX as u64 });
    }
    Ok(parts)
}

/// Whether a link at `name` stays within the tree: its target goes up only at its beginning, and no
/// higher than the root.
pub(super) fn is_link_inside(name: &[u8], target: &[u8]) -> bool {
    if target.is_empty()
        || target.len() > NAME_BYTES_MAX
        || target.contains(&0)
        || target[0] == b'/'
    {
        return false;
    }
    let depth = name.split(|byte| *byte == b'/').count() - 1;
    let parts = target.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b"."));
    let parts: Vec<_> = parts.collect();
    let ups = parts.iter().take_while(|part| **part == b"..").count();
    ups <= depth && !parts[ups..].contains(&&b".."[..])
}
