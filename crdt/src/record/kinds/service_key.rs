use core::fmt;

use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::hash::sha3;
use crate::name::{Label, ServiceName};

/// The most bytes of each name in a [`ServiceKey`].
pub const KEY_PART_BYTES_MAX: usize = 63;

/// What names a registration on its node.
///
/// Several instances of one service and revision run on one node under different ordinals.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceKey {
    /// The horde it belongs to.
    pub horde: Label,
    /// The actual service name, such as `ntp3`.
    pub service: ServiceName,
    /// Its revision.
    pub rev: ServiceName,
    /// Which instance it is on its node; 0 where there is one.
    pub ordinal: u16,
}

/// Stands for a [`ServiceKey`] where its names would take too much room. It tells the registrations of one node
/// apart: of 256 two have one tag with a chance of 1 in 2^49, and a node that searches for such hurts itself alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceTag(pub [u8; 8]);

impl ServiceKey {
    /// The first eight bytes of the hash of its encoding, in the domain `crux/service/1`.
    pub fn tag(&self) -> ServiceTag {
        let [a, b, c, d, e, f, g, h, ..] = sha3("crux/service/1", &[&self.to_canonical()]).0;
        ServiceTag([a, b, c, d, e, f, g, h])
    }
}

/// `horde/service/revision`, and `#` with the ordinal where that is not 0.
impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.horde, self.service, self.rev)?;
        if self.ordinal == 0 { Ok(()) } else { write!(f, "#{}", self.ordinal) }
    }
}

impl Canonical for ServiceKey {
    fn encode(&self, out: &mut Encoder) {
        out.str(self.horde.as_str()).str(self.service.as_str()).str(self.rev.as_str());
        out.fixed(&self.ordinal.to_be_bytes());
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            horde: input.parse(KEY_PART_BYTES_MAX, "horde")?,
            service: input.parse(KEY_PART_BYTES_MAX, "service")?,
            rev: input.parse(KEY_PART_BYTES_MAX, "revision")?,
            ordinal: u16::from_be_bytes(input.array("ordinal")?),
        })
    }
}
