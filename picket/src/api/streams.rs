//! Streams of lines and of events: read as far as the caller reads, by a thread of the pool.

use std::sync::Arc;

use crux_client::model::{Event, LogLine, LogStream, WallTime};
use crux_client::op::{ReadEvents, ReadLogs};
use crux_client::wire::{Message as _, to_status};
use crux_client::{Error, Kind};
use crux_proto::v1;
use futures::stream::unfold;
use serde_json::Value;
use tokio::sync::watch;
use tonic::Status;

use super::server::closed;
use super::service::Streamed;
use crate::clock;
use crate::events::{Cursor, EventQuery, Events, Item};
use crate::logs::{self, Batch, Query, Reader, Step, Stream};
use crate::supervise::calls::{Call, Desk};

/// A caller that reads a log.
struct Following {
    reader: Reader,
    changes: watch::Receiver<u64>,
    closing: watch::Receiver<bool>,
}

/// The lines of a service.
pub(super) async fn logs(
    desk: &Desk,
    op: ReadLogs,
    closing: watch::Receiver<bool>,
) -> Result<Streamed<v1::LogsResponse>, Error> {
    let since = op.since.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    let query = Query {
        tail: op.tail.map(u64::from),
        since_ms: since.map(|age| clock::now().unix_ms.saturating_sub(age)),
        stream: op.stream.and_then(|stream| match stream {
            LogStream::Stdout => Some(Stream::Stdout),
            LogStream::Stderr => Some(Stream::Stderr),
            LogStream::Note => None,
        }),
        instance: None,
        follow: op.follow,
        until_exit: None,
    };
    let (service, until_exit) = (op.service, op.until_exit);
    let reader = desk.call(|reply| Call::Logs(service, Box::new(query), until_exit, reply)).await?;
    let changes = reader.changes();
    let state = Following { reader, changes, closing };
    Ok(Box::pin(unfold(Some(state), |state| async move {
        match state?.next().await {
            Ok(Some((lines, state))) => Some((Ok(v1::LogsResponse { lines }), Some(state))),
            Ok(None) => None,
            Err(status) => Some((Err(status), None)),
        }
    })))
}

impl Following {
    /// The next lines; none: there is nothing more to come.
    async fn next(mut self) -> Result<Option<(Vec<v1::LogLine>, Self)>, Status> {
        loop {
            // Before it is read, so that no change is missed.
            self.changes.borrow_and_update();
            let read = tokio::task::spawn_blocking(move || {
                let step = self.reader.step();
                (self, step)
            });
            let (back, step) = read.await.map_err(|err| Status::internal(err.to_string()))?;
            self = back;
            match step {
                Ok(Step::Lines(batch)) => {
                    let lines = lines(&batch);
                    if !lines.is_empty() {
                        return Ok(Some((lines, self)));
                    }
                }
                Ok(Step::End) => return Ok(None),
                Ok(Step::Wait) => {
                    let stops = closed(self.closing.clone());
                    tokio::select! {
                        changed = self.changes.changed() => {
                            // The log was removed.
                            if changed.is_err() {
                                return Ok(None);
                            }
                        }
                        () = stops => {
                            let error = Error::new(Kind::ShuttingDown, "the node stops");
                            return Err(to_status(&error));
                        }
                    }
                }
                Err(err) => {
                    return Err(to_status(&Error::io("reading the log of a service", &err)));
                }
            }
        }
    }
}

fn lines(batch: &Batch) -> Vec<v1::LogLine> {
    let note = |text: String| LogLine {
        at: WallTime { unix_ms: clock::now().unix_ms },
        instance: "-".to_owned(),
        stream: LogStream::Note,
        text,
    };
    let lost = (batch.lost > 0)
        .then(|| note(format!("{} lines lost: this reader is too slow", batch.lost)));
    let damaged = (batch.damaged > 0)
        .then(|| note(format!("{} lines left out: they are damaged", batch.damaged)));
    let kept = batch.lines().map(|line| LogLine {
        at: WallTime { unix_ms: line.at_ms },
        instance: line.instance.to_owned(),
        stream: match line.stream {
            Stream::Stdout => LogStream::Stdout,
            Stream::Stderr => LogStream::Stderr,
            Stream::Crux => LogStream::Note,
        },
        text: logs::shown(line.text).into_owned(),
    });
    lost.into_iter().chain(damaged).chain(kept).map(|line| line.to_wire()).collect()
}

/// A caller that reads events.
struct Reading {
    events: Arc<Events>,
    cursor: Cursor,
    follow: bool,
    changes: watch::Receiver<u64>,
    closing: watch::Receiver<bool>,
}

/// The node's events.
pub(super) fn events(
    events: &Arc<Events>,
    op: ReadEvents,
    closing: watch::Receiver<bool>,
) -> Streamed<v1::EventsResponse> {
    let since = op.since.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    let query = EventQuery {
        after: op.after,
        since_ms: since.map(|age| clock::now().unix_ms.saturating_sub(age)),
        kind: op.kind.map(|kind| kind.to_string()),
        service: op.service.map(|service| service.to_string()),
    };
    let changes = events.changes();
    let (events, cursor) = (Arc::clone(events), events.read(query));
    let state = Reading { events, cursor, follow: op.follow, changes, closing };
    Box::pin(unfold(Some(state), |state| async move {
        match state?.next().await {
            Ok(Some((events, state))) => Some((Ok(v1::EventsResponse { events }), Some(state))),
            Ok(None) => None,
            Err(status) => Some((Err(status), None)),
        }
    }))
}

impl Reading {
    /// The next events; none: there is nothing more to come.
    async fn next(mut self) -> Result<Option<(Vec<v1::Event>, Self)>, Status> {
        loop {
            // Before they are read, so that no change is missed.
            self.changes.borrow_and_update();
            let read = tokio::task::spawn_blocking(move || {
                let items = self.events.next(&mut self.cursor);
                (self, items)
            });
            let (back, items) = read.await.map_err(|err| Status::internal(err.to_string()))?;
            self = back;
            let items = items.map_err(|err| to_status(&Error::new(Kind::Io, err.to_string())))?;
            if !items.is_empty() {
                return Ok(Some((items.into_iter().map(event).collect(), self)));
            }
            if !self.follow {
                return Ok(None);
            }
            let stops = closed(self.closing.clone());
            tokio::select! {
                changed = self.changes.changed() => {
                    if changed.is_err() {
                        return Ok(None);
                    }
                }
                () = stops => {
                    return Err(to_status(&Error::new(Kind::ShuttingDown, "the node stops")));
                }
            }
        }
    }
}

fn event(item: Item) -> v1::Event {
    match item {
        Item::Event(event) => {
            let text = |value: Value| match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            v1::Event {
                seq: event.seq,
                at_unix_ms: event.at,
                up_ms: event.up_ms,
                boot: event.boot,
                kind: event.kind,
                node: Some(event.node).filter(|node| !node.is_empty()).unwrap_or_else(unknown),
                principal: event.principal.unwrap_or_else(nobody),
                detail: event.detail.into_iter().map(|(key, value)| (key, text(value))).collect(),
                text: event.text,
            }
        }
        Item::Gap { after, until } => v1::Event {
            seq: until,
            kind: Event::GAP.to_owned(),
            node: unknown(),
            principal: nobody(),
            text: format!("events after {after} up to {until} may be missing"),
            ..v1::Event::default()
        },
    }
}

/// The name of a node that did not say yet what it is called.
fn unknown() -> String {
    "unknown".to_owned()
}

/// The key of one.
fn nobody() -> String {
    crux_crdt::Principal([0; 32]).to_string()
}
