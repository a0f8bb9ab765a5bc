use crate::Principal;
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};

/// Terms and passes are below this.
pub const PASS_LIMIT: u64 = 1 << 48;

/// The place of a plan among all plans: the fence of its leader, then the pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pass {
    /// The term of the leader; below [`PASS_LIMIT`].
    pub term: u64,
    /// The leader.
    pub leader: Principal,
    /// How often it planned in this term; below [`PASS_LIMIT`].
    pub pass: u64,
}

/// The pass that first assigned something, in short: of the leader the first eight bytes. It orders what was assigned;
/// two leaders of one term that begin alike (a chance of 1 in 2^64) tie, and then names decide.
///
/// The least value is of what no leader assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct First {
    /// The term of the leader; below [`PASS_LIMIT`].
    pub term: u64,
    /// How the leader's principal begins.
    pub leader: [u8; 8],
    /// The pass; below [`PASS_LIMIT`].
    pub pass: u64,
}

impl First {
    /// The fence of the leader.
    pub(in crate::record) const fn fence(self) -> (u64, [u8; 8]) {
        (self.term, self.leader)
    }
}

impl From<Pass> for First {
    fn from(pass: Pass) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = pass.leader.0;
        Self { term: pass.term, leader: [a, b, c, d, e, f, g, h], pass: pass.pass }
    }
}

impl Canonical for Pass {
    fn encode(&self, out: &mut Encoder) {
        out.u64(self.term).principal(&self.leader).u64(self.pass);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            term: decode_number(input, "term")?,
            leader: input.principal("leader")?,
            pass: decode_number(input, "pass")?,
        })
    }
}

/// A term or a pass.
pub(in crate::record) fn decode_number(
    input: &mut Decoder<'_>,
    what: &'static str,
) -> Result<u64, DecodeError> {
    let number = input.u64(what)?;
    if number < PASS_LIMIT { Ok(number) } else { Err(DecodeError::Invalid(what)) }
}

/// Writes the fences of leaders, ascending, each once.
pub(in crate::record) fn encode_fences(fences: &[(u64, [u8; 8])], out: &mut Encoder) {
    out.count(fences.len());
    fences.iter().for_each(|(term, leader)| _ = out.u64(*term).fixed(leader));
}

/// Reads the fences of leaders, at most `most`, which MUST ascend.
pub(in crate::record) fn decode_fences(
    input: &mut Decoder<'_>,
    most: usize,
) -> Result<Vec<(u64, [u8; 8])>, DecodeError> {
    let count = input.count(most, "fences of leaders")?;
    let mut fences = Vec::new();
    for _ in 0..count {
        let fence = (decode_number(input, "term")?, input.array("leader")?);
        if fences.last().is_some_and(|last| *last >= fence) {
            return Err(DecodeError::Invalid("order of the fences of leaders"));
        }
        fences.push(fence);
    }
    Ok(fences)
}
