//! A solution's reasons for single nodes and numbers.

use crate::Checked;
use crate::checked::{Number, PickId};
use crate::ratio::Ratio;
use crate::world::{Amounts, NodeSet, World};

use super::guess::Guess;
use super::values::Fixed;
use super::{Reason, Solution};

/// The value of a number, with the nodes that a solution gives each pick; an error says why it has none.
pub(crate) fn value_of(
    checked: &Checked,
    world: &World,
    solution: &Solution,
    number: &Number,
) -> Result<Ratio, String> {
    if let Number::Literal(value) = number {
        return Ok(*value);
    }
    let picked = |pick: PickId| Guess::known(nodes(world, &solution.of(pick).wanted));
    Fixed::new(checked, world).values(&picked).number(number)
}

fn nodes(world: &World, wanted: &[u32]) -> NodeSet {
    let mut nodes = NodeSet::none(world.nodes().len());
    let some = wanted.iter().enumerate().filter(|(_, count)| **count > 0);
    some.for_each(|(node, _)| nodes.insert(node));
    nodes
}

/// Why a node gets no further instance of a pick; nothing for a pick without a solution.
pub(crate) fn reasons(
    checked: &Checked,
    world: &World,
    solution: &Solution,
    pick: PickId,
    node: usize,
) -> Vec<Reason> {
    let placement = solution.of(pick);
    let Some(rules) = &placement.rules else { return Vec::new() };
    let weight = world.service(&checked.pick(pick).service).weight;
    let has = (placement.wanted[node], rules.cap);
    let used = used(checked, world, solution, node);
    Reason::all(&world.nodes()[node], rules.set.contains(node), has, used, weight)
}

/// The usage of a node once all is as wanted.
fn used(checked: &Checked, world: &World, solution: &Solution, node: usize) -> Amounts {
    let mut used = Amounts::default();
    for (pick, placement) in checked.picks().iter().zip(&solution.placements) {
        used.add(world.service(&pick.service).weight, placement.wanted[node]);
    }
    let named = |service| checked.pick_of(service).is_some();
    for service in world.services_present().filter(|service| !named(service.as_str())) {
        let count = world.present(service, node).map_or(0, |present| present.count);
        used.add(world.service(service).weight, count);
    }
    used
}
