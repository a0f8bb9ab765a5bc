use core::fmt;
use core::num::NonZeroU16;
use core::str::FromStr;
use core::time::Duration;

use super::hosts::Party;
use super::span::Span;
use super::words::Words;
use super::write::{VERBS, Write, read_write};
use super::{Order, ParseError};

/// A service, by number: `svc3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Service(pub u32);

/// A client's request to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request<S> {
    /// Register a service there, or replace it.
    Register {
        /// Which one.
        service: Service,
        /// At which port it is said to be.
        port: NonZeroU16,
        /// How many other members are to store it.
        sync: u32,
    },
    /// Remove it.
    Deregister(Service),
    /// Have every live member store the leader's claim.
    Ping,
    /// Tell all that it restarts and is back within this time.
    Restart(Duration),
    /// Leave the flock, then stop.
    Leave,
    /// Retire these.
    Forget(S),
    /// Write documents.
    Write(Write),
    /// The operator signs this order to these.
    Order(Order, S),
}

impl<S> Request<S> {
    /// The same with hosts named another way.
    pub fn map<T>(self, mut to: impl FnMut(S) -> T) -> Request<T> {
        match self {
            Self::Register { service, port, sync } => Request::Register { service, port, sync },
            Self::Deregister(service) => Request::Deregister(service),
            Self::Ping => Request::Ping,
            Self::Restart(within) => Request::Restart(within),
            Self::Leave => Request::Leave,
            Self::Forget(who) => Request::Forget(to(who)),
            Self::Write(write) => Request::Write(write),
            Self::Order(order, who) => Request::Order(order, to(who)),
        }
    }
}

impl Service {
    /// Where a service is unless something else is said.
    pub const PORT: NonZeroU16 = NonZeroU16::new(80).expect("it is not zero");
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "svc{}", self.0)
    }
}

impl FromStr for Service {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        text.strip_prefix("svc").ok_or(())?.parse().map(Self).map_err(|_| ())
    }
}

impl<S: fmt::Display> fmt::Display for Request<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Register { service, port, sync } => {
                write!(f, "register {service}")?;
                if *port != Service::PORT {
                    write!(f, " at {port}")?;
                }
                if *sync > 0 { write!(f, " sync {sync}") } else { Ok(()) }
            }
            Self::Deregister(service) => write!(f, "deregister {service}"),
            Self::Ping => f.write_str("ping"),
            Self::Restart(within) => write!(f, "restart within {}", Span(*within)),
            Self::Leave => f.write_str("leave"),
            Self::Forget(who) => write!(f, "forget {who}"),
            Self::Write(write) => write!(f, "{write}"),
            Self::Order(order, who) => write!(f, "{order} {who}"),
        }
    }
}

pub(super) fn read_request<S: Party>(words: &mut Words<'_>) -> Result<Request<S>, ParseError> {
    const EXPECTED: &str = "`register`, `deregister`, `ping`, `restart`, `leave`, `forget`, `put`, `drop`, \
                            `grant`, `revoke`, `flood`, `remember`, `apply`, `drain`, `cordon` or `uncordon`";
    const SERVICE: &str = "a service like `svc3`";
    match words.next(EXPECTED)? {
        "register" => {
            let service = words.value(SERVICE)?;
            let port = if words.take("at") { words.value("a port")? } else { Service::PORT };
            let sync = if words.take("sync") { words.value("how many members")? } else { 0 };
            Ok(Request::Register { service, port, sync })
        }
        "deregister" => words.value(SERVICE).map(Request::Deregister),
        "ping" => Ok(Request::Ping),
        "restart" => {
            words.must("within")?;
            Ok(Request::Restart(words.value::<Span>("a time like `3s`")?.0))
        }
        "leave" => Ok(Request::Leave),
        "forget" => S::read(words).map(Request::Forget),
        verb if VERBS.contains(&verb) => read_write(verb, words).map(Request::Write),
        other => match Order::ALL.iter().find(|(word, _)| *word == other) {
            Some((_, order)) => Ok(Request::Order(*order, S::read(words)?)),
            None => Err(ParseError::new(EXPECTED, format!("`{other}`"))),
        },
    }
}
