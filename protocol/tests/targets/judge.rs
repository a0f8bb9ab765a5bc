//! Rules that hold for every plan, whatever happened before.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::Principal;
use crux_crdt::record::{InstanceReport, NameTag, Stage};
use crux_crdt::service::SpecTag;
use crux_protocol::proctor::planner::{Newest, Node, View};

use super::horde::Wish;
use super::machine::bad;
use super::rig::name;

/// Judges plans by what their leaders saw.
#[derive(Default)]
pub(crate) struct Judge {
    /// For each leader what it saw when it planned, and the plan that it continued.
    seen: BTreeMap<Principal, (View, Option<Newest>)>,
}

/// A plan with its leader's view, and the plan before.
struct Case<'a> {
    view: &'a View,
    before: Option<&'a Newest>,
    plan: &'a Newest,
    wish: Wish,
    broken: RefCell<Vec<String>>,
}

impl Judge {
    pub(crate) fn sees(&mut self, leader: Principal, view: View, before: Option<Newest>) {
        self.seen.insert(leader, (view, before));
    }

    /// A plan becomes durable.
    pub(crate) fn plan(&mut self, plan: &Newest, wish: &Wish, signed: &BTreeSet<SpecTag>) {
        let Some((view, before)) = self.seen.remove(&plan.pass.leader) else { return };
        let case = Case {
            view: &view,
            before: before.as_ref(),
            plan,
            wish: *wish,
            broken: RefCell::default(),
        };
        let specs = plan.entries.values().flat_map(|entries| entries.keys());
        assert!(
            specs.clone().all(|key| signed.contains(&key.spec)),
            "what nobody signed is planned"
        );
        assert!(Some(plan.target) >= case.before.map(|it| it.target), "an older target is planned");
        case.counts();
        case.surplus();
        case.minority();
        case.unsolved();
        case.gates();
        case.drains();
        case.steps();
        let broken = case.broken.borrow();
        assert!(broken.is_empty(), "{broken:?}\n{}", case.shown());
    }
}

fn count(plan: Option<&Newest>, node: &Principal, service: &str) -> u32 {
    let entries = plan.and_then(|it| it.entries.get(node)).into_iter().flatten();
    entries
        .filter(|(key, _)| key.service.as_str() == service)
        .map(|(_, it)| u32::from(it.count()))
        .sum()
}

fn ready(node: &Node, service: &str) -> u32 {
    let tag = NameTag::of(&name(service));
    let lines = node.runs.iter().flat_map(InstanceReport::lines);
    let up = lines.filter(|(key, _)| key.service == tag && key.stage == Stage::Ready);
    up.map(|(_, count)| u32::from(count)).sum()
}

impl Case<'_> {
    fn rule(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.broken.borrow_mut().push(what());
        }
    }

    /// All of it, in a few lines; shown where a test fails.
    fn shown(&self) -> String {
        let mut text = format!("{:?} {:?} {:?}\n", self.plan.pass, self.wish, self.plan.failed);
        for (at, node) in &self.view.nodes {
            let Node { name, is_alive, usage, labels, runs, .. } = node;
            text += &format!("  {name} alive {is_alive} {usage:?} {labels:?}\n");
            for (key, count) in runs.iter().flat_map(InstanceReport::lines) {
                text +=
                    &format!("    runs {:?} {:?} {:?} {count}\n", key.service, key.spec, key.stage);
            }
            for (word, plan) in [("had", self.before), ("has", Some(self.plan))] {
                let entries = plan.and_then(|it| it.entries.get(at)).into_iter().flatten();
                for (key, it) in entries {
                    let (service, first) = (&key.service, key.first);
                    text += &format!("    {word} {service} {} {first:?} {it:?}\n", key.spec);
                }
            }
        }
        text
    }

    /// The nodes that can get something.
    fn open(&self) -> impl Iterator<Item = (&Principal, &Node)> {
        self.view.nodes.iter().filter(|(_, node)| node.is_alive && !node.is_draining())
    }

    fn wanted(&self, service: &str) -> u32 {
        if service == "web" { self.wish.web.into() } else { 1 }
    }

    /// Whether the set of a service has a node.
    fn is_solved(&self, service: &str) -> bool {
        let in_set = |node: &Node| service != "db" || node.labels.contains_key("disk");
        self.view.nodes.values().any(|node| node.is_alive && !node.is_draining() && in_set(node))
    }

    /// No more than what is wanted is on the nodes that are open.
    fn counts(&self) {
        for service in ["web", "app", "db"].iter().filter(|it| self.is_solved(it)) {
            let all: u32 = self.open().map(|(node, _)| count(Some(self.plan), node, service)).sum();
            self.rule(all <= self.wanted(service), || format!("{all} of {service} are planned"));
        }
    }

    /// Nothing that is ready makes way for something that is not.
    fn surplus(&self) {
        let kept = |node: &Principal| count(Some(self.plan), node, "web");
        let is_there = |node: &Principal| count(self.before, node, "web") > 0;
        let ended =
            self.open().find(|(at, node)| is_there(at) && ready(node, "web") > 0 && kept(at) == 0);
        let unready =
            self.open().find(|(at, node)| is_there(at) && ready(node, "web") == 0 && kept(at) > 0);
        let both = ended.zip(unready).map(|(ended, unready)| (ended.0, unready.0));
        self.rule(both.is_none(), || {
            format!("what is ready ends, and what is not stays: {both:?}")
        });
    }

    /// A minority takes nothing from the nodes that it does not see.
    fn minority(&self) {
        let alive = self.view.nodes.values().filter(|node| node.is_alive).count();
        if 2 * alive >= self.view.nodes.len() {
            return;
        }
        let same = self.before.is_some_and(|before| before.target == self.plan.target);
        for service in ["web", "app"].iter().filter(|_| same) {
            let had: u32 =
                self.view.nodes.keys().map(|node| count(self.before, node, service)).sum();
            let has: u32 =
                self.view.nodes.keys().map(|node| count(Some(self.plan), node, service)).sum();
            let is_drained = self.view.nodes.values().any(Node::is_draining);
            let is_enough = had >= self.wanted(service) && !is_drained;
            self.rule(!is_enough || has <= had, || {
                format!("a minority replaces {service}: {had}, {has}")
            });
        }
    }

    /// A service without a solution stays as it is.
    fn unsolved(&self) {
        let is_empty =
            !self.view.nodes.values().any(|it| it.labels.contains_key("disk") && !it.is_draining());
        for node in self.view.nodes.keys().filter(|_| is_empty) {
            let (had, has) = (count(self.before, node, "db"), count(Some(self.plan), node, "db"));
            self.rule(has >= had, || "a service without a solution ends".to_owned());
        }
    }

    /// Instances may start for the first time only while their conditions hold.
    fn gates(&self) {
        let db: u32 =
            self.view.nodes.values().filter(|it| it.is_alive).map(|it| ready(it, "db")).sum();
        for (node, entries) in &self.plan.entries {
            let app = entries
                .iter()
                .filter(|(key, it)| key.service.as_str() == "app" && it.released() > 0);
            for (key, _) in app {
                let before = self.before.and_then(|it| it.entries.get(node));
                let may = before.and_then(|it| it.get(key)).is_some_and(|it| it.released() > 0);
                let tag = NameTag::of(&key.service);
                let lines = self.view.nodes[node].runs.iter().flat_map(InstanceReport::lines);
                let runs = lines.filter(|(line, _)| line.service == tag).count() > 0;
                self.rule(may || runs || db >= 1, || {
                    "a start does not wait for its conditions".to_owned()
                });
            }
        }
    }

    /// A drain leaves what is not replaced.
    fn drains(&self) {
        for service in ["web", "app", "db"] {
            let draining =
                || self.view.nodes.iter().filter(|(_, it)| it.is_draining() && it.is_alive);
            let sum = |plan| draining().map(|(node, _)| count(plan, node, service)).sum::<u32>();
            let (had, has) = (sum(self.before), sum(Some(self.plan)));
            let ready: u32 = self.open().map(|(_, node)| ready(node, service)).sum();
            let least = self.wanted(service).min(had + ready);
            self.rule(has + ready >= least.min(had + ready), || {
                "a drain ends what has no replacement".to_owned()
            });
        }
    }

    /// The version that never gets ready comes on one node at a time, and on none once it failed.
    fn steps(&self) {
        let has_bad = |plan: Option<&Newest>, node: &Principal| {
            let mut entries = plan.and_then(|it| it.entries.get(node)).into_iter().flatten();
            entries.any(|(key, _)| key.spec == bad())
        };
        let others = |plan: Option<&Newest>| {
            let entries = plan.into_iter().flat_map(|it| it.entries.values().flatten());
            entries.filter(|(key, _)| key.service.as_str() == "web" && key.spec != bad()).count()
        };
        let nodes = || self.view.nodes.keys();
        let runs_bad = |node: &Principal| {
            let mut lines = self.view.nodes[node].runs.iter().flat_map(InstanceReport::lines);
            lines.any(|(key, _)| key.spec == bad())
        };
        let had_bad = |node: &Principal| has_bad(self.before, node) || runs_bad(node);
        let new = nodes().filter(|it| has_bad(Some(self.plan), it) && !had_bad(it));
        let new = new.count();
        let both = |it: &Principal| has_bad(self.before, it) && has_bad(Some(self.plan), it);
        let old = self.open().filter(|(it, _)| both(it)).count();
        // A new leader counts what its predecessor just ended.
        let fence = |it: &Newest| (it.pass.term, it.pass.leader);
        let is_own = self.before.map(fence) == Some(fence(self.plan));
        let old = if is_own { old } else { 0 };
        let is_first = others(self.before) == 0;
        self.rule(new == 0 || is_first || new + old <= 1, || {
            "more than a step has the new version".to_owned()
        });
        let before = self.before.filter(|it| it.target == self.plan.target);
        let was_marked = before.is_some_and(|it| it.failed.contains_key(&bad()));
        if was_marked {
            self.rule(self.plan.failed.contains_key(&bad()), || {
                "a failed version is forgotten".to_owned()
            });
            self.rule(new == 0 || is_first, || "a failed version gets on another node".to_owned());
        }
    }
}
