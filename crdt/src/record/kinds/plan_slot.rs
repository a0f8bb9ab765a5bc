use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::record::{PlanHead, PlanPart, SlotValue};

/// A slot of the plan of a horde's leader. [`Plan`](crate::record::Plan) reads them together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanSlot {
    /// Everything but the entries.
    Head(PlanHead),
    /// The entries of some nodes.
    Part(PlanPart),
}

/// Tells the slots of a plan apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PlanPlace {
    /// The head.
    Head,
    /// The part with this index.
    Part(u8),
}

impl SlotValue for PlanSlot {
    type Key = PlanPlace;

    fn key(&self) -> PlanPlace {
        match self {
            Self::Head(_) => PlanPlace::Head,
            Self::Part(part) => PlanPlace::Part(part.index()),
        }
    }

    fn overhead(&self) -> usize {
        match self {
            Self::Head(head) => head.overhead(),
            Self::Part(part) => part.overhead(),
        }
    }
}

impl Canonical for PlanSlot {
    fn encode(&self, out: &mut Encoder) {
        match self {
            Self::Head(head) => head.encode(out.u8(0)),
            Self::Part(part) => part.encode(out.u8(1)),
        }
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        if input.bool("slot of a plan")? {
            PlanPart::decode(input).map(Self::Part)
        } else {
            PlanHead::decode(input).map(Self::Head)
        }
    }
}
