//! Nodes in groups, the best first.

use std::collections::BinaryHeap;

/// Nodes in groups, the best first. A node is as good as `Before` says; then by the level of its group; then as
/// `After` says; greater is better. Each node that is taken brings the level of its group down by one, so that groups
/// take turns.
#[derive(Debug)]
pub(super) struct Grouped<Before, After> {
    groups: Vec<Group<Before, After>>,
    /// Of each group that is not empty, its best, once.
    tops: BinaryHeap<(Before, i64, After, usize)>,
}

#[derive(Debug)]
struct Group<Before, After> {
    level: i64,
    nodes: BinaryHeap<(Before, After)>,
}

impl<Before: Ord + Copy, After: Ord + Copy> Grouped<Before, After> {
    /// Groups, each with its level and its nodes.
    pub(super) fn new(groups: impl Iterator<Item = (i64, Vec<(Before, After)>)>) -> Self {
        let group = |(level, nodes)| Group { level, nodes: BinaryHeap::from(nodes) };
        let mut grouped = Self { groups: groups.map(group).collect(), tops: BinaryHeap::new() };
        (0..grouped.groups.len()).for_each(|group| grouped.show(group));
        grouped
    }

    /// Takes the best node, and says of which group. [`put`](Self::put) must follow: until then the rest of the
    /// group is not shown.
    pub(super) fn take(&mut self) -> Option<(usize, Before, After)> {
        let (before, _, after, group) = self.tops.pop()?;
        self.groups[group].nodes.pop();
        Some((group, before, after))
    }

    /// Ends a take: the group is one level lower, and perhaps the node is in it again, as good as stated.
    pub(super) fn put(&mut self, group: usize, back: Option<(Before, After)>) {
        let Group { level, nodes } = &mut self.groups[group];
        *level -= 1;
        nodes.extend(back);
        self.show(group);
    }

    fn show(&mut self, group: usize) {
        let Group { level, nodes } = &self.groups[group];
        if let Some((before, after)) = nodes.peek() {
            self.tops.push((*before, *level, *after, group));
        }
    }
}
