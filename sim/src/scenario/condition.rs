use core::fmt;
use core::time::Duration;

use crux_crdt::document::State;

use super::ParseError;
use super::hosts::Party;
use super::request::Service;
use super::span::Span;
use super::words::Words;
use super::write::Paper;

/// What a node shows a member as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Heard of.
    Alive,
    /// Some hear nothing of it.
    Suspect,
    /// Gone.
    Dead,
    /// Suspect or dead.
    Doubted,
    /// Alive or suspect.
    NotDead,
    /// It left.
    Left,
    /// Others retired it.
    Retired,
}

/// Something that is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition<S> {
    /// `one-flock WHO`: they show exactly each other alive, hold the same state, name one leader of
    /// theirs, whose commands all accept; nothing acknowledged is lost, nothing removed is back.
    OneFlock(S),
    /// `settled`: everyone that runs is one flock.
    Settled,
    /// `component WHO`: the same of those whom the rest cannot hear; what the rest acknowledged may
    /// not have reached them.
    Component(S),
    /// `shown WHOM STATE by WHO`.
    Shown {
        /// Of these
        whom: S,
        /// is shown
        state: Seen,
        /// by each of these.
        by: S,
    },
    /// `same-leader`: all name the leader that led when a flock or component last settled.
    SameLeader,
    /// `unsuspecting WHO`: these called nobody suspect or dead since the operation before.
    Unsuspecting(S),
    /// `still TIME`: no link came or went for that long.
    Still(Duration),
    /// `answered`: every request is.
    Answered,
    /// `obeyed`: the last ping was answered, and every live member stored the leader's claim for it.
    Obeyed,
    /// `stopped WHO`: none of these runs.
    Stopped(S),
    /// `named WHO`: everyone calls these by the names they claim.
    Named(S),
    /// `one-runs WHO`: of these exactly one runs.
    OneRuns(S),
    /// `registered SERVICE of WHOM by WHO`: each of these shows that service of each of those.
    Registered {
        /// This service
        service: Service,
        /// of each of these
        of: S,
        /// is shown by each of these.
        by: S,
    },
    /// `document PAPER STATE by WHO`: each of these shows it as `current`, `conflict`, `deleted` or `void`.
    Document {
        /// This document
        paper: Paper,
        /// is shown as this
        state: State,
        /// by each of these.
        by: S,
    },
    /// `truthful WHO`: whoever of these ran throughout the last 5 s shows of the others nobody dead
    /// who ran throughout the last 3 s or was resumed 1 s ago, and nobody alive who is stopped or
    /// down for 5 s. In rough weather two seconds more.
    Truthful(S),
    /// `placed WHO`: these run what their leader planned of the last target, that is what the target wants or the plan
    /// says why not, and nothing changes any more.
    Placed(S),
    /// `drained WHO`: nothing that a target placed runs there.
    Drained(S),
}

impl<S> Condition<S> {
    /// The same with hosts named another way.
    pub fn map<T>(self, mut to: impl FnMut(S) -> T) -> Condition<T> {
        match self {
            Self::OneFlock(who) => Condition::OneFlock(to(who)),
            Self::Settled => Condition::Settled,
            Self::Component(who) => Condition::Component(to(who)),
            Self::Shown { whom, state, by } => {
                Condition::Shown { whom: to(whom), state, by: to(by) }
            }
            Self::SameLeader => Condition::SameLeader,
            Self::Unsuspecting(who) => Condition::Unsuspecting(to(who)),
            Self::Still(time) => Condition::Still(time),
            Self::Answered => Condition::Answered,
            Self::Obeyed => Condition::Obeyed,
            Self::Stopped(who) => Condition::Stopped(to(who)),
            Self::Named(who) => Condition::Named(to(who)),
            Self::OneRuns(who) => Condition::OneRuns(to(who)),
            Self::Registered { service, of, by } => {
                Condition::Registered { service, of: to(of), by: to(by) }
            }
            Self::Document { paper, state, by } => Condition::Document { paper, state, by: to(by) },
            Self::Truthful(who) => Condition::Truthful(to(who)),
            Self::Placed(who) => Condition::Placed(to(who)),
            Self::Drained(who) => Condition::Drained(to(who)),
        }
    }
}

const SEEN: [(&str, Seen); 7] = [
    ("alive", Seen::Alive),
    ("suspect", Seen::Suspect),
    ("dead", Seen::Dead),
    ("doubted", Seen::Doubted),
    ("not-dead", Seen::NotDead),
    ("departed", Seen::Left),
    ("retired", Seen::Retired),
];

const STATES: [(&str, State); 4] = [
    ("current", State::Current),
    ("conflict", State::Conflict),
    ("deleted", State::Deleted),
    ("void", State::Void),
];

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = SEEN.iter().find(|(_, seen)| seen == self).map_or("", |(word, _)| word);
        f.write_str(word)
    }
}

impl<S: fmt::Display> fmt::Display for Condition<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneFlock(who) => write!(f, "one-flock {who}"),
            Self::Settled => f.write_str("settled"),
            Self::Component(who) => write!(f, "component {who}"),
            Self::Shown { whom, state, by } => write!(f, "shown {whom} {state} by {by}"),
            Self::SameLeader => f.write_str("same-leader"),
            Self::Unsuspecting(who) => write!(f, "unsuspecting {who}"),
            Self::Still(time) => write!(f, "still {}", Span(*time)),
            Self::Answered => f.write_str("answered"),
            Self::Obeyed => f.write_str("obeyed"),
            Self::Stopped(who) => write!(f, "stopped {who}"),
            Self::Named(who) => write!(f, "named {who}"),
            Self::OneRuns(who) => write!(f, "one-runs {who}"),
            Self::Registered { service, of, by } => {
                write!(f, "registered {service} of {of} by {by}")
            }
            Self::Document { paper, state, by } => {
                let word =
                    STATES.iter().find(|(_, known)| known == state).map_or("", |(word, _)| word);
                write!(f, "document {paper} {word} by {by}")
            }
            Self::Truthful(who) => write!(f, "truthful {who}"),
            Self::Placed(who) => write!(f, "placed {who}"),
            Self::Drained(who) => write!(f, "drained {who}"),
        }
    }
}

pub(super) fn read_condition<S: Party>(words: &mut Words<'_>) -> Result<Condition<S>, ParseError> {
    const EXPECTED: &str = "a condition: one-flock, settled, component, shown, same-leader, \
                                unsuspecting, still, answered, obeyed, stopped, named, one-runs, registered, document, truthful, placed or drained";
    Ok(match words.next(EXPECTED)? {
        "one-flock" => Condition::OneFlock(S::read(words)?),
        "settled" => Condition::Settled,
        "component" => Condition::Component(S::read(words)?),
        "shown" => {
            let whom = S::read(words)?;
            let word = words.next("a state")?;
            let known = SEEN.iter().find(|(known, _)| *known == word);
            let wrong = || {
                let states = "alive, suspect, dead, doubted, not-dead, departed or retired";
                ParseError::new(states, format!("`{word}`"))
            };
            let state = known.ok_or_else(wrong)?.1;
            words.must("by")?;
            Condition::Shown { whom, state, by: S::read(words)? }
        }
        "same-leader" => Condition::SameLeader,
        "unsuspecting" => Condition::Unsuspecting(S::read(words)?),
        "still" => Condition::Still(words.value::<Span>("a time like `3s`")?.0),
        "answered" => Condition::Answered,
        "obeyed" => Condition::Obeyed,
        "stopped" => Condition::Stopped(S::read(words)?),
        "named" => Condition::Named(S::read(words)?),
        "one-runs" => Condition::OneRuns(S::read(words)?),
        "registered" => {
            let service = words.value("a service like `svc3`")?;
            words.must("of")?;
            let of = S::read(words)?;
            words.must("by")?;
            Condition::Registered { service, of, by: S::read(words)? }
        }
        "document" => {
            let paper = words.value("a document like `k3`")?;
            let word = words.next("a state")?;
            let known = STATES.iter().find(|(known, _)| *known == word);
            let wrong =
                || ParseError::new("current, conflict, deleted or void", format!("`{word}`"));
            let state = known.ok_or_else(wrong)?.1;
            words.must("by")?;
            Condition::Document { paper, state, by: S::read(words)? }
        }
        "truthful" => Condition::Truthful(S::read(words)?),
        "placed" => Condition::Placed(S::read(words)?),
        "drained" => Condition::Drained(S::read(words)?),
        other => return Err(ParseError::new(EXPECTED, format!("`{other}`"))),
    })
}
