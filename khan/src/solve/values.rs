//! The values of sets and numbers.
//!
//! A [`Values`] evaluates expressions at one moment of a search: the caller says which nodes each pick has then, as
//! far as that is known. Each name is evaluated once and remembered, because `b := a | a`, `c := b | b`, … would
//! double the work with each name. Sets that mention no pick are the same throughout a solution, so [`Fixed`] holds
//! them from the start.

use std::collections::BTreeMap;

use crate::Checked;
use crate::checked::{Number, PickId, Set, Term};
use crate::ratio::Ratio;
use crate::syntax::Operator;
use crate::world::{NodeSet, Usage, World};

use super::guess::Guess;
use super::labels::Labels;

/// The sets that are the same throughout a solution.
#[derive(Debug)]
pub(super) struct Fixed<'a> {
    checked: &'a Checked,
    world: &'a World,
    pub(super) all: NodeSet,
    pub(super) labels: Labels<'a>,
    /// By name; of those that mention a pick, nothing.
    named: Vec<Option<Guess>>,
}

impl<'a> Fixed<'a> {
    pub(super) fn new(checked: &'a Checked, world: &'a World) -> Self {
        let mut all = NodeSet::none(world.nodes().len());
        let open = world.nodes().iter().enumerate().filter(|(_, node)| node.usage != Usage::Out);
        open.for_each(|(at, _)| all.insert(at));
        let labels = Labels::new(checked, world);
        let mut fixed = Self { checked, world, all, labels, named: Vec::new() };
        for named in checked.sets() {
            let value = named.needs.is_empty().then(|| fixed.values(&no_pick).set(&named.set));
            fixed.named.push(value);
        }
        fixed
    }

    /// Evaluates expressions, given which nodes each pick has.
    pub(super) fn values<'v>(&'v self, picked: &'v dyn Fn(PickId) -> Guess) -> Values<'v> {
        Values { fixed: self, picked, sets: BTreeMap::new(), numbers: BTreeMap::new() }
    }

    pub(super) fn none(&self) -> NodeSet {
        NodeSet::none(self.world.nodes().len())
    }
}

/// For expressions that mention no pick.
fn no_pick(_: PickId) -> Guess {
    Guess::known(NodeSet::default())
}

/// Evaluates expressions at one moment.
pub(super) struct Values<'v> {
    fixed: &'v Fixed<'v>,
    picked: &'v dyn Fn(PickId) -> Guess,
    /// By name, as far as they were needed.
    sets: BTreeMap<usize, Guess>,
    numbers: BTreeMap<usize, Result<Ratio, String>>,
}

impl Values<'_> {
    /// The value of a set.
    pub(super) fn set(&mut self, set: &Set) -> Guess {
        match set {
            Set::All => Guess::known(self.fixed.all.clone()),
            Set::Label { key, value } => {
                let nodes = self.fixed.labels.get(key, value.as_deref());
                Guess::known(nodes.cloned().unwrap_or_else(|| self.fixed.none()))
            }
            Set::Nodes(names) => Guess::known(self.nodes(names.iter().map(String::as_str))),
            Set::Not(inner) => {
                let mut value = self.set(inner);
                value.not(&self.fixed.all);
                value
            }
            Set::And(all) => self.joined(all, Guess::and),
            Set::Or(all) => self.joined(all, Guess::or),
            Set::Picked(pick) => (self.picked)(*pick),
            Set::Named(id) => self.named_set(id.index()),
        }
    }

    fn nodes<'n>(&self, names: impl Iterator<Item = &'n str>) -> NodeSet {
        let mut nodes = self.fixed.none();
        names.filter_map(|name| self.fixed.world.index(name)).for_each(|at| nodes.insert(at));
        nodes.intersect(&self.fixed.all);
        nodes
    }

    fn joined(&mut self, all: &[Set], join: impl Fn(&mut Guess, &Guess)) -> Guess {
        let mut values = all.iter();
        let first = values.next().map(|first| self.set(first));
        let mut value = first.unwrap_or_else(|| Guess::known(self.fixed.none()));
        for other in values {
            join(&mut value, &self.set(other));
        }
        value
    }

    fn named_set(&mut self, id: usize) -> Guess {
        let fixed = self.fixed.named.get(id).and_then(Option::as_ref);
        if let Some(value) = fixed.or_else(|| self.sets.get(&id)) {
            return value.clone();
        }
        let value = self.set(&self.fixed.checked.sets()[id].set);
        self.sets.insert(id, value.clone());
        value
    }

    /// The value of a number; an error says why it has none.
    pub(super) fn number(&mut self, number: &Number) -> Result<Ratio, String> {
        match number {
            Number::Literal(value) => Ok(*value),
            Number::Size(set) => Ok(Ratio::integer(self.set(set).sure.len() as u64)),
            Number::Chain { first, rest } => {
                let mut value = self.number(first)?;
                for term in rest {
                    value = self.term(value, term)?;
                }
                Ok(value)
            }
            Number::Named(id) => self.named_number(id.index()),
        }
    }

    fn term(&mut self, left: Ratio, term: &Term) -> Result<Ratio, String> {
        let right = self.number(&term.number)?;
        let value = match term.operator {
            Operator::Add => left.checked_add(right),
            Operator::Subtract => left.checked_sub(right),
            Operator::Multiply => left.checked_mul(right),
            Operator::Divide if right == Ratio::ZERO => {
                return Err(format!("division by zero: `{}` is 0", term.text));
            }
            Operator::Divide => left.checked_div(right),
        };
        value.ok_or_else(|| "a number has more digits than are possible".to_owned())
    }

    fn named_number(&mut self, id: usize) -> Result<Ratio, String> {
        if let Some(value) = self.numbers.get(&id) {
            return value.clone();
        }
        let value = self.number(&self.fixed.checked.numbers()[id].number);
        self.numbers.insert(id, value.clone());
        value
    }
}
