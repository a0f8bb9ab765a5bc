use crate::blob::{BlobId, Descriptor};
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::record::SlotValue;

/// The statement of a node that it holds a blob, sealed, and gives it to every member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offer(pub Descriptor);

impl SlotValue for Offer {
    type Key = BlobId;

    fn key(&self) -> BlobId {
        self.0.blob
    }
}

impl Canonical for Offer {
    fn encode(&self, out: &mut Encoder) {
        self.0.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Descriptor::decode(input).map(Self)
    }
}
