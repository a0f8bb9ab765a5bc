//! The client's side of `Watch`.

use crux_proto::v1::{WatchResponse, watch_response::Event};
use serde::Serialize;
use tonic::Streaming;

use super::broken;
use crate::error::Error;
use crate::model::Service;
use crate::wire::{Message as _, from_status};

/// A running watch. Dropping it ends it.
#[derive(Debug)]
pub struct Watch {
    stream: Streaming<WatchResponse>,
}

/// One event of a watch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum WatchEvent {
    /// The whole answer; first, and again when the reader fell behind. Replaces what was known.
    Snapshot {
        /// The services, ordered by path and ordinal.
        services: Vec<Service>,
    },
    /// New, or changed: replaces the one with the same path and ordinal.
    Added {
        /// The service as it is.
        service: Service,
    },
    /// No longer matches.
    Removed {
        /// The service as it was.
        service: Service,
    },
}

impl Watch {
    pub(super) fn new(stream: Streaming<WatchResponse>) -> Self {
        Self { stream }
    }

    /// Waits for the next event, for ever. `None` when the node ended the watch without an error.
    ///
    /// # Errors
    /// [`crate::Kind::ShuttingDown`] or [`crate::Kind::NoNode`] when the node stopped.
    pub async fn next(&mut self) -> Result<Option<WatchEvent>, Error> {
        loop {
            let message = self.stream.message().await;
            let told = |status| broken(&status).unwrap_or_else(|| from_status(&status));
            let Some(wire) = message.map_err(told)? else {
                return Ok(None);
            };
            // Unset: an event of a newer version.
            if let Some(event) = wire.event {
                return read(&event).map(Some);
            }
        }
    }
}

fn read(wire: &Event) -> Result<WatchEvent, Error> {
    Ok(match wire {
        Event::Snapshot(all) => WatchEvent::Snapshot { services: Vec::from_wire(all)? },
        Event::Added(service) => WatchEvent::Added { service: Service::from_wire(service)? },
        Event::Removed(service) => WatchEvent::Removed { service: Service::from_wire(service)? },
    })
}
