//! How a flock grows: what it costs, and how fast it is, against the number of nodes.
//!
//! Links take 10 to 50 ms one way, chosen anew for each message, and lose nothing; bandwidth and
//! processing take no time, so times are those of the protocols alone, and a join into a large
//! registry is measured in round trips only. Nodes begin with the records and admissions of all on
//! their disks, signed once and shared, as after a restart of everybody: forming by joining would
//! be measured by `form`.
//!
//! Apart from that: [`placement()`] measures the solver of target states, on the caller's clock.

mod growth;
mod join;
pub mod mint;
mod part;
mod placement;
mod plot;
mod signers;
mod times;

use core::time::Duration;

use crux_crdt::Digest;
use crux_protocol::time::Instant;

use super::world::World;
use crate::scenario::Weather;

pub use growth::{Growth, growth};
pub use join::{Join, join};
pub use part::{Part, part};
pub use placement::{Figure, Kind, Placement, Shape, placement};
pub use plot::plot;
pub use signers::Signers;
pub use times::Times;

/// How long after a host the next one starts: 300 a second. All of thousands at one instant is not
/// what anybody does, and would have each message of the start on its way at once.
const START_EVERY: Duration = Duration::from_nanos(3_333_333);

/// After how many started nodes it is said again.
const TELL_EVERY: usize = 250;

/// How often it is looked whether all agree.
const LOOK: Duration = Duration::from_millis(20);

/// Links as the goals have them.
const fn weather() -> Weather {
    let (delay_min, delay_max) = (Duration::from_millis(10), Duration::from_millis(50));
    Weather { delay_min, delay_max, ..Weather::calm() }
}

/// Hosts with everybody's records on their disks; so many of them run.
fn flock(
    seed: u64,
    hosts: usize,
    running: usize,
    services: usize,
    tell: &mut dyn FnMut(&str),
) -> World {
    let mut world = World::new(seed, hosts, 0);
    world.net.paths.weather = weather();
    world.thorough = false;
    let stock = mint::stock(&world, running, services);
    for host in &mut world.hosts[..running] {
        host.disk.stock(stock.clone());
        host.known_key = true;
    }
    world.know(&stock);
    for host in 0..running {
        if host.is_multiple_of(TELL_EVERY) {
            tell(&format!("starting, {host} run"));
        }
        world.start(host);
        world.run_until(world.now + START_EVERY);
    }
    world
}

/// The digest that these hosts share, if they do.
fn shared(world: &World, hosts: core::ops::Range<usize>) -> Option<Digest> {
    let mut digests = hosts.map(|host| world.state(host).map(|state| state.strew().digest()));
    let first = digests.next().flatten()?;
    digests.all(|digest| digest == Some(first)).then_some(first)
}

/// Lets time pass until this holds, or for so long. How long it took.
fn until(
    world: &mut World,
    most: Duration,
    look: Duration,
    holds: impl Fn(&World) -> bool,
) -> Option<Duration> {
    let begun: Instant = world.now;
    while world.now.since(begun) < most && world.violation.is_none() {
        if holds(world) {
            return Some(world.now.since(begun));
        }
        world.run_until(world.now + look);
    }
    None
}
