//! What a node keeps beside its replica, counted: all of it has to be bounded.

use super::state::State;

/// How much a node keeps beside its replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kept {
    /// What is under way: requests, dials, comparisons, joins, writes, waiters. At rest nothing is
    /// under way for long.
    pub work: usize,
    /// What is remembered of others: links, votes, addresses, when to dial them again. At most a few
    /// for each principal that is known.
    pub of_others: usize,
}

impl State {
    /// How much it keeps beside its replica.
    pub fn kept(&self) -> Kept {
        let calls = self.waiting.len() + self.pings.len() + self.stores.len();
        let network = self.requests.len() + self.dials.len() + self.reached.len();
        let engines = self.sync.under_way() + self.join.under_way() + self.author.under_way();
        let told = self.addresses_told.len() + self.dead_since.len() + self.vouched.len();
        let told = told + self.departed.len() + self.others.footprint();
        Kept {
            work: calls + network + engines + self.out.len(),
            of_others: self.links.len() + told + self.dial.members() + self.liveness.votes(),
        }
    }
}
