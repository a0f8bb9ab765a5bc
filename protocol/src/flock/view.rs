use std::collections::BTreeMap;

use crux_crdt::Principal;
use crux_crdt::name::Label;
use crux_crdt::path::Endpoint;
use crux_crdt::strew::DepartureKind;

use super::State;
use crate::dial;
use crate::liveness::Liveness;

/// What a member is, as this node shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemberState {
    /// Heard of.
    Alive,
    /// Some observers hear nothing of it.
    Suspect,
    /// Gone, or not heard yet.
    Dead,
    /// It left.
    Left,
    /// Others retired it.
    Retired,
}

impl MemberState {
    /// Whether it counts as alive. One that only some observers do not hear does.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Alive | Self::Suspect)
    }

    /// Whether it is a member no more.
    pub const fn has_departed(self) -> bool {
        matches!(self, Self::Left | Self::Retired)
    }
}

/// A member, as this node shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberView {
    /// The name shown.
    pub node: Label,
    /// Its key.
    pub principal: Principal,
    /// Where it says it is.
    pub addresses: Vec<Endpoint>,
    /// What it is.
    pub state: MemberState,
    /// Its incarnation.
    pub incarnation: u64,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The version of Crux that it says it runs; may be empty.
    pub version: String,
}

impl State {
    /// Every member of which a record is held, by principal.
    pub fn members(&self) -> Vec<MemberView> {
        self.strew
            .records()
            .filter(|record| self.strew.membership().contains(&record.author()))
            .map(|record| MemberView {
                node: self.names.of(&record.author()),
                principal: record.author(),
                addresses: record.profile().addresses.clone(),
                state: self.member_state(&record.author()),
                incarnation: record.marker().incarnation,
                labels: record.profile().labels.clone(),
                version: record.profile().version.clone(),
            })
            .collect()
    }

    /// Live members whose last beacon showed another state digest than this node's.
    pub fn other_digests(&self) -> Vec<Principal> {
        self.liveness.other_digests()
    }

    /// The entries of `--join`, and what came of them.
    pub fn seeds(&self) -> Vec<dial::Seed> {
        self.dial.seeds(|peer| self.strew.membership().contains(peer))
    }

    /// Whether this node knows other members than itself.
    pub fn has_joined(&self) -> bool {
        self.strew.membership().members().nth(1).is_some()
    }

    /// What a member is.
    pub fn member_state(&self, member: &Principal) -> MemberState {
        let incarnation = self.strew.record(member).map_or(0, |r| r.marker().incarnation);
        match self.strew.membership().departed(member, incarnation) {
            Some(DepartureKind::Left) => MemberState::Left,
            Some(DepartureKind::Retired) => MemberState::Retired,
            None => match self.liveness.liveness(member) {
                Liveness::Alive => MemberState::Alive,
                Liveness::Suspect => MemberState::Suspect,
                Liveness::Dead => MemberState::Dead,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_only_some_do_not_hear_lives_and_a_dead_one_has_not_departed() {
        use MemberState::{Alive, Dead, Left, Retired, Suspect};
        let all = [Alive, Suspect, Dead, Left, Retired];
        assert_eq!(all.map(MemberState::is_live), [true, true, false, false, false]);
        assert_eq!(all.map(MemberState::has_departed), [false, false, false, true, true]);
    }
}
