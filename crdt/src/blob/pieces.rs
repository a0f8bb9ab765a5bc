use core::fmt;

use super::piece_count;
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};

/// Which pieces of a blob there are: the have-map.
///
/// Bounded by its blob's size: at most 2^20 pieces, 128 KiB. An index beyond the end is never in it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct PieceSet {
    count: u32,
    held: u32,
    // Bit `i % 8` of byte `i / 8`; those beyond `count` are zero.
    bits: Vec<u8>,
}

impl PieceSet {
    /// None of the pieces of a blob of `size` bytes.
    pub fn none(size: u64) -> Self {
        let count = piece_count(size);
        Self { count, held: 0, bits: vec![0; byte_count(count)] }
    }

    /// All pieces of a blob of `size` bytes.
    pub fn all(size: u64) -> Self {
        let mut set = Self::none(size);
        for index in 0..set.count {
            set.insert(index);
        }
        set
    }

    /// How many pieces the blob has.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// How many of them are in the set.
    pub const fn held(&self) -> u32 {
        self.held
    }

    /// Whether all are; true for the empty blob, which has none.
    pub const fn is_complete(&self) -> bool {
        self.held == self.count
    }

    /// Whether the piece at `index` is.
    pub fn contains(&self, index: u32) -> bool {
        index < self.count && self.bits[at(index)] & bit(index) != 0
    }

    /// Adds a piece; false: it was there, or is beyond the end.
    pub fn insert(&mut self, index: u32) -> bool {
        if index >= self.count || self.contains(index) {
            return false;
        }
        self.bits[at(index)] |= bit(index);
        self.held += 1;
        true
    }

    /// Takes a piece out, because it was found damaged; false: it was not there.
    pub fn remove(&mut self, index: u32) -> bool {
        if !self.contains(index) {
            return false;
        }
        self.bits[at(index)] &= !bit(index);
        self.held -= 1;
        true
    }

    /// The indexes of the pieces that are in the set, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.count).filter(|index| self.contains(*index))
    }

    /// The indexes of the pieces that are not, ascending.
    pub fn missing(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.count).filter(|index| !self.contains(*index))
    }
}

impl fmt::Debug for PieceSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PieceSet({} of {})", self.held, self.count)
    }
}

impl Canonical for PieceSet {
    fn encode(&self, out: &mut Encoder) {
        out.u32(self.count).fixed(&self.bits);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let count = match input.u32("piece count")? {
            count if count <= piece_count(u64::MAX) => count,
            _ => return Err(DecodeError::Invalid("piece count")),
        };
        let bits = input.take(byte_count(count), "pieces")?.to_vec();
        let spare = bits.last().is_some_and(|last| count % 8 != 0 && last >> (count % 8) != 0);
        if spare {
            return Err(DecodeError::Invalid("pieces beyond the end"));
        }
        let held = bits.iter().map(|byte| byte.count_ones()).sum();
        Ok(Self { count, held, bits })
    }
}

const fn byte_count(count: u32) -> usize {
    count.div_ceil(8) as usize
}

const fn at(index: u32) -> usize {
    (index / 8) as usize
}

const fn bit(index: u32) -> u8 {
    1 << (index % 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::PIECE_BYTES;

    #[test]
    fn what_went_in_is_in_and_nothing_else() {
        let mut set = PieceSet::none(9 * PIECE_BYTES + 1);
        assert_eq!((set.count(), set.held(), set.is_complete()), (10, 0, false));
        assert!(set.insert(9) && set.insert(0) && !set.insert(9) && !set.insert(10));
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 9]);
        assert_eq!(set.missing().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert!(set.remove(9) && !set.remove(9) && !set.contains(9) && !set.contains(u32::MAX));
        assert_eq!(set.held(), 1);
        assert!(PieceSet::all(0).is_complete() && PieceSet::all(9 * PIECE_BYTES).is_complete());
    }

    #[test]
    fn no_bit_beyond_the_end() {
        let mut bytes = PieceSet::all(3 * PIECE_BYTES).to_canonical();
        assert_eq!(bytes, [0, 0, 0, 3, 0b111]);
        bytes[4] |= 0b1000;
        let refused = PieceSet::from_canonical(&bytes);
        assert_eq!(refused, Err(DecodeError::Invalid("pieces beyond the end")));
        let refused = PieceSet::from_canonical(&[0, 0x10, 0, 1]);
        assert_eq!(refused, Err(DecodeError::Invalid("piece count")));
    }
}
