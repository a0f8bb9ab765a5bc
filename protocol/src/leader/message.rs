use std::collections::BTreeSet;

use crux_crdt::Principal;
use crux_crdt::canon::{DecodeError, Decoder, Encoder};

use super::{CLAIM_LIMIT, Claim, Fenced};
use crate::context::Context;
use crux_crdt::fact::FactError;

/// More members than this are not listed one by one in an answer.
const LISTED_MAX: usize = 900;

/// A request over `/crux/call/2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A fenced no-op of the leader: store the claim durably and say so.
    Fenced(Box<Fenced>),
    /// Ask the leader to make one.
    Forward,
}

/// An answer over `/crux/call/2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// The claim is stored, durably.
    Accepted,
    /// A greater claim is held.
    Held(Claim),
    /// This node does not lead, or has no authority now.
    NotLeading,
    /// What became of the no-op.
    Pinged(Pinged),
    /// The disk refused.
    Disk,
    /// The claim is further above all that the receiver knows than elections bring it: see
    /// [`super::State::check`].
    Beyond,
}

/// What became of a fenced no-op.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinged {
    /// Under which claim it ran.
    pub claim: Claim,
    /// Members that stored the claim.
    pub accepted: BTreeSet<Principal>,
    /// Members that refused or did not answer.
    pub failed: BTreeSet<Principal>,
}

impl Request {
    /// Encodes it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        match self {
            Self::Fenced(fenced) => fenced.encode(out.u8(1)),
            Self::Forward => _ = out.u8(2),
        }
        out.finish()
    }

    /// Verifies, then decodes.
    ///
    /// # Errors
    /// The bytes are malformed, or not signed by their author; the peer is at fault.
    pub fn decode(bytes: &[u8], context: &Context) -> Result<Self, FactError> {
        let mut input = Decoder::new(bytes);
        let request = match input.u8("call")? {
            1 => Self::Fenced(Box::new(Fenced::decode(&mut input, context)?)),
            2 => Self::Forward,
            found => return Err(DecodeError::Unknown { what: "call", found }.into()),
        };
        input.finish()?;
        Ok(request)
    }
}

impl Response {
    /// Encodes it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        match self {
            Self::Accepted => _ = out.u8(1),
            Self::Held(claim) => encode_claim(out.u8(2), claim),
            Self::NotLeading => _ = out.u8(3),
            Self::Pinged(pinged) => {
                encode_claim(out.u8(4), &pinged.claim);
                encode_set(&mut out, &pinged.accepted);
                encode_set(&mut out, &pinged.failed);
            }
            Self::Disk => _ = out.u8(5),
            Self::Beyond => _ = out.u8(6),
        }
        out.finish()
    }

    /// Decodes it.
    ///
    /// # Errors
    /// The bytes are malformed; the peer is at fault.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new(bytes);
        let response = match input.u8("answer")? {
            1 => Self::Accepted,
            2 => Self::Held(decode_claim(&mut input)?),
            3 => Self::NotLeading,
            4 => Self::Pinged(Pinged {
                claim: decode_claim(&mut input)?,
                accepted: decode_set(&mut input)?,
                failed: decode_set(&mut input)?,
            }),
            5 => Self::Disk,
            6 => Self::Beyond,
            found => return Err(DecodeError::Unknown { what: "answer", found }),
        };
        input.finish()?;
        Ok(response)
    }
}

fn encode_claim(out: &mut Encoder, claim: &Claim) {
    out.u64(claim.n).principal(&claim.principal);
}

fn decode_claim(input: &mut Decoder<'_>) -> Result<Claim, DecodeError> {
    let n = input.u64("claim")?;
    if n == 0 || n >= CLAIM_LIMIT {
        return Err(DecodeError::Invalid("claim"));
    }
    Ok(Claim { n, principal: input.principal("claimant")? })
}

fn encode_set(out: &mut Encoder, set: &BTreeSet<Principal>) {
    out.count(set.len().min(LISTED_MAX));
    set.iter().take(LISTED_MAX).for_each(|principal| _ = out.principal(principal));
}

fn decode_set(input: &mut Decoder<'_>) -> Result<BTreeSet<Principal>, DecodeError> {
    let count = input.count(LISTED_MAX, "members")?;
    (0..count).map(|_| input.principal("member")).collect()
}
