use core::time::Duration;
use std::sync::Arc;

use crux_crdt::document::Document;
use crux_crdt::fact::Fact;
use crux_crdt::sign::Identity;

use super::{LOOK, Signers, mint, shared, until, weather};
use crate::Violation;
use crate::net::addr_of;
use crate::world::World;

const SETTLE: Duration = Duration::from_secs(60);
const JOIN_MAX: Duration = Duration::from_secs(120);
const AUTHORS: usize = 400;
const SERVICES: usize = 250;
/// How large each document is: a target of a few services.
const DOCUMENT_BYTES: usize = 1024;

/// What came of a join into a large registry.
#[derive(Debug, Clone)]
pub struct Join {
    /// How many registrations there are.
    pub registrations: usize,
    /// How many documents there are.
    pub documents: usize,
    /// From the start of a fresh node until it holds all; none: not in two minutes.
    pub joined: Option<Duration>,
    /// How many bytes were sent, by everybody, in that time.
    pub bytes: u64,
    /// What went wrong, after which the figures mean nothing.
    pub violation: Option<Violation>,
}

/// Measures it, from a seed: so many nodes run, of 400 authors with 250 registrations each, and one user wrote so many
/// documents.
pub fn join(seed: u64, nodes: usize, documents: usize) -> Join {
    let mut world = World::new(seed, AUTHORS + 1, 0);
    world.net.paths.weather = weather();
    let stock = mint::stock(&world, AUTHORS, SERVICES);
    world.know(&stock);
    let written: Vec<_> = written(&mut world, documents).into_iter().map(Fact::from).collect();
    for host in 0..nodes {
        world.hosts[host].disk.stock(stock.clone());
        written.iter().for_each(|fact| world.hosts[host].disk.put(fact));
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
    Join { registrations, documents, joined, bytes, violation: world.violation }
}

/// The documents that are on every disk, with the grant of their user; none without any.
fn written(world: &mut World, count: usize) -> Vec<Arc<Document>> {
    if count == 0 {
        return Vec::new();
    }
    let user: Arc<Identity> = world.keys.user(0);
    let most = u32::try_from(count).unwrap_or(u32::MAX);
    let signers = Signers::new(world.keys.flock, &world.keys.operator, user, most);
    let mut all = vec![signers.grant().clone()];
    all.extend(signers.first(count, DOCUMENT_BYTES));
    world.people.know(&all);
    all
}
