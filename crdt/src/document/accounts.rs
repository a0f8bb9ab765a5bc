use std::collections::{BTreeMap, BTreeSet};

use super::cost::Cost;
use crate::pack::pack;
use crate::{Digest, Principal};

/// The documents of one author: how many, and their cost.
#[derive(Debug, Clone, Default)]
struct Account {
    /// The keys that are counted: those of a user, none of the operator.
    keys: BTreeSet<Digest>,
    cost: Cost,
}

/// The documents of each author, and of all of them together: how many, and their cost.
#[derive(Debug, Clone, Default)]
pub(super) struct Accounts {
    of: BTreeMap<Principal, Account>,
    total: Cost,
}

impl Accounts {
    /// The documents of an author under one key take `after`, where they took `before`.
    pub(super) fn change(&mut self, author: Principal, before: Cost, after: Cost) {
        let account = self.of.entry(author).or_default();
        account.cost = account.cost.with(before, after);
        self.total = self.total.with(before, after);
    }

    /// The author has a document under this key, which is counted.
    pub(super) fn count(&mut self, author: Principal, key: Digest) {
        self.of.entry(author).or_default().keys.insert(key);
    }

    /// The author has no document under this key, which took this, any longer.
    pub(super) fn remove(&mut self, author: &Principal, key: &Digest, cost: Cost) {
        self.change(*author, cost, Cost::default());
        let Some(account) = self.of.get_mut(author) else { return };
        account.keys.remove(key);
        if account.keys.is_empty() && account.cost == Cost::default() {
            self.of.remove(author);
        }
    }

    /// How many keys of an author are counted.
    pub(super) fn keys(&self, author: &Principal) -> usize {
        self.of.get(author).map_or(0, |account| account.keys.len())
    }

    /// Whether the author has a document under this key that is counted.
    pub(super) fn has(&self, author: &Principal, key: &Digest) -> bool {
        self.of.get(author).is_some_and(|account| account.keys.contains(key))
    }

    /// The greatest of an author's keys.
    pub(super) fn greatest(&self, author: &Principal) -> Option<Digest> {
        self.of.get(author)?.keys.last().copied()
    }

    pub(super) fn cost_of(&self, author: &Principal) -> Cost {
        self.of.get(author).map(|account| account.cost).unwrap_or_default()
    }

    pub(super) const fn total(&self) -> Cost {
        self.total
    }

    pub(super) fn pack(&mut self) {
        pack(&mut self.of);
    }
}
