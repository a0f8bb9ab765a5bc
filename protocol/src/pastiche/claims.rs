use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::Principal;
use crux_crdt::blob::{Descriptor, Root};
use crux_crdt::sign::Signed;

use super::message::DESCRIPTORS_MAX;

/// How many different trees of one blob are told apart.
const CLAIMS_MAX: usize = 64;

/// A tree, and the size of the blob that is said to have it.
pub(super) type Tree = (Root, u64);

/// What was stated about one blob, and by whom.
///
/// Invariant: a node counts for one tree only, the first it signed, and not at all once that was
/// found false.
#[derive(Debug, Default)]
pub(super) struct Claims {
    signed: BTreeMap<Tree, BTreeMap<Principal, Signed<Descriptor>>>,
    /// Said by providers, signed or not.
    stated: BTreeMap<Tree, BTreeSet<Principal>>,
    false_trees: BTreeSet<Tree>,
    liars: BTreeSet<Principal>,
}

impl Claims {
    /// A provider said that the blob has this tree.
    pub(super) fn state(&mut self, from: Principal, tree: Tree) {
        if self.stated.contains_key(&tree) || self.stated.len() < CLAIMS_MAX {
            self.stated.entry(tree).or_default().insert(from);
        }
    }

    /// A statement about the blob came along; its signature held.
    pub(super) fn sign(&mut self, descriptor: Signed<Descriptor>) {
        let author = descriptor.author();
        let tree = (descriptor.value().root, descriptor.value().size);
        let known = self.signed.values().any(|signers| signers.contains_key(&author));
        let room = self.signed.contains_key(&tree) || self.signed.len() < CLAIMS_MAX;
        if !known && room && !self.liars.contains(&author) && !self.false_trees.contains(&tree) {
            self.signed.entry(tree).or_default().insert(author, descriptor);
        }
    }

    /// The tree with the most signers that somebody serves; of several, the one that most serve.
    pub(super) fn best(&self) -> Option<Tree> {
        let served = self.stated.iter().filter(|(tree, _)| !self.false_trees.contains(tree));
        let rank = |tree: &Tree, by: &BTreeSet<Principal>| {
            (self.signed.get(tree).map_or(0, BTreeMap::len), by.len(), *tree)
        };
        served.map(|(tree, by)| rank(tree, by)).max().map(|(_, _, tree)| tree)
    }

    /// Statements for a tree, to be passed on.
    pub(super) fn descriptors(&self, tree: &Tree) -> Vec<Signed<Descriptor>> {
        let signed = self.signed.get(tree).into_iter().flat_map(BTreeMap::values);
        signed.take(DESCRIPTORS_MAX).cloned().collect()
    }

    /// A tree was found false. Returns who signed it; they count no longer.
    pub(super) fn convict(&mut self, tree: &Tree) -> Vec<Principal> {
        let signers: Vec<_> =
            self.signed.remove(tree).into_iter().flat_map(BTreeMap::into_keys).collect();
        self.liars.extend(&signers);
        if self.false_trees.len() < CLAIMS_MAX {
            self.false_trees.insert(*tree);
        }
        self.stated.remove(tree);
        signers
    }

    /// Whether anything stated was found false.
    pub(super) fn were_lies(&self) -> bool {
        !self.false_trees.is_empty()
    }

    /// Whether this tree was found false.
    pub(super) fn is_false(&self, tree: &Tree) -> bool {
        self.false_trees.contains(tree)
    }
}
