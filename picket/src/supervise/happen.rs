//! The engine's reports, on their way into the record of events.

use std::sync::Arc;
use std::time::Duration;

use crux_protocol::picket::{Happened, Kind};
use crux_protocol::time::Instant;
use serde_json::{Map, Value};
use tracing::warn;

use super::shell::Shell;
use super::work::Done;
use crate::clock;
use crate::events::{Draft, Events};

/// When events are tried again that the disk refused. As long as they leave it alone themselves.
const AGAIN: Duration = Duration::from_secs(1);

impl Shell {
    /// Keeps an event, and says it in the log.
    pub(super) fn happened(&mut self, happened: &Happened) {
        let draft = self.draft(happened);
        tracing::info!("{}", draft.text);
        self.events.push(draft, clock::now());
        if let (Kind::Removed, Some(service)) = (happened.kind, &happened.service) {
            self.logs.end(service);
            self.prune_logs(false);
        }
    }

    fn draft(&self, happened: &Happened) -> Draft {
        let Happened { kind, service, instance, reason } = happened;
        let name = kind.name();
        let mut detail = Map::new();
        let mut add = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                detail.insert(key.to_owned(), Value::String(value));
            }
        };
        let service = service.as_ref().map(ToString::to_string);
        let instance = instance.as_ref().map(ToString::to_string);
        add("service", service.clone());
        add("instance", instance.clone());
        add("reason", Some(reason.clone()).filter(|reason| !reason.is_empty()));
        let what = instance.or(service).unwrap_or_else(|| "fulcrum".to_owned());
        let text = match (name, reason.as_str()) {
            ("fulcrum_restarted", _) => "the fulcrum was started again".to_owned(),
            (_, "") => format!("{what}: {}", name.replace('_', " ")),
            (_, reason) => format!("{what}: {}: {reason}", name.replace('_', " ")),
        };
        let node = self.node.ready().map(|node| node.node.to_string()).unwrap_or_default();
        let principal = self.node.ready().map(|node| node.principal.to_string());
        Draft { kind: format!("plugin.{name}"), node, principal, detail, text }
    }
}

/// Writes events that wait, for ever.
pub(super) async fn write(events: Arc<Events>) -> Done {
    let mut changes = events.changes();
    loop {
        let now = clock::now();
        events.tick(now);
        changes.borrow_and_update();
        if events.wants_write(now.at) {
            let writing = Arc::clone(&events);
            let written = tokio::task::spawn_blocking(move || writing.write(clock::now())).await;
            if let Ok(Err(error)) = written {
                warn!(%error, "events cannot be written; the last of them stay in memory");
            }
        }
        // While the disk refuses, what waits is tried again.
        let waits = events.wants_write(Instant::NEVER).then(|| now.at + AGAIN);
        let due = events.deadline().into_iter().chain(waits).min();
        let due = due.map_or(Duration::MAX, |at| at.since(clock::now().at));
        let more = tokio::time::timeout(due, changes.changed()).await;
        if matches!(more, Ok(Err(_))) {
            return Done::Nothing;
        }
    }
}
