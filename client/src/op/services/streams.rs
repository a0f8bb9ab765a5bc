//! The requests for streams. They are not in the table of calls, because they have many answers.

use std::time::Duration;

use crux_crdt::name::ServiceName;
use crux_proto::v1;

use super::{or_empty, service, some_service};
use crate::error::{Error, Kind};
use crate::model::json::whole_millis;
use crate::model::{Glob, LogStream};
use crate::parse;

/// Asks for what a service wrote. Refused with [`NotFound`](Kind::NotFound).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadLogs {
    /// Which service.
    pub service: ServiceName,
    /// Continue with what is written later.
    pub follow: bool,
    /// Begin so many lines before the end; `None`: at the oldest line.
    pub tail: Option<u32>,
    /// Only lines that are at most so old.
    pub since: Option<Duration>,
    /// End when the first instance ends that runs now.
    pub until_exit: bool,
    /// Only this stream; the node's own notes come with both.
    pub stream: Option<LogStream>,
}

/// Asks for what the node saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadEvents {
    /// Continue with what happens later.
    pub follow: bool,
    /// Only events after this one; `None`: all that are kept.
    pub after: Option<u64>,
    /// Only events that are at most so old.
    pub since: Option<Duration>,
    /// Only these kinds.
    pub kind: Option<Glob>,
    /// Only those of this service.
    pub service: Option<ServiceName>,
}

impl ReadLogs {
    /// The request as a client writes it.
    pub fn to_wire(&self) -> v1::LogsRequest {
        v1::LogsRequest {
            service: self.service.to_string(),
            follow: self.follow,
            tail: self.tail,
            since_ms: self.since.map(whole_millis),
            until_exit: self.until_exit,
            stream: self.stream.map(|stream| stream.to_string()).unwrap_or_default(),
        }
    }

    /// The request as a node reads it.
    ///
    /// # Errors
    /// [`Kind::InvalidName`]; [`Kind::InvalidArgument`] for a stream that programs do not have.
    pub fn from_wire(wire: &v1::LogsRequest) -> Result<Self, Error> {
        let stream = match wire.stream.as_str() {
            "" => None,
            "stdout" => Some(LogStream::Stdout),
            "stderr" => Some(LogStream::Stderr),
            odd => {
                let message = format!("programs have no stream {odd:?}");
                return Err(Error::new(Kind::InvalidArgument, message)
                    .with_hint("It is stdout or stderr; leave it out for both."));
            }
        };
        Ok(Self {
            service: service(&wire.service)?,
            follow: wire.follow,
            tail: wire.tail,
            since: wire.since_ms.map(Duration::from_millis),
            until_exit: wire.until_exit,
            stream,
        })
    }
}

impl ReadEvents {
    /// The request as a client writes it.
    pub fn to_wire(&self) -> v1::EventsRequest {
        v1::EventsRequest {
            follow: self.follow,
            after: self.after,
            since_ms: self.since.map(whole_millis),
            kind: self.kind.as_ref().map(Glob::to_string).unwrap_or_default(),
            service: or_empty(self.service.as_ref()),
        }
    }

    /// The request as a node reads it.
    ///
    /// # Errors
    /// [`Kind::InvalidName`]; [`Kind::InvalidArgument`] for a pattern of kinds that matches none.
    pub fn from_wire(wire: &v1::EventsRequest) -> Result<Self, Error> {
        let kind = (!wire.kind.is_empty()).then(|| parse::kind_glob(&wire.kind)).transpose()?;
        Ok(Self {
            follow: wire.follow,
            after: wire.after,
            since: wire.since_ms.map(Duration::from_millis),
            kind,
            service: some_service(&wire.service)?,
        })
    }
}
