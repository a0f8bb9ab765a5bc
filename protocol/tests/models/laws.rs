use stateright::Property;

use crate::node::NODES;
use crate::step::Leading;
use crate::world::{Broken, World};

/// What is to hold, and what is to happen at least once, or the rest would say nothing.
pub(crate) fn all() -> Vec<Property<Leading>> {
    vec![
        // Except that the fence of a holder that was retired is forgotten.
        Property::always("fences never decrease", |_, world: &World| {
            world.broken != Some(Broken::FenceDecreased)
        }),
        Property::always("nobody leads twice under one number", |_, world: &World| {
            world.broken != Some(Broken::NumberUsedTwice)
        }),
        Property::always("at rest each component has one leader whom all obey", one_leader),
        Property::always("a return changes no leader", return_changes_nothing),
        Property::sometimes("it comes to rest", |_, world: &World| world.at_rest),
        Property::sometimes("a return comes to rest", |model: &Leading, world: &World| {
            model.returns_nobody() || world.at_rest && world.back.is_some()
        }),
    ]
}

fn one_leader(_: &Leading, world: &World) -> bool {
    !world.at_rest
        || (0..NODES).filter(|node| world.is_up(*node)).all(|node| world.leader_of(node).is_some())
}

/// The leader that a returning node must not depose. A claim that it made and nobody heard of counts
/// as soon as it is heard: then the greater of the two leads.
pub(crate) fn leader_before(world: &World, there: usize, back: usize) -> Option<usize> {
    let claim = world.nodes[there].leader()?;
    let own = crate::node::claim(world.nodes[back].known[back].claim, back);
    let leader = (0..NODES).find(|node| crate::node::principal(*node) == claim.principal);
    leader.filter(|leader| *leader != back && own < claim)
}

/// Those who were there go on naming the one who led; at rest the one who came back does, too.
fn return_changes_nothing(_: &Leading, world: &World) -> bool {
    let Some((back, leader)) = world.back else { return true };
    let names = |node: usize| {
        let named = world.nodes[node].leader();
        named.is_some_and(|claim| claim.principal == crate::node::principal(leader))
    };
    world.component(leader).filter(|node| *node != back || world.at_rest).all(names)
}
