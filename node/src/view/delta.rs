//! What changed between two snapshots.

use std::collections::BTreeMap;

use crux_client::model::Service;
use crux_client::order;
use crux_crdt::path::Query;

use super::View;

/// What changed for a query. Applying it to the old answer gives the new one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delta {
    /// New, or changed: replaces the one with the same path and ordinal. Ordered by both.
    pub added: Vec<Service>,
    /// No longer in the answer, as it was. Ordered by path and ordinal.
    pub removed: Vec<Service>,
}

impl Delta {
    /// What changed from `old` to `new` in the answer to the query.
    pub fn between(old: &View, new: &View, query: &Query, all: bool) -> Self {
        let index = |view| -> BTreeMap<_, &Service> {
            let services = View::services(view, query, all);
            services.into_iter().map(|service| (service.key(), service)).collect()
        };
        let (old, new) = (index(old), index(new));
        let added = new.iter().filter(|(key, service)| old.get(*key) != Some(*service));
        let removed = old.iter().filter(|(key, _)| !new.contains_key(*key));
        Self {
            added: in_order(added.map(|(_, service)| *service)),
            removed: in_order(removed.map(|(_, service)| *service)),
        }
    }

    /// How many events it has.
    pub fn len(&self) -> usize {
        self.added.len() + self.removed.len()
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The services as they are shown.
fn in_order<'a>(services: impl Iterator<Item = &'a Service>) -> Vec<Service> {
    let mut services: Vec<_> = services.cloned().collect();
    services.sort_by(order::by_service);
    services
}

#[cfg(test)]
mod tests {
    use crux_client::model::ServiceStatus;
    use proptest::prelude::*;

    use super::super::testing::{service, view};
    use super::*;

    fn with(services: Vec<Service>) -> View {
        View { services, ..view() }
    }

    #[test]
    fn new_changed_and_gone() {
        let old = with(vec![service("n1", "a", "r1"), service("n1", "b", "r1")]);
        let mut changed = service("n1", "a", "r1");
        changed.status = ServiceStatus::Down;
        let new = with(vec![service("n2", "c", "r1"), changed.clone()]);
        let delta = Delta::between(&old, &new, &Query::default(), false);
        assert_eq!(delta.added, [changed, service("n2", "c", "r1")]);
        assert_eq!(delta.removed, [service("n1", "b", "r1")]);
        assert!(Delta::between(&new, &new, &Query::default(), false).is_empty());
    }

    #[test]
    fn what_changed_is_in_the_order_in_which_it_is_shown() {
        let all = with(["n10", "n2", "n1"].map(|node| service(node, "web", "r1")).into());
        let order = |services: &[Service]| {
            services.iter().map(|one| one.path.node.to_string()).collect::<Vec<_>>()
        };
        let come = Delta::between(&with(Vec::new()), &all, &Query::default(), false);
        let gone = Delta::between(&all, &with(Vec::new()), &Query::default(), false);
        assert_eq!(order(&come.added), ["n1", "n2", "n10"]);
        assert_eq!(order(&gone.removed), ["n1", "n2", "n10"]);
    }

    #[test]
    fn a_service_that_is_no_longer_live_is_gone_unless_all_are_asked_for() {
        let old = with(vec![service("n1", "a", "r1")]);
        let mut dead = service("n1", "a", "r1");
        dead.live = false;
        let new = with(vec![dead.clone()]);
        let live = Delta::between(&old, &new, &Query::default(), false);
        assert_eq!((live.added.len(), live.removed.len()), (0, 1));
        let all = Delta::between(&old, &new, &Query::default(), true);
        assert_eq!((all.added, all.removed), (vec![dead], vec![]));
    }

    fn services() -> impl Strategy<Value = Vec<Service>> {
        let one = (0..3_usize, 0..3_usize, 0..2_u16, any::<bool>(), 0..4_usize, any::<bool>());
        proptest::collection::vec(one, 0..8).prop_map(|all| {
            let mut services = BTreeMap::new();
            for (node, name, ordinal, live, status, labelled) in all {
                let mut service = service(["n1", "n2", "n3"][node], ["a", "b", "c"][name], "r1");
                service.ordinal = ordinal;
                service.live = live;
                service.status = ServiceStatus::ALL[status];
                let label = labelled.then(|| ("zone".to_owned(), "b".to_owned()));
                service.labels = label.into_iter().collect();
                services.insert((service.path.clone(), ordinal), service);
            }
            services.into_values().collect()
        })
    }

    proptest! {
        #[test]
        fn applying_a_delta_gives_the_new_answer(
            old in services(),
            new in services(),
            all in any::<bool>(),
            query in prop_oneof![Just(""), Just("*/*/n1"), Just("*/*/*/b")],
        ) {
            let (old, new, query) = (with(old), with(new), query.parse().unwrap());
            let answer = |view: &View| -> BTreeMap<_, _> {
                let found = view.services(&query, all).into_iter().cloned();
                found.map(|it| ((it.path.clone(), it.ordinal), it)).collect()
            };
            let mut applied = answer(&old);
            let delta = Delta::between(&old, &new, &query, all);
            for service in &delta.removed {
                prop_assert!(applied.remove(&(service.path.clone(), service.ordinal)).is_some());
            }
            for service in delta.added {
                applied.insert((service.path.clone(), service.ordinal), service);
            }
            prop_assert_eq!(applied, answer(&new));
        }
    }
}
