//! The snapshot.

use std::collections::BTreeMap;

use crux_client::model::{Joining, Leader, Member, MemberCounts, MemberState, Service, Status};
use crux_crdt::blob::{BlobId, Descriptor};
use crux_crdt::name::Label;
use crux_crdt::path::Query;
use crux_crdt::{Digest, Principal};

/// What a node sees at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Who leads, from this node's view.
    pub leader: Option<Leader>,
    /// Whether it is in a flock with others.
    pub joining: Joining,
    /// Every member it knows, itself included, in any state. In the order they are shown.
    pub members: Vec<Member>,
    /// Every registration it knows, live or not, each path once. In any order.
    pub services: Vec<Service>,
    /// The members that offer each blob, this node itself included, with what it signed of it; shown dead or not.
    pub holders: BTreeMap<BlobId, Vec<(Principal, Descriptor)>>,
}

impl View {
    /// What the node says about itself.
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
            members: self.counts(),
            services: self.services.iter().filter(|service| service.live).count() as u64,
            blobs: 0,
            blob_bytes_sent: 0,
            blob_bytes_fetched: 0,
        }
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

    /// The services a query matches, ordered by path; live ones, or with `all` the rest too.
    pub fn services(&self, query: &Query, all: bool) -> Vec<&Service> {
        let wanted = |service: &&Service| (all || service.live) && query.matches(&service.path);
        let mut services: Vec<_> = self.services.iter().filter(wanted).collect();
        services.sort_by(|a, b| a.path.cmp(&b.path));
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
}
