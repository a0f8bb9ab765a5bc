//! Why a service runs on a node, or does not.
//!
//! For each node: how many it has and is to have, and every rule that keeps it from having one more. Nothing in it is a
//! decision: it repeats what a pass would decide now.

use crux_crdt::Principal;
use crux_crdt::name::ServiceName;
use crux_crdt::record::Problem;
use crux_khan::pass::{Gate, gate, why};
use crux_khan::solve::Reason;
use crux_khan::world::WorldError;

use super::pass::Drafting;
use super::service::Service;
use super::there::There;
use super::{Input, Timers, notes};
use crate::time::Instant;

/// Why a service runs where it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// How many the program wants in all; none: that number has no value.
    pub wanted: Option<u32>,
    /// Why fewer are placed.
    pub problem: Option<Problem>,
    /// Every node, by name.
    pub nodes: Vec<ExplainedNode>,
}

/// Why a service runs on a node, or does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedNode {
    /// The node.
    pub node: String,
    /// How many instances it has: that run, or that the newest plan has there.
    pub present: u32,
    /// How many it is to have.
    pub wanted: u32,
    /// Why it has these and not more.
    pub reasons: Vec<String>,
}

/// Explains where a service runs; none: the target does not place it.
///
/// # Errors
/// [`WorldError`]: the horde is more than the solver takes.
pub fn explain(
    input: Input<'_>,
    mut timers: Timers,
    now: Instant,
    service: &ServiceName,
) -> Result<Option<Explained>, WorldError> {
    let drafting = Drafting::new(input, &mut timers, now)?;
    let checked = &input.program.checked;
    let Some(pick) = checked.pick_of(service.as_str()) else { return Ok(None) };
    let Some((name, version)) = drafting.horde.services().find(|(name, _)| *name == service) else {
        return Ok(None);
    };
    let Drafting { horde, world, solution, .. } = &drafting;
    let gate = gate(checked, world, solution, pick, &horde.stages());
    let nodes = drafting.nodes();
    let placement = solution.of(pick);
    let placed = Service::new(horde, &timers, (name, version), (placement, gate), &nodes);
    let explainer = Explainer { drafting: &drafting, timers: &timers, service: &placed };
    let one = |(at, node): (usize, &Principal)| {
        explainer.node(node, &why(checked, world, solution, pick, at).reasons)
    };
    let problem = solution.problems.iter().find(|it| it.service() == service.as_str());
    Ok(Some(Explained {
        wanted: placement.count,
        problem: problem.and_then(notes::problem),
        nodes: nodes.iter().enumerate().map(one).collect(),
    }))
}

struct Explainer<'a> {
    drafting: &'a Drafting<'a>,
    timers: &'a Timers,
    service: &'a Service<'a>,
}

impl Explainer<'_> {
    fn node(&self, principal: &Principal, rules: &[Reason]) -> ExplainedNode {
        let horde = &self.drafting.horde;
        let there = horde.there.get(self.service.name).and_then(|there| there.get(principal));
        let present = there.map_or(0, There::count);
        let wanted = self.service.counts.get(principal).copied().unwrap_or_default();
        let mut reasons = Vec::new();
        reasons
            .extend(there.map(|there| self.of_place(principal, there, wanted)).unwrap_or_default());
        if let Gate { open: false, why } = &self.service.gate
            && there.map_or(0, released) < wanted
        {
            reasons.push(format!("waits for {why}"));
        }
        reasons.extend(rules.iter().map(|rule| self.rule(principal, *rule, present)));
        let is_open = self.service.placement.rules.is_some();
        if reasons.is_empty() && is_open {
            reasons.push(
                "it could have one, and others are chosen: there less has to change".to_owned(),
            );
        }
        if !is_open {
            reasons.push("the service has no solution, and stays as it runs".to_owned());
        }
        let node = horde.node(principal).map(|node| node.name.clone()).unwrap_or_default();
        ExplainedNode { node, present, wanted, reasons }
    }

    /// The reasons that are in what the node has.
    fn of_place(&self, principal: &Principal, there: &There, wanted: u32) -> Vec<String> {
        let horde = &self.drafting.horde;
        let mut reasons = Vec::new();
        if there.is_blocked {
            reasons.push("a person started a service of this name there".to_owned());
        }
        reasons.extend(there.failed.map(|failure| failure.to_string()));
        if let Some(count) = self.service.staying.get(principal) {
            reasons.push(format!("drained: {count} stay until replacements are ready"));
        }
        if !horde.is_alive(principal)
            && wanted > 0
            && !horde.is_lost(principal, self.service.version, self.timers)
        {
            reasons.push("away: what it has keeps its place until it is lost".to_owned());
        }
        reasons
    }

    /// A rule, in the words for this node.
    fn rule(&self, principal: &Principal, rule: Reason, present: u32) -> String {
        let node = self.drafting.horde.node(principal);
        let is_draining = node.is_some_and(super::Node::is_draining);
        let is_alive = node.is_some_and(|node| node.is_alive);
        match rule {
            Reason::Out if is_draining => "drained".to_owned(),
            Reason::Out => "lost".to_owned(),
            Reason::Keep if is_alive => "cordoned".to_owned(),
            Reason::Keep => "away".to_owned(),
            Reason::Has(count) if present < count => format!("is to have {count} already"),
            rule => rule.to_string(),
        }
    }
}

/// How many of a place's instances may start.
fn released(there: &There) -> u32 {
    there.batches.values().map(|batch| batch.released).sum()
}
