use std::collections::BTreeMap;

use super::Strew;
use crate::Principal;
use crate::name::{Label, NodeName};

/// Which member holds which name.
///
/// The holder is the first among the shown members that claim it, in this order: firm claims before
/// provisional ones ([`Profile::provisional`](crate::record::Profile::provisional)), then the more senior
/// member. A pure function, so every replica agrees, and nobody is shut down because a partition healed.
/// Losers are shown as `name-x-` and six characters of their principal.
///
/// A flock that forms beside an established one counts generations from 1, so its members are senior to
/// most. What keeps such a node from the name of an established one is its own word that it found nobody; a
/// member that lies says nothing of the kind, and gets what it would get without this rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    holders: BTreeMap<NodeName, Principal>,
    shown: BTreeMap<Principal, Label>,
}

impl Names {
    /// Derives the names from a replica.
    pub fn derive(strew: &Strew) -> Self {
        let mut names = Self::default();
        for record in strew.shown() {
            if let Some(name) = &record.profile().name {
                names.claim(name, record.author(), strew);
            }
        }
        let holders = &names.holders;
        let shown = strew.records().map(|record| {
            let who = record.author();
            let shown = match &record.profile().name {
                None => unnamed(&who),
                // A departed member holds no name, and is shown by it until another member holds it.
                Some(name) if holders.get(name).is_none_or(|holder| *holder == who) => {
                    name.as_label().clone()
                }
                Some(name) => name.shown_without_claim(&who),
            };
            (who, shown)
        });
        names.shown = shown.collect();
        names
    }

    fn claim(&mut self, name: &NodeName, who: Principal, strew: &Strew) {
        let rank = |principal| {
            let record = strew.shown_record(principal);
            let provisional = record.is_some_and(|record| record.profile().provisional);
            (provisional, strew.membership().seniority(principal))
        };
        let holder = self.holders.entry(name.clone()).or_insert(who);
        if rank(&who) < rank(holder) {
            *holder = who;
        }
    }

    /// The member that holds a name.
    pub fn holder(&self, name: &NodeName) -> Option<Principal> {
        self.holders.get(name).copied()
    }

    /// What a principal is called; one that is not shown goes by its key.
    pub fn of(&self, principal: &Principal) -> Label {
        self.shown.get(principal).cloned().unwrap_or_else(|| unnamed(principal))
    }
}

/// How a node is shown that claims no name.
fn unnamed(principal: &Principal) -> Label {
    format!("node-{}", principal.short())
        .parse()
        .expect("lower-case letters, a dash and eight hex digits make a label")
}
