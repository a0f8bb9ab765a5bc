//! Health of this node and of its services, as `grpc.health.v1` on the control socket has it.
//!
//! | name | what it is | serves |
//! |---|---|---|
//! | (empty) | the node | while it serves and, where it has a picket, that is connected |
//! | `crux.v1.Control`, `crux.v1.Documents` | the control API | while it serves |
//! | `crux.v1.Blobs` | the blobs | from when `--preload` is done |
//! | a service, a path, an instance | services of this node under that name | if one of them is *up* or *degraded* |
//!
//! Services are those that the node registered, and all that its picket runs, whether that is up or not: those have the
//! names that they have on the picket's socket. Of what the picket runs its own word counts, at once; of the others the
//! status that the view shows.

use std::sync::Arc;

use crux_client::health::{Statuses, is_serving};
use crux_client::model::Service;
use crux_crdt::record::ServiceKey;
use tokio::sync::watch;

use crate::fulcrum::health::{Picket, Stated};
use crate::view::View;

const CONTROL: &str = "crux.v1.Control";
const DOCUMENTS: &str = "crux.v1.Documents";
const BLOBS: &str = "crux.v1.Blobs";

/// Where health is looked up.
#[derive(Debug, Clone)]
pub(super) struct NodeHealth {
    pub(super) views: watch::Receiver<Arc<View>>,
    pub(super) stated: watch::Receiver<Stated>,
    /// Turns true when the blobs are ready.
    pub(super) preloaded: watch::Receiver<bool>,
    /// Turns true when the server stops.
    pub(super) closing: watch::Receiver<bool>,
}

impl Statuses for NodeHealth {
    fn serves(&self, name: &str) -> Option<bool> {
        let serves = !*self.closing.borrow();
        match name {
            "" => Some(serves && self.stated.borrow().picket != Picket::Away),
            CONTROL | DOCUMENTS => Some(serves),
            BLOBS => Some(serves && *self.preloaded.borrow()),
            name => serves_any(&self.views.borrow(), &self.stated.borrow(), name),
        }
    }

    async fn changed(&mut self) -> bool {
        tokio::select! {
            biased;
            closing = self.closing.changed() => closing.is_ok(),
            // Once it was said that the server stops, nothing changes any more.
            () = std::future::ready(()), if *self.closing.borrow() => false,
            changed = self.views.changed() => changed.is_ok(),
            Ok(()) = self.stated.changed() => true,
            Ok(()) = self.preloaded.changed() => true,
        }
    }
}

/// Whether a service of this node under that name serves; `None`: there is none.
fn serves_any(view: &View, stated: &Stated, name: &str) -> Option<bool> {
    let registered =
        view.services.iter().filter(|service| service.net_id.principal == view.principal);
    let registered = registered.filter(|service| is_called(service, name));
    let said = |service: &Service| stated.services.as_ref()?.get(&key_of(service)).copied();
    let registered = registered.map(|service| said(service).unwrap_or(service.status));
    let mut all = registered.map(is_serving).chain(stated.named.get(name).copied()).peekable();
    all.peek()?;
    Some(all.any(|serves| serves))
}

fn key_of(service: &Service) -> ServiceKey {
    let path = &service.path;
    ServiceKey {
        horde: path.horde.clone(),
        service: path.service.clone(),
        rev: path.rev.clone(),
        ordinal: service.ordinal,
    }
}

fn is_called(service: &Service, name: &str) -> bool {
    let is_path = name.starts_with('/') && service.path.to_string() == name;
    is_path || service.path.service.as_str() == name || service.instance == name
}

#[cfg(test)]
mod tests {
    use crux_client::model::ServiceStatus;

    use super::*;
    use crate::view::testing::{service, view};

    fn stated(all: &[(&str, ServiceStatus)], named: &[(&str, bool)]) -> Stated {
        let key = |name: &str| key_of(&service("n1", name, "r1"));
        let services = all.iter().map(|(name, status)| (key(name), *status)).collect();
        let named = named.iter().map(|(name, serves)| ((*name).to_owned(), *serves)).collect();
        Stated { picket: Picket::Attached, services: Some(services), named }
    }

    fn with(services: Vec<Service>) -> View {
        View { services, ..view() }
    }

    #[test]
    fn a_service_of_this_node_has_three_names_and_those_of_others_none() {
        let view = with(vec![service("n1", "web", "r1"), service("n2", "dns", "r1")]);
        let serves = |name: &str| serves_any(&view, &Stated::default(), name);
        for name in ["web", "/dev/main/n1/web/r1", "svc-n1web"] {
            assert_eq!(serves(name), Some(true), "{name}");
        }
        for name in ["dns", "/dev/main/n2/dns/r1", "we", "/dev/main/n1/web/r2", "main", "*"] {
            assert_eq!(serves(name), None, "{name}");
        }
    }

    #[test]
    fn the_picket_s_word_counts_before_what_the_flock_was_told() {
        let view = with(vec![service("n1", "web", "r1")]);
        for status in ServiceStatus::ALL {
            let serves = serves_any(&view, &stated(&[("web", status)], &[]), "svc-n1web");
            assert_eq!(serves, Some(is_serving(status)), "{status}");
        }
    }

    /// One that is not up is there all the same: it is not the same as one that nobody knows.
    #[test]
    fn what_the_picket_runs_has_all_names_that_it_has_there() {
        let view = with(vec![service("n1", "web", "r1")]);
        let named =
            [("batch", false), ("batch-v1-1-abc", false), ("web", false), ("web-r1-1-x", true)];
        let stated = stated(&[("web", ServiceStatus::Up)], &named);
        let serves = |name: &str| serves_any(&view, &stated, name);
        assert_eq!(serves("batch"), Some(false));
        assert_eq!(serves("batch-v1-1-abc"), Some(false));
        assert_eq!(serves("web-r1-1-x"), Some(true));
        assert_eq!(serves("web"), Some(true), "another one of that name is up");
        assert_eq!(serves("batch-v1-1-ab"), None);
    }

    #[test]
    fn of_several_under_one_name_one_is_enough() {
        let second =
            Service { ordinal: 1, status: ServiceStatus::Down, ..service("n1", "web", "r1") };
        let view = with(vec![second.clone(), service("n1", "web", "r1")]);
        assert_eq!(serves_any(&view, &Stated::default(), "web"), Some(true));
        let view = with(vec![second]);
        assert_eq!(serves_any(&view, &Stated::default(), "web"), Some(false));
    }

    #[tokio::test]
    async fn a_node_serves_while_its_picket_is_there_and_until_it_stops() {
        let (_views, views) = watch::channel(Arc::new(view()));
        let (health, stated) = crate::fulcrum::health::Health::of_picket();
        let (preload, preloaded) = watch::channel(false);
        let (close, closing) = watch::channel(false);
        let mut node = NodeHealth { views, stated, preloaded, closing };
        let all =
            |node: &NodeHealth| ["", CONTROL, BLOBS].map(|name| node.serves(name) == Some(true));
        assert_eq!(all(&node), [false, true, false]);
        health.set_attached(true);
        assert!(node.changed().await);
        assert_eq!(all(&node), [true, true, false]);
        preload.send_replace(true);
        assert!(node.changed().await);
        assert_eq!(all(&node), [true; 3]);
        drop((health, preload));
        close.send_replace(true);
        assert!(node.changed().await, "it is said that the node stops");
        assert_eq!(all(&node), [false; 3]);
        assert!(!node.changed().await, "and nothing after that");
    }
}
