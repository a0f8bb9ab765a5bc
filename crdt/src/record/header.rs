use super::Marker;
use crate::Digest;
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::sign::Signable;

/// The signed root of everything a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Its place among the author's headers.
    pub marker: Marker,
    /// Covers the slots: [`super::slots_root`].
    pub slots_root: Digest,
    /// The hash of the profile.
    pub profile_hash: Digest,
    /// How far the author's acts went when it signed this.
    pub acts: Frontier,
}

/// The end of an author's chain of acts. Used only when an author is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Frontier {
    /// How many acts there are.
    pub count: u64,
    /// The id of the last one; zero when there is none.
    pub head: Digest,
}

impl Signable for Header {
    const DOMAIN: &'static str = "crux/header/1";
}

impl Canonical for Header {
    fn encode(&self, out: &mut Encoder) {
        out.u8(1);
        self.marker.encode(out);
        out.digest(&self.slots_root).digest(&self.profile_hash);
        out.u64(self.acts.count).digest(&self.acts.head);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        input.version("header version", 1)?;
        Ok(Self {
            marker: Marker::decode(input)?,
            slots_root: input.digest("slots root")?,
            profile_hash: input.digest("profile hash")?,
            acts: Frontier { count: input.u64("act count")?, head: input.digest("act head")? },
        })
    }
}
