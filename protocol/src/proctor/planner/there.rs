//! The instances of a service on a node: those that run there, and those that the newest plan assigned.
//!
//! Present is the greater of both. So nothing is started twice while a node has not said yet that it runs it, nothing
//! moves on while an image comes, and what is back is counted before anything is stopped. Instances that this leader ended do not
//! count any more, or a place that is not ready yet would make way for one that is about to end. While a node replaces one
//! version by another, instances of both run: the version of which there are more counts.

use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::Principal;
use crux_crdt::name::ServiceName;
use crux_crdt::record::{Amount, Failure, First, NameTag, PlanKey, Stage};
use crux_crdt::service::{COUNT_MAX, SpecTag};

use super::view::Line;
use super::{Newest, Node, View};

/// The instances of a service on a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct There {
    /// The instances, by the pass that first assigned them: how many, and how many of them may start.
    pub(super) batches: BTreeMap<First, Batch>,
    /// How many the newest plan assigns.
    pub(super) assigned: u32,
    /// The version that the newest plan assigns; else the one that runs.
    pub(super) spec: Option<SpecTag>,
    /// How many are ready or done with that version.
    pub(super) ready_with_spec: u32,
    /// That version failed there.
    pub(super) failed: Option<Failure>,
    /// A person's service of the same name has precedence there.
    pub(super) is_blocked: bool,
    /// How many are in each stage, each place counted once.
    pub(super) stages: Stages,
}

/// Some instances of one version on a node, as a plan assigns them.
#[derive(Debug, Clone, Copy)]
struct Assigned {
    spec: SpecTag,
    first: First,
    amount: Amount,
}

/// No node has more instances of a service.
const MOST: u32 = COUNT_MAX as u32;

/// Instances that one pass first assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Batch {
    pub(super) count: u32,
    pub(super) released: u32,
}

/// How many instances of a service are how far on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stages {
    /// Started, and no further.
    pub(super) started: u32,
    pub(super) ready: u32,
    pub(super) done: u32,
}

/// The instances of a service on each node that has some, be they only about to end.
pub(super) type Presence = BTreeMap<Principal, There>;

/// The instances of these services on each node.
pub(super) fn presences<'a>(
    view: &View,
    newest: Option<&Newest>,
    services: &[&'a ServiceName],
    ended: &BTreeSet<(ServiceName, Principal)>,
) -> BTreeMap<&'a ServiceName, Presence> {
    let tags: BTreeMap<NameTag, &ServiceName> =
        services.iter().map(|name| (NameTag::of(name), *name)).collect();
    let mut all: BTreeMap<_, _> = services.iter().map(|name| (*name, Presence::new())).collect();
    for (principal, node) in &view.nodes {
        for (name, Found { assigned, lines }) in found(principal, node, newest, &tags) {
            let mut there = There::of(&assigned, &lines);
            if !ended.contains(&(name.clone(), *principal)) {
                there.find_more(&lines);
            }
            let is_there = there.count() > 0 || there.running() > 0;
            if let Some(presence) = all.get_mut(name).filter(|_| is_there) {
                presence.insert(*principal, there);
            }
        }
    }
    all
}

/// The statements of plan and node about a service on one node.
#[derive(Default)]
struct Found {
    assigned: Vec<Assigned>,
    lines: Vec<Line>,
}

fn found<'a>(
    principal: &Principal,
    node: &Node,
    newest: Option<&'a Newest>,
    tags: &BTreeMap<NameTag, &'a ServiceName>,
) -> BTreeMap<&'a ServiceName, Found> {
    let mut all: BTreeMap<&ServiceName, Found> = BTreeMap::new();
    for (tag, line) in node.lines() {
        if let Some(name) = tags.get(&tag) {
            all.entry(name).or_default().lines.push(line);
        }
    }
    let newest = newest.filter(|_| !crux_crdt::planted!(AssignedForgotten));
    let entries = newest.and_then(|it| it.entries.get(principal)).into_iter().flatten();
    for (key, amount) in entries {
        let PlanKey { service, spec, first } = key;
        let assigned = Assigned { spec: *spec, first: *first, amount: *amount };
        all.entry(service).or_default().assigned.push(assigned);
    }
    all
}

impl There {
    fn of(assigned: &[Assigned], lines: &[Line]) -> Self {
        let running = most_run(lines);
        let planned = assigned.iter().max_by_key(|it| (it.amount.count(), it.spec));
        let spec = planned.map(|it| it.spec).or(running);
        let of_spec = |line: &&Line| Some(line.spec) == spec;
        let is_up = |line: &&Line| matches!(line.stage, Stage::Ready | Stage::Done);
        let mut there = Self {
            assigned: assigned.iter().map(|it| u32::from(it.amount.count())).sum(),
            spec,
            ready_with_spec: sum(lines.iter().filter(of_spec).filter(is_up)),
            failed: lines.iter().filter(of_spec).find_map(failure),
            is_blocked: lines.iter().any(|line| line.stage == Stage::Blocked),
            stages: stages(lines),
            ..Self::default()
        };
        for Assigned { first, amount, .. } in assigned {
            there.add(*first, amount.count().into(), amount.released().into());
        }
        there
    }

    /// Counts what runs beyond what is assigned.
    fn find_more(&mut self, lines: &[Line]) {
        let Some(running) = most_run(lines) else { return };
        lines.iter().filter(|it| it.spec == running && runs(it)).for_each(|line| self.find(line));
    }

    /// How many run.
    pub(super) const fn running(&self) -> u32 {
        self.stages.started + self.ready()
    }

    /// How many are present.
    pub(super) fn count(&self) -> u32 {
        self.batches.values().map(|batch| batch.count).sum()
    }

    /// How many serve, in whatever version, or are done.
    pub(super) const fn ready(&self) -> u32 {
        self.stages.ready + self.stages.done
    }

    /// Whether all that are present serve.
    pub(super) fn is_ready(&self) -> bool {
        self.ready() >= self.count()
    }

    /// Whether any may start.
    pub(super) fn is_released(&self) -> bool {
        self.batches.values().any(|batch| batch.released > 0)
    }

    /// The pass that assigned the youngest of them.
    pub(super) fn youngest(&self) -> First {
        self.batches.keys().next_back().copied().unwrap_or_default()
    }

    /// Adds instances, as far as a node can have them: no statement makes a leader count more.
    fn add(&mut self, first: First, count: u32, released: u32) {
        let count = count.min(MOST.saturating_sub(self.count()));
        if count > 0 {
            let batch = self.batches.entry(first).or_default();
            batch.count += count;
            batch.released += released.min(count);
        }
    }

    /// Counts what of a line is beyond what is there. It started, so it may.
    fn find(&mut self, line: &Line) {
        let known = self.batches.get(&line.first).map_or(0, |batch| batch.count);
        let room = self.running().saturating_sub(self.count());
        let more = u32::from(line.count).saturating_sub(known).min(room);
        self.add(line.first, more, more);
    }
}

/// Whether instances of a line count as running. Those that are stopping, failed or blocked do not.
pub(super) fn runs(line: &Line) -> bool {
    matches!(
        line.stage,
        Stage::Starting | Stage::Ready | Stage::Done | Stage::Wedged | Stage::Later(_)
    )
}

/// The version of which most instances run.
fn most_run(lines: &[Line]) -> Option<SpecTag> {
    let running = |spec| sum(lines.iter().filter(|line| line.spec == spec && runs(line)));
    let specs = lines.iter().filter(|line| runs(line)).map(|line| line.spec);
    specs.max_by_key(|spec| (running(*spec), *spec))
}

/// The stages of a node's instances. A version that comes and the one that it replaces are in the same places, so the
/// most of any version counts.
pub(super) fn stages(lines: &[Line]) -> Stages {
    let most = |counts: &dyn Fn(&Line) -> bool| {
        let of = |spec| sum(lines.iter().filter(|line| line.spec == spec && counts(line)));
        lines.iter().map(|line| of(line.spec)).max().unwrap_or_default().min(MOST)
    };
    let running = most(&runs);
    let ready = most(&|line| line.stage == Stage::Ready);
    let done = most(&|line| line.stage == Stage::Done);
    Stages { started: running.saturating_sub(ready + done), ready, done }
}

fn failure(line: &Line) -> Option<Failure> {
    match line.stage {
        Stage::Failed => Some(Failure::CrashLoop),
        Stage::Wedged => Some(Failure::Wedged),
        _ => None,
    }
}

fn sum<'a>(lines: impl Iterator<Item = &'a Line>) -> u32 {
    lines.map(|line| u32::from(line.count)).sum()
}
