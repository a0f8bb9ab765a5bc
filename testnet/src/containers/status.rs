use std::fmt;

use crux_sim::scenario::Seen;
use serde::Deserialize;

/// What a node in a container says of the flock: a part of `crux-node status --json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Status {
    #[serde(default)]
    pub(super) principal: String,
    pub(super) state_digest: String,
    pub(super) leader: Option<Leader>,
    pub(super) members: Members,
    pub(super) services: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Leader {
    pub(super) node: String,
    pub(super) term: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Members {
    pub(super) alive: usize,
    pub(super) suspect: usize,
    pub(super) dead: usize,
}

/// A member as a node shows it: a part of `crux-node members --json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Shown {
    pub(super) node: String,
    pub(super) principal: String,
    state: String,
}

impl Shown {
    /// Whether it is shown as that.
    pub(super) fn is(&self, state: Seen) -> bool {
        match state {
            Seen::Alive => self.state == "alive",
            Seen::Suspect => self.state == "suspect",
            Seen::Dead => self.state == "dead",
            Seen::Doubted => self.state == "suspect" || self.state == "dead",
            Seen::NotDead => self.state == "alive" || self.state == "suspect",
            Seen::Left => self.state == "left",
            Seen::Retired => self.state == "retired",
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.node, self.state)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Members { alive, suspect, dead } = self.members;
        write!(f, "alive {alive}, suspect {suspect}, dead {dead}; services {}; ", self.services)?;
        match &self.leader {
            Some(leader) => write!(f, "leader {} at {}; ", leader.node, leader.term)?,
            None => f.write_str("no leader; ")?,
        }
        write!(f, "digest {}", crate::view::short(&self.state_digest))
    }
}

/// Whether these agree on one leader and one state, and each counts exactly these members.
pub(super) fn agree(all: &[Status], alive: usize, dead: usize) -> bool {
    let same = all.windows(2).all(|pair| {
        pair[0].state_digest == pair[1].state_digest && pair[0].leader == pair[1].leader
    });
    let counts = Members { alive, suspect: 0, dead };
    same && all.iter().all(|status| status.leader.is_some() && status.members == counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(digest: &str, leader: Option<&str>, alive: usize) -> Status {
        let leader = leader.map(|node| Leader { node: node.to_owned(), term: 1 });
        let members = Members { alive, suspect: 0, dead: 0 };
        let principal = String::new();
        Status { principal, state_digest: digest.to_owned(), leader, members, services: 0 }
    }

    #[test]
    fn one_digest_one_leader_and_the_counts_make_agreement() {
        let one = status("a", Some("n1"), 2);
        assert!(agree(&[one.clone(), one.clone()], 2, 0));
        for other in [
            status("b", Some("n1"), 2),
            status("a", Some("n2"), 2),
            status("a", None, 2),
            status("a", Some("n1"), 1),
        ] {
            assert!(!agree(&[one.clone(), other], 2, 0));
        }
        assert!(!agree(&[status("a", None, 1)], 1, 0), "nobody leads");
    }

    #[test]
    fn what_a_node_prints_is_read() {
        let text = r#"{"flock":"x","state_digest":"ab","leader":{"node":"n1","principal":"p","term":3},
            "members":{"alive":5,"suspect":0,"dead":1},"services":2,"blobs":0}"#;
        let read: Status = serde_json::from_str(text).expect("a status");
        assert_eq!(read.members, Members { alive: 5, suspect: 0, dead: 1 });
        assert_eq!(read.leader.map(|leader| leader.term), Some(3));
    }
}
