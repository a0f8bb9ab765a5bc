//! Why a dial failed, out of libp2p's nested errors.

use std::error::Error;
use std::io;

use libp2p::core::transport::TransportError;
use libp2p::core::upgrade::NegotiationError;
use libp2p::noise;
use libp2p::swarm::DialError;

use super::super::door::Broken;
use super::super::gate::Refusal;
use super::super::identity::principal_of;
use crate::link::DialFailure;

/// Returns why a dial failed.
pub(in super::super) fn classify(error: &DialError, local: &libp2p::PeerId) -> DialFailure {
    match error {
        DialError::LocalPeerId { .. } => DialFailure::Myself,
        DialError::WrongPeerId { obtained, .. } if obtained == local => DialFailure::Myself,
        DialError::WrongPeerId { obtained, .. } => match principal_of(obtained) {
            Some(found) => DialFailure::WrongPeer { found },
            None => DialFailure::NotCrux,
        },
        // The swarm leaves out the addresses that it listens on itself.
        DialError::NoAddresses => DialFailure::Myself,
        DialError::Transport(errors) => errors
            .iter()
            .map(|(_, error)| of_transport(error))
            .min()
            .unwrap_or(DialFailure::Unreachable),
        DialError::Denied { cause } => match cause.downcast_ref::<Refusal>() {
            Some(Refusal::UnknownKey) => DialFailure::NotCrux,
            _ => DialFailure::Unreachable,
        },
        DialError::Aborted | DialError::DialPeerConditionFalse(_) => DialFailure::Unreachable,
    }
}

fn of_transport(error: &TransportError<io::Error>) -> DialFailure {
    match error {
        TransportError::MultiaddrNotSupported(_) => DialFailure::Unreachable,
        TransportError::Other(error) => of_error(error),
    }
}

/// Walks down the causes until one says something.
fn of_error(error: &(dyn Error + 'static)) -> DialFailure {
    let mut next = Some(error);
    let mut negotiated = false;
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<noise::Error>() {
            return match error {
                // A message that does not decrypt is invalid data, and an IO error too.
                noise::Error::Io(error) if error.kind() != io::ErrorKind::InvalidData => {
                    of_error(error)
                }
                _ => DialFailure::OtherFlock,
            };
        }
        if let Some(broken) = error.downcast_ref::<Broken>() {
            return of_broken(*broken);
        }
        negotiated |= error.is::<NegotiationError>();
        next = match error.downcast_ref::<io::Error>() {
            // An error that wraps another has it inside; its source is that one's source.
            Some(outer) => match outer.get_ref() {
                Some(inner) => Some(inner as &(dyn Error + 'static)),
                None if negotiated && outer.kind() == io::ErrorKind::InvalidData => None,
                None => return of_io(outer.kind()),
            },
            None => error.source(),
        };
    }
    if negotiated {
        // It takes part in the negotiation, and does not offer what Crux needs.
        DialFailure::NotCrux
    } else {
        DialFailure::Unreachable
    }
}

const fn of_broken(broken: Broken) -> DialFailure {
    match broken {
        Broken::NotCrux => DialFailure::NotCrux,
        Broken::Closed | Broken::MadeRoom => DialFailure::Closed,
        Broken::Silent | Broken::Late => DialFailure::TimedOut,
    }
}

fn of_io(kind: io::ErrorKind) -> DialFailure {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, TimedOut, UnexpectedEof,
    };
    match kind {
        ConnectionRefused => DialFailure::Refused,
        ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof => DialFailure::Closed,
        TimedOut => DialFailure::TimedOut,
        _ => DialFailure::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_found_however_deep() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let wrapped = io::Error::other(io::Error::other(refused));
        assert_eq!(of_error(&wrapped), DialFailure::Refused);
        let noise = io::Error::other(noise::Error::AuthenticationFailed);
        assert_eq!(of_error(&noise), DialFailure::OtherFlock);
        let eof = noise::Error::Io(io::ErrorKind::UnexpectedEof.into());
        assert_eq!(of_error(&eof), DialFailure::Closed);
        let reset = noise::Error::Io(Broken::Closed.into());
        assert_eq!(of_error(&reset), DialFailure::Closed);
        assert_eq!(of_error(&NegotiationError::Failed), DialFailure::NotCrux);
        let odd = NegotiationError::from(io::Error::from(io::ErrorKind::InvalidData));
        assert_eq!(of_error(&odd), DialFailure::NotCrux);
        let unknown = io::Error::other("something else");
        assert_eq!(of_error(&unknown), DialFailure::Unreachable);
    }

    #[test]
    fn what_the_door_says_is_found_below_the_negotiation() {
        let said = [
            (Broken::NotCrux, DialFailure::NotCrux),
            (Broken::Closed, DialFailure::Closed),
            (Broken::Late, DialFailure::TimedOut),
        ];
        for (broken, failure) in said {
            let error = NegotiationError::from(io::Error::from(broken));
            assert_eq!(of_error(&io::Error::other(error)), failure, "{broken}");
        }
    }
}
