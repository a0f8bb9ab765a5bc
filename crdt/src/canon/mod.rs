//! Canonical bytes: the one encoding that is hashed and signed.
//!
//! Invariant: `decode(encode(v)) == v`, and `encode(decode(b)) == b` for every `b` that decodes. So
//! equal values have equal bytes and equal hashes, and nobody can make two spellings of one record.
//!
//! Integers are big-endian and of fixed size; byte strings and lists are prefixed by a `u32` count;
//! maps are lists in strictly ascending key order; every top-level body starts with a version byte.
//! Protobuf is transport only and is never signed, because it has many spellings of one value.

mod decoder;
mod encoder;

pub use decoder::{DecodeError, Decoder};
pub use encoder::Encoder;

/// A value with one canonical encoding.
pub trait Canonical: Sized {
    /// Appends the encoding.
    fn encode(&self, out: &mut Encoder);

    /// Reads one value.
    ///
    /// # Errors
    /// The bytes are not the canonical encoding of any value. Their maker is at fault.
    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError>;

    /// The encoding on its own.
    fn to_canonical(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        self.encode(&mut out);
        out.finish()
    }

    /// Reads exactly one value: bytes left over are an error.
    ///
    /// # Errors
    /// As [`Canonical::decode`].
    fn from_canonical(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new(bytes);
        let value = Self::decode(&mut input)?;
        input.finish()?;
        Ok(value)
    }
}
