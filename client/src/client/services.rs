//! The client's side of the streams of the Services service.

use std::collections::VecDeque;

use crux_proto::v1::{self, services_client::ServicesClient};
use tonic::transport::Channel;
use tonic::{Request as Call, Status as GrpcStatus, Streaming};

use super::{Client, broken};
use crate::error::Error;
use crate::model::{Event, LogLine};
use crate::op::{ANSWER_BYTES_MAX, Effect, ReadEvents, ReadLogs};
use crate::wire::{Message as _, from_status};

/// Lines of a service, as they come. Dropping it ends it.
#[derive(Debug)]
pub struct Logs {
    stream: Streaming<v1::LogsResponse>,
    pending: VecDeque<v1::LogLine>,
}

/// Events of a node, as they come. Dropping it ends it.
#[derive(Debug)]
pub struct Events {
    stream: Streaming<v1::EventsResponse>,
    pending: VecDeque<v1::Event>,
}

impl Logs {
    /// Waits for the next line, for ever. `None`: that was the last one.
    ///
    /// # Errors
    /// [`crate::Kind::ShuttingDown`] or [`crate::Kind::NoNode`] when the picket stopped.
    pub async fn next(&mut self) -> Result<Option<LogLine>, Error> {
        loop {
            if let Some(line) = self.pending.pop_front() {
                return LogLine::from_wire(&line).map(Some);
            }
            match self.stream.message().await.map_err(|status| told(&status))? {
                Some(more) => self.pending.extend(more.lines),
                None => return Ok(None),
            }
        }
    }
}

impl Events {
    /// Waits for the next event, for ever. `None`: that was the last one.
    ///
    /// # Errors
    /// [`crate::Kind::ShuttingDown`] or [`crate::Kind::NoNode`] when the picket stopped.
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Event::from_wire(&event).map(Some);
            }
            match self.stream.message().await.map_err(|status| told(&status))? {
                Some(more) => self.pending.extend(more.events),
                None => return Ok(None),
            }
        }
    }
}

impl Client {
    /// Reads the lines that a service wrote, and with `follow` those that it writes from now on. The limit
    /// holds for the first answer only.
    ///
    /// # Errors
    /// See [`Client::call`] and [`ReadLogs`].
    pub async fn logs(&self, op: &ReadLogs) -> Result<Logs, Error> {
        let call = Call::new(op.to_wire());
        let stream = self.within(Effect::Reads, self.services().logs(call)).await?;
        Ok(Logs { stream, pending: VecDeque::new() })
    }

    /// Reads the events that the node saw, and with `follow` those to come. The limit holds for the first
    /// answer only.
    ///
    /// # Errors
    /// See [`Client::call`] and [`ReadEvents`].
    pub async fn events(&self, op: &ReadEvents) -> Result<Events, Error> {
        let call = Call::new(op.to_wire());
        let stream = self.within(Effect::Reads, self.services().events(call)).await?;
        Ok(Events { stream, pending: VecDeque::new() })
    }

    fn services(&self) -> ServicesClient<Channel> {
        let stub = ServicesClient::new(self.picket.channel.clone());
        stub.max_decoding_message_size(ANSWER_BYTES_MAX)
    }
}

/// The node's words, or what became of the connection.
fn told(status: &GrpcStatus) -> Error {
    broken(status).unwrap_or_else(|| from_status(status))
}
