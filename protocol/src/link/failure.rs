use core::fmt;

use super::DialFailure;

impl fmt::Display for DialFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherFlock => "it belongs to another flock, or has another secret",
            Self::WrongPeer { .. } => "another node answers there",
            Self::Myself => "this node itself answers there",
            Self::NotCrux => "another service listens there, which does not speak Crux",
            Self::Closed => "it closes the connection before the handshake is done",
            Self::Refused => "nobody listens there",
            Self::TimedOut => "no handshake in time: it is down, or does not speak Crux",
            Self::Unreachable => "there is no way to it",
            Self::Unresolved => "the name does not resolve",
        })
    }
}
