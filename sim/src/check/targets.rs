//! What runs for a target, against what was planned and signed.

use std::collections::BTreeSet;

use crux_crdt::document::{Document, Marker};
use crux_crdt::name::Label;

use super::Looked;
use crate::invariant::{Stand, placed};
use crate::scenario::Hosts;
use crate::site::{Loops, Machine, REST};

impl Looked<'_> {
    /// These run what their leader planned, and that is what the target wants.
    pub(super) fn placed(&self, who: &Hosts) -> Result<(), String> {
        let world = self.world;
        let Some(target) = self.target(who)? else { return Ok(()) };
        let loops = self.leading(who)?;
        let plan = loops.planner.newest().ok_or("nothing is planned")?;
        if plan.target != target {
            return Err(format!("{:?} is planned", plan.target));
        }
        let running = |host: usize| {
            let machine = world.hosts[host].machine.as_deref();
            (world.hosts[host].principal(), machine.map(Machine::running).unwrap_or_default())
        };
        let nodes = loops.view.nodes.values();
        let stand = Stand {
            plan,
            running: who.iter().map(running).collect(),
            all: nodes.len(),
            out: nodes.clone().filter(|node| node.is_draining()).count(),
            is_whole: nodes.clone().all(|node| node.is_alive),
        };
        placed(&stand, &world.sites.signed)?;
        let rests = world.now.since(world.sites.changed_at);
        if rests >= REST { Ok(()) } else { Err(format!("something changed {rests:?} ago")) }
    }

    /// The target that all of these have; none: nobody signed one.
    fn target(&self, who: &Hosts) -> Result<Option<Marker>, String> {
        if self.world.clients.waiting() > 0 {
            return Err("requests wait".to_owned());
        }
        let mut targets = BTreeSet::new();
        for host in who.iter() {
            let documents = self.state_of(host)?.strew().documents();
            targets.insert(documents.target(&Label::main_horde()).map(Document::marker));
        }
        let target = targets.pop_first().flatten();
        if !targets.is_empty() {
            return Err("they have different targets".to_owned());
        }
        if target.is_none() && self.world.sites.signed.is_any() {
            return Err("the target is not here yet".to_owned());
        }
        Ok(target)
    }

    /// The loops of the leader of these, which obey its plan.
    fn leading(&self, who: &Hosts) -> Result<&Loops, String> {
        let world = self.world;
        let first = who.iter().next().ok_or("nobody is there")?;
        let claim = self.state_of(first)?.leader().ok_or("nobody leads")?;
        let leader = world.host_of(&claim.principal).filter(|it| who.0.contains(it));
        let machine = leader.and_then(|leader| world.hosts[leader].machine.as_deref());
        let loops = machine.and_then(|machine| machine.loops.as_ref());
        let loops = loops.ok_or("the leader is elsewhere")?;
        match loops.planner.newest().map(|plan| (plan.pass.term, plan.pass.leader)) {
            Some(by) if by == (claim.n, claim.principal) => Ok(loops),
            by => Err(format!("the plan is of {by:?}")),
        }
    }

    /// Nothing of a target runs there.
    pub(super) fn drained(&self, who: &Hosts) -> Result<(), String> {
        let machine = |host: usize| self.world.hosts[host].machine.as_deref();
        let runs = |host: &usize| machine(*host).is_some_and(|it| !it.running().is_empty());
        who.iter().find(runs).map_or(Ok(()), |host| Err(format!("something runs on n{host}")))
    }
}
