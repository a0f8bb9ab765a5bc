use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::Principal;
use crux_crdt::blob::{Descriptor, Root};
use crux_crdt::sign::Signed;

use super::message::DESCRIPTORS_MAX;

/// How many signers of one blob count. One more counts for nothing: the tree that it signed is tried all
/// the same, later.
const SIGNERS_MAX: usize = 1024;
/// How many trees that were found false are remembered.
const FALSE_MAX: usize = 1024;
/// How many different trees of one blob a peer may state, one after the other. An honest peer states
/// another one when the one it followed was false.
const STATED_MAX: usize = 3;

/// A tree, and the size of the blob that is said to have it.
pub(super) type Tree = (Root, u64);

/// What was stated about one blob, and by whom.
///
/// Invariant: a node counts for one tree only, the first it signed, and not at all once that was
/// found false. Neither the bytes of a root nor a size makes a tree count more.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// What each node signed first, in the registry or for this query; the statement, where it can be
    /// passed on.
    signed: BTreeMap<Principal, (Tree, Option<Signed<Descriptor>>)>,
    /// How many signed each tree.
    signers: BTreeMap<Tree, usize>,
    /// Said by providers, signed or not.
    stated: BTreeMap<Principal, BTreeSet<Tree>>,
    false_trees: BTreeSet<Tree>,
    liars: BTreeSet<Principal>,
}

impl Claims {
    /// A provider says that the blob has this tree. False: it has said too many different things.
    pub(super) fn state(&mut self, from: Principal, tree: Tree) -> bool {
        let stated = self.stated.entry(from).or_default();
        if !stated.contains(&tree) && stated.len() < STATED_MAX {
            stated.insert(tree);
        }
        stated.contains(&tree)
    }

    /// A node offers the blob in its record, which it signed.
    pub(super) fn offer(&mut self, by: Principal, descriptor: &Descriptor) {
        self.count(by, (descriptor.root, descriptor.size), None);
    }

    /// A statement about the blob came along; its signature held.
    pub(super) fn sign(&mut self, descriptor: Signed<Descriptor>) {
        let tree = (descriptor.value().root, descriptor.value().size);
        self.count(descriptor.author(), tree, Some(descriptor));
    }

    fn count(&mut self, by: Principal, tree: Tree, statement: Option<Signed<Descriptor>>) {
        if self.liars.contains(&by) || self.false_trees.contains(&tree) {
            return;
        }
        if let Some((first, known)) = self.signed.get_mut(&by) {
            if *first == tree && known.is_none() {
                *known = statement;
            }
        } else if self.signed.len() < SIGNERS_MAX {
            self.signed.insert(by, (tree, statement));
            *self.signers.entry(tree).or_default() += 1;
        }
    }

    /// How many nodes signed a tree.
    pub(super) fn signers(&self, tree: &Tree) -> usize {
        self.signers.get(tree).copied().unwrap_or(0)
    }

    /// Statements for a tree, to be passed on.
    pub(super) fn descriptors(&self, tree: &Tree) -> Vec<Signed<Descriptor>> {
        let signed = self.signed.values().filter(|(of, _)| of == tree);
        signed.filter_map(|(_, statement)| statement.clone()).take(DESCRIPTORS_MAX).collect()
    }

    /// A tree was found false. Returns who signed it; they count no longer.
    pub(super) fn convict(&mut self, tree: &Tree) -> Vec<Principal> {
        let signed = self.signed.extract_if(.., |_, (of, _)| of == tree);
        let signers: Vec<_> = signed.map(|(signer, _)| signer).collect();
        self.liars.extend(&signers);
        self.signers.remove(tree);
        if self.false_trees.len() < FALSE_MAX {
            self.false_trees.insert(*tree);
        }
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
