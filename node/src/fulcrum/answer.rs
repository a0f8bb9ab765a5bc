//! The engine's answers as callers get them.

use crux_client::model::Leader;
use crux_client::op::{LeaderPinged, Registered};
use crux_crdt::document::{self, Limit};
use crux_crdt::fact::Refused;
use crux_protocol::author::Rejection;
use crux_protocol::flock::{self, Answer, ControlError};
use crux_protocol::leader::Pinged;

use super::picture::{Frame, net_id, path};
use super::request::{Reply, ReplyTo};
use crate::error::{Error, Kind, StateChanged};

impl Reply {
    /// Sends the engine's answer to whoever waits for it.
    pub(super) fn send(
        self,
        result: Result<Answer, ControlError>,
        frame: &Frame,
        state: &flock::State,
    ) {
        match (self, result) {
            (reply, Err(refused)) => reply.refuse(error(&refused)),
            (Self::Done(reply), Ok(_)) => answer(reply, Ok(())),
            (Self::Forgotten(who, reply), Ok(_)) => answer(reply, Ok(who)),
            (Self::Registered(reply), Ok(Answer::Registered(registration))) => {
                let me = state.me();
                let registered = Registered {
                    path: path(frame, &state.names().of(&me), &registration),
                    instance: registration.instance.clone(),
                    net_id: net_id(me, &registration),
                };
                answer(reply, Ok(registered));
            }
            (Self::Pinged(reply), Ok(Answer::Pinged(pinged))) => {
                answer(reply, Ok(leader_pinged(pinged, state)));
            }
            // The one place where the engine's answers, which have one type for all, get theirs.
            (reply, Ok(other)) => reply.refuse(
                Error::new(Kind::Internal, format!("the engine answered {other:?}"))
                    .with_state(StateChanged::Unknown),
            ),
        }
    }

    fn refuse(self, error: Error) {
        match self {
            Self::Registered(reply) => answer(reply, Err(error)),
            Self::Pinged(reply) => answer(reply, Err(error)),
            Self::Forgotten(_, reply) => answer(reply, Err(error)),
            Self::Done(reply) => answer(reply, Err(error)),
        }
    }
}

/// Answers, if anybody still waits.
pub(super) fn answer<T>(reply: ReplyTo<T>, result: Result<T, Error>) {
    drop(reply.send(result));
}

fn leader_pinged(pinged: Pinged, state: &flock::State) -> LeaderPinged {
    LeaderPinged {
        leader: Leader {
            node: state.names().of(&pinged.claim.principal),
            principal: pinged.claim.principal,
            term: pinged.claim.n,
        },
        accepted: pinged.accepted.into_iter().collect(),
        failed: pinged.failed.into_iter().collect(),
    }
}

/// Why a document was not taken in, in words that say what to do.
pub(crate) fn not_taken(refused: &document::Refused) -> Error {
    use document::Refused;
    let (kind, hint) = match refused {
        Refused::Conflict { .. } => {
            (Kind::Conflict, "Read it again with `doc show`, then run the same command again.")
        }
        Refused::NotGranted(_) => (
            Kind::NotGranted,
            "`user ls` shows what is granted; the operator changes it with `user add`.",
        ),
        Refused::Limit { what: Limit::OfUser, .. } => {
            (Kind::LimitReached, "The operator allows more with `user add --documents`.")
        }
        Refused::Limit { what: Limit::Granted, .. } => (
            Kind::LimitReached,
            "Grant fewer: `user ls` shows how many each has, and those of revoked users count, too.",
        ),
        Refused::Limit { what: Limit::Keys | Limit::Bytes, .. } => {
            (Kind::LimitReached, "Write under keys that there are; deleted documents count, too.")
        }
        Refused::NameTaken { .. } => {
            (Kind::NameTaken, "Choose another name, or revoke that user first: `user rm`.")
        }
        Refused::KeyTaken(_) => {
            (Kind::AlreadyExists, "Give that name, or revoke that user first: `user rm`.")
        }
    };
    Error::new(kind, refused.to_string()).with_hint(hint)
}

/// A refusal, in words that say what to do.
fn error(error: &ControlError) -> Error {
    let (kind, hint) = match error {
        ControlError::Rejected(Rejection::NotRegistered) => {
            (Kind::NotFound, "`services` lists what is registered; a node removes only its own.")
        }
        ControlError::Rejected(Rejection::Profile) => (Kind::InvalidArgument, "Give fewer."),
        ControlError::Rejected(Rejection::Slot(_)) => {
            (Kind::InvalidArgument, "Give fewer or shorter labels.")
        }
        ControlError::Rejected(Rejection::Incarnation) => {
            (Kind::Refused, "It stays listed as dead; nothing else comes of it.")
        }
        ControlError::Rejected(Rejection::Full(_)) => {
            (Kind::LimitReached, "Remove one of them, or do it on another node.")
        }
        ControlError::Rejected(Rejection::TooManyActs(_)) => {
            (Kind::LimitReached, "Do it on another node.")
        }
        ControlError::Refused(Refused::Document(refused)) => return not_taken(refused),
        ControlError::Refused(Refused::Kind(_)) => {
            (Kind::InvalidArgument, "Only documents are signed by people.")
        }
        ControlError::Refused(Refused::NoRoom) => (
            Kind::LimitReached,
            "`doctor` says who brought most; the operator can write here still.",
        ),
        ControlError::Late(Refused::Document(document::Refused::Conflict { .. })) => (
            Kind::Conflict,
            "`doc show KEY --rival` shows this write and the other one, and which of them counts; \
             the next write ends the conflict.",
        ),
        ControlError::Late(Refused::Document(document::Refused::NotGranted(_))) => {
            (Kind::NotGranted, "`doc show KEY` says whether this write counts.")
        }
        ControlError::Late(_) => (
            Kind::LimitReached,
            "`doc ls` says what of it is there, and `doctor` who brought most.",
        ),
        ControlError::TooManyFacts(_) => (Kind::LimitReached, "Write them in several requests."),
        ControlError::DiskFull => {
            (Kind::DiskFull, "Make room on the disk; nothing has to be restarted.")
        }
        ControlError::DiskFailed => (Kind::Io, "Check the disk, then start the node again."),
        ControlError::Busy => (Kind::Busy, "Try again in a moment."),
        ControlError::NotStored { .. } => (
            Kind::TimedOut,
            "It stays here and spreads on. Run the same again with a longer --timeout to hear of \
             more, or with a smaller --sync; `members` shows who is alive.",
        ),
        ControlError::NoLeader => (Kind::NoLeader, "Try again in a second; `members` shows why."),
        ControlError::LeaderSilent => {
            (Kind::PeerUnreachable, "Try again in a second: if it died, another one will lead.")
        }
        ControlError::Fenced => (Kind::Fenced, "Try again: the leader takes a greater term."),
        ControlError::Alive => {
            (Kind::Refused, "Stop it first, or run `leave` on it, or wait until it is shown dead.")
        }
        ControlError::Yields => {
            (Kind::Refused, "Ask the node that continues; the log of this one has its address.")
        }
        ControlError::NotFound => (Kind::NotFound, "`members` lists who there is."),
    };
    let state = match error {
        ControlError::NotStored { .. } | ControlError::Late(_) => StateChanged::Yes,
        ControlError::LeaderSilent | ControlError::DiskFailed => StateChanged::Unknown,
        _ => StateChanged::No,
    };
    Error::new(kind, error.to_string()).with_hint(hint).with_state(state)
}

#[cfg(test)]
mod tests {
    use crux_crdt::document::Key;

    use super::*;

    /// A person who reads that nothing was written writes once more, and may be surprised by what wins.
    #[test]
    fn a_refusal_says_whether_the_document_is_written_all_the_same() {
        let key: Key = "rule/a".parse().expect("a key");
        let conflict =
            document::Refused::Conflict { key: key.clone(), generation: 2, grants_version: 1 };
        for (refused, kind) in [
            (Refused::Document(conflict), Kind::Conflict),
            (Refused::Document(document::Refused::NotGranted(key)), Kind::NotGranted),
            (Refused::NoRoom, Kind::LimitReached),
        ] {
            let early = error(&ControlError::Refused(refused.clone()));
            assert_eq!((early.kind(), early.state_changed()), (kind, StateChanged::No), "{early}");
            let late = error(&ControlError::Late(refused));
            assert_eq!((late.kind(), late.state_changed()), (kind, StateChanged::Yes), "{late}");
            assert!(late.to_string().contains(&format!("written, at least in part, but {early}")));
            assert!(kind.row().states.contains(&StateChanged::Yes), "the page of errors says so");
        }
    }
}
