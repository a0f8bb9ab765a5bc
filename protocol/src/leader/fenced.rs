use crux_crdt::canon::{Canonical, DecodeError, Decoder, Encoder};
use crux_crdt::record::{Header, PROFILE_BYTES_MAX, Profile, Record, RecordError};
use crux_crdt::sign::Signed;

use super::Claim;
use crate::context::Context;
use crux_crdt::fact::FactError;

/// A fenced command: its sender's signed header, and the profile that the header covers.
///
/// Invariant: the command counts for the claim in that profile and for no other, so nobody commands
/// under a claim that it did not sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fenced {
    header: Signed<Header>,
    profile: Profile,
}

impl Fenced {
    /// A command under the claim that this record states. `None`: it states none.
    pub fn of(record: &Record) -> Option<Self> {
        let (header, profile) = (record.header().clone(), record.profile().clone());
        (profile.claim > 0).then_some(Self { header, profile })
    }

    /// The claim, and with it its sender.
    pub const fn claim(&self) -> Claim {
        Claim { n: self.profile.claim, principal: self.header.author() }
    }

    /// The incarnation that its sender signed it at.
    pub const fn incarnation(&self) -> u64 {
        self.header.value().marker.incarnation
    }

    pub(super) fn encode(&self, out: &mut Encoder) {
        self.header.seal(out);
        out.bytes(&self.profile.to_canonical());
    }

    /// Verifies, then decodes.
    pub(super) fn decode(input: &mut Decoder<'_>, context: &Context) -> Result<Self, FactError> {
        let header = Signed::<Header>::open(input, &context.flock, &*context.verifier)?;
        let profile = Profile::from_canonical(input.bytes(PROFILE_BYTES_MAX, "profile")?)?;
        if profile.hash() != header.value().profile_hash {
            return Err(RecordError::Profile.into());
        }
        if profile.claim == 0 {
            return Err(DecodeError::Invalid("claim").into());
        }
        Ok(Self { header, profile })
    }
}
