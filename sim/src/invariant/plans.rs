//! What holds of each plan that a leader makes, by what it saw and by the plan before.
//!
//! | law | of |
//! |---|---|
//! | what stays keeps the pass that first assigned it | each place on a live node |
//! | a service without a solution stays as it is | each place on a live node |
//! | a version that failed is failed until there is another target, also for the next leader | each version |
//! | it gets on no further node; and on no more nodes than its step that are not ready | each version of which another is there |
//! | fewer than half replace nothing, unless the service says so | each service |
//! | each first start happens while its conditions hold | each place of a service that has some |
//! | of a surplus stays what is ready | each service that may run anywhere |
//! | equal views give equal plans | a plan of which nothing is there yet |

use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::Principal;
use crux_crdt::document::Usage;
use crux_crdt::name::ServiceName;
use crux_crdt::record::{Amount, First, PlanKey, ProblemKind};
use crux_crdt::service::{OnMinority, SpecTag};
use crux_protocol::proctor::Held;
use crux_protocol::proctor::planner::{
    Input, Newest, Node, Program, Timers, View, is_minority, pass,
};
use crux_protocol::time::Instant;

use crate::scenario::Shape;
use crate::site::{Rows, Service, Signed};

/// Everything that a plan was made of.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) view: View,
    /// The plan that it continues.
    pub(crate) before: Option<Newest>,
}

/// The places that a leader ended.
type Ended = BTreeSet<(ServiceName, Principal)>;

/// Checks a plan.
///
/// # Errors
/// What does not hold.
pub(crate) fn check_plan(
    signed: &Signed,
    planned: &Planned,
    next: &Newest,
    ended: &mut Ended,
) -> Result<(), String> {
    let (site, services) =
        signed.site(next.target).ok_or("a target is planned that nobody signed")?;
    let shape = site.shape;
    for (name, service) in services {
        let one = One { planned, next, name, service, ended };
        let laws = [one.first(), one.unsolved(), one.failed(), one.by_step(), one.minority()];
        laws.into_iter().collect::<Result<(), String>>()?;
        one.gated(shape)?;
        one.surplus(shape)?;
    }
    for name in services.keys() {
        let of = |plan: &Newest, node: &Principal| place(plan, node, name).count > 0;
        for node in planned.view.nodes.keys() {
            let was = planned.before.as_ref().is_some_and(|it| of(it, node));
            if of(next, node) {
                ended.remove(&(name.clone(), *node));
            } else if was {
                ended.insert((name.clone(), *node));
            }
        }
    }
    Ok(())
}

/// A leader's first plan of a target of which nothing is there is what everybody would plan.
///
/// # Errors
/// It is not.
pub(crate) fn same_for_all(
    planned: &Planned,
    next: &Newest,
    held: Option<&Held>,
) -> Result<(), String> {
    let Planned { view, before } = planned;
    let is_calm = |node: &Node| node.is_alive && node.usage == Usage::Open && node.running() == 0;
    let is_first = before.as_ref().is_none_or(|before| before.entries.is_empty());
    let held = held.filter(|held| held.marker == next.target);
    let Some(held) = held.filter(|_| is_first && view.nodes.values().all(is_calm)) else {
        return Ok(());
    };
    let program = Program::of(held).map_err(|why| why.to_string())?;
    let input = Input { view, program: &program, newest: before.as_ref(), number: next.pass };
    let pass = pass(input, &mut Timers::default(), Instant::ORIGIN);
    let pass = pass.map_err(|why| why.to_string())?;
    if pass.entries == next.entries {
        Ok(())
    } else {
        Err("another leader would place a new target elsewhere, though it sees the same".to_owned())
    }
}

/// The place of a service on a node.
#[derive(Debug, Default, PartialEq, Eq)]
struct Place {
    count: u32,
    released: u32,
    firsts: BTreeMap<First, u32>,
    specs: BTreeSet<SpecTag>,
}

fn place(plan: &Newest, node: &Principal, name: &ServiceName) -> Place {
    let mut place = Place::default();
    let entries = plan.entries.get(node).into_iter().flatten();
    let of = entries.filter(|(key, _): &(&PlanKey, &Amount)| key.service == *name);
    for (key, amount) in of {
        place.count += u32::from(amount.count());
        place.released += u32::from(amount.released());
        *place.firsts.entry(key.first).or_default() += u32::from(amount.count());
        place.specs.insert(key.spec);
    }
    place
}

/// One service of a plan.
struct One<'a> {
    planned: &'a Planned,
    next: &'a Newest,
    name: &'a ServiceName,
    service: &'a Service,
    ended: &'a Ended,
}

impl One<'_> {
    fn now(&self, node: &Principal) -> Place {
        place(self.next, node, self.name)
    }

    fn was(&self, node: &Principal) -> Place {
        let before = self.planned.before.as_ref();
        before.map(|before| place(before, node, self.name)).unwrap_or_default()
    }

    fn rows(&self, node: &Principal) -> Rows {
        Rows::of(&self.planned.view, node, self.name)
    }

    fn live(&self) -> impl Iterator<Item = &Principal> {
        self.planned.view.nodes.iter().filter(|(_, node)| node.is_alive).map(|(node, _)| node)
    }

    /// Whether the plan before was of the same target.
    fn is_same(&self) -> bool {
        self.planned.before.as_ref().is_some_and(|before| before.target == self.next.target)
    }

    fn first(&self) -> Result<(), String> {
        for node in self.live() {
            let (now, was) = (self.now(node), self.was(node));
            let new = |(first, count): (&First, &u32)| {
                was.firsts.get(first).is_none_or(|before| before < count)
            };
            if now.count > 0 && now.count <= was.count && now.firsts.iter().any(new) {
                let name = self.name;
                return Err(format!(
                    "{name} stays on {}, and is said to be there since {:?} instead of {:?}",
                    node.short(),
                    now.firsts,
                    was.firsts
                ));
            }
        }
        Ok(())
    }

    fn unsolved(&self) -> Result<(), String> {
        let is_open = |kind| {
            matches!(kind, ProblemKind::Empty | ProblemKind::Blocked | ProblemKind::Arithmetic)
        };
        let mut problems = self.next.problems.first().iter();
        if !problems.any(|it| it.service == *self.name && is_open(it.kind)) {
            return Ok(());
        }
        let fewer = |node: &&Principal| self.now(node).count < self.was(node).count;
        self.live().find(fewer).map_or(Ok(()), |node| {
            Err(format!("{} has no solution, and ends on {}", self.name, node.short()))
        })
    }

    fn failed(&self) -> Result<(), String> {
        let spec = &self.service.spec;
        let was = self.planned.before.as_ref().filter(|_| self.is_same());
        let was = was.is_some_and(|before| before.failed.contains_key(spec));
        if was && !self.next.failed.contains_key(spec) {
            return Err(format!("{spec} of {} failed, and is forgotten", self.name));
        }
        Ok(())
    }

    fn by_step(&self) -> Result<(), String> {
        if !self.is_same() {
            return Ok(());
        }
        let spec = self.service.spec;
        let nodes = || self.next.entries.keys();
        let has = |node: &&Principal| self.now(node).specs.contains(&spec);
        // Those on lost nodes are no places.
        let others = self.live().any(|node| self.now(node).specs.iter().any(|it| *it != spec));
        let new = nodes().filter(has).any(|node| !self.was(node).specs.contains(&spec));
        if !others || !new {
            return Ok(());
        }
        if self.next.failed.contains_key(&spec) {
            return Err(format!("{spec} of {} failed, and gets on another node", self.name));
        }
        let places = nodes().filter(|node| self.now(node).count > 0).count();
        let waits = |node: &&Principal| !self.rows(node).is_ready_with(spec);
        let waiting = self.live().filter(has).filter(waits).count();
        let step = self.service.step.of(places);
        if waiting > step.max(1) {
            return Err(format!("{waiting} nodes get {spec} of {}, {step} may", self.name));
        }
        Ok(())
    }

    fn minority(&self) -> Result<(), String> {
        let view = &self.planned.view;
        let holds = self.service.moving.on_minority == OnMinority::Hold;
        let is_open = view.nodes.values().all(|node| node.usage == Usage::Open);
        if !holds || !is_open || !self.is_same() || !is_minority(view.alive(), view.nodes.len()) {
            return Ok(());
        }
        let there = |node: &Principal| self.was(node).count.max(self.rows(node).running());
        let (before, after): (u32, u32) = self
            .live()
            .map(|node| (there(node), self.now(node).count))
            .fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        if after > before {
            let (name, alive, all) = (self.name, view.alive(), view.nodes.len());
            return Err(format!("{alive} of {all} nodes replace {name}: {before} to {after}"));
        }
        Ok(())
    }

    fn gated(&self, shape: Shape) -> Result<(), String> {
        let needed = match shape {
            Shape::After if self.name.as_str() == "web" => 2,
            Shape::Waits if self.name.as_str() == "web" => 3,
            _ => return Ok(()),
        };
        let db: ServiceName = "db".parse().map_err(|_| "a name")?;
        let view = &self.planned.view;
        let ready: u32 = self.live().map(|node| Rows::of(view, node, &db).ready()).sum();
        let starts = |node: &&Principal| {
            let there = self.was(node).released.max(self.rows(node).running());
            self.now(node).released > there
        };
        match self.live().find(starts) {
            Some(node) if ready < needed => {
                let name = self.name;
                Err(format!("{name} starts on {} after {ready} of db, not {needed}", node.short()))
            }
            _ => Ok(()),
        }
    }

    fn surplus(&self, shape: Shape) -> Result<(), String> {
        if !matches!(shape, Shape::Plain | Shape::Few | Shape::After | Shape::Waits) {
            return Ok(());
        }
        let is_open = |node: &Principal| {
            self.planned.view.nodes.get(node).is_some_and(|it| it.usage == Usage::Open)
        };
        let was = |node: &Principal| {
            let is_ended = self.ended.contains(&(self.name.clone(), *node));
            let running = if is_ended { 0 } else { self.rows(node).running() };
            self.was(node).count.max(running)
        };
        let open: Vec<&Principal> = self.live().filter(|node| is_open(node)).collect();
        let dropped = open.iter().find(|node| {
            let (was, now) = (was(node), self.now(node).count);
            was == 1 && now == 0 && self.rows(node).ready() >= 1
        });
        let kept = open.iter().find(|node| {
            let (was, now) = (was(node), self.now(node).count);
            was == 1 && now == 1 && self.rows(node).ready() == 0
        });
        match (dropped, kept) {
            (Some(dropped), Some(kept)) => Err(format!(
                "of a surplus of {} the one on {} ends, which is ready, and that on {} stays",
                self.name,
                dropped.short(),
                kept.short()
            )),
            _ => Ok(()),
        }
    }
}
