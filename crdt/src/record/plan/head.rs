use std::collections::BTreeMap;

use super::pass::decode_number;
use super::{Failure, Hold, Notes, PLAN_BITS_MAX, Problem};
use crate::Digest;
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::document::{Marker, TARGET_SERVICES_MAX};
use crate::name::Label;
use crate::service::SpecTag;

/// How many failed versions a head has: every version that a target has may fail.
pub const FAILED_MAX: usize = TARGET_SERVICES_MAX;

/// The memory that a hold or a problem takes beside its bytes: two strings and a number.
const NOTE_COST: usize = 128;
/// The memory that a failed version takes beside its bytes: its place in a map.
const FAILED_COST: usize = 32;

/// Everything of a plan but its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanHead {
    /// The horde whose plan it is.
    pub horde: Label,
    /// The term of the leader: from 1, below [`PASS_LIMIT`](super::PASS_LIMIT). With the author of the record it is
    /// the fence.
    pub term: u64,
    /// How often the leader planned in this term: from 1, below [`PASS_LIMIT`](super::PASS_LIMIT).
    pub pass: u64,
    /// The document of the target that is planned.
    pub target: Marker,
    /// The hash of all that the plan was made of.
    pub view: Digest,
    /// The versions that failed; at most [`FAILED_MAX`]. Until there is another target, nobody starts them.
    pub failed: BTreeMap<SpecTag, Failure>,
    /// Services of which something does not start yet.
    pub holds: Notes<Hold>,
    /// Services that are not placed as the program says.
    pub problems: Notes<Problem>,
    /// How many bits of a node's hash name its part.
    bits: u8,
    /// The hash of the ids of all parts.
    root: Digest,
}

impl PlanHead {
    /// The head of a plan without entries, failures, holds and problems.
    pub fn new(horde: Label, term: u64, pass: u64, target: Marker, view: Digest) -> Self {
        let (failed, holds, problems) = (BTreeMap::new(), Notes::default(), Notes::default());
        let (bits, root) = (0, super::root([].iter()));
        Self { horde, term, pass, target, view, failed, holds, problems, bits, root }
    }

    /// The same over these parts.
    pub(super) fn over(self, bits: u8, root: Digest) -> Self {
        Self { bits, root, ..self }
    }

    pub(super) const fn bits(&self) -> u8 {
        self.bits
    }

    pub(super) const fn root(&self) -> Digest {
        self.root
    }

    pub(in crate::record) fn overhead(&self) -> usize {
        let notes = self.holds.first().len() + self.problems.first().len();
        notes * NOTE_COST + self.failed.len() * FAILED_COST
    }
}

impl Canonical for PlanHead {
    fn encode(&self, out: &mut Encoder) {
        out.str(self.horde.as_str()).u64(self.term).u64(self.pass);
        self.target.encode(out);
        out.digest(&self.view).u8(self.bits).digest(&self.root).count(self.failed.len());
        self.failed.iter().for_each(|(spec, failure)| failure.encode(out.fixed(&spec.0)));
        self.holds.encode(out);
        self.problems.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            horde: input.parse(Label::MAX, "horde of a plan")?,
            term: decode_from_one(input, "term of a plan")?,
            pass: decode_from_one(input, "pass of a plan")?,
            target: Marker::decode(input)?,
            view: input.digest("view of a plan")?,
            bits: decode_bits(input)?,
            root: input.digest("root of a plan")?,
            failed: decode_failed(input)?,
            holds: Notes::decode(input)?,
            problems: Notes::decode(input)?,
        })
    }
}

pub(super) fn decode_bits(input: &mut Decoder<'_>) -> Result<u8, DecodeError> {
    let bits = input.u8("parts of a plan")?;
    if bits <= PLAN_BITS_MAX { Ok(bits) } else { Err(DecodeError::Invalid("parts of a plan")) }
}

fn decode_from_one(input: &mut Decoder<'_>, what: &'static str) -> Result<u64, DecodeError> {
    let number = decode_number(input, what)?;
    if number > 0 { Ok(number) } else { Err(DecodeError::Invalid(what)) }
}

fn decode_failed(input: &mut Decoder<'_>) -> Result<BTreeMap<SpecTag, Failure>, DecodeError> {
    let count = input.count(FAILED_MAX, "failed versions")?;
    let mut failed = BTreeMap::new();
    for _ in 0..count {
        let spec = SpecTag(input.array("failed version")?);
        if failed.last_key_value().is_some_and(|(last, _)| *last >= spec) {
            return Err(DecodeError::Invalid("order of failed versions"));
        }
        failed.insert(spec, Failure::decode(input)?);
    }
    Ok(failed)
}
