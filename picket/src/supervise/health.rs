//! `grpc.health.v1` of the picket: from what the engine shows, also while the fulcrum is away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crux_client::health::{Statuses, is_serving};
use crux_client::model::ServiceStatus;
use crux_crdt::name::ServiceName;
use crux_crdt::record::ServiceKey;
use crux_protocol::picket::{Row, RunState, Status};
use tokio::sync::watch;

use super::shell::Shell;
use super::show::status;
use crate::link::{Ready, Stated};

/// Everything that has a health.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Book {
    /// The node serves: its fulcrum is attached.
    node: bool,
    /// Names of services, of instances, and paths; whether each serves.
    named: BTreeMap<String, bool>,
}

impl Book {
    /// `paths`: under which services and revisions a service is registered, beside its own name.
    fn of(
        rows: &[Row],
        node: Option<&Ready>,
        attached: bool,
        paths: impl Fn(&ServiceName) -> Vec<(ServiceName, ServiceName)>,
    ) -> Self {
        let mut named = BTreeMap::new();
        let mut add = |name: String, serves: bool| *named.entry(name).or_insert(false) |= serves;
        for row in rows {
            let serves = is_serving(status(row.state));
            add(row.service.to_string(), serves);
            if let Some(instance) = &row.instance {
                add(instance.to_string(), serves);
            }
            if let Some(node) = node {
                let Row { horde, service, rev, .. } = row;
                let own = (service.clone(), rev.clone());
                let all = BTreeSet::from_iter(paths(service).into_iter().chain([own]));
                for (service, rev) in all {
                    add(format!("/{}/{horde}/{}/{service}/{rev}", node.flock, node.node), serves);
                }
            }
        }
        Self { node: attached, named }
    }
}

/// Where health is looked up.
#[derive(Debug, Clone)]
pub(crate) struct Health(pub(crate) watch::Receiver<Arc<Book>>);

impl Statuses for Health {
    fn serves(&self, name: &str) -> Option<bool> {
        let book = self.0.borrow();
        match name {
            "" => Some(book.node),
            "crux.v1.Services" => Some(true),
            name => book.named.get(name).copied(),
        }
    }

    async fn changed(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }
}

impl Shell {
    /// Shows how everything is: to those who ask the picket, and to the fulcrum.
    pub(super) fn show_health(&mut self) {
        let rows = self.engine.rows();
        let paths = |name: &ServiceName| {
            let config = self.engine.wanted_of(name).map(|wanted| &wanted.current.config);
            let all = config.map(|config| config.registered_as()).unwrap_or_default();
            all.into_iter().map(|it| (it.service, it.rev)).collect()
        };
        let book = Book::of(&rows, self.node.ready(), self.post.is_attached(), paths);
        self.book.send_if_modified(|shown| {
            let is_new = **shown != book;
            if is_new {
                *shown = Arc::new(book);
            }
            is_new
        });
        let statuses = self.statuses(&rows);
        self.post.state(statuses);
    }

    /// What the fulcrum is told: of what is registered what the engine wants others to see, and what is up and not
    /// registered.
    fn statuses(&self, rows: &[Row]) -> Vec<Stated> {
        let seen = |status: &Status| match status {
            Status::Degraded => ServiceStatus::Degraded,
            Status::Unknown => ServiceStatus::Unknown,
        };
        let own = rows.iter().filter(|row| matches!(row.state, RunState::Up | RunState::Degraded));
        let own = own.map(|row| {
            let (horde, service, rev) = (row.horde.clone(), row.service.clone(), row.rev.clone());
            (ServiceKey { horde, service, rev, ordinal: row.ordinal }, ServiceStatus::Up)
        });
        let mut all: BTreeMap<ServiceKey, ServiceStatus> = own.collect();
        all.extend(self.post.registered().map(|key| (key.clone(), ServiceStatus::Up)));
        all.extend(self.unwell.iter().map(|(key, status)| (key.clone(), seen(status))));
        all.into_iter().map(|(key, status)| Stated { key, status }).collect()
    }
}

#[cfg(test)]
mod tests {
    use crux_protocol::picket::InstanceId;
    use crux_protocol::time::Instant;

    use super::super::testing;
    use super::*;

    fn row(name: &str, instance: &str, state: RunState) -> Row {
        Row {
            service: name.parse().unwrap(),
            rev: "v1".parse().unwrap(),
            ordinal: 0,
            horde: "main".parse().unwrap(),
            instance: Some(InstanceId::new(instance)),
            state,
            since: Instant::ORIGIN,
            pid: None,
            restarts: 0,
            image: testing::BLOB,
            sealed: None,
            ports: BTreeMap::new(),
            reason: String::new(),
        }
    }

    #[test]
    fn a_service_serves_while_one_of_its_instances_does() {
        let rows = [
            row("web", "web-v1-1-a", RunState::Degraded),
            row("web", "web-v1-2-b", RunState::Failed),
        ];
        let (_shown, read) =
            watch::channel(Arc::new(Book::of(&rows, Some(&testing::ready()), false, |_| {
                vec![("web2".parse().unwrap(), "v9".parse().unwrap())]
            })));
        let health = Health(read);
        let all = [
            "web",
            "/dev/main/n1/web/v1",
            "/dev/main/n1/web2/v9",
            "web-v1-1-a",
            "web-v1-2-b",
            "dns",
            "",
            "crux.v1.Services",
        ];
        let said = all.map(|name| health.serves(name));
        assert_eq!(
            said,
            [
                Some(true),
                Some(true),
                Some(true),
                Some(true),
                Some(false),
                None,
                Some(false),
                Some(true)
            ]
        );
    }
}
