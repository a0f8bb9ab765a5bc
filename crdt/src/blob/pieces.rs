use core::fmt;

use super::piece_count;
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};

/// Which pieces of a blob there are: the have-map.
///
/// Bounded by its blob's size: at most 2^20 pieces, 128 KiB. A set of none or all takes no memory, however
/// large the blob is said to be. An index beyond the end is never in it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct PieceSet {
    count: u32,
    held: u32,
    // Bit `i % 8` of byte `i / 8`; those beyond `count` are zero. Empty while none or all are held.
    bits: Vec<u8>,
}

impl PieceSet {
    /// None of the pieces of a blob of `size` bytes.
    pub fn none(size: u64) -> Self {
        Self { count: piece_count(size), held: 0, bits: Vec::new() }
    }

    /// All pieces of a blob of `size` bytes.
    pub fn all(size: u64) -> Self {
        let count = piece_count(size);
        Self { count, held: count, bits: Vec::new() }
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
        index < self.count
            && self.bits.get(at(index)).map_or(self.is_complete(), |byte| byte & bit(index) != 0)
    }

    /// Adds a piece; false: it was there, or is beyond the end.
    pub fn insert(&mut self, index: u32) -> bool {
        if index >= self.count || self.contains(index) {
            return false;
        }
        self.spell_out();
        self.bits[at(index)] |= bit(index);
        self.held += 1;
        self.fold();
        true
    }

    /// Takes a piece out, because it was found damaged; false: it was not there.
    pub fn remove(&mut self, index: u32) -> bool {
        if !self.contains(index) {
            return false;
        }
        self.spell_out();
        self.bits[at(index)] &= !bit(index);
        self.held -= 1;
        self.fold();
        true
    }

    /// Has a bit for each piece.
    fn spell_out(&mut self) {
        if self.bits.is_empty() {
            self.bits = bits_of(self.count, self.is_complete());
        }
    }

    /// Has no bits where none are needed.
    fn fold(&mut self) {
        if self.held == 0 || self.is_complete() {
            self.bits = Vec::new();
        }
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
        out.u32(self.count);
        if self.bits.is_empty() {
            out.fixed(&bits_of(self.count, self.is_complete()));
        } else {
            out.fixed(&self.bits);
        }
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
        let mut set = Self { count, held, bits };
        set.fold();
        Ok(set)
    }
}

/// A bit for each of `count` pieces, all the same.
fn bits_of(count: u32, held: bool) -> Vec<u8> {
    let mut bits = vec![if held { 0xff } else { 0 }; byte_count(count)];
    if let Some(last) = bits.last_mut().filter(|_| !count.is_multiple_of(8)) {
        *last &= (1 << (count % 8)) - 1;
    }
    bits
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
    fn none_and_all_are_spelt_one_way_and_take_no_memory() {
        for size in [0, 1, 3 * PIECE_BYTES, 9 * PIECE_BYTES + 1, u64::MAX] {
            let (none, all) = (PieceSet::none(size), PieceSet::all(size));
            assert_eq!((none.bits.capacity(), all.bits.capacity()), (0, 0));
            assert_eq!((none.held(), all.held()), (0, all.count()));
            for set in [none, all] {
                assert_eq!(PieceSet::from_canonical(&set.to_canonical()), Ok(set));
            }
        }
        let mut set = PieceSet::none(3 * PIECE_BYTES);
        (0..3).for_each(|index| assert!(set.insert(index)));
        assert_eq!(set, PieceSet::all(3 * PIECE_BYTES));
        (0..3).for_each(|index| assert!(set.remove(index) && !set.contains(index)));
        assert_eq!(set, PieceSet::none(3 * PIECE_BYTES));
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
