use super::Registration;
use crate::Digest;
use crate::blob::Descriptor;
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::hash::sha3;

/// How many slots a node may have.
pub const SLOTS_MAX: usize = 256;
/// How large a slot may be, in bytes.
pub const SLOT_BYTES_MAX: usize = 8 * 1024;

/// How many blobs a node offers, so that most of its slots stay for services.
pub const OFFERS_MAX: usize = 64;

const REGISTRATION: u8 = 1;
const OFFER: u8 = 2;

/// One content-addressed statement of a node, covered by its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    /// A service it offers.
    Registration(Registration),
    /// A blob that it holds, sealed, and gives to every member.
    Offer(Descriptor),
    /// Of a kind that this version does not know.
    Later(Later),
}

/// A slot of a kind that came after this version. It is kept and passed on as it is, so that the rest of
/// its record is shown; it means nothing here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    kind: u8,
    body: Vec<u8>,
}

impl Later {
    /// What kind it is, by number.
    pub const fn kind(&self) -> u8 {
        self.kind
    }
}

impl Slot {
    /// The hash under which a header covers it.
    pub fn id(&self) -> Digest {
        Self::id_of(&self.to_canonical())
    }

    /// The id of the slot with this encoding.
    pub(super) fn id_of(bytes: &[u8]) -> Digest {
        sha3("crux/slot/1", &[bytes])
    }

    /// Whether every bound holds. What is decoded always does; what a node makes of a request is
    /// checked here before it is signed, because a slot that no one can decode hides all others.
    pub fn is_within_bounds(&self) -> bool {
        let bytes = self.to_canonical();
        bytes.len() <= SLOT_BYTES_MAX && Self::from_canonical(&bytes).as_ref() == Ok(self)
    }
}

impl Canonical for Slot {
    fn encode(&self, out: &mut Encoder) {
        match self {
            Self::Registration(registration) => {
                out.u8(REGISTRATION);
                registration.encode(out);
            }
            Self::Offer(descriptor) => {
                out.u8(OFFER);
                descriptor.encode(out);
            }
            Self::Later(Later { kind, body }) => _ = out.u8(*kind).fixed(body),
        }
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match input.u8("slot kind")? {
            REGISTRATION => Registration::decode(input).map(Self::Registration),
            OFFER => Descriptor::decode(input).map(Self::Offer),
            0 => Err(DecodeError::Unknown { what: "slot kind", found: 0 }),
            // A slot stands alone wherever it is kept or sent, so what is left is all of it.
            kind => {
                let body = input.take(input.remaining(), "slot")?.to_vec();
                if body.len() < SLOT_BYTES_MAX {
                    Ok(Self::Later(Later { kind, body }))
                } else {
                    Err(DecodeError::Invalid("slot"))
                }
            }
        }
    }
}

/// The root over slot ids in ascending order. The ids MUST be sorted and unique.
pub fn slots_root<'a>(ids: impl ExactSizeIterator<Item = &'a Digest>) -> Digest {
    let mut out = Encoder::default();
    out.count(ids.len());
    for id in ids {
        out.digest(id);
    }
    sha3("crux/slots/1", &[&out.finish()])
}
