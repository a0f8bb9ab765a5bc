//! The operations of the Proctor service: what a target would change, how far it is, and why.
//!
//! All but [`ApplyTarget`] are computed by the node that is asked, from what it sees, and change nothing.

use std::time::Duration;

use crux_crdt::Digest;
use crux_crdt::document::CONTENT_MAX;
use crux_crdt::name::ServiceName;
use crux_proto::v1::{self, proctor_client::ProctorClient};
use tonic::transport::Channel;

use super::{ANSWER_BYTES_MAX, Call, Effect, Op, Wire, bare_request, calls_over, whole_answer};
use crate::error::{Error, Kind};
use crate::model::json::whole_millis;
use crate::model::{
    CheckedGoals, RunningInstances, ServiceReasons, ShownTarget, TargetPlan, TargetStatus,
    WrittenTarget,
};
use crate::parse;
use crate::socket::Door;
use crate::wire::Message;

/// Hands the table of the Proctor service's calls to a macro: `call: Operation, effect;` for each.
#[macro_export]
macro_rules! proctor_calls {
    ($macro:ident! { $($first:tt)* }) => {
        $macro! { $($first)*
            plan: PlanTarget, Reads;
            apply: ApplyTarget, Writes;
            show: ShowTarget, Reads;
            target_status: GetTargetStatus, Reads;
            why: ExplainService, Reads;
            check_goals: CheckGoals, Reads;
        }
    };
}

proctor_calls!(calls_over! { ProctorClient at Control: });

/// The most entries in one [`CheckGoals`]: as many as a node can report, twice over.
pub const RUNNING_MAX: usize = 4096;

/// Asks what a target would change. Refused with [`InvalidArgument`](Kind::InvalidArgument) for bytes that are none, with
/// [`InvalidConfig`](Kind::InvalidConfig) for a program with an error, and with [`Conflict`](Kind::Conflict) if another
/// plan was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanTarget {
    /// The content of the document, at most [`CONTENT_MAX`] bytes. Its note and its history count for nothing.
    pub target: Vec<u8>,
    /// The id of the plan that the caller saw; with it, only that plan is answered.
    pub expected: Option<Digest>,
}

/// Takes a signed target in; answered when it is durable. Refused as [`PutDocuments`](super::PutDocuments) is, and with
/// [`Conflict`](Kind::Conflict) if its plan is another one by now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyTarget {
    /// The document, sealed.
    pub document: Vec<u8>,
    /// The id of the plan that the caller saw.
    pub plan: Option<Digest>,
    /// How many other members must have stored it before the answer.
    pub sync: u32,
    /// How long the node waits for them, at most 50 s; then it answers how many did. `None`: 8 s.
    pub sync_within: Option<Duration>,
}

/// Asks for the target that has effect. Refused with [`NotFound`](Kind::NotFound).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShowTarget;

/// Asks how far the target is. Refused with [`NotFound`](Kind::NotFound).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetTargetStatus;

/// Asks why a service of the target runs on a node, or does not. Refused with [`NotFound`](Kind::NotFound).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainService {
    /// The service.
    pub service: ServiceName,
    /// The name of a node; `None`: each.
    pub node: Option<String>,
}

/// Asks what has to change so that what runs on the node is what the target wants of it. Refused with
/// [`NotFound`](Kind::NotFound) where there are no goals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckGoals {
    /// Everything that runs, at most [`RUNNING_MAX`] entries; `None`: what the target placed on the node.
    pub running: Option<Vec<RunningInstances>>,
}

/// The id of a plan, as a caller writes it.
fn plan_id(text: Option<&str>) -> Result<Option<Digest>, Error> {
    text.map(parse::plan_id).transpose()
}

impl Op for PlanTarget {
    type Answer = TargetPlan;
}

impl Wire for PlanTarget {
    type Request = v1::PlanRequest;

    fn to_wire(&self) -> v1::PlanRequest {
        let expected = self.expected.as_ref().map(Digest::to_string);
        v1::PlanRequest { target: self.target.clone(), expected }
    }

    fn from_wire(wire: &v1::PlanRequest) -> Result<Self, Error> {
        let bytes = wire.target.len();
        if bytes > CONTENT_MAX {
            let message = format!("a target of {bytes} bytes: at most {CONTENT_MAX} are allowed");
            return Err(Error::new(Kind::TargetTooLarge, message));
        }
        Ok(Self { target: wire.target.clone(), expected: plan_id(wire.expected.as_deref())? })
    }

    whole_answer!();
}

impl Op for ApplyTarget {
    type Answer = WrittenTarget;
}

impl Wire for ApplyTarget {
    type Request = v1::ApplyRequest;

    fn to_wire(&self) -> v1::ApplyRequest {
        v1::ApplyRequest {
            document: self.document.clone(),
            plan: self.plan.as_ref().map(Digest::to_string),
            sync: self.sync,
            sync_within_ms: self.sync_within.map(whole_millis),
        }
    }

    fn from_wire(wire: &v1::ApplyRequest) -> Result<Self, Error> {
        Ok(Self {
            document: wire.document.clone(),
            plan: plan_id(wire.plan.as_deref())?,
            sync: wire.sync,
            sync_within: wire.sync_within_ms.map(Duration::from_millis),
        })
    }

    whole_answer!();
}

impl Op for ShowTarget {
    type Answer = ShownTarget;
}

impl Wire for ShowTarget {
    bare_request!(ShowRequest);
    whole_answer!();
}

impl Op for GetTargetStatus {
    type Answer = TargetStatus;
}

impl Wire for GetTargetStatus {
    bare_request!(TargetStatusRequest);
    whole_answer!();
}

impl Op for ExplainService {
    type Answer = ServiceReasons;
}

impl Wire for ExplainService {
    type Request = v1::WhyRequest;

    fn to_wire(&self) -> v1::WhyRequest {
        v1::WhyRequest { service: self.service.to_string(), node: self.node.clone() }
    }

    fn from_wire(wire: &v1::WhyRequest) -> Result<Self, Error> {
        let service = parse::service_name("the service", &wire.service)?;
        Ok(Self { service, node: wire.node.clone() })
    }

    whole_answer!();
}

impl Op for CheckGoals {
    type Answer = CheckedGoals;
}

impl Wire for CheckGoals {
    type Request = v1::CheckGoalsRequest;

    fn to_wire(&self) -> v1::CheckGoalsRequest {
        let all = |all: &Vec<RunningInstances>| v1::RunningInstances {
            instances: all.iter().map(Message::to_wire).collect(),
        };
        v1::CheckGoalsRequest { running: self.running.as_ref().map(all) }
    }

    fn from_wire(wire: &v1::CheckGoalsRequest) -> Result<Self, Error> {
        let Some(running) = &wire.running else { return Ok(Self { running: None }) };
        let count = running.instances.len();
        if count > RUNNING_MAX {
            let message = format!("{count} entries of what runs in one request");
            return Err(Error::new(Kind::InvalidArgument, message).with_hint(format!(
                "Send at most {RUNNING_MAX}: one for each version of a service."
            )));
        }
        let running = running.instances.iter().map(instances).collect::<Result<_, _>>()?;
        Ok(Self { running: Some(running) })
    }

    whole_answer!();
}

/// An entry of what runs, as a caller writes it.
fn instances(wire: &v1::RunningInstance) -> Result<RunningInstances, Error> {
    let wrong = |message: String| Error::new(Kind::InvalidArgument, message);
    let service = parse::service_name("the service", &wire.service)?;
    let version = wire.version.parse().map_err(|err: crux_crdt::id::ParseIdError| {
        wrong(err.to_string()).augment(format!("the version of {service}"))
    })?;
    let number = |what: &str, number: u32| {
        let most = u16::MAX;
        u16::try_from(number)
            .map_err(|_| wrong(format!("{number} instances of {service} {what}: at most {most}")))
    };
    let (count, ready) = (number("run", wire.count)?, number("are ready", wire.ready)?);
    if ready > count {
        return Err(wrong(format!("{ready} of {count} instances of {service} are ready")));
    }
    Ok(RunningInstances { service, version, count, ready })
}

#[cfg(test)]
mod tests {
    use crux_crdt::Principal;
    use crux_crdt::service::SpecTag;

    use super::*;
    use crate::model::{
        DocumentSigner, GoalCount, NodeReasons, PlanAction, PlanProblem, PlanStep, ServicePeriod,
        ServiceProgress, TargetBase, TargetState, VersionProgress,
    };

    const ID: Digest = Digest([7; 32]);

    fn web() -> ServiceName {
        "web".parse().unwrap()
    }

    fn arrives<O: Wire + PartialEq + core::fmt::Debug>(op: &O) {
        assert_eq!(O::from_wire(&op.to_wire()).as_ref(), Ok(op));
    }

    fn answers<O: Wire<Answer: PartialEq + core::fmt::Debug>>(answer: &O::Answer) {
        assert_eq!(O::answer_from_wire(&O::answer_to_wire(answer)).as_ref(), Ok(answer));
    }

    #[test]
    fn requests_arrive_as_they_were() {
        for expected in [None, Some(ID)] {
            arrives(&PlanTarget { target: vec![1, 2], expected });
            let sync_within = expected.map(|_| Duration::from_millis(700));
            arrives(&ApplyTarget { document: vec![3], plan: expected, sync: 2, sync_within });
        }
        for node in [None, Some("n1".to_owned())] {
            arrives(&ExplainService { service: web(), node });
        }
        let running =
            RunningInstances { service: web(), version: SpecTag([5; 8]), count: 3, ready: 2 };
        for running in [None, Some(vec![]), Some(vec![running])] {
            arrives(&CheckGoals { running });
        }
    }

    #[test]
    fn answers_arrive_as_they_were() {
        let step = |action| PlanStep {
            action,
            service: web(),
            node: "n1".to_owned(),
            count: 2,
            from: (action == PlanAction::Roll).then(|| "ab".to_owned()),
            to: Some("cd".to_owned()),
            why: "because".to_owned(),
        };
        let problem = PlanProblem {
            service: web(),
            kind: "short".to_owned(),
            missing: 1,
            why: "no room".to_owned(),
        };
        for base in [None, Some(TargetBase { generation: 4, id: ID })] {
            answers::<PlanTarget>(&TargetPlan {
                id: ID,
                exact: base.is_some(),
                base,
                steps: PlanAction::ALL.map(step).into(),
                problems: vec![problem.clone()],
                unchanged: vec![web()],
            });
        }
        answers::<ApplyTarget>(&WrittenTarget { generation: 3, id: ID });
        answers::<ShowTarget>(&ShownTarget {
            generation: 3,
            by: DocumentSigner { principal: Principal([1; 32]), name: "alice".to_owned() },
            note: "a note".to_owned(),
            conflict: true,
            program: "pick(web, 1, ALL)".to_owned(),
            services: vec![crate::model::testing::config()],
        });
        let nodes = vec![NodeReasons {
            node: "n1".to_owned(),
            present: 1,
            wanted: 2,
            reasons: vec!["has 2 already".to_owned()],
        }];
        for wanted in [None, Some(3)] {
            let problem = wanted.map(|_| problem.clone());
            answers::<ExplainService>(&ServiceReasons {
                service: web(),
                wanted,
                problem,
                nodes: nodes.clone(),
            });
        }
    }

    #[test]
    fn progress_and_goals_arrive_as_they_were() {
        let version = |wanted| VersionProgress {
            version: SpecTag([9; 8]),
            rev: if wanted { Some(web()) } else { None },
            wanted,
            running: 2,
            ready: 1,
        };
        let service = |state| ServiceProgress {
            service: web(),
            state,
            wanted: 4,
            running: 3,
            ready: 2,
            versions: [true, false].map(version).into(),
            failed: (state == TargetState::Failed).then(|| "late".to_owned()),
            holds: vec!["1 of 3 nodes in sight".to_owned()],
        };
        for pass in [None, Some(12)] {
            answers::<GetTargetStatus>(&TargetStatus {
                generation: 2,
                pass,
                fence: pass.map(|_| 7),
                state: TargetState::Held,
                services: TargetState::ALL.map(service).into(),
                leaving: 5,
                leader: pass.map(|_| "n1".to_owned()),
            });
        }
        let count = |count| GoalCount { service: web(), version: SpecTag([9; 8]), count };
        answers::<CheckGoals>(&CheckedGoals {
            generation: 2,
            pass: 12,
            fence: 7,
            add: vec![count(1)],
            deprecate: vec![count(2)],
            delete: vec![count(3), count(4)],
            periods: vec![ServicePeriod { service: web(), period: Duration::from_millis(250) }],
        });
    }

    #[test]
    fn what_is_out_of_bounds_is_named() {
        let plan = |bytes, expected: Option<&str>| {
            let expected = expected.map(str::to_owned);
            let wire = v1::PlanRequest { target: vec![0; bytes], expected };
            PlanTarget::from_wire(&wire).map(drop).map_err(|err| err.kind())
        };
        assert_eq!(plan(CONTENT_MAX, None), Ok(()));
        assert_eq!(plan(CONTENT_MAX + 1, None), Err(Kind::TargetTooLarge));
        for bad in ["", "xyz", &"A".repeat(64), &"a".repeat(63), &"a".repeat(65)] {
            assert_eq!(plan(0, Some(bad)), Err(Kind::InvalidArgument), "{bad}");
        }
        let check = |many, version: &str, count, ready| {
            let (service, version) = ("web".to_owned(), version.to_owned());
            let one = v1::RunningInstance { service, version, count, ready };
            let running = Some(v1::RunningInstances { instances: vec![one; many] });
            let wire = v1::CheckGoalsRequest { running };
            CheckGoals::from_wire(&wire).map(drop).map_err(|err| err.kind())
        };
        let tag = "0123456789abcdef";
        assert_eq!(check(RUNNING_MAX, tag, 1, 1), Ok(()));
        assert_eq!(check(RUNNING_MAX + 1, tag, 1, 1), Err(Kind::InvalidArgument));
        assert_eq!(check(1, "0123", 1, 1), Err(Kind::InvalidArgument));
        assert_eq!(check(1, tag, 1, 2), Err(Kind::InvalidArgument));
        assert_eq!(check(1, tag, 1 << 16, 1), Err(Kind::InvalidArgument));
    }
}
