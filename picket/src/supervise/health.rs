//! `grpc.health.v1` of the picket: from what the engine shows, also while the fulcrum is away.
//!
//! | name | serves |
//! |---|---|
//! | (empty): the node | until it stops |
//! | a service, an instance, the path of a service or of a registration | while one of that name is *up* or *degraded* |
//!
//! The fulcrum has the same list, so that its socket gives the same answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use crux_client::health::{Statuses, is_serving};
use crux_client::model::ServiceStatus;
use crux_crdt::record::ServiceKey;
use crux_crdt::service::RegisterAs;
use crux_protocol::picket::{Row, Status};
use tokio::sync::watch;

use super::shell::Shell;
use super::show::status;
use crate::link::{Ready, Stated};

/// Everything that has a health.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Book {
    /// The node stops. Until then it serves, with a fulcrum or while that is away: services run in either case.
    stops: bool,
    /// Names of services, of instances, and paths; whether each serves.
    pub(super) named: BTreeMap<String, bool>,
}

impl Book {
    /// `keys`: the registrations that belong to a row.
    fn of(
        rows: &[Row],
        node: Option<&Ready>,
        keys: impl Fn(&Row) -> Vec<ServiceKey>,
        stops: bool,
    ) -> Self {
        let mut named = BTreeMap::new();
        let mut add = |name: String, serves: bool| *named.entry(name).or_insert(false) |= serves;
        for row in rows {
            let serves = is_serving(status(row));
            add(row.service.to_string(), serves);
            if let Some(instance) = &row.instance {
                add(instance.to_string(), serves);
            }
            let Some(node) = node else { continue };
            let Row { horde, service, rev, ordinal, .. } = row.clone();
            let own = ServiceKey { horde, service, rev, ordinal };
            for ServiceKey { horde, service, rev, .. } in keys(row).into_iter().chain([own]) {
                add(format!("/{}/{horde}/{}/{service}/{rev}", node.flock, node.node), serves);
            }
        }
        Self { stops, named }
    }
}

/// Where health is looked up.
#[derive(Debug, Clone)]
pub(crate) struct Health(pub(crate) watch::Receiver<Arc<Book>>);

impl Statuses for Health {
    fn serves(&self, name: &str) -> Option<bool> {
        let book = self.0.borrow();
        match name {
            "" => Some(!book.stops),
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
        let keys = |row: &Row| self.keys_of(row);
        let book = Book::of(&rows, self.node.ready(), keys, self.is_stopping);
        let named = book.named.clone();
        self.book.send_if_modified(|shown| {
            let is_new = **shown != book;
            if is_new {
                *shown = Arc::new(book);
            }
            is_new
        });
        let statuses = self.statuses();
        self.post.state(statuses, named);
    }

    /// Under which keys the instance of a row is registered while it is well.
    pub(super) fn keys_of(&self, row: &Row) -> Vec<ServiceKey> {
        let wanted = self.engine.wanted_of(&row.service);
        let all = wanted.into_iter().flat_map(|it| [Some(&it.current), it.previous.as_ref()]);
        let config = all.flatten().find(|it| it.number == row.version).map(|it| &it.config);
        let names = config.map(|config| config.registered_as()).unwrap_or_default().into_iter();
        let key = |RegisterAs { service, rev, .. }: RegisterAs| {
            let (horde, ordinal) = (row.horde.clone(), row.ordinal);
            ServiceKey { horde, service, rev, ordinal }
        };
        names.map(key).collect()
    }

    /// The statuses of registrations for the fulcrum: as the engine wants others to see them.
    fn statuses(&self) -> Vec<Stated> {
        let seen = |status: &Status| match status {
            Status::Degraded => ServiceStatus::Degraded,
            Status::Unknown => ServiceStatus::Unknown,
        };
        let up = self.post.registered().map(|key| (key.clone(), ServiceStatus::Up));
        let mut all: BTreeMap<ServiceKey, ServiceStatus> = up.collect();
        all.extend(self.unwell.iter().map(|(key, status)| (key.clone(), seen(status))));
        all.into_iter().map(|(key, status)| Stated { key, status }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, row};
    use super::*;
    use crux_protocol::picket::RunState;

    fn of(rows: &[Row], keys: impl Fn(&Row) -> Vec<ServiceKey>, stops: bool) -> Health {
        let book = Book::of(rows, Some(&testing::ready()), keys, stops);
        Health(watch::channel(Arc::new(book)).1)
    }

    #[test]
    fn a_service_serves_while_one_of_its_instances_does() {
        let rows = [
            row("web", "web-v1-1-a", RunState::Degraded),
            row("web", "web-v1-2-b", RunState::Failed),
        ];
        let health = of(&rows, |_| Vec::new(), false);
        let all = ["web", "/dev/main/n1/web/v1", "web-v1-1-a", "web-v1-2-b", "dns"];
        let said = all.map(|name| health.serves(name));
        assert_eq!(said, [Some(true), Some(true), Some(true), Some(false), None]);
        assert_eq!(health.serves("crux.v1.Services"), Some(true));
    }

    #[test]
    fn the_paths_of_registrations_are_names_too() {
        let key = |row: &Row| ServiceKey {
            horde: row.horde.clone(),
            service: "front".parse().unwrap(),
            rev: "r7".parse().unwrap(),
            ordinal: row.ordinal,
        };
        let rows = [row("web", "web-v1-1-a", RunState::Up)];
        let health = of(&rows, |row| vec![key(row)], false);
        for path in ["/dev/main/n1/front/r7", "/dev/main/n1/web/v1"] {
            assert_eq!(health.serves(path), Some(true), "{path}");
        }
        assert_eq!(health.serves("/dev/main/n1/front/v1"), None);
    }

    /// Also before anything is known of services and of the fulcrum.
    #[test]
    fn the_node_serves_until_it_stops() {
        let first = Health(watch::channel(Arc::new(Book::default())).1);
        assert_eq!(first.serves(""), Some(true));
        assert_eq!(of(&[], |_| Vec::new(), false).serves(""), Some(true));
        assert_eq!(of(&[], |_| Vec::new(), true).serves(""), Some(false));
    }
}
