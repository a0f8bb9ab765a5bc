//! The one message about a signed fact, gossiped or handed over: its kind, then the fact.
//!
//! **Invariant**: what [`open`] returns was signed by its author for this flock. Of a kind that this build does
//! not know nothing can be checked, so a node neither keeps such a message nor passes it on; nodes that know the
//! kind bring it to each other by anti-entropy.

use crux_crdt::Digest;
use crux_crdt::canon::{DecodeError, Decoder, Encoder};
use crux_crdt::fact::{self, Arrival, Fact, FactError, Kind};

use crate::context::Context;
use crate::link::GOSSIP_PAYLOAD_MAX;

/// What a message says.
#[derive(Debug)]
pub enum Message {
    /// A fact.
    Fact(Arrival),
    /// One of a kind that came after this build.
    Later(Kind),
}

/// Verifies, then decodes.
///
/// # Errors
/// The bytes are malformed or over a bound, or a signature is wrong; the author, or the peer that passed
/// them on unchecked, is at fault. See [`FactError::unknown`] for the exception.
pub fn open(bytes: &[u8], context: &Context) -> Result<Message, FactError> {
    let mut input = Decoder::new(bytes);
    let kind = match Kind(input.u8("kind of fact")?) {
        Kind(0) => return Err(DecodeError::Invalid("kind of fact").into()),
        kind if !kind.is_known() => return Ok(Message::Later(kind)),
        kind => kind,
    };
    let arrival = fact::open(kind, &mut input, &context.terms())?;
    input.finish()?;
    Ok(Message::Fact(arrival))
}

/// The message about a fact, without the parts for which `known` holds, and those for which gossip has no room.
/// One that is larger all the same is not published.
pub fn gossiped(fact: &Fact, known: impl Fn(&Digest) -> bool) -> Vec<u8> {
    sealed(fact, GOSSIP_PAYLOAD_MAX - 1, &known)
}

/// The message about a fact, with all its parts.
pub fn whole(fact: &Fact) -> Vec<u8> {
    sealed(fact, usize::MAX, &|_| false)
}

fn sealed(fact: &Fact, budget: usize, known: &dyn Fn(&Digest) -> bool) -> Vec<u8> {
    let mut out = Encoder::default();
    fact.seal(out.u8(fact.kind().0), budget, known);
    out.finish()
}
