use core::fmt;
use core::time::Duration;

use crux_crdt::Principal;

use crate::join::Refusal;
use crate::link::DialFailure;
use crate::time::Instant;

/// How long an outcome of one entry is not told again.
const TELL_AGAIN: Duration = Duration::from_secs(600);
/// Of how many outcomes of one entry it is remembered that they were told.
const TOLD_MAX: usize = 8;

/// What came of the last attempt to reach an entry of `--join`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// None ended yet.
    Pending,
    /// A peer of this flock answered; whether it let this node in shows elsewhere.
    Answered,
    /// It answered, and did not let this node in.
    Refused(Refusal),
    /// The dial failed.
    Failed(DialFailure),
}

impl Outcome {
    /// Whether the entry leads nowhere. One at which this node itself answers is as it should be.
    pub const fn is_trouble(&self) -> bool {
        match self {
            Self::Pending | Self::Answered | Self::Failed(DialFailure::Myself) => false,
            Self::Refused(_) | Self::Failed(_) => true,
        }
    }

    /// Whether this is so until a person changes something.
    pub const fn needs_a_person(&self) -> bool {
        matches!(
            self,
            Self::Refused(
                Refusal::Secret
                    | Refusal::NameTaken(_)
                    | Refusal::Address
                    | Refusal::Callback
                    | Refusal::Operator
            ) | Self::Failed(DialFailure::OtherFlock | DialFailure::NotCrux)
        )
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending => f.write_str("no answer yet"),
            Self::Answered => f.write_str("reached"),
            Self::Refused(refusal) => write!(f, "refused: {refusal}"),
            Self::Failed(failure) => failure.fmt(f),
        }
    }
}

/// An entry of `--join`, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// The entry, as it was given.
    pub addr: String,
    /// What came of it.
    pub outcome: Outcome,
    /// The peer that answered there last.
    pub peer: Option<Principal>,
}

/// Which outcomes of one entry were told.
///
/// Invariant: each is told at most once in [`TELL_AGAIN`], so an entry causes at most [`TOLD_MAX`] notices in
/// that time however often its outcome changes.
#[derive(Debug, Default)]
pub(super) struct Told(Vec<(Outcome, Instant)>);

impl Told {
    /// Whether an outcome is to be told now.
    pub(super) fn is_news(&mut self, outcome: Outcome, now: Instant) -> bool {
        self.0.retain(|(_, at)| now.since(*at) < TELL_AGAIN);
        let known = self.0.iter().any(|(told, _)| *told == outcome);
        let room = self.0.len() < TOLD_MAX;
        if !known && room {
            self.0.push((outcome, now));
        }
        !known && room
    }
}
