//! The meaning of sets and numbers, computed the slow way: node by node, by recursion, from the text's own tree.

use std::collections::BTreeMap;

use crux_khan::Checked;
use crux_khan::checked::{Number, PickId, Set};
use crux_khan::ratio::Ratio;
use crux_khan::syntax::Operator;
use crux_khan::world::{Usage, World};

/// How many instances of each pick are on each node, as far as it is decided.
pub(crate) type Placed = BTreeMap<PickId, Vec<u32>>;

/// Whether a node is in a set.
pub(crate) fn has(
    checked: &Checked,
    world: &World,
    placed: &Placed,
    set: &Set,
    node: usize,
) -> bool {
    let here = &world.nodes()[node];
    let inner = |set: &Set| has(checked, world, placed, set, node);
    let open = here.usage != Usage::Out;
    match set {
        Set::All => open,
        Set::Label { key, value } => {
            let found = here.labels.get(key);
            open && found.is_some_and(|found| value.as_ref().is_none_or(|value| value == found))
        }
        Set::Nodes(names) => open && names.contains(&here.name),
        Set::Not(set) => open && !inner(set),
        Set::And(all) => all.iter().all(inner),
        Set::Or(all) => all.iter().any(inner),
        Set::Picked(pick) => placed[pick][node] > 0,
        Set::Named(id) => inner(&checked.set(*id).set),
    }
}

/// The value of a number; `None`: it has none.
pub(crate) fn number(
    checked: &Checked,
    world: &World,
    placed: &Placed,
    of: &Number,
) -> Option<Ratio> {
    match of {
        Number::Literal(value) => Some(*value),
        Number::Size(set) => {
            let nodes = 0..world.nodes().len();
            let size = nodes.filter(|node| has(checked, world, placed, set, *node)).count();
            Some(Ratio::integer(size as u64))
        }
        Number::Chain { first, rest } => {
            let mut value = number(checked, world, placed, first)?;
            for term in rest {
                let right = number(checked, world, placed, &term.number)?;
                value = match term.operator {
                    Operator::Add => value.checked_add(right),
                    Operator::Subtract => value.checked_sub(right),
                    Operator::Multiply => value.checked_mul(right),
                    Operator::Divide => value.checked_div(right),
                }?;
            }
            Some(value)
        }
        Number::Named(id) => number(checked, world, placed, &checked.number(*id).number),
    }
}

/// The program's demands of a pick, once all that it rests on is placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Demand {
    /// The nodes that it may be on.
    pub(crate) set: Vec<usize>,
    /// How many it wants, and at most on one node.
    pub(crate) count: u32,
    pub(crate) cap: u32,
}

/// `None`: the pick has no solution.
pub(crate) fn demand(
    checked: &Checked,
    world: &World,
    placed: &Placed,
    pick: PickId,
) -> Option<Demand> {
    let it = checked.pick(pick);
    let whole = |of: &Number| number(checked, world, placed, of).map(Ratio::ceil);
    let count = u32::try_from(whole(&it.count)?).ok().filter(|count| *count <= 100_000)?;
    let nodes = 0..world.nodes().len();
    let set: Vec<usize> =
        nodes.filter(|node| has(checked, world, placed, &it.set, *node)).collect();
    if set.is_empty() && count > 0 {
        return None;
    }
    let size = u32::try_from(set.len()).unwrap();
    let mut cap = if count <= size { 1 } else { count.div_ceil(size) };
    if let Some(max) = &it.max {
        cap = cap.min(u32::try_from(whole(max)?.clamp(0, 100_000)).unwrap());
    }
    Some(Demand { set, count, cap })
}
