use core::time::Duration;
use std::collections::BTreeSet;

use super::{LOOK, flock, shared, until};
use crate::Violation;
use crate::scenario::{Cut, Service};
use crate::world::World;

const SETTLE: Duration = Duration::from_secs(60);
const CUT_FOR: Duration = Duration::from_secs(600);
const WRITES: usize = 1_000;
const HEAL_MAX: Duration = Duration::from_secs(120);

/// What came of ten minutes of partition with a thousand writes on each side.
#[derive(Debug, Clone)]
pub struct Part {
    /// How many nodes.
    pub nodes: usize,
    /// From the heal until all digests are equal; none: not in two minutes.
    pub healed: Option<Duration>,
    /// What went wrong, after which the figure means nothing.
    pub violation: Option<Violation>,
}

/// Measures it, from a seed. Halves are cut, silently or with refusals.
pub fn part(seed: u64, nodes: usize, how: Cut) -> Part {
    let mut world = flock(seed, nodes, nodes, 1, &mut |_| {});
    world.run_until(world.now + SETTLE);
    let left: BTreeSet<_> = (0..nodes / 2).collect();
    let right: BTreeSet<_> = (nodes / 2..nodes).collect();
    world.cut(&left, &right, how);
    world.cut(&right, &left, how);
    write(&mut world, nodes);
    world.heal();
    let all = |world: &World| shared(world, 0..nodes).is_some();
    let healed = until(&mut world, HEAL_MAX, LOOK, all);
    Part { nodes, healed, violation: world.violation }
}

fn write(world: &mut World, nodes: usize) {
    let writes = u32::try_from(WRITES).unwrap_or(u32::MAX);
    let half = nodes / 2;
    for number in 0..WRITES {
        let service = Service(1_000 + u32::try_from(number / half).unwrap_or_default() % 200);
        crate::run::register(world, number % half, service, 0);
        crate::run::register(world, half + number % half, service, 0);
        world.run_until(world.now + CUT_FOR / writes);
    }
}
