//! The nodes with each label that a program names.

use std::collections::BTreeMap;

use crate::Checked;
use crate::checked::{Amount, Number, Set};
use crate::world::{NodeSet, Usage, World};

/// The nodes with each label that a program names, found in one pass over the nodes: a pass for each place where a
/// program names one would be most of the time that a solution takes.
#[derive(Debug)]
pub(super) struct Labels<'a> {
    by_key: BTreeMap<&'a str, Label<'a>>,
    /// How many sets are written in the program, also those within others.
    pub(super) written: usize,
}

#[derive(Debug)]
struct Label<'a> {
    any: NodeSet,
    values: BTreeMap<&'a str, NodeSet>,
}

impl<'a> Labels<'a> {
    pub(super) fn new(checked: &'a Checked, world: &World) -> Self {
        let mut labels = Self { by_key: BTreeMap::new(), written: 0 };
        let nodes = world.nodes().len();
        each_set(checked, &mut |set| labels.name(set, nodes));
        for (at, node) in world.nodes().iter().enumerate() {
            if node.usage != Usage::Out {
                for (key, value) in &node.labels {
                    labels.carry(at, key, value);
                }
            }
        }
        labels
    }

    /// The nodes with a label that the program names.
    pub(super) fn get(&self, key: &str, value: Option<&str>) -> Option<&NodeSet> {
        let label = self.by_key.get(key)?;
        value.map_or(Some(&label.any), |value| label.values.get(value))
    }

    fn name(&mut self, set: &'a Set, nodes: usize) {
        self.written += 1;
        let Set::Label { key, value } = set else { return };
        let none = || NodeSet::none(nodes);
        let new = || Label { any: none(), values: BTreeMap::new() };
        let label = self.by_key.entry(key).or_insert_with(new);
        if let Some(value) = value {
            label.values.entry(value).or_insert_with(none);
        }
    }

    fn carry(&mut self, node: usize, key: &str, value: &str) {
        if let Some(label) = self.by_key.get_mut(key) {
            label.any.insert(node);
            if let Some(nodes) = label.values.get_mut(value) {
                nodes.insert(node);
            }
        }
    }
}

/// Visits each set that is written in a program, also those within others.
fn each_set<'a>(checked: &'a Checked, visit: &mut impl FnMut(&'a Set)) {
    for named in checked.sets() {
        within_set(&named.set, visit);
    }
    for named in checked.numbers() {
        within_number(&named.number, visit);
    }
    for pick in checked.picks() {
        within_set(&pick.set, visit);
        within_number(&pick.count, visit);
        pick.max.iter().for_each(|max| within_number(max, visit));
    }
    for cond in checked.afters().iter().flat_map(|after| &after.conds) {
        let (Amount::Count(number) | Amount::Percent(number)) = &cond.amount;
        within_number(number, visit);
    }
}

fn within_set<'a>(set: &'a Set, visit: &mut impl FnMut(&'a Set)) {
    visit(set);
    match set {
        Set::Not(inner) => within_set(inner, visit),
        Set::And(all) | Set::Or(all) => all.iter().for_each(|inner| within_set(inner, visit)),
        Set::All | Set::Label { .. } | Set::Nodes(_) | Set::Picked(_) | Set::Named(_) => {}
    }
}

fn within_number<'a>(number: &'a Number, visit: &mut impl FnMut(&'a Set)) {
    match number {
        Number::Size(set) => within_set(set, visit),
        Number::Chain { first, rest } => {
            within_number(first, visit);
            rest.iter().for_each(|term| within_number(&term.number, visit));
        }
        Number::Literal(_) | Number::Named(_) => {}
    }
}
