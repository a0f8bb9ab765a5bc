//! The order of starts.

use super::{Expr, Named, Span};

/// `start state after cond cond …`: no instance of a service starts before all conditions hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After {
    /// The service that waits. Its stage has no meaning.
    pub what: State,
    /// The conditions, at least one.
    pub conds: Vec<Cond>,
    /// Where the statement is written.
    pub span: Span,
}

/// A condition: so much of a service is in a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cond {
    /// How much.
    pub amount: Amount,
    /// Of what.
    pub state: State,
}

/// How much of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Amount {
    /// Nothing is written: 100 % of it.
    Whole,
    /// `2 of web`: at least that many instances.
    Count(Expr),
    /// `70% of web`: at least that share of the instances that the program wants.
    Percent(Expr),
}

/// `service.stage`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The service.
    pub service: Named,
    /// The stage; without one, [`Stage::Ready`].
    pub stage: Stage,
    /// Where it is written.
    pub span: Span,
}

/// How far an instance is.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// It is started and not lost.
    Start,
    /// It serves.
    #[default]
    Ready,
    /// It is a task that ended well.
    Done,
    /// Its node is away.
    Unknown,
}

impl Stage {
    /// All stages.
    pub const ALL: [Self; 4] = [Self::Start, Self::Ready, Self::Done, Self::Unknown];

    /// The word with which it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Ready => "ready",
            Self::Done => "done",
            Self::Unknown => "unknown",
        }
    }
}
