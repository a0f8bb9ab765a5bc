use core::time::Duration;

use crux_crdt::canon::{Canonical, DecodeError, Decoder, Encoder};
use crux_crdt::sign::{OpenError, Signable, Signed};
use crux_crdt::{Digest, Principal};

use super::away::RESTART_MAX;
use super::run::Run;
use crate::context::Context;

/// A sign of life, signed, so that anyone may pass it on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beacon {
    /// The sender's incarnation.
    pub incarnation: u64,
    /// Counts the beacons of this incarnation.
    pub counter: u64,
    /// How long the sender had run when it sent this. Whole milliseconds.
    pub uptime: Duration,
    /// The sender's state digest.
    pub state_digest: Digest,
    /// The sender restarts, and means to be back within this time. Whole milliseconds, at most [`RESTART_MAX`];
    /// `None` or zero: it does not.
    pub restart: Option<Duration>,
    /// Which run of the sender's identity it is.
    pub run: Run,
}

impl Beacon {
    /// Its incarnation and counter: which of two of one sender is fresher.
    pub const fn mark(&self) -> (u64, u64) {
        (self.incarnation, self.counter)
    }
}

/// What an observer saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// Nothing: the author asks. It counts for nothing, and is answered: by a beacon of the subject if
    /// that lives, by its observers if not.
    Asked,
    /// No beat within the time-out.
    Silent,
    /// The link closed and a new dial was refused.
    Gone,
}

/// An observer's statement about a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspicion {
    /// The suspected member.
    pub subject: Principal,
    /// The freshest incarnation of it that the observer knew.
    pub incarnation: u64,
    /// The freshest beacon counter of it that the observer knew.
    pub counter: u64,
    /// What the observer saw.
    pub evidence: Evidence,
    /// Counts the observer's suspicions, so that a repeated one is a new message.
    pub number: u64,
}

impl Signable for Beacon {
    const DOMAIN: &'static str = "crux/beacon/4";
}

impl Canonical for Beacon {
    fn encode(&self, out: &mut Encoder) {
        out.u8(4).u64(self.incarnation).u64(self.counter);
        out.u64(self.uptime.as_millis().try_into().unwrap_or(u64::MAX)).digest(&self.state_digest);
        let restart = self.restart.unwrap_or_default().min(RESTART_MAX).as_millis();
        out.fixed(&u16::try_from(restart).unwrap_or(u16::MAX).to_be_bytes());
        self.run.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        input.version("beacon version", 4)?;
        Ok(Self {
            incarnation: input.u64("incarnation")?,
            counter: input.u64("counter")?,
            uptime: Duration::from_millis(input.u64("uptime")?),
            state_digest: input.digest("state digest")?,
            restart: match u16::from_be_bytes(input.array("announced restart")?) {
                0 => None,
                millis => Some(Duration::from_millis(millis.into()))
                    .filter(|within| *within <= RESTART_MAX)
                    .ok_or(DecodeError::Invalid("announced restart"))
                    .map(Some)?,
            },
            run: Run::decode(input)?,
        })
    }
}

impl Signable for Suspicion {
    const DOMAIN: &'static str = "crux/suspicion/2";
}

impl Canonical for Suspicion {
    fn encode(&self, out: &mut Encoder) {
        out.u8(2).principal(&self.subject).u64(self.incarnation).u64(self.counter);
        let evidence = match self.evidence {
            Evidence::Silent => 0,
            Evidence::Gone => 1,
            Evidence::Asked => 2,
        };
        out.u8(evidence).u64(self.number);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        input.version("suspicion version", 2)?;
        Ok(Self {
            subject: input.principal("subject")?,
            incarnation: input.u64("incarnation")?,
            counter: input.u64("counter")?,
            evidence: match input.u8("evidence")? {
                0 => Evidence::Silent,
                1 => Evidence::Gone,
                2 => Evidence::Asked,
                found => return Err(DecodeError::Unknown { what: "evidence", found }),
            },
            number: input.u64("number")?,
        })
    }
}

/// What is gossiped about who is alive; its signature held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A sign of life.
    Beacon(Signed<Beacon>),
    /// A suspicion.
    Suspicion(Signed<Suspicion>),
}

pub(super) const BEACON: u8 = 1;
const SUSPICION: u8 = 2;

impl Notice {
    /// Encodes it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        match self {
            Self::Beacon(beacon) => beacon.seal(out.u8(BEACON)),
            Self::Suspicion(suspicion) => suspicion.seal(out.u8(SUSPICION)),
        }
        out.finish()
    }

    /// Verifies, then decodes.
    ///
    /// # Errors
    /// The bytes are malformed or the signature is wrong; their author is at fault.
    pub fn decode(bytes: &[u8], context: &Context) -> Result<Self, OpenError> {
        let mut input = Decoder::new(bytes);
        let (flock, verifier) = (&context.flock, &*context.verifier);
        let notice = match input.u8("notice").map_err(OpenError::Envelope)? {
            BEACON => Self::Beacon(Signed::open(&mut input, flock, verifier)?),
            SUSPICION => Self::Suspicion(Signed::open(&mut input, flock, verifier)?),
            found => {
                return Err(OpenError::Envelope(DecodeError::Unknown { what: "notice", found }));
            }
        };
        input.finish().map_err(OpenError::Envelope)?;
        Ok(notice)
    }
}
