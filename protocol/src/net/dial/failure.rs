//! Why a dial failed, out of libp2p's nested errors.

use std::error::Error;
use std::io;

use libp2p::core::transport::TransportError;
use libp2p::core::upgrade::NegotiationError;
use libp2p::noise;
use libp2p::swarm::DialError;

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
            None => DialFailure::Handshake,
        },
        // The swarm leaves out the addresses that it listens on itself.
        DialError::NoAddresses => DialFailure::Myself,
        DialError::Transport(errors) => errors
            .iter()
            .map(|(_, error)| of_transport(error))
            .min()
            .unwrap_or(DialFailure::Unreachable),
        DialError::Denied { cause } => match cause.downcast_ref::<Refusal>() {
            Some(Refusal::UnknownKey) => DialFailure::Handshake,
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
    let mut answered = false;
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<noise::Error>() {
            return match error {
                // A message that does not decrypt is invalid data, and an IO error too.
                noise::Error::Io(error) if error.kind() != io::ErrorKind::InvalidData => {
                    of_io(error.kind())
                }
                _ => DialFailure::Handshake,
            };
        }
        answered |= error.is::<NegotiationError>();
        next = match error.downcast_ref::<io::Error>() {
            // An error that wraps another has it inside; its source is that one's source.
            Some(outer) => match outer.get_ref() {
                Some(inner) => Some(inner as &(dyn Error + 'static)),
                None => return of_io(outer.kind()),
            },
            None => error.source(),
        };
    }
    if answered {
        // Somebody who does not speak our protocol at all.
        DialFailure::Handshake
    } else {
        DialFailure::Unreachable
    }
}

fn of_io(kind: io::ErrorKind) -> DialFailure {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, UnexpectedEof,
    };
    match kind {
        ConnectionRefused | ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof => {
            DialFailure::Refused
        }
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
        assert_eq!(of_error(&noise), DialFailure::Handshake);
        let eof = noise::Error::Io(io::ErrorKind::UnexpectedEof.into());
        assert_eq!(of_error(&eof), DialFailure::Refused);
        assert_eq!(of_error(&NegotiationError::Failed), DialFailure::Handshake);
        let unknown = io::Error::other("something else");
        assert_eq!(of_error(&unknown), DialFailure::Unreachable);
    }
}
