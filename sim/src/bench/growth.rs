use core::time::Duration;

use crux_protocol::liveness::Liveness;
use rand::RngExt;

use super::{Times, flock, shared, until};
use crate::Violation;
use crate::scenario::Service;
use crate::world::World;

const FORM_MAX: Duration = Duration::from_secs(300);
/// Until the links of the start that nobody needs are closed.
const SETTLE: Duration = Duration::from_secs(20);
/// For how long bytes are counted, at least; and a whole period of beacons, which is a second for 33
/// nodes: they are most of what is sent.
const COUNT_MIN: Duration = Duration::from_secs(20);
const WRITES: usize = 40;
const WRITE_EVERY: Duration = Duration::from_millis(250);
const WRITE_TAIL: Duration = Duration::from_secs(5);
const CHURN_EVERY: Duration = Duration::from_secs(5);

/// What so many nodes cost, and how fast they are.
#[derive(Debug, Clone)]
pub struct Growth {
    /// How many.
    pub nodes: usize,
    /// From the start of the last until each shows all alive and all hold the same; none: not in 300 s.
    pub formed: Option<Duration>,
    /// From the request of a client until another node holds the registration, for each of 40
    /// registrations and each other node.
    pub deliveries: Times,
    /// The same until all others hold it, for each registration that they all got.
    pub to_all: Times,
    /// How many of the deliveries never came.
    pub lost: usize,
    /// Copies of a registration that arrive at a node that gets it by gossip.
    pub copies: f64,
    /// Bytes that a node sends in a second when nothing happens,
    pub idle_bytes: f64,
    /// and while a random node is killed and started again every 5 s.
    pub churn_bytes: f64,
    /// How long all of it lasted for the nodes.
    pub virtual_time: Duration,
    /// How many events the engines handled.
    pub events: u64,
    /// What went wrong, after which the figures mean nothing.
    pub violation: Option<Violation>,
}

/// Measures it, from a seed. `tell` is told what is done next.
pub fn growth(seed: u64, nodes: usize, tell: &mut dyn FnMut(&str)) -> Growth {
    let mut world = flock(seed, nodes, nodes, 1, tell);
    tell("waiting until each shows all alive");
    let look = Duration::from_secs(1);
    let formed = until(&mut world, FORM_MAX, look, |world| all_alive(world, nodes));
    tell("settling");
    world.run_until(world.now + SETTLE);
    tell("at rest");
    let count = COUNT_MIN.max(Duration::from_secs(u64::try_from(nodes / 33).unwrap_or_default()));
    let idle_bytes = bytes_of(&mut world, |world| world.run_until(world.now + count));
    tell("registering");
    let (messages, copies) = deliver(&mut world);
    tell("churning");
    let churn_bytes = bytes_of(&mut world, |world| churn(world, count));
    let all = messages.iter().filter(|times| times.len() >= nodes - 1);
    let to_all = Times::new(all.filter_map(|times| times.iter().max().copied()).collect());
    let expected = messages.len() * (nodes - 1);
    let deliveries = Times::new(messages.concat());
    Growth {
        nodes,
        formed,
        lost: expected.saturating_sub(deliveries.len()),
        deliveries,
        to_all,
        copies,
        idle_bytes,
        churn_bytes,
        virtual_time: world.now.since_origin(),
        events: world.handled,
        violation: world.violation,
    }
}

fn all_alive(world: &World, nodes: usize) -> bool {
    let all: Vec<_> = world.hosts.iter().map(crate::host::Host::principal).collect();
    let sees_all = |host: usize| {
        let state = world.state(host);
        state.is_some_and(|state| all.iter().all(|it| state.liveness(it) == Liveness::Alive))
    };
    shared(world, 0..nodes).is_some() && (0..nodes).all(sees_all)
}

/// Bytes that a node sent in a second, on average.
fn bytes_of(world: &mut World, act: impl FnOnce(&mut World)) -> f64 {
    let (sent, begun) = (world.sent, world.now);
    act(world);
    let seconds = world.now.since(begun).as_secs_f64();
    let bytes = u32::try_from((world.sent - sent) / 1024).unwrap_or(u32::MAX);
    let nodes = u32::try_from(world.hosts.len()).unwrap_or(u32::MAX);
    f64::from(bytes) * 1024.0 / seconds / f64::from(nodes)
}

/// The times in which others held each registration, and how many copies a delivery took.
fn deliver(world: &mut World) -> (Vec<Vec<Duration>>, f64) {
    world.probe.take();
    let before = world.copies;
    let nodes = world.hosts.len();
    let first = world.rng.random_range(0..nodes);
    // Other authors each time, so that no registration waits for the one before.
    let authors: Vec<_> = (0..WRITES.min(nodes)).map(|at| (first + at * 7) % nodes).collect();
    let number = |at: usize| Service(u32::try_from(at).unwrap_or(u32::MAX) + 1_000);
    for (at, author) in authors.iter().enumerate() {
        let principal = world.hosts[*author].principal();
        world.probe.expect(principal, world.now);
        crate::run::register(world, *author, number(at), 0);
        world.run_until(world.now + WRITE_EVERY);
    }
    world.run_until(world.now + WRITE_TAIL);
    let messages = world.probe.take();
    let count = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let copies = count(world.copies.0 - before.0) / count((world.copies.1 - before.1).max(1));
    (messages, copies)
}

fn churn(world: &mut World, lasts: Duration) {
    let until = world.now + lasts;
    while world.now < until && world.violation.is_none() {
        let host = world.rng.random_range(0..world.hosts.len());
        world.kill(host);
        world.run_until(world.now + CHURN_EVERY / 2);
        world.start(host);
        world.run_until(world.now + CHURN_EVERY / 2);
    }
}
