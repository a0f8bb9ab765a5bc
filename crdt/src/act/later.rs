use super::{ACT_BYTES_MAX, HEAD_BYTES};
use crate::canon::{DecodeError, Decoder, Encoder};

/// The largest body: what an act has left after its head and the number of its kind.
const BODY_MAX: usize = ACT_BYTES_MAX - HEAD_BYTES - 1;

/// A statement of a kind that came after this build. It is kept and passed on as it is, and counts for
/// nothing here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    kind: u8,
    body: Box<[u8]>,
}

impl Later {
    /// What kind it is, by number.
    pub const fn kind(&self) -> u8 {
        self.kind
    }

    /// What it says, in bytes that a later version reads.
    pub const fn body(&self) -> &[u8] {
        &self.body
    }

    pub(super) fn encode(&self, out: &mut Encoder) {
        out.u8(self.kind).fixed(&self.body);
    }

    /// An act is alone in its envelope, so what is left is all of it.
    pub(super) fn decode(kind: u8, input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        if kind == 0 {
            return Err(DecodeError::Invalid("act kind"));
        }
        let found = input.remaining();
        if found > BODY_MAX {
            return Err(DecodeError::TooLarge { what: "act", found, limit: BODY_MAX });
        }
        Ok(Self { kind, body: input.take(found, "act")?.into() })
    }
}
