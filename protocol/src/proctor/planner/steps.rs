//! The changes of a pass, as lines for people.
//!
//! The difference between what is present and what the pass assigns. An instance that stops on one node, or was lost with
//! it, and one that starts on another are one line.

use std::collections::BTreeMap;

use crux_crdt::Principal;
use crux_khan::pass::Plan;

use super::horde::Horde;
use super::service::Service;
use super::{Action, Step, Timers, Turn};

/// The reasons of the solver, by service and node.
pub(super) struct Whys<'a>(BTreeMap<(&'a str, &'a str), &'a str>);

impl<'a> Whys<'a> {
    pub(super) fn of(plan: &'a Plan) -> Self {
        let step = |it: &'a crux_khan::pass::Step| ((&*it.service, &*it.node), &*it.why);
        Self(plan.steps.iter().map(step).collect())
    }

    fn get(&self, service: &str, node: &str) -> Option<String> {
        self.0.get(&(service, node)).map(|why| (*why).to_owned())
    }
}

/// Makes the lines of one service.
pub(super) struct Steps<'a> {
    pub(super) horde: &'a Horde<'a>,
    pub(super) timers: &'a Timers,
    pub(super) whys: &'a Whys<'a>,
    /// Also what later steps of a roll-out change.
    pub(super) ahead: bool,
}

/// Instances that are gone from a node.
struct Gone {
    node: String,
    count: u32,
    /// Stopped by this pass; else the node is lost.
    stops: bool,
    why: String,
}

impl Steps<'_> {
    /// The lines of a service, by node: what rolls, what comes, then what only stops.
    pub(super) fn of(&self, service: &Service<'_>, turn: &Turn) -> Vec<Step> {
        let mut gone = self.gone(service);
        let mut steps = self.rolls(service, turn);
        for (node, count) in &service.counts {
            let more = count.saturating_sub(self.present(service, node));
            if more > 0 {
                self.come(service, (node, more), &mut gone, &mut steps);
            }
        }
        for Gone { node, count, why, .. } in gone.into_iter().filter(|it| it.stops && it.count > 0)
        {
            steps.push(step(Action::Stop, service, &node, count, why));
        }
        steps
    }

    fn name(&self, node: &Principal) -> String {
        self.horde.node(node).map(|node| node.name.clone()).unwrap_or_default()
    }

    /// How many are present on a node that is not lost.
    fn present(&self, service: &Service<'_>, node: &Principal) -> u32 {
        let there = self.horde.there.get(service.name).and_then(|there| there.get(node));
        there.map_or(0, super::there::There::count)
    }

    fn rolls(&self, service: &Service<'_>, turn: &Turn) -> Vec<Step> {
        let roll = |(node, count): (&Principal, &u32)| {
            let there = self.horde.there.get(service.name)?.get(node)?;
            let (from, now) = (there.spec?, *turn.specs.get(node)?);
            let is_next = self.ahead && turn.failed.is_none();
            let to = if is_next { service.version.spec } else { now };
            let why = match turn.failed {
                Some(_) if to != service.version.spec => "the new version failed".to_owned(),
                _ => format!("in steps of {}", service.version.config.rollout.step),
            };
            let count = (*count).min(there.count());
            let (from, to) = (Some(from.to_string()), Some(to.to_string()));
            let step = step(Action::Roll, service, &self.name(node), count, why);
            (from != to).then_some(Step { from, to, ..step })
        };
        service.counts.iter().filter_map(roll).collect()
    }

    fn gone(&self, service: &Service<'_>) -> Vec<Gone> {
        let gone = |(node, there): (&Principal, &super::there::There)| {
            let name = self.name(node);
            if self.horde.is_lost(node, service.version, self.timers) {
                let why = format!("{name} is lost");
                return Some(Gone { node: name, count: there.count(), stops: false, why });
            }
            let wanted = service.counts.get(node).copied().unwrap_or_default();
            let count = there.count().saturating_sub(wanted);
            let why = self.whys.get(service.name.as_str(), &name);
            let why = why.unwrap_or_else(|| "its replacement is ready".to_owned());
            (count > 0).then_some(Gone { node: name, count, stops: true, why })
        };
        self.horde.of(service.name).filter_map(gone).collect()
    }

    fn come(
        &self,
        service: &Service<'_>,
        (node, mut more): (&Principal, u32),
        gone: &mut [Gone],
        steps: &mut Vec<Step>,
    ) {
        let name = self.name(node);
        if !service.gate.open {
            steps.push(step(Action::Hold, service, &name, more, service.gate.why.clone()));
            return;
        }
        for from in gone.iter_mut().filter(|from| from.count > 0) {
            let count = from.count.min(more);
            if count > 0 {
                (from.count, more) = (from.count - count, more - count);
                let moves = step(Action::Move, service, &name, count, from.why.clone());
                steps.push(Step { from: Some(from.node.clone()), ..moves });
            }
        }
        if more > 0 {
            steps.push(step(Action::Start, service, &name, more, service.gate.why.clone()));
        }
    }
}

fn step(action: Action, service: &Service<'_>, node: &str, count: u32, why: String) -> Step {
    Step::new(action, (service.name, node), count, why)
}
