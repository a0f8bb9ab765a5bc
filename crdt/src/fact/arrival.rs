use super::{Fact, Kind};
use crate::record::Frame;
use crate::{Digest, Principal};

/// A fact as it arrives from a peer: verified, and not always whole.
///
/// A record is the one kind whose sealed form may leave out parts, since a peer that has the record before it
/// has most of them.
#[derive(Debug, Clone)]
pub enum Arrival {
    /// All of it.
    Whole(Fact),
    /// A record whose parts have to be completed from what is held.
    Frame(Box<Frame>),
}

impl Arrival {
    /// Its kind.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Whole(fact) => fact.kind(),
            Self::Frame(_) => Kind::RECORD,
        }
    }

    /// Its key in the set of its kind.
    pub fn key(&self) -> Digest {
        match self {
            Self::Whole(fact) => fact.key(),
            Self::Frame(frame) => Digest(frame.header.author().0),
        }
    }

    /// Its id.
    pub fn id(&self) -> Digest {
        match self {
            Self::Whole(fact) => fact.id(),
            Self::Frame(frame) => frame.header.id(),
        }
    }

    /// The signer.
    pub fn author(&self) -> Principal {
        match self {
            Self::Whole(fact) => fact.author(),
            Self::Frame(frame) => frame.header.author(),
        }
    }
}

impl From<Fact> for Arrival {
    fn from(fact: Fact) -> Self {
        Self::Whole(fact)
    }
}

impl From<Box<Frame>> for Arrival {
    fn from(frame: Box<Frame>) -> Self {
        Self::Frame(frame)
    }
}
