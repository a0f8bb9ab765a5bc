//! Sets of nodes, as bits.

/// A set of nodes of a world, by their indices in [`World::nodes`](super::World::nodes).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeSet {
    words: Vec<u64>,
}

impl NodeSet {
    /// No node of that many.
    pub fn none(nodes: usize) -> Self {
        Self { words: vec![0; nodes.div_ceil(64)] }
    }

    /// Adds a node.
    pub fn insert(&mut self, node: usize) {
        self.words[node / 64] |= 1 << (node % 64);
    }

    /// Takes a node out.
    pub fn remove(&mut self, node: usize) {
        self.words[node / 64] &= !(1 << (node % 64));
    }

    /// Whether a node is in it.
    pub fn contains(&self, node: usize) -> bool {
        self.words[node / 64] >> (node % 64) & 1 == 1
    }

    /// How many nodes are in it.
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether no node is in it.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Leaves the nodes that are also in another set.
    pub fn intersect(&mut self, other: &Self) {
        for (mine, its) in self.words.iter_mut().zip(&other.words) {
            *mine &= its;
        }
    }

    /// Adds the nodes of another set.
    pub fn unite(&mut self, other: &Self) {
        for (mine, its) in self.words.iter_mut().zip(&other.words) {
            *mine |= its;
        }
    }

    /// Takes the nodes of another set out.
    pub fn subtract(&mut self, other: &Self) {
        for (mine, its) in self.words.iter_mut().zip(&other.words) {
            *mine &= !its;
        }
    }

    /// The nodes, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.words.iter().enumerate().flat_map(|(at, word)| Bits { word: *word, base: at * 64 })
    }
}

/// The bits of a word, ascending.
struct Bits {
    word: u64,
    base: usize,
}

impl Iterator for Bits {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.word == 0 {
            return None;
        }
        let bit = self.word.trailing_zeros() as usize;
        self.word &= self.word - 1;
        Some(self.base + bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_nodes_on_both_sides_of_a_word() {
        let mut set = NodeSet::none(130);
        for node in [0, 63, 64, 129] {
            set.insert(node);
        }
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 63, 64, 129]);
        assert_eq!((set.len(), set.contains(63), set.contains(65)), (4, true, false));
        let mut other = NodeSet::none(130);
        other.insert(64);
        other.insert(65);
        let mut both = set.clone();
        both.intersect(&other);
        assert_eq!(both.iter().collect::<Vec<_>>(), [64]);
        set.subtract(&other);
        set.remove(0);
        assert_eq!(set.iter().collect::<Vec<_>>(), [63, 129]);
        set.unite(&other);
        assert_eq!(set.len(), 4);
        both.subtract(&other);
        assert!(both.is_empty());
    }
}
