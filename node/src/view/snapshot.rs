//! The snapshot.

use std::sync::Arc;

use crux_client::model::{
    Joining, Leader, Member, MemberCounts, MemberState, NodeUse, Service, Status,
};
use crux_client::order;
use crux_crdt::document::Documents;
use crux_crdt::name::Label;
use crux_crdt::path::Query;
use crux_crdt::record::SlotKind;
use crux_crdt::{Digest, Principal};
use crux_protocol::proctor::Assignment;
use crux_protocol::proctor::planner::{self, Newest};

use super::Said;

/// Everything that the leader of a horde plans from, beside the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leads {
    /// The term in which the node leads.
    pub term: u64,
    /// The nodes; none without a target.
    pub nodes: planner::View,
    /// The greatest plan that counts; none: there is none.
    pub newest: Option<Newest>,
}

impl Leads {
    /// Of a flock without a target, for which nobody looks at every node on every change.
    pub fn without_target(term: u64) -> Self {
        Self { term, nodes: planner::View::default(), newest: None }
    }
}

/// The state that a node sees at one moment.
#[derive(Debug, Clone)]
pub struct View {
    /// The flock's name.
    pub flock: Label,
    /// The flock's identity.
    pub flock_id: Digest,
    /// The node, as it is shown.
    pub node: Label,
    /// The name that it claims, if another member holds it.
    pub lost_name: Option<Label>,
    /// Its key.
    pub principal: Principal,
    /// How often it started.
    pub incarnation: u64,
    /// Covers durable records only; still while nothing changes.
    pub state_digest: Digest,
    /// The leader, from this node's view.
    pub leader: Option<Leader>,
    /// Whether it is in a flock with others.
    pub joining: Joining,
    /// Every member it knows, itself included, in any state. By name, as they are shown.
    pub members: Vec<Member>,
    /// Every registration it knows, live or not, each path and ordinal once. In any order.
    pub services: Vec<Service>,
    /// The other statements of members' records.
    pub said: Said,
    /// The operator's public key; `None` for a flock without an operator.
    pub operator: Option<Principal>,
    /// The documents that it holds.
    pub documents: Arc<Documents>,
    /// The node's part of every plan for its horde, whoever made it.
    pub plans: Vec<Assignment>,
    /// What the node plans its horde from; none: it does not lead.
    pub leads: Option<Arc<Leads>>,
}

impl View {
    /// Whether a member that is alive, or only suspected, says something under a key. One that left, is dead or is
    /// unknown here says it to nobody.
    pub fn is_said_live<K: SlotKind>(&self, key: &K::Key) -> bool {
        let live = |state| matches!(state, MemberState::Alive | MemberState::Suspect);
        let is_live = |by| self.members.iter().any(|it| it.principal == by && live(it.state));
        self.said.of::<K>(key).any(|(by, _)| is_live(by))
    }

    /// The node's statement about itself.
    pub fn status(&self) -> Status {
        Status {
            flock: self.flock.clone(),
            flock_id: self.flock_id,
            node: self.node.clone(),
            lost_name: self.lost_name.as_ref().map(ToString::to_string),
            principal: self.principal,
            incarnation: self.incarnation,
            state_digest: self.state_digest,
            leader: self.leader.clone(),
            joining: self.joining,
            node_use: self.node_use(),
            members: self.counts(),
            services: self.services.iter().filter(|service| service.live).count() as u64,
            blobs: 0,
            blob_bytes_sent: 0,
            blob_bytes_fetched: 0,
            pid: 0,
            picket_pid: None,
        }
    }

    /// The use that targets make of the node.
    fn node_use(&self) -> NodeUse {
        let me = self.members.iter().find(|member| member.principal == self.principal);
        me.map(|member| member.node_use).unwrap_or_default()
    }

    /// How many members are in which state.
    pub fn counts(&self) -> MemberCounts {
        let mut counts = MemberCounts::default();
        for member in &self.members {
            match member.state {
                MemberState::Alive => counts.alive += 1,
                MemberState::Suspect => counts.suspect += 1,
                MemberState::Dead => counts.dead += 1,
                MemberState::Left | MemberState::Retired | MemberState::Evicted => {}
            }
        }
        counts
    }

    /// The services a query matches, in [`order::by_path`] and by ordinal; live ones, or with `all` the rest too.
    pub fn services(&self, query: &Query, all: bool) -> Vec<&Service> {
        let wanted = |service: &&Service| (all || service.live) && query.matches(&service.path);
        let mut services: Vec<_> = self.services.iter().filter(wanted).collect();
        services.sort_by(|a, b| order::by_service(a, b));
        services
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{service, view};
    use super::*;

    #[test]
    fn counts_leave_out_who_is_gone() {
        let view = view();
        assert_eq!(view.counts(), MemberCounts { alive: 2, suspect: 1, dead: 1 });
        assert_eq!(view.members.len(), 7);
    }

    #[test]
    fn instances_at_one_path_are_ordered_by_their_ordinals() {
        let instance = |ordinal| Service { ordinal, ..service("n1", "web", "r1") };
        let services = vec![instance(10), service("n1", "xen", "r1"), instance(2), instance(0)];
        let view = View { services, ..view() };
        let found = view.services(&"*/*/n1".parse().unwrap(), false);
        let keys: Vec<_> = found.iter().map(|it| (it.path.service.as_str(), it.ordinal)).collect();
        assert_eq!(keys, [("web", 0), ("web", 2), ("web", 10), ("xen", 0)]);
        // A caller gets any of them.
        let resolved: Vec<_> = (0..3).map(|n| view.resolve("web", n).unwrap().ordinal).collect();
        assert_eq!(resolved, [0, 2, 10]);
    }

    #[test]
    fn queries_hide_what_is_not_live() {
        let mut view = view();
        view.services = vec![service("n2", "web", "r1"), service("n1", "web", "r1")];
        view.services[0].live = false;
        let paths = |query: &str, all| -> Vec<String> {
            let found = view.services(&query.parse().unwrap(), all);
            found.iter().map(|service| service.path.to_string()).collect()
        };
        assert_eq!(paths("", false), ["/dev/main/n1/web/r1"]);
        assert_eq!(paths("", true), ["/dev/main/n1/web/r1", "/dev/main/n2/web/r1"]);
        assert_eq!(paths("*/*/n2", true), ["/dev/main/n2/web/r1"]);
        assert!(paths("*/*/n2", false).is_empty());
        assert_eq!(view.status().services, 1);
    }

    #[test]
    fn services_are_in_the_order_of_their_names_and_numbers() {
        let nodes = ["n10", "n2", "n1"];
        let services = nodes.map(|node| service(node, "web", "r1")).into();
        let view = View { services, ..view() };
        let found = view.services(&Query::default(), false);
        let nodes: Vec<_> = found.iter().map(|service| service.path.node.as_str()).collect();
        assert_eq!(nodes, ["n1", "n2", "n10"]);
    }
}
