use crux_crdt::canon::{Canonical, DecodeError, Decoder, Encoder};

/// Random for each start of a process: names one run of an identity.
pub type BootNonce = [u8; 16];

/// What a run of a node says of itself in each beacon, so that two runs of one identity are told apart, and
/// agree which of them stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Run {
    /// Its boot nonce: also that of the markers that it writes above incarnation 0.
    pub nonce: BootNonce,
    /// The incarnation that it started with. Never changes.
    pub born: u64,
    /// The other run of the same identity that it heard of last.
    pub sees: Option<Sight>,
}

/// What a run says of another one of the same identity. Only a run that continues after the other one began
/// can say it, since the other one's nonce is random.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// The other run.
    pub nonce: BootNonce,
    /// Whether this run continues from what that one wrote, or has written nothing itself yet.
    pub heir: bool,
}

const NONE: u8 = 0;
const EQUAL: u8 = 1;
const HEIR: u8 = 2;

impl Canonical for Run {
    fn encode(&self, out: &mut Encoder) {
        out.fixed(&self.nonce).u64(self.born);
        match self.sees {
            None => _ = out.u8(NONE),
            Some(sight) => _ = out.u8(if sight.heir { HEIR } else { EQUAL }).fixed(&sight.nonce),
        }
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (nonce, born) = (input.array("boot nonce")?, input.u64("first incarnation")?);
        let heir = match input.u8("sight")? {
            NONE => return Ok(Self { nonce, born, sees: None }),
            EQUAL => false,
            HEIR => true,
            found => return Err(DecodeError::Unknown { what: "sight", found }),
        };
        let sight = Sight { nonce: input.array("boot nonce of another run")?, heir };
        Ok(Self { nonce, born, sees: Some(sight) })
    }
}
