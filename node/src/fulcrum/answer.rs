//! The engine's answers as the control API gives them.

use crux_protocol::author::Rejection;
use crux_protocol::flock::{Answer, ControlError};

use super::picture::{Frame, net_id, path};
use super::request::{LeaderPinged, Registered, Reply};
use crate::error::{Error, Kind, StateChanged};
use crate::view::Leader;
use crux_protocol::flock;

/// An answer, in the words of the control API. `done`: what a plain success means here.
pub(super) fn reply(answer: Answer, done: Reply, frame: &Frame, state: &flock::State) -> Reply {
    match answer {
        Answer::Registered(registration) => {
            let me = state.me();
            Reply::Registered(Registered {
                path: path(frame, &state.names().of(&me), &registration),
                instance: registration.instance.clone(),
                net_id: net_id(me, &registration),
            })
        }
        Answer::Done => done,
        Answer::Pinged(pinged) => Reply::LeaderPinged(LeaderPinged {
            leader: Leader {
                node: state.names().of(&pinged.claim.principal),
                principal: pinged.claim.principal,
                epoch: pinged.claim.n,
            },
            accepted: pinged.accepted.into_iter().collect(),
            failed: pinged.failed.into_iter().collect(),
        }),
    }
}

/// A refusal, in the words of the control API.
pub(super) fn error(error: &ControlError) -> Error {
    let (kind, hint) = match error {
        ControlError::Rejected(Rejection::NotRegistered) => {
            (Kind::NotFound, "`services` lists what is registered; a node removes only its own.")
        }
        ControlError::Rejected(Rejection::Profile) => (Kind::InvalidArgument, "Give fewer."),
        ControlError::Rejected(Rejection::Incarnation) => {
            (Kind::Refused, "It stays listed as dead; nothing else comes of it.")
        }
        ControlError::Rejected(_) => {
            (Kind::LimitReached, "Deregister something, or register it on another node.")
        }
        ControlError::DiskFull => {
            (Kind::DiskFull, "Make room on the disk; nothing has to be restarted.")
        }
        ControlError::DiskFailed => (Kind::Io, "Check the disk, then start the node again."),
        ControlError::Busy => (Kind::Busy, "Try again in a moment."),
        ControlError::NotStored { .. } => (
            Kind::TimedOut,
            "It stays registered here and spreads on; `members` shows who is alive.",
        ),
        ControlError::NoLeader => (Kind::NoLeader, "Try again in a second; `members` shows why."),
        ControlError::LeaderSilent => {
            (Kind::PeerUnreachable, "Try again in a second: if it died, another one will lead.")
        }
        ControlError::Fenced => (Kind::Fenced, "Try again: the leader claims anew above it."),
        ControlError::Alive => {
            (Kind::Refused, "Stop it first, or run `leave` on it, or wait until it is shown dead.")
        }
        ControlError::Yields => {
            (Kind::Refused, "Ask the node that goes on; the log of this one says where that is.")
        }
        ControlError::NotFound => (Kind::NotFound, "`members` lists who there is."),
    };
    let state = match error {
        ControlError::NotStored { .. } => StateChanged::Yes,
        ControlError::LeaderSilent | ControlError::DiskFailed => StateChanged::Unknown,
        _ => StateChanged::No,
    };
    Error::new(kind, error.to_string()).with_hint(hint).with_state(state)
}
