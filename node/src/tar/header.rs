//! One block of 512 bytes before each entry, by POSIX.1-1988 (ustar).

use super::{BLOCK, TarError};

const NAME: std::ops::Range<usize> = 0..100;
const MODE: std::ops::Range<usize> = 100..108;
const UID: std::ops::Range<usize> = 108..116;
const GID: std::ops::Range<usize> = 116..124;
const SIZE: std::ops::Range<usize> = 124..136;
const TIME: std::ops::Range<usize> = 136..148;
const SUM: std::ops::Range<usize> = 148..156;
const TYPE: usize = 156;
const LINK: std::ops::Range<usize> = 157..257;
const MAGIC: std::ops::Range<usize> = 257..265;
const PREFIX: std::ops::Range<usize> = 345..500;

/// The longest name and link that a header itself holds.
pub(super) const FIELD_MAX: usize = 100;
/// The greatest size that a header itself holds: eleven octal digits.
pub(super) const SIZE_MAX: u64 = (1 << 33) - 1;

/// A header, as far as it means something here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: u8,
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) size: u64,
    pub(super) mode: u32,
}

impl Header {
    /// The block. Name and link have at most [`FIELD_MAX`] bytes, the size at most [`SIZE_MAX`]; what
    /// is more is cut, because a pax header before it says it all.
    pub(super) fn encode(&self) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        let put = |block: &mut [u8; BLOCK], at: std::ops::Range<usize>, bytes: &[u8]| {
            let len = bytes.len().min(at.len());
            block[at.start..at.start + len].copy_from_slice(&bytes[..len]);
        };
        put(&mut block, NAME, &self.name);
        put(&mut block, MODE, format!("{:07o}", self.mode).as_bytes());
        put(&mut block, UID, b"0000000");
        put(&mut block, GID, b"0000000");
        put(&mut block, SIZE, format!("{:011o}", self.size.min(SIZE_MAX)).as_bytes());
        put(&mut block, TIME, b"00000000000");
        block[TYPE] = self.kind;
        put(&mut block, LINK, &self.link);
        put(&mut block, MAGIC, b"ustar\x0000");
        let sum = format!("{:06o}\0 ", sum(&block));
        put(&mut block, SUM, sum.as_bytes());
        block
    }

    /// Reads a block; none: it is all zero, which ends an archive.
    pub(super) fn decode(block: &[u8; BLOCK]) -> Result<Option<Self>, TarError> {
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if octal(&block[SUM]) != Some(sum(block)) {
            return Err(TarError::Malformed("the checksum of a header is wrong"));
        }
        if &block[MAGIC][..5] != b"ustar" {
            return Err(TarError::Malformed("a header is of a format before 1988"));
        }
        let size = octal(&block[SIZE]).ok_or(TarError::Malformed("a size is not a number"))?;
        let mode = octal(&block[MODE]).ok_or(TarError::Malformed("a mode is not a number"))?;
        let is_posix = block[MAGIC][5] == 0;
        let prefix = if is_posix { text(&block[PREFIX]) } else { &[] };
        let mut name = prefix.to_vec();
        if !name.is_empty() {
            name.push(b'/');
        }
        name.extend(text(&block[NAME]));
        let kind = if block[TYPE] == 0 { b'0' } else { block[TYPE] };
        let mode = u32::try_from(mode & 0o7777).unwrap_or(0);
        Ok(Some(Self { kind, name, link: text(&block[LINK]).to_vec(), size, mode }))
    }
}

/// The sum of all bytes, with the field of the sum as spaces.
fn sum(block: &[u8; BLOCK]) -> u64 {
    let byte = |(at, byte): (usize, &u8)| if SUM.contains(&at) { b' ' } else { *byte };
    block.iter().enumerate().map(byte).map(u64::from).sum()
}

/// The bytes of a field up to the first zero.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A number in octal digits, with spaces or zeros around it; nothing is zero.
fn octal(field: &[u8]) -> Option<u64> {
    let digits = text(field).trim_ascii();
    if digits.is_empty() {
        return Some(0);
    }
    if !digits.iter().all(|digit| (b'0'..=b'7').contains(digit)) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}
