use core::time::Duration;

use super::{LOOK, mint, shared, until, weather};
use crate::Violation;
use crate::net::addr_of;
use crate::world::World;

const SETTLE: Duration = Duration::from_secs(60);
const JOIN_MAX: Duration = Duration::from_secs(120);
const AUTHORS: usize = 400;
const SERVICES: usize = 250;

/// What came of a join into a large registry.
#[derive(Debug, Clone)]
pub struct Join {
    /// How many registrations there are.
    pub registrations: usize,
    /// From the start of a fresh node until it holds all; none: not in two minutes.
    pub joined: Option<Duration>,
    /// How many bytes were sent, by everybody, in that time.
    pub bytes: u64,
    /// What went wrong, after which the figures mean nothing.
    pub violation: Option<Violation>,
}

/// Measures it, from a seed: so many nodes run, of 400 authors with 250 registrations each.
pub fn join(seed: u64, nodes: usize) -> Join {
    let mut world = World::new(seed, AUTHORS + 1, 0);
    world.net.paths.weather = weather();
    let stock = mint::stock(&world, AUTHORS, SERVICES);
    world.know(&stock);
    for host in 0..nodes {
        world.hosts[host].disk.stock(stock.clone());
        world.hosts[host].known_key = true;
        world.start(host);
    }
    world.run_until(world.now + SETTLE);
    let sent = world.sent;
    world.hosts[AUTHORS].config.join = vec![addr_of(0).to_string()];
    world.start(AUTHORS);
    let holds_all = |world: &World| {
        let digest = |host: usize| world.state(host).map(|state| state.strew().digest());
        shared(world, 0..nodes).is_some() && digest(AUTHORS) == digest(0)
    };
    let joined = until(&mut world, JOIN_MAX, LOOK, holds_all);
    let (registrations, bytes) = (AUTHORS * SERVICES, world.sent - sent);
    Join { registrations, joined, bytes, violation: world.violation }
}
