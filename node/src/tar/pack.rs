use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, openat, readlinkat, statat};

use super::error::shown;
use super::header::{FIELD_MAX, Header, SIZE_MAX};
use super::limits::{Limits, Tally, kept};
use super::{BLOCK, TarError};

const BUFFER_BYTES: usize = 256 * 1024;

/// Writes a directory as an archive. The same tree gives the same bytes.
///
/// # Errors
/// [`TarError::Unsafe`] for what an archive cannot hold: devices, pipes, sockets, links that lead out.
/// [`TarError::Changed`] when somebody writes to the tree. What was written until then is of no use.
pub fn pack(dir: &Path, out: &mut impl Write) -> Result<(), TarError> {
    pack_within(Limits::STANDARD, dir, out)
}

pub(super) fn pack_within(
    limits: Limits,
    dir: &Path,
    out: &mut impl Write,
) -> Result<(), TarError> {
    let name = dir.as_os_str().as_encoded_bytes();
    let file = File::open(dir).map_err(|err| TarError::io("opening", name, err))?;
    let stat = fstat(&file).map_err(|err| TarError::io("opening", name, err))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        return Err(TarError::io("opening", name, io::Error::from(io::ErrorKind::NotADirectory)));
    }
    let mut packer = Packer { out, tally: Tally::new(limits), buffer: vec![0; BUFFER_BYTES] };
    packer.header(b'5', b"./", &[], 0, kept(stat.st_mode))?;
    packer.directory(&file, &mut Vec::new())?;
    packer.write(&[0; 2 * BLOCK])
}

struct Packer<'a, W> {
    out: &'a mut W,
    tally: Tally,
    buffer: Vec<u8>,
}

impl<W: Write> Packer<'_, W> {
    /// What is in a directory, whose own entry is written already.
    fn directory(&mut self, dir: &File, path: &mut Vec<CString>) -> Result<(), TarError> {
        for name in self.names(dir, path)? {
            path.push(name);
            self.entry(dir, path)?;
            path.pop();
        }
        Ok(())
    }

    /// The names in a directory, in the order of their bytes.
    fn names(&self, dir: &File, path: &[CString]) -> Result<Vec<CString>, TarError> {
        let failed = |err| TarError::io("reading", joined(path), err);
        let mut names = Vec::new();
        for entry in Dir::read_from(dir).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name().to_owned();
            if !matches!(name.as_bytes(), b"." | b"..") {
                names.push(name);
            }
            // Before they fill the memory.
            self.tally.expect(names.len() as u64)?;
        }
        names.sort();
        Ok(names)
    }

    /// The last of `path`, which is in `dir`, and what is in it.
    fn entry(&mut self, dir: &File, path: &mut Vec<CString>) -> Result<(), TarError> {
        let parts: Vec<_> = path.iter().map(CString::as_bytes).collect();
        self.tally.check_name(&parts)?;
        self.tally.count()?;
        let (name, full) = (path.last().cloned().unwrap_or_default(), joined(path));
        let failed = |err| TarError::io("reading", &full, err);
        let stat = statat(dir, &name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        let open = |flags| {
            let flags =
                OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | flags;
            openat(dir, &name, flags, Mode::empty()).map(File::from).map_err(failed)
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let with_slash = [&full[..], b"/"].concat();
                self.header(b'5', &with_slash, &[], 0, kept(stat.st_mode))?;
                self.directory(&open(OFlags::DIRECTORY)?, path)
            }
            FileType::RegularFile => self.file(&open(OFlags::empty())?, &full),
            FileType::Symlink => {
                let link = readlinkat(dir, &name, Vec::new()).map_err(failed)?;
                self.tally.check_link(&parts, link.as_bytes())?;
                self.header(b'2', &full, link.as_bytes(), 0, 0o777)
            }
            _ => Err(TarError::not_safe(&full, "it is neither file, directory nor link")),
        }
    }

    fn file(&mut self, file: &File, path: &[u8]) -> Result<(), TarError> {
        let failed = |err: io::Error| TarError::io("reading", path, err);
        let stat = fstat(file).map_err(|err| failed(err.into()))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(TarError::Changed { name: shown(path) });
        }
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        self.header(b'0', path, &[], size, kept(stat.st_mode))?;
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

fn joined(path: &[CString]) -> Vec<u8> {
    path.iter().map(CString::as_bytes).collect::<Vec<_>>().join(&b'/')
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
