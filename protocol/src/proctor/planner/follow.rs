//! How far a target is, judged by any node from what it sees: the target, the newest plan, and the nodes' statements.
//!
//! | state | of a service |
//! |---|---|
//! | failed | its version failed, and is not tried again before the next target |
//! | changing | something is on its way: a start, an end, a step of a roll-out, or a plan |
//! | held | nothing is on its way, and something is not as the program says; `holds` has the reasons |
//! | settled | as many serve as the program wants, and nothing else runs |
//!
//! The target has the first of these that one of its services has, and is *changing* while no plan for it is seen, or while
//! instances run of services that it does not place. **Invariant**: it is settled only if all its services are.

use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::Principal;
use crux_crdt::name::ServiceName;
use crux_crdt::record::{Failure, NameTag, Stage};
use crux_crdt::service::SpecTag;

use super::notes::word;
use super::there::{Stages, runs, stages};
use super::view::Line;
use super::{Newest, Node, Preview, Program, Version, View};

/// How far a target is, or one of its services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It is as the program says.
    Settled,
    /// Nothing changes by itself, and something is not as the program says.
    Held,
    /// Something is on its way.
    Changing,
    /// A version failed.
    Failed,
}

/// How far a target is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// How far it is as a whole.
    pub standing: Standing,
    /// Its services, by name.
    pub services: Vec<FollowedService>,
    /// How many instances run that the target does not place and an earlier one did.
    pub leaving: u32,
}

/// How far a service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowedService {
    /// Its name.
    pub service: ServiceName,
    /// How far it is.
    pub standing: Standing,
    /// How many instances the program wants; without a solution, how many the plan has.
    pub wanted: u32,
    /// How many are started on live nodes.
    pub running: u32,
    /// How many of those serve, or are done.
    pub ready: u32,
    /// Its versions that are planned or run on live nodes: the wanted one first.
    pub versions: Vec<FollowedVersion>,
    /// Why the wanted version failed, if it did.
    pub failed: Option<Failure>,
    /// Why it is not as the program says, as far as something holds it.
    pub holds: Vec<String>,
}

/// A version of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowedVersion {
    /// Its tag.
    pub spec: SpecTag,
    /// Whether the target wants it.
    pub is_wanted: bool,
    /// How many instances of it are started.
    pub running: u32,
    /// How many of those serve, or are done.
    pub ready: u32,
}

/// Judges how far a target is. `preview` is what is left of it.
pub fn follow(
    view: &View,
    program: &Program,
    newest: Option<&Newest>,
    preview: &Preview,
) -> Followed {
    let newest = newest.filter(|it| it.target <= program.marker);
    let is_planned = newest.is_some_and(|it| it.target == program.marker);
    let follower = Follower { view, program, newest, preview };
    let placed = program.services.iter().filter(|(name, _)| program.picked(name).is_some());
    let services: Vec<_> =
        placed.map(|(name, version)| follower.service(name, version, is_planned)).collect();
    let leaving = follower.leaving();
    let whole = if is_planned && leaving == 0 { Standing::Settled } else { Standing::Changing };
    let standing = services.iter().map(|it| it.standing).fold(whole, Standing::max);
    Followed { standing, services, leaving }
}

struct Follower<'a> {
    view: &'a View,
    program: &'a Program,
    newest: Option<&'a Newest>,
    preview: &'a Preview,
}

/// The part of a plan about a service on a node, by version: how many instances, and how many may start.
type Planned = BTreeMap<SpecTag, (u32, u32)>;

/// What was found of a service, node by node.
#[derive(Default)]
struct Sum {
    planned: u32,
    stages: Stages,
    versions: BTreeMap<SpecTag, (u32, u32)>,
    is_moving: bool,
    holds: Vec<String>,
    /// On nodes that are dead.
    away: Vec<String>,
}

impl Follower<'_> {
    fn service(&self, name: &ServiceName, version: &Version, is_planned: bool) -> FollowedService {
        let mut sum = Sum::default();
        let tag = NameTag::of(name);
        for (principal, node) in &self.view.nodes {
            let lines: Vec<Line> =
                node.lines().filter(|(of, _)| *of == tag).map(|(_, line)| line).collect();
            sum.add(node, &self.planned(principal, name), &lines);
        }
        let newest = self.newest.filter(|_| is_planned);
        let failed = newest.and_then(|it| it.failed.get(&version.spec)).copied();
        let behind = sum.versions.keys().any(|spec| *spec != version.spec);
        let wanted = self.preview.wanted.get(name).copied().unwrap_or(sum.planned);
        let ready = sum.stages.ready + sum.stages.done;
        let mut holds = self.holds(name, newest);
        holds.append(&mut sum.holds);
        if ready < wanted {
            holds.append(&mut sum.away);
        }
        let is_moving = sum.is_moving || (behind && failed.is_none());
        let standing = match (failed, is_moving, holds.is_empty()) {
            (Some(_), ..) => Standing::Failed,
            (None, false, false) => Standing::Held,
            (None, false, true) if ready >= wanted => Standing::Settled,
            _ => Standing::Changing,
        };
        FollowedService {
            service: name.clone(),
            standing,
            wanted,
            running: sum.stages.started + ready,
            ready,
            versions: versions(&sum.versions, version.spec),
            failed,
            holds,
        }
    }

    fn planned(&self, node: &Principal, name: &ServiceName) -> Planned {
        let mut planned = Planned::new();
        let entries = self.newest.and_then(|it| it.entries.get(node)).into_iter().flatten();
        for (key, amount) in entries.filter(|(key, _)| key.service == *name) {
            let (count, released) = planned.entry(key.spec).or_default();
            *count += u32::from(amount.count());
            *released += u32::from(amount.released());
        }
        planned
    }

    /// The reasons of plan and program.
    fn holds(&self, name: &ServiceName, newest: Option<&Newest>) -> Vec<String> {
        let all = newest.into_iter().flat_map(|it| it.holds.first());
        let holds = all.filter(|it| it.service == *name).map(|it| it.why.as_str().to_owned());
        let problems = self.preview.problems.iter().filter(|it| it.service == *name);
        let problem = |it: &crux_crdt::record::Problem| match it.missing {
            0 => format!("{}: {}", word(it.kind), it.why.as_str()),
            missing => format!("{} by {missing}: {}", word(it.kind), it.why.as_str()),
        };
        holds.chain(problems.map(problem)).collect()
    }

    /// How many instances run on live nodes of services that the target does not place.
    fn leaving(&self) -> u32 {
        let picks = self.program.checked.picks().iter();
        let placed: BTreeSet<NameTag> = picks.map(|pick| NameTag::of(&pick.service)).collect();
        let live = self.view.nodes.values().filter(|node| node.is_alive);
        let lines = live.flat_map(Node::lines);
        let leaves =
            |(tag, line): &(NameTag, Line)| !placed.contains(tag) && line.stage.is_running();
        lines.filter(leaves).map(|(_, line)| u32::from(line.count)).sum()
    }
}

impl Sum {
    /// Adds a node.
    fn add(&mut self, node: &Node, planned: &Planned, lines: &[Line]) {
        let count: u32 = planned.values().map(|(count, _)| count).sum();
        self.planned += count;
        if !node.is_alive {
            if count > 0 {
                self.away.push(format!("{} is away with {count}", node.name));
            }
            return;
        }
        let stages = stages(lines);
        self.stages.started += stages.started;
        self.stages.ready += stages.ready;
        self.stages.done += stages.done;
        let specs: BTreeSet<SpecTag> = planned.keys().copied().chain(running(lines)).collect();
        for spec in specs {
            let of: Vec<&Line> = lines.iter().filter(|line| line.spec == spec).collect();
            let (count, released) = planned.get(&spec).copied().unwrap_or_default();
            self.add_version(node, spec, (count, released), &of);
        }
        self.is_moving |= lines.iter().any(|line| line.stage == Stage::Stopping);
    }

    fn add_version(
        &mut self,
        node: &Node,
        spec: SpecTag,
        (count, released): (u32, u32),
        lines: &[&Line],
    ) {
        let sum = |is: &dyn Fn(Stage) -> bool| -> u32 {
            lines.iter().filter(|it| is(it.stage)).map(|it| u32::from(it.count)).sum()
        };
        let up = sum(&|stage| matches!(stage, Stage::Ready | Stage::Done));
        let all: u32 =
            lines.iter().filter(|line| runs(line)).map(|line| u32::from(line.count)).sum();
        let (running, ready) = self.versions.entry(spec).or_default();
        (*running, *ready) = (*running + all, *ready + up);
        let stuck = [
            (Stage::Failed, "in a crash loop"),
            (Stage::Wedged, "without progress"),
            (Stage::Blocked, "in the way of a person's service"),
        ];
        let stuck = stuck.map(|(stage, why)| (sum(&|it| it == stage), why));
        let stays: u32 = stuck.iter().map(|(count, _)| count).sum();
        self.is_moving |= up + stays < released || all > count;
        if count > 0 {
            let held = stuck.iter().filter(|(count, _)| *count > 0);
            self.holds.extend(held.map(|(count, why)| format!("{}: {count} {why}", node.name)));
        }
    }
}

/// The versions of which instances run.
fn running(lines: &[Line]) -> impl Iterator<Item = SpecTag> {
    lines.iter().filter(|line| runs(line)).map(|line| line.spec)
}

/// The versions, the wanted one first.
fn versions(all: &BTreeMap<SpecTag, (u32, u32)>, wanted: SpecTag) -> Vec<FollowedVersion> {
    let version = |(spec, (running, ready)): (&SpecTag, &(u32, u32))| {
        let (spec, is_wanted) = (*spec, *spec == wanted);
        FollowedVersion { spec, is_wanted, running: *running, ready: *ready }
    };
    let mut versions: Vec<_> = all.iter().map(version).collect();
    versions.sort_by_key(|version| (!version.is_wanted, version.spec));
    versions
}
