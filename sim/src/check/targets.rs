//! What runs for a target, against what was planned and signed.

use std::collections::BTreeMap;

use crux_crdt::document::{Document, Usage};
use crux_crdt::name::Label;

use super::Looked;
use crate::invariant::{Stand, placed};
use crate::scenario::Hosts;
use crate::site::REST;

impl Looked<'_> {
    /// These run what their leader planned, and that is what the target wants.
    pub(super) fn placed(&self, who: &Hosts) -> Result<(), String> {
        let world = self.world;
        let Some(host) = who.iter().next() else { return Ok(()) };
        let state = world.state(host).ok_or_else(|| format!("n{host} does not run"))?;
        let documents = state.strew().documents();
        let Some(target) = documents.target(&Label::main_horde()).map(Document::marker) else {
            return Ok(());
        };
        let claim = state.leader().ok_or("nobody leads")?;
        let leader = world.host_of(&claim.principal).filter(|it| who.0.contains(it));
        let leader = leader.ok_or("the leader is elsewhere")?;
        let machine = world.hosts[leader].machine.as_deref().ok_or("no targets run")?;
        let loops = machine.loops.as_ref().ok_or("the leader does not run")?;
        let plan = loops.planner.newest().ok_or("nothing is planned")?;
        let by = (plan.pass.term, plan.pass.leader);
        if by != (claim.n, claim.principal) || plan.target != target {
            return Err(format!("{:?} of {:?} is planned", plan.pass, plan.target));
        }
        let running = |host: usize| {
            let machine = world.hosts[host].machine.as_deref();
            let running = machine.map(crate::site::Machine::running).unwrap_or_default();
            (world.hosts[host].principal(), running)
        };
        let running: BTreeMap<_, _> = who.iter().map(running).collect();
        let usage = |host: usize| documents.usage(&world.hosts[host].principal());
        let is_out = |host: &usize| matches!(usage(*host), Usage::Draining { .. });
        let out = who.iter().filter(is_out).count();
        let is_whole = loops.view.nodes.values().all(|node| node.is_alive);
        let all = loops.view.nodes.len();
        let stand = Stand { plan, running, all, out, is_whole };
        placed(&stand, &world.sites.signed)?;
        let rests = world.now.since(world.sites.changed_at);
        if rests >= REST { Ok(()) } else { Err(format!("something changed {rests:?} ago")) }
    }

    /// Nothing of a target runs there.
    pub(super) fn drained(&self, who: &Hosts) -> Result<(), String> {
        let machine = |host: usize| self.world.hosts[host].machine.as_deref();
        let runs = |host: &usize| machine(*host).is_some_and(|it| !it.running().is_empty());
        who.iter().find(runs).map_or(Ok(()), |host| Err(format!("something runs on n{host}")))
    }
}
