use crate::Digest;
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};

/// Incarnations are below this: twice what others can be retired at, so that whoever was retired at
/// the last one that can be named still has as many to come back with.
pub const INCARNATION_LIMIT: u64 = 1 << 49;

/// Orders the headers of one author: by incarnation, then boot nonce, then sequence number, then
/// the header's own id. Never by a clock.
///
/// (incarnation, next seq) is durable before a header is published, so an author never uses a marker
/// twice. The boot nonce tells a clone from a restart; the id makes the order total whatever
/// happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Marker {
    /// How often the node started, plus what it had to skip.
    pub incarnation: u64,
    /// Random for each start of the process.
    pub nonce: [u8; 16],
    /// Counts the headers of this incarnation.
    pub seq: u64,
}

impl Marker {
    /// The total order that merging uses.
    pub const fn total(self, id: Digest) -> (Self, Digest) {
        (self, id)
    }
}

impl Canonical for Marker {
    fn encode(&self, out: &mut Encoder) {
        out.u64(self.incarnation).fixed(&self.nonce).u64(self.seq);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            incarnation: decode_incarnation(input)?,
            nonce: input.array("boot nonce")?,
            seq: input.u64("sequence number")?,
        })
    }
}

pub(crate) fn decode_incarnation(input: &mut Decoder<'_>) -> Result<u64, DecodeError> {
    match input.u64("incarnation")? {
        incarnation if incarnation < INCARNATION_LIMIT => Ok(incarnation),
        _ => Err(DecodeError::Invalid("incarnation")),
    }
}
