//! Notes of a plan for people: starts that wait, and services that are not placed as the program says.

use std::collections::BTreeMap;

use crux_crdt::Principal;
use crux_crdt::name::ServiceName;
use crux_crdt::record::{Hold, PlanText, Problem, ProblemKind};
use crux_khan::solve::Problem as Open;

use super::Timers;
use super::horde::Horde;
use super::service::Service;

/// The reasons why something of a service waits.
pub(super) fn holds(horde: &Horde<'_>, timers: &Timers, service: &Service<'_>) -> Vec<Hold> {
    let mut holds = Vec::new();
    let mut hold = |why: &str| {
        holds.push(Hold { service: service.name.clone(), why: PlanText::of(why) });
    };
    if service.is_held(horde) {
        hold(&service.gate.why);
    }
    let moving = &service.version.config.moving;
    let held = |(node, _): &(&Principal, _)| timers.deaths.is_held(node, moving, horde.now);
    if horde.of(service.name).any(|place| held(&place)) {
        let (alive, all) = (horde.view.alive(), horde.view.nodes.len());
        hold(&format!("{alive} of {all} nodes in sight"));
    }
    for (node, count) in &service.staying {
        let name = horde.node(node).map(|node| &*node.name).unwrap_or_default();
        hold(&format!("{name} is drained: {count} wait for a replacement that is ready"));
    }
    let blocked = horde.of(service.name).filter(|(_, there)| there.is_blocked);
    for (node, _) in blocked {
        let name = horde.node(node).map(|node| &*node.name).unwrap_or_default();
        hold(&format!("a person started a service of this name on {name}"));
    }
    holds
}

/// A problem that the solver left open.
pub(super) fn problem(open: &Open) -> Option<Problem> {
    let kind = match open {
        Open::Empty { .. } => ProblemKind::Empty,
        Open::Blocked { .. } => ProblemKind::Blocked,
        Open::Arithmetic { .. } => ProblemKind::Arithmetic,
        Open::Short { .. } => ProblemKind::Short,
    };
    let service = open.service().parse().ok()?;
    Some(Problem { service, kind, missing: open.missing(), why: PlanText::of(&reason(open)) })
}

/// A kind of problem, as scripts know it.
pub const fn word(kind: ProblemKind) -> &'static str {
    match kind {
        ProblemKind::Empty => "empty",
        ProblemKind::Blocked => "blocked",
        ProblemKind::Arithmetic => "arithmetic",
        ProblemKind::Short => "short",
        ProblemKind::Later(_) => "later",
    }
}

fn reason(open: &Open) -> String {
    match open {
        Open::Empty { .. } => "its set has no node".to_owned(),
        Open::Blocked { on, .. } => format!("it rests on {on}"),
        Open::Arithmetic { why, .. } => why.clone(),
        Open::Short { why, .. } => {
            let all: Vec<String> =
                why.iter().map(|(why, count)| format!("{why}: {count}")).collect();
            all.join(", ")
        }
    }
}

/// A service of which a node would have to run more than it can.
pub(super) fn beyond(service: &Service<'_>) -> Option<Problem> {
    let most = service.version.config.most_on_node();
    let why = PlanText::of(&format!("a node runs at most {most}"));
    let name = service.name.clone();
    let problem = |missing| Problem { service: name, kind: ProblemKind::Short, missing, why };
    (service.beyond > 0).then(|| problem(service.beyond))
}

/// A service that the program places, and of which the target has no config.
pub(super) fn without_config(service: &ServiceName) -> Problem {
    let why = PlanText::of("the target has no config of it; it stays as it runs");
    Problem { service: service.clone(), kind: ProblemKind::Blocked, missing: 0, why }
}

/// The problems of a plan: one of a kind and service is enough.
pub(super) fn merged(all: impl IntoIterator<Item = Problem>) -> Vec<Problem> {
    let mut merged: BTreeMap<(ServiceName, ProblemKind), Problem> = BTreeMap::new();
    for problem in all {
        let key = (problem.service.clone(), problem.kind);
        let missing = problem.missing;
        merged.entry(key).and_modify(|it| it.missing += missing).or_insert(problem);
    }
    merged.into_values().collect()
}
