use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::service::COUNT_MAX;

/// How many instances of one version a node is to run. Always a total, never "one more".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount {
    count: u16,
    released: u16,
}

impl Amount {
    /// So many instances, of which so many may start. None: there are none, more than [`COUNT_MAX`], or more may start
    /// than there are.
    pub fn new(count: u16, released: u16) -> Option<Self> {
        let is_valid = (1..=COUNT_MAX).contains(&count) && released <= count;
        is_valid.then_some(Self { count, released })
    }

    /// How many instances are assigned to the node; 1 to [`COUNT_MAX`].
    pub const fn count(self) -> u16 {
        self.count
    }

    /// How many of them may start: no condition holds these back. A node that starts alone starts as many.
    pub const fn released(self) -> u16 {
        self.released
    }
}

impl Canonical for Amount {
    fn encode(&self, out: &mut Encoder) {
        out.fixed(&self.count.to_be_bytes()).fixed(&self.released.to_be_bytes());
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let count = u16::from_be_bytes(input.array("number of instances")?);
        let released = u16::from_be_bytes(input.array("number of released instances")?);
        Self::new(count, released).ok_or(DecodeError::Invalid("number of instances"))
    }
}
