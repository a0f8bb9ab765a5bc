//! The answers about targets, as messages and back.

use std::time::Duration;

use crux_proto::v1;

use super::Message;
use super::field::{config_from_wire, config_to_wire, parse, present};
use crate::error::Error;
use crate::model::json::whole_millis;
use crate::model::{
    CheckedGoals, DocumentSigner, GoalCount, NodeReasons, PlanProblem, PlanStep, RunningInstances,
    ServicePeriod, ServiceProgress, ServiceReasons, ShownTarget, TargetBase, TargetPlan,
    TargetStatus, VersionProgress, WrittenTarget,
};

fn all_to_wire<T: Message>(all: &[T]) -> Vec<T::Wire> {
    all.iter().map(Message::to_wire).collect()
}

fn all_from_wire<T: Message>(wire: &[T::Wire]) -> Result<Vec<T>, Error> {
    wire.iter().map(Message::from_wire).collect()
}

impl Message for TargetPlan {
    type Wire = v1::PlanResponse;

    fn to_wire(&self) -> v1::PlanResponse {
        v1::PlanResponse {
            id: self.id.to_string(),
            base: self.base.as_ref().map(Message::to_wire),
            exact: self.exact,
            steps: all_to_wire(&self.steps),
            problems: all_to_wire(&self.problems),
            unchanged: self.unchanged.iter().map(ToString::to_string).collect(),
        }
    }

    fn from_wire(wire: &v1::PlanResponse) -> Result<Self, Error> {
        Ok(Self {
            id: parse("id", &wire.id)?,
            base: wire.base.as_ref().map(Message::from_wire).transpose()?,
            exact: wire.exact,
            steps: all_from_wire(&wire.steps)?,
            problems: all_from_wire(&wire.problems)?,
            unchanged: wire
                .unchanged
                .iter()
                .map(|it| parse("unchanged", it))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl Message for TargetBase {
    type Wire = v1::TargetBase;

    fn to_wire(&self) -> v1::TargetBase {
        v1::TargetBase { generation: self.generation, id: self.id.to_string() }
    }

    fn from_wire(wire: &v1::TargetBase) -> Result<Self, Error> {
        Ok(Self { generation: wire.generation, id: parse("id", &wire.id)? })
    }
}

impl Message for PlanStep {
    type Wire = v1::PlanStep;

    fn to_wire(&self) -> v1::PlanStep {
        v1::PlanStep {
            action: self.action.to_string(),
            service: self.service.to_string(),
            node: self.node.clone(),
            count: self.count,
            from: self.from.clone(),
            to: self.to.clone(),
            why: self.why.clone(),
        }
    }

    fn from_wire(wire: &v1::PlanStep) -> Result<Self, Error> {
        Ok(Self {
            action: parse("action", &wire.action)?,
            service: parse("service", &wire.service)?,
            node: wire.node.clone(),
            count: wire.count,
            from: wire.from.clone(),
            to: wire.to.clone(),
            why: wire.why.clone(),
        })
    }
}

impl Message for PlanProblem {
    type Wire = v1::PlanProblem;

    fn to_wire(&self) -> v1::PlanProblem {
        v1::PlanProblem {
            service: self.service.to_string(),
            kind: self.kind.clone(),
            missing: self.missing,
            why: self.why.clone(),
        }
    }

    fn from_wire(wire: &v1::PlanProblem) -> Result<Self, Error> {
        Ok(Self {
            service: parse("service", &wire.service)?,
            kind: wire.kind.clone(),
            missing: wire.missing,
            why: wire.why.clone(),
        })
    }
}

impl Message for WrittenTarget {
    type Wire = v1::ApplyResponse;

    fn to_wire(&self) -> v1::ApplyResponse {
        v1::ApplyResponse { generation: self.generation, id: self.id.to_string() }
    }

    fn from_wire(wire: &v1::ApplyResponse) -> Result<Self, Error> {
        Ok(Self { generation: wire.generation, id: parse("id", &wire.id)? })
    }
}

impl Message for ShownTarget {
    type Wire = v1::ShowResponse;

    fn to_wire(&self) -> v1::ShowResponse {
        v1::ShowResponse {
            generation: self.generation,
            signer: self.by.principal.to_string(),
            signer_name: self.by.name.clone(),
            note: self.note.clone(),
            conflict: self.conflict,
            program: self.program.clone(),
            services: self.services.iter().map(config_to_wire).collect(),
        }
    }

    fn from_wire(wire: &v1::ShowResponse) -> Result<Self, Error> {
        let by = DocumentSigner {
            principal: parse("signer", &wire.signer)?,
            name: wire.signer_name.clone(),
        };
        Ok(Self {
            generation: wire.generation,
            by,
            note: wire.note.clone(),
            conflict: wire.conflict,
            program: wire.program.clone(),
            services: wire
                .services
                .iter()
                .map(|it| config_from_wire(it))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl Message for TargetStatus {
    type Wire = v1::TargetStatusResponse;

    fn to_wire(&self) -> v1::TargetStatusResponse {
        v1::TargetStatusResponse {
            generation: self.generation,
            pass: self.pass,
            fence: self.fence,
            state: self.state.to_string(),
            services: all_to_wire(&self.services),
            leaving: self.leaving,
            leader: self.leader.clone(),
        }
    }

    fn from_wire(wire: &v1::TargetStatusResponse) -> Result<Self, Error> {
        Ok(Self {
            generation: wire.generation,
            pass: wire.pass,
            fence: wire.fence,
            state: parse("state", &wire.state)?,
            services: all_from_wire(&wire.services)?,
            leaving: wire.leaving,
            leader: wire.leader.clone(),
        })
    }
}

impl Message for ServiceProgress {
    type Wire = v1::ServiceProgress;

    fn to_wire(&self) -> v1::ServiceProgress {
        v1::ServiceProgress {
            service: self.service.to_string(),
            state: self.state.to_string(),
            wanted: self.wanted,
            running: self.running,
            ready: self.ready,
            versions: all_to_wire(&self.versions),
            failed: self.failed.clone(),
            holds: self.holds.clone(),
        }
    }

    fn from_wire(wire: &v1::ServiceProgress) -> Result<Self, Error> {
        Ok(Self {
            service: parse("service", &wire.service)?,
            state: parse("state", &wire.state)?,
            wanted: wire.wanted,
            running: wire.running,
            ready: wire.ready,
            versions: all_from_wire(&wire.versions)?,
            failed: wire.failed.clone(),
            holds: wire.holds.clone(),
        })
    }
}

impl Message for VersionProgress {
    type Wire = v1::VersionProgress;

    fn to_wire(&self) -> v1::VersionProgress {
        v1::VersionProgress {
            version: self.version.to_string(),
            rev: self.rev.as_ref().map(ToString::to_string).unwrap_or_default(),
            wanted: self.wanted,
            running: self.running,
            ready: self.ready,
        }
    }

    fn from_wire(wire: &v1::VersionProgress) -> Result<Self, Error> {
        let rev = Some(&wire.rev).filter(|rev| !rev.is_empty());
        Ok(Self {
            version: parse("version", &wire.version)?,
            rev: rev.map(|rev| parse("rev", rev)).transpose()?,
            wanted: wire.wanted,
            running: wire.running,
            ready: wire.ready,
        })
    }
}

impl Message for ServiceReasons {
    type Wire = v1::WhyResponse;

    fn to_wire(&self) -> v1::WhyResponse {
        v1::WhyResponse {
            service: self.service.to_string(),
            wanted: self.wanted,
            problem: self.problem.as_ref().map(Message::to_wire),
            nodes: all_to_wire(&self.nodes),
        }
    }

    fn from_wire(wire: &v1::WhyResponse) -> Result<Self, Error> {
        Ok(Self {
            service: parse("service", &wire.service)?,
            wanted: wire.wanted,
            problem: wire.problem.as_ref().map(Message::from_wire).transpose()?,
            nodes: all_from_wire(&wire.nodes)?,
        })
    }
}

impl Message for NodeReasons {
    type Wire = v1::NodeReasons;

    fn to_wire(&self) -> v1::NodeReasons {
        let Self { node, present, wanted, reasons } = self.clone();
        v1::NodeReasons { node, present, wanted, reasons }
    }

    fn from_wire(wire: &v1::NodeReasons) -> Result<Self, Error> {
        let v1::NodeReasons { node, present, wanted, reasons } = wire.clone();
        Ok(Self { node, present, wanted, reasons })
    }
}

impl Message for RunningInstances {
    type Wire = v1::RunningInstance;

    fn to_wire(&self) -> v1::RunningInstance {
        v1::RunningInstance {
            service: self.service.to_string(),
            version: self.version.to_string(),
            count: self.count.into(),
            ready: self.ready.into(),
        }
    }

    fn from_wire(wire: &v1::RunningInstance) -> Result<Self, Error> {
        let number = |field, number: u32| present(field, u16::try_from(number).ok());
        Ok(Self {
            service: parse("service", &wire.service)?,
            version: parse("version", &wire.version)?,
            count: number("count", wire.count)?,
            ready: number("ready", wire.ready)?,
        })
    }
}

impl Message for CheckedGoals {
    type Wire = v1::CheckGoalsResponse;

    fn to_wire(&self) -> v1::CheckGoalsResponse {
        v1::CheckGoalsResponse {
            generation: self.generation,
            pass: self.pass,
            fence: self.fence,
            add: all_to_wire(&self.add),
            deprecate: all_to_wire(&self.deprecate),
            delete: all_to_wire(&self.delete),
            periods: all_to_wire(&self.periods),
        }
    }

    fn from_wire(wire: &v1::CheckGoalsResponse) -> Result<Self, Error> {
        Ok(Self {
            generation: wire.generation,
            pass: wire.pass,
            fence: wire.fence,
            add: all_from_wire(&wire.add)?,
            deprecate: all_from_wire(&wire.deprecate)?,
            delete: all_from_wire(&wire.delete)?,
            periods: all_from_wire(&wire.periods)?,
        })
    }
}

impl Message for GoalCount {
    type Wire = v1::GoalCount;

    fn to_wire(&self) -> v1::GoalCount {
        v1::GoalCount {
            service: self.service.to_string(),
            version: self.version.to_string(),
            count: self.count,
        }
    }

    fn from_wire(wire: &v1::GoalCount) -> Result<Self, Error> {
        Ok(Self {
            service: parse("service", &wire.service)?,
            version: parse("version", &wire.version)?,
            count: wire.count,
        })
    }
}

impl Message for ServicePeriod {
    type Wire = v1::ServicePeriod;

    fn to_wire(&self) -> v1::ServicePeriod {
        v1::ServicePeriod {
            service: self.service.to_string(),
            period_ms: whole_millis(self.period),
        }
    }

    fn from_wire(wire: &v1::ServicePeriod) -> Result<Self, Error> {
        Ok(Self {
            service: parse("service", &wire.service)?,
            period: Duration::from_millis(wire.period_ms),
        })
    }
}
