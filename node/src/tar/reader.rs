//! The entries of an archive, one after the other, with what extensions say of them put in.

use std::io::{self, Read};

use super::header::Header;
use super::limits::kept;
use super::{BLOCK, TarError};

/// The largest extension read into memory, in bytes: two names and some.
const MORE_BYTES_MAX: u64 = 64 * 1024;

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    File { mode: u32 },
    Directory { mode: u32 },
    Link { target: Vec<u8> },
}

/// An entry. Its bytes, `size` of them, are read before the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    pub(super) what: What,
    pub(super) size: u64,
}

/// What extensions say of the entry after them.
#[derive(Debug, Default)]
struct More {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

/// Reads an archive.
#[derive(Debug)]
pub(super) struct Reader<R> {
    from: R,
    // Bytes of the entry that were not read, and the padding after them.
    left: u64,
    padding: u64,
}

impl<R: Read> Reader<R> {
    pub(super) const fn new(from: R) -> Self {
        Self { from, left: 0, padding: 0 }
    }

    /// The next entry; none: the archive is over, and nothing but zeros follows.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, TarError> {
        self.skip()?;
        let mut more = More::default();
        loop {
            let Some(header) = self.header()? else { return self.end() };
            match header.kind {
                b'x' => self.pax(header.size, &mut more)?,
                // Of all entries; what it may say that matters here is said of each one, too.
                b'g' => drop(self.read_more(header.size)?),
                b'L' => more.name = Some(self.long(header.size)?),
                b'K' => more.link = Some(self.long(header.size)?),
                _ => return self.entry(header, more).map(Some),
            }
        }
    }

    /// Reads bytes of the entry; 0: that was all of them.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, TarError> {
        let len = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if len == 0 {
            return Ok(0);
        }
        match self.from.read(&mut buffer[..len]).map_err(reading)? {
            0 => Err(TarError::Malformed("it ends in the middle of an entry")),
            count => {
                self.left -= count as u64;
                Ok(count)
            }
        }
    }

    fn entry(&mut self, header: Header, more: More) -> Result<Entry, TarError> {
        let name = more.name.unwrap_or(header.name);
        let size = more.size.unwrap_or(header.size);
        let target = more.link.unwrap_or(header.link);
        let mode = kept(header.mode);
        let what = match header.kind {
            b'0' if name.ends_with(b"/") => What::Directory { mode },
            b'0' => What::File { mode },
            b'5' => What::Directory { mode },
            b'2' => What::Link { target },
            b'1' => return Err(TarError::not_safe(&name, "it is a hard link")),
            b'3' | b'4' => return Err(TarError::not_safe(&name, "it is a device")),
            b'6' => return Err(TarError::not_safe(&name, "it is a pipe")),
            b'S' => return Err(TarError::not_safe(&name, "it is a sparse file")),
            _ => return Err(TarError::not_safe(&name, "it is of a kind that is not known")),
        };
        if size > 0 && !matches!(what, What::File { .. }) {
            return Err(TarError::not_safe(&name, "only a file has bytes"));
        }
        self.expect(size);
        Ok(Entry { name, what, size })
    }

    fn header(&mut self) -> Result<Option<Header>, TarError> {
        let mut block = [0; BLOCK];
        self.from.read_exact(&mut block).map_err(|err| match err.kind() {
            io::ErrorKind::UnexpectedEof => TarError::Malformed("it has no end"),
            _ => reading(err),
        })?;
        Header::decode(&block)
    }

    fn pax(&mut self, size: u64, more: &mut More) -> Result<(), TarError> {
        let malformed = TarError::Malformed("a pax header makes no sense");
        let records = self.read_more(size)?;
        let mut rest = records.as_slice();
        while !rest.is_empty() {
            let Some((key, value, tail)) = record(rest) else { return Err(malformed) };
            match key {
                b"path" => more.name = Some(value.to_vec()),
                b"linkpath" => more.link = Some(value.to_vec()),
                b"size" => match number(value) {
                    Some(size) => more.size = Some(size),
                    None => return Err(malformed),
                },
                key if key.starts_with(b"GNU.sparse") => {
                    return Err(TarError::not_safe(key, "sparse files are not unpacked"));
                }
                _ => {}
            }
            rest = tail;
        }
        Ok(())
    }

    /// A long name by the older way of GNU: the whole of an entry, with a zero at its end.
    fn long(&mut self, size: u64) -> Result<Vec<u8>, TarError> {
        let mut name = self.read_more(size)?;
        while name.last() == Some(&0) {
            name.pop();
        }
        Ok(name)
    }

    fn read_more(&mut self, size: u64) -> Result<Vec<u8>, TarError> {
        if size > MORE_BYTES_MAX {
            return Err(TarError::TooMuch { what: "bytes in an extension", max: MORE_BYTES_MAX });
        }
        self.expect(size);
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
        let mut at = 0;
        while at < bytes.len() {
            at += self.read(&mut bytes[at..])?;
        }
        self.skip()?;
        Ok(bytes)
    }

    const fn expect(&mut self, size: u64) {
        self.left = size;
        self.padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
    }

    /// Goes to the end of the entry.
    fn skip(&mut self) -> Result<(), TarError> {
        self.left = self.left.saturating_add(self.padding);
        self.padding = 0;
        let mut buffer = [0; BLOCK];
        while self.left > 0 {
            self.read(&mut buffer)?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<Option<Entry>, TarError> {
        let mut buffer = [0; BLOCK];
        loop {
            let count = self.from.read(&mut buffer).map_err(reading)?;
            if count == 0 {
                return Ok(None);
            }
            if buffer[..count].iter().any(|byte| *byte != 0) {
                return Err(TarError::Malformed("something follows its end"));
            }
        }
    }
}

fn reading(err: io::Error) -> TarError {
    TarError::io("reading", "the archive", err)
}

/// A record, `LEN KEY=VALUE\n`, as its key, its value and what follows.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    let len = usize::try_from(number(&bytes[..space])?).ok()?;
    let (record, tail) = bytes.split_at_checked(len)?;
    let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some((&record[..equals], &record[equals + 1..], tail))
}

fn number(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}
