use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, openat, readlinkat, statat};

use super::error::shown;
use super::header::{FIELD_MAX, Header, SIZE_MAX};
use super::unpack::is_link_inside;
use super::{BLOCK, DEPTH_MAX, ENTRIES_MAX, NAME_BYTES_MAX, TarError};

const BUFFER_BYTES: usize = 256 * 1024;

/// Writes a directory as an archive. The same tree gives the same bytes.
///
/// # Errors
/// [`TarError::Unsafe`] for what an archive cannot hold: devices, pipes, sockets, links that lead out.
/// [`TarError::Changed`] when somebody writes to the tree. What was written until then is of no use.
pub fn pack(dir: &Path, out: &mut impl Write) -> Result<(), TarError> {
    let name = dir.as_os_str().as_encoded_bytes();
    let file = File::open(dir).map_err(|err| TarError::io("opening", name, err))?;
    let meta = file.metadata().map_err(|err| TarError::io("opening", name, err))?;
    if !meta.is_dir() {
        return Err(TarError::io("opening", name, io::Error::from(io::ErrorKind::NotADirectory)));
    }
    let mut packer = Packer { out, entries: 0, buffer: vec![0; BUFFER_BYTES] };
    packer.directory(&file, &[], 0)?;
    packer.write(&[0; 2 * BLOCK])
}

struct Packer<'a, W> {
    out: &'a mut W,
    entries: u64,
    buffer: Vec<u8>,
}

impl<W: Write> Packer<'_, W> {
    /// What is in a directory, whose own entry stands already.
    fn directory(&mut self, dir: &File, path: &[u8], depth: usize) -> Result<(), TarError> {
        if depth >= DEPTH_MAX {
            return Err(TarError::TooMuch { what: "levels", max: DEPTH_MAX as u64 });
        }
        for name in self.names(dir, path)? {
            let mut entry = path.to_vec();
            if !entry.is_empty() {
                entry.push(b'/');
            }
            entry.extend(name.as_bytes());
            self.entry(dir, &name, &entry, depth)?;
        }
        Ok(())
    }

    /// The names in a directory, in the order of their bytes.
    fn names(&self, dir: &File, path: &[u8]) -> Result<Vec<CString>, TarError> {
        let failed = |err| TarError::io("reading", path, err);
        let mut names = Vec::new();
        for entry in Dir::read_from(dir).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name().to_owned();
            if !matches!(name.as_bytes(), b"." | b"..") {
                names.push(name);
            }
            if names.len() as u64 + self.entries > ENTRIES_MAX {
                return Err(TarError::TooMuch { what: "entries", max: ENTRIES_MAX });
            }
        }
        names.sort();
        Ok(names)
    }

    fn entry(
        &mut self,
        dir: &File,
        name: &CString,
        path: &[u8],
        depth: usize,
    ) -> Result<(), TarError> {
        self.entries += 1;
        if path.len() > NAME_BYTES_MAX {
            return Err(TarError::not_safe(path, "the name is too long"));
        }
        let failed = |err| TarError::io("reading", path, err);
        let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        let open = |flags| {
            let flags =
                OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | flags;
            openat(dir, name, flags, Mode::empty()).map(File::from).map_err(failed)
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let mut path_with_slash = path.to_vec();
                path_with_slash.push(b'/');
                self.header(b'5', &path_with_slash, &[], 0, 0o755)?;
                self.directory(&open(OFlags::DIRECTORY)?, path, depth + 1)
            }
            FileType::RegularFile => self.file(&open(OFlags::empty())?, path),
            FileType::Symlink => {
                let link = readlinkat(dir, name, Vec::new()).map_err(failed)?;
                if !is_link_inside(path, link.as_bytes()) {
                    return Err(TarError::not_safe(
                        path,
                        "it is a link that leads out of the tree",
                    ));
                }
                self.header(b'2', path, link.as_bytes(), 0, 0o777)
            }
            _ => Err(TarError::not_safe(path, "it is neither file, directory nor link")),
        }
    }

    fn file(&mut self, file: &File, path: &[u8]) -> Result<(), TarError> {
        let failed = |err: io::Error| TarError::io("reading", path, err);
        let stat = fstat(file).map_err(|err| failed(err.into()))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(TarError::Changed { name: shown(path) });
        }
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let mode = if stat.st_mode & 0o100 == 0 { 0o644 } else { 0o755 };
        self.header(b'0', path, &[], size, mode)?;
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut left = size;
        // One byte more than there should be: then it grew.
        let mut file = file.take(size + 1);
        loop {
            let count = file.read(&mut buffer).map_err(failed)?;
            if count as u64 > left || (count == 0 && left > 0) {
                return Err(TarError::Changed { name: shown(path) });
            }
            if count == 0 {
                break;
            }
            left -= count as u64;
            self.write(&buffer[..count])?;
        }
        self.buffer = buffer;
        self.pad(size)
    }

    fn header(
        &mut self,
        kind: u8,
        name: &[u8],
        link: &[u8],
        size: u64,
        mode: u32,
    ) -> Result<(), TarError> {
        let mut more = Vec::new();
        if name.len() > FIELD_MAX {
            record(&mut more, "path", name);
        }
        if link.len() > FIELD_MAX {
            record(&mut more, "linkpath", link);
        }
        if size > SIZE_MAX {
            record(&mut more, "size", size.to_string().as_bytes());
        }
        if !more.is_empty() {
            let size = more.len() as u64;
            let name = b"pax".to_vec();
            let header = Header { kind: b'x', name, link: Vec::new(), size, mode: 0o644 };
            self.write(&header.encode())?;
            self.write(&more)?;
            self.pad(size)?;
        }
        let (name, link) = (name.to_vec(), link.to_vec());
        self.write(&Header { kind, name, link, size, mode }.encode())
    }

    fn pad(&mut self, size: u64) -> Result<(), TarError> {
        let over = usize::try_from(size % BLOCK as u64).unwrap_or(0);
        if over == 0 { Ok(()) } else { self.write(&[0; BLOCK][over..]) }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), TarError> {
        self.out.write_all(bytes).map_err(|err| TarError::io("writing", "the archive", err))
    }
}

/// A record of a pax header: its length in decimal, the length's own digits included.
fn record(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut len = rest;
    while len != rest + len.to_string().len() {
        len = rest + len.to_string().len();
    }
    out.extend(format!("{len} {key}=").as_bytes());
    out.extend(value);
    out.push(b'\n');
}
