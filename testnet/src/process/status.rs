//! The answers of all running nodes at one look, side by side.

use std::fmt;

use crux_client::model::{Leader, Status};
use crux_crdt::Digest;

/// The answer of one node.
#[derive(Debug, Clone)]
pub struct NodeSaid {
    /// The node asked, by the testnet's name for it.
    pub node: String,
    /// Its status, or why there was none.
    pub said: Result<Status, String>,
}

/// The answers of all running nodes at one look.
#[derive(Debug, Clone)]
pub struct FlockStatus(pub Vec<NodeSaid>);

impl FlockStatus {
    /// The statuses, if every node answered.
    #[must_use]
    pub fn all(&self) -> Option<Vec<&Status>> {
        self.0.iter().map(|node| node.said.as_ref().ok()).collect()
    }

    /// Those that answered.
    pub fn answered(&self) -> impl Iterator<Item = &Status> {
        self.0.iter().filter_map(|node| node.said.as_ref().ok())
    }

    /// The one digest all of them have; `None` while they differ or someone is silent.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        let all = self.all()?;
        let first = all.first()?.state_digest;
        all.iter().all(|status| status.state_digest == first).then_some(first)
    }

    /// The one leader all of them see; `None` while they differ or someone is silent.
    #[must_use]
    pub fn leader(&self) -> Option<&Leader> {
        let all = self.all()?;
        let first = all.first()?.leader.as_ref()?;
        all.iter().all(|status| status.leader.as_ref() == Some(first)).then_some(first)
    }

    /// Whether the running nodes are one flock: each sees exactly them alive and none suspect, all
    /// have one digest and one leader.
    #[must_use]
    pub fn is_agreed(&self) -> bool {
        self.digest().is_some() && self.leader().is_some() && self.0.len() == self.meeting()
    }

    /// How many see all the running nodes alive and none suspect.
    #[must_use]
    pub fn meeting(&self) -> usize {
        let sees_all = |status: &&Status| {
            let counts = status.members;
            usize::try_from(counts.alive) == Ok(self.0.len()) && counts.suspect == 0
        };
        self.answered().filter(sees_all).count()
    }

    /// Whether every node counts `dead` dead members.
    #[must_use]
    pub fn all_count_dead(&self, dead: u32) -> bool {
        self.all().is_some_and(|all| all.iter().all(|status| status.members.dead == dead))
    }

    /// Whether every node counts `services` live registrations.
    #[must_use]
    pub fn all_count_services(&self, services: u64) -> bool {
        self.all().is_some_and(|all| all.iter().all(|status| status.services == services))
    }
}

impl fmt::Display for FlockStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, node) in self.0.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            match &node.said {
                Ok(status) => write!(f, "  {}: {}", node.node, OneLine(status))?,
                Err(why) => write!(f, "  {}: no answer: {why}", node.node)?,
            }
        }
        Ok(())
    }
}

/// A status on one line.
struct OneLine<'a>(&'a Status);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.0;
        let counts = status.members;
        write!(f, "alive {}, suspect {}, dead {}", counts.alive, counts.suspect, counts.dead)?;
        match &status.leader {
            Some(leader) => write!(f, "; leader {} at {}", leader.node, leader.term)?,
            None => write!(f, "; no leader")?,
        }
        write!(
            f,
            "; digest {}; services {}; incarnation {}",
            crate::view::short(&status.state_digest.to_string()),
            status.services,
            status.incarnation
        )
    }
}

#[cfg(test)]
mod tests {
    use crux_client::model::{Joining, MemberCounts};
    use crux_crdt::Principal;

    use super::*;

    fn said(node: &str, alive: u32, digest: u8, leader: Option<&str>) -> NodeSaid {
        let leader = leader.map(|name| Leader {
            node: name.parse().expect("a name"),
            principal: Principal([1; 32]),
            term: 1,
        });
        let status = Status {
            flock: "f".parse().expect("a name"),
            flock_id: Digest([0; 32]),
            node: node.parse().expect("a name"),
            lost_name: None,
            principal: Principal([2; 32]),
            incarnation: 1,
            state_digest: Digest([digest; 32]),
            leader,
            joining: Joining::Joined,
            members: MemberCounts { alive, ..Default::default() },
            services: 0,
            blobs: 0,
            blob_bytes_sent: 0,
            blob_bytes_fetched: 0,
            pid: 7,
            node_use: crux_client::model::NodeUse::Open,
            picket_pid: Some(6),
        };
        NodeSaid { node: node.to_owned(), said: Ok(status) }
    }

    #[test]
    fn two_that_see_each_other_with_one_digest_and_leader_agree() {
        let both = FlockStatus(vec![said("a", 2, 0xd, Some("a")), said("b", 2, 0xd, Some("a"))]);
        assert!(both.is_agreed());
        assert_eq!(both.digest(), Some(Digest([0xd; 32])));
    }

    #[test]
    fn differing_digests_leaders_or_counts_are_no_agreement() {
        let a = said("a", 2, 0xd, Some("a"));
        for b in [
            said("b", 2, 0xe, Some("a")),
            said("b", 2, 0xd, Some("b")),
            said("b", 2, 0xd, None),
            said("b", 1, 0xd, Some("a")),
        ] {
            assert!(!FlockStatus(vec![a.clone(), b]).is_agreed());
        }
    }

    #[test]
    fn a_silent_node_is_no_agreement_and_is_named_with_its_reason() {
        let silent = NodeSaid { node: "b".to_owned(), said: Err("no socket".to_owned()) };
        let both = FlockStatus(vec![said("a", 2, 0xd, Some("a")), silent]);
        assert!(!both.is_agreed() && both.digest().is_none() && both.leader().is_none());
        assert!(both.to_string().contains("b: no answer: no socket"));
    }
}
