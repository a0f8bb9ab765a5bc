//! The one message about a signed fact that is gossiped: its kind, then the fact.
//!
//! **Invariant**: what [`Fact::open`] returns, but for [`Fact::Later`], was signed by its author for this flock.
//! Of a kind that this build does not know nothing can be checked, so a node neither keeps such a message nor
//! passes it on; nodes that know the kind bring it to each other by anti-entropy.

use std::sync::Arc;

use crux_crdt::Digest;
use crux_crdt::act::Act;
use crux_crdt::canon::{DecodeError, Decoder, Encoder};
use crux_crdt::record::Record;
use crux_crdt::sign::Signed;
use crux_crdt::strew::Kind;

use crate::context::Context;
use crate::frame::{FrameError, RecordFrame};
use crate::link::GOSSIP_PAYLOAD_MAX;

/// A fact as it is gossiped.
#[derive(Debug)]
pub enum Fact {
    /// An act.
    Act(Arc<Signed<Act>>),
    /// A record; bodies that others may have are left out.
    Record(Box<RecordFrame>),
    /// Of a kind that came after this build.
    Later(Kind),
}

impl Fact {
    /// Verifies, then decodes.
    ///
    /// # Errors
    /// The bytes are malformed or over a bound, or a signature is wrong; the author, or the peer that passed
    /// them on unchecked, is at fault. See [`FrameError::unknown`] for the exception.
    pub fn open(bytes: &[u8], context: &Context) -> Result<Self, FrameError> {
        let mut input = Decoder::new(bytes);
        let (flock, verifier) = (&context.flock, &*context.verifier);
        let fact = match Kind(input.u8("kind of fact")?) {
            Kind(0) => return Err(DecodeError::Invalid("kind of fact").into()),
            Kind::ACT => Self::Act(Arc::new(Signed::open(&mut input, flock, verifier)?)),
            Kind::RECORD => Self::Record(RecordFrame::open(&mut input, flock, verifier)?.into()),
            kind => return Ok(Self::Later(kind)),
        };
        input.finish()?;
        Ok(fact)
    }
}

/// The message about an act. One that is larger than gossip takes is not published.
pub fn gossiped_act(act: &Signed<Act>) -> Vec<u8> {
    let mut out = Encoder::default();
    act.seal(out.u8(Kind::ACT.0));
    out.finish()
}

/// The message about a record, without the bodies for which `known` holds, and those for which there is no
/// room.
pub fn gossiped_record(record: &Record, known: impl Fn(&Digest) -> bool) -> Vec<u8> {
    let mut out = Encoder::default();
    RecordFrame::seal(out.u8(Kind::RECORD.0), record, GOSSIP_PAYLOAD_MAX - 1, known);
    out.finish()
}
