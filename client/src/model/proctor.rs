//! Targets, as the Proctor service shows them: plans, progress, reasons and goals.

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeMap;
use std::time::Duration;

use crux_crdt::Digest;
use crux_crdt::name::ServiceName;
use crux_crdt::service::{Config, SpecTag};
use serde::{Serialize, Serializer};

use super::DocumentSigner;
use super::json::{millis, text, text_or_null};
use crate::error::UnknownWord;

/// The changes that a target would make. `{id, base, exact, steps, problems, unchanged}` in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetPlan {
    /// Three parts, each a hash: of what the target says, of what it replaces, and of the steps. See
    /// [`PlanPart::of`].
    #[serde(serialize_with = "text")]
    pub id: Digest,
    /// The target that it replaces; `None`: there is none.
    pub base: Option<TargetBase>,
    /// Whether it is proved that no other placement changes less.
    pub exact: bool,
    /// The changes, by service.
    pub steps: Vec<PlanStep>,
    /// Services that are not placed as the program says.
    pub problems: Vec<PlanProblem>,
    /// The services of which nothing changes.
    #[serde(serialize_with = "texts")]
    pub unchanged: Vec<ServiceName>,
}

/// The target that another one replaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetBase {
    /// How often the target was written.
    pub generation: u64,
    /// The hash of the document.
    #[serde(serialize_with = "text")]
    pub id: Digest,
}

/// A part of the id of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanPart {
    /// Program and services: the first 16 bytes.
    Target,
    /// The target that it replaces: 8 bytes.
    Base,
    /// The steps: the last 8 bytes.
    Steps,
}

impl PlanPart {
    /// Every part, in the order of the id.
    pub const ALL: [Self; 3] = [Self::Target, Self::Base, Self::Steps];

    /// This part of an id.
    pub fn of(self, id: &Digest) -> &[u8] {
        match self {
            Self::Target => &id.0[..16],
            Self::Base => &id.0[16..24],
            Self::Steps => &id.0[24..],
        }
    }

    /// The parts in which two ids differ.
    pub fn differing(one: &Digest, other: &Digest) -> Vec<Self> {
        Self::ALL.into_iter().filter(|part| part.of(one) != part.of(other)).collect()
    }
}

/// The kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PlanAction {
    /// Instances start.
    Start,
    /// Instances stop.
    Stop,
    /// Instances would start, but their conditions do not hold.
    Hold,
    /// Instances stop on another node, or were lost with it, and start on this one.
    Move,
    /// Instances get another version.
    Roll,
}

/// A change on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanStep {
    /// The kind of a change.
    #[serde(serialize_with = "text")]
    pub action: PlanAction,
    /// The service.
    #[serde(serialize_with = "text")]
    pub service: ServiceName,
    /// The name of the node.
    pub node: String,
    /// How many instances.
    pub count: u32,
    /// The node that they come from, or the version that they had.
    pub from: Option<String>,
    /// The version that they get, if that is what changes.
    pub to: Option<String>,
    /// The reason.
    pub why: String,
}

/// A service that is not placed as the program says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanProblem {
    /// The service.
    #[serde(serialize_with = "text")]
    pub service: ServiceName,
    /// `empty`, `blocked`, `arithmetic` or `short`.
    pub kind: String,
    /// How many instances there are too few.
    pub missing: u32,
    /// The reason.
    pub why: String,
}

/// The target that has effect. The JSON of `target show`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownTarget {
    /// How often it was written.
    pub generation: u64,
    /// Its signer.
    pub by: DocumentSigner,
    /// Its note; perhaps empty.
    pub note: String,
    /// Whether another one was written without knowledge of it.
    pub conflict: bool,
    /// Its program.
    pub program: String,
    /// The config of each service.
    #[serde(serialize_with = "by_name")]
    pub services: Vec<Config>,
}

/// How far a target is, or one of its services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetState {
    /// It is as the program says.
    Settled,
    /// Something is on its way.
    Changing,
    /// Nothing is on its way, and something is not as the program says.
    Held,
    /// A version failed.
    Failed,
}

/// How far a target is. `{generation, pass, fence, state, services, leaving, leader}` in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetStatus {
    /// How often the target was written.
    pub generation: u64,
    /// The number of the newest plan; `None`: there is none.
    pub pass: Option<u64>,
    /// The term of its leader.
    pub fence: Option<u64>,
    /// How far it is.
    #[serde(serialize_with = "text")]
    pub state: TargetState,
    /// Its services, by name.
    pub services: Vec<ServiceProgress>,
    /// How many instances run that the target does not place, and an earlier one did.
    pub leaving: u32,
    /// The node that leads; `None`: none does, so nothing is planned.
    pub leader: Option<String>,
}

/// How far a service of a target is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceProgress {
    /// The service.
    #[serde(serialize_with = "text")]
    pub service: ServiceName,
    /// How far it is.
    #[serde(serialize_with = "text")]
    pub state: TargetState,
    /// How many instances the program wants.
    pub wanted: u32,
    /// How many are started on live nodes.
    pub running: u32,
    /// How many of those serve, or are done.
    pub ready: u32,
    /// Its versions that are planned or run; the wanted one first.
    pub versions: Vec<VersionProgress>,
    /// Why the wanted version failed; `None`: it did not.
    pub failed: Option<String>,
    /// Why it is not as the program says.
    pub holds: Vec<String>,
}

/// A version of a service on the nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VersionProgress {
    /// Its tag.
    #[serde(serialize_with = "text")]
    pub version: SpecTag,
    /// Its revision; `None` of a version that the target does not have.
    #[serde(serialize_with = "text_or_null")]
    pub rev: Option<ServiceName>,
    /// Whether it is the version that the target wants.
    pub wanted: bool,
    /// How many instances of it are started.
    pub running: u32,
    /// How many of those serve, or are done.
    pub ready: u32,
}

/// Why a service runs where it does. `{service, wanted, problem, nodes}` in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceReasons {
    /// The service.
    #[serde(serialize_with = "text")]
    pub service: ServiceName,
    /// How many the program wants; `None`: that number has no value.
    pub wanted: Option<u32>,
    /// Why fewer are placed.
    pub problem: Option<PlanProblem>,
    /// The nodes, by name.
    pub nodes: Vec<NodeReasons>,
}

/// Why a service runs on a node, or does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeReasons {
    /// The name of the node.
    pub node: String,
    /// How many instances it has.
    pub present: u32,
    /// How many it is to have.
    pub wanted: u32,
    /// Why there are not more.
    pub reasons: Vec<String>,
}

/// Instances of one version of a service that run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningInstances {
    /// The service.
    pub service: ServiceName,
    /// The version.
    pub version: SpecTag,
    /// How many are started, ready or done.
    pub count: u16,
    /// How many of those are ready or done.
    pub ready: u16,
}

/// The changes that a node needs to run what the target wants of it. `{generation, pass, fence, add, deprecate, delete, periods}` in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedGoals {
    /// The generation of the target that the goals are from.
    pub generation: u64,
    /// The plan that they are from.
    pub pass: u64,
    /// The term of its leader.
    pub fence: u64,
    /// Instances to start.
    pub add: Vec<GoalCount>,
    /// Instances that new look-ups no longer find, and that end when their successor is ready.
    pub deprecate: Vec<GoalCount>,
    /// Instances to end.
    pub delete: Vec<GoalCount>,
    /// How often each service says that it is alive.
    pub periods: Vec<ServicePeriod>,
}

/// Some instances of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GoalCount {
    /// The service.
    #[serde(serialize_with = "text")]
    pub service: ServiceName,
    /// The version.
    #[serde(serialize_with = "text")]
    pub version: SpecTag,
    /// How many.
    pub count: u32,
}

/// How often a service says that it is alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServicePeriod {
    /// The service.
    #[serde(serialize_with = "text")]
    pub service: ServiceName,
    /// The time between two statements.
    #[serde(rename = "period_ms", serialize_with = "millis")]
    pub period: Duration,
}

fn texts<S: Serializer>(names: &[ServiceName], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(names.iter().map(ServiceName::as_str))
}

fn by_name<S: Serializer>(configs: &[Config], to: S) -> Result<S::Ok, S::Error> {
    let configs: BTreeMap<&str, &Config> =
        configs.iter().map(|config| (config.name.as_str(), config)).collect();
    configs.serialize(to)
}

impl PlanAction {
    /// Every action.
    pub const ALL: [Self; 5] = [Self::Start, Self::Stop, Self::Hold, Self::Move, Self::Roll];

    /// The word used in JSON and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Hold => "hold",
            Self::Move => "move",
            Self::Roll => "roll",
        }
    }
}

impl fmt::Display for PlanAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for PlanAction {
    type Err = UnknownWord;

    fn from_str(s: &str) -> Result<Self, UnknownWord> {
        let unknown = UnknownWord("not an action of a plan");
        Self::ALL.into_iter().find(|action| action.as_str() == s).ok_or(unknown)
    }
}

impl fmt::Display for PlanStep {
    /// As a line: `start 1 of 'web' on n1; no constraints`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, service, node, count, why, .. } = self;
        let from = self.from.as_deref().unwrap_or("?");
        let to = self.to.as_deref().unwrap_or("?");
        match action {
            PlanAction::Start | PlanAction::Stop | PlanAction::Hold => {
                write!(f, "{action} {count} of '{service}' on {node}; {why}")
            }
            PlanAction::Move => {
                write!(f, "move {count} of '{service}' from {from} to {node}; {why}")
            }
            PlanAction::Roll => {
                write!(f, "roll {count} of '{service}' on {node} from {from} to {to}; {why}")
            }
        }
    }
}

impl TargetState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Settled, Self::Changing, Self::Held, Self::Failed];

    /// The word used in JSON and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Changing => "changing",
            Self::Held => "held",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for TargetState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for TargetState {
    type Err = UnknownWord;

    fn from_str(s: &str) -> Result<Self, UnknownWord> {
        let unknown = UnknownWord("not a state of a target");
        Self::ALL.into_iter().find(|state| state.as_str() == s).ok_or(unknown)
    }
}
