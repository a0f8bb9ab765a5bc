//! The changes that a target would make.

use std::sync::Arc;

use crux_client::model::{PlanAction, PlanPart, PlanProblem, PlanStep, TargetBase, TargetPlan};
use crux_client::op::PlanTarget;
use crux_crdt::Digest;
use crux_crdt::document::{Marker, Target, TargetError};
use crux_crdt::record::Problem;
use crux_protocol::proctor::planner::{Action, Program, Step, preview, problem_word};
use crux_protocol::proctor::{Content, Held};

use super::looked::{Looked, program, too_large};
use crate::error::{Error, Kind};

/// How many steps an error names: what fits in a few lines.
const STEPS_NAMED: usize = 8;

/// Plans the target without effect.
///
/// # Errors
/// [`Kind::InvalidArgument`], [`Kind::TargetTooLarge`], [`Kind::InvalidConfig`] for what is no target;
/// [`Kind::Conflict`] if another plan was expected.
pub(super) fn plan(looked: &Looked, op: &PlanTarget) -> Result<TargetPlan, Error> {
    let target = Target::read(&looked.horde, &op.target).map_err(|err| {
        let kind = match &err {
            TargetError::TooLarge { .. } => Kind::TargetTooLarge,
            _ => Kind::InvalidArgument,
        };
        Error::new(kind, format!("not the content of a target: {err}"))
    })?;
    let target = Arc::new(target);
    let (base, before) = (looked.base(), looked.held());
    let held = Held { marker: next(base), content: Content::Target(target.clone()) };
    let before = before.as_ref().and_then(Held::target);
    let versions = before.into_iter().flat_map(|it| it.services());
    let before = versions.map(|(name, config)| (name.clone(), config.spec_tag())).collect();
    let program = Program { before, ..program(&held)? };
    let preview = preview(looked.input(&program), looked.timers(), looked.now)
        .map_err(|err| too_large(&err))?;
    let plan = TargetPlan {
        id: preview.id(&target, base),
        base: base.map(|it| TargetBase { generation: it.generation, id: it.id }),
        exact: preview.is_exact,
        steps: preview.steps.into_iter().map(step).collect(),
        problems: preview.problems.iter().map(problem).collect(),
        unchanged: preview.unchanged,
    };
    match op.expected.filter(|expected| *expected != plan.id) {
        Some(expected) => Err(another(&plan, &expected)),
        None => Ok(plan),
    }
}

/// The place of a document that is signed on this one.
fn next(base: Option<Marker>) -> Marker {
    let (grants_version, generation) =
        base.map_or((0, 0), |base| (base.grants_version, base.generation));
    Marker { grants_version, generation: generation + 1, id: Digest::default() }
}

fn step(step: Step) -> PlanStep {
    let Step { action, service, node, count, from, to, why } = step;
    let action = match action {
        Action::Start => PlanAction::Start,
        Action::Stop => PlanAction::Stop,
        Action::Hold => PlanAction::Hold,
        Action::Move => PlanAction::Move,
        Action::Roll => PlanAction::Roll,
    };
    PlanStep { action, service, node, count, from, to, why }
}

pub(super) fn problem(problem: &Problem) -> PlanProblem {
    PlanProblem {
        service: problem.service.clone(),
        kind: problem_word(problem.kind).to_owned(),
        missing: problem.missing,
        why: problem.why.as_str().to_owned(),
    }
}

/// The refusal of a plan that is another one by now, with the difference.
fn another(plan: &TargetPlan, expected: &Digest) -> Error {
    let parts = PlanPart::differing(&plan.id, expected);
    let text = |part: &PlanPart| match part {
        PlanPart::Target => {
            "program or services are others than those that were planned".to_owned()
        }
        PlanPart::Base => match &plan.base {
            Some(base) => format!("the target is generation {} now", base.generation),
            None => "there is no target now".to_owned(),
        },
        PlanPart::Steps => format!("the steps are now: {}", named(&plan.steps)),
    };
    let word = |part: &PlanPart| match part {
        PlanPart::Target => "target",
        PlanPart::Base => "base",
        PlanPart::Steps => "steps",
    };
    let differs: Vec<_> = parts.iter().map(word).collect();
    let texts: Vec<_> = parts.iter().map(text).collect();
    let message = format!("the plan is another one by now: {}", texts.join("; "));
    Error::new(Kind::Conflict, message)
        .with_field("plan", plan.id.to_string())
        .with_field("differs", differs.join(" "))
        .with_hint("`plan` shows all of it; `apply --plan` with its id applies that.")
}

fn named(steps: &[PlanStep]) -> String {
    let mut lines: Vec<_> = steps.iter().take(STEPS_NAMED).map(ToString::to_string).collect();
    match steps.len().saturating_sub(STEPS_NAMED) {
        0 if steps.is_empty() => lines.push("none".to_owned()),
        0 => {}
        more => lines.push(format!("and {more} more")),
    }
    lines.join(" | ")
}
