//! Requests of people, and their answers.

use core::time::Duration;

use crux_crdt::name::ServiceName;
use crux_crdt::service::Config;

use super::desired::Image;
use super::goals::Goals;
use super::id::{InstanceId, RequestId};
use super::order::Order;
use super::view::Row;

/// A request with how long its caller waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requested {
    /// Names it in the answer.
    pub id: RequestId,
    /// The request.
    pub request: Request,
    /// The generation that the caller decided upon; refused if the node's is newer.
    pub generation: Option<u64>,
    /// Until when to wait with the answer.
    pub wait: Wait,
    /// How long to wait at most, from now.
    pub timeout: Duration,
}

/// A request of a person, or of the proctor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Run this. A service of that name with other content is updated; with the same nothing is done,
    /// and a content that was rolled back is not tried again.
    Add {
        /// The checked config.
        config: Box<Config>,
        /// Its image for this machine.
        image: Image,
    },
    /// Run this in place of what the service has; also if it was rolled back before.
    Update {
        /// The checked config, with the name of the service.
        config: Box<Config>,
        /// Its image for this machine.
        image: Image,
    },
    /// Go back to the previous content.
    Rollback(ServiceName),
    /// Run a stopped service; ends any wait of one that failed.
    Start(ServiceName),
    /// Stop a service, and keep it stopped.
    Stop(ServiceName),
    /// Stop a service and start it again.
    Restart(ServiceName),
    /// Stop a service and forget it.
    Remove(ServiceName),
    /// Run what the target wants of this node, all of it and nothing else that the target placed. Answered once it
    /// is durable, whatever the caller waits for; with no rows.
    Goals(Box<Goals>),
}

impl Request {
    /// Of which service; none: of all that the target placed.
    pub fn name(&self) -> Option<&ServiceName> {
        let name = match self {
            Self::Goals(_) => return None,
            Self::Add { config, .. } | Self::Update { config, .. } => &config.name,
            Self::Rollback(name)
            | Self::Start(name)
            | Self::Stop(name)
            | Self::Restart(name)
            | Self::Remove(name) => name,
        };
        Some(name)
    }
}

/// Until when a caller waits. After `Stop` and `Remove`, anything but `Nothing` waits until no process
/// is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wait {
    /// Until the wish is durable.
    Nothing,
    /// Until every instance was started.
    Started,
    /// Until every instance is up, has taken over, and is registered; see [`super`] for the latter.
    Up,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is durable, and what the caller waits for is so.
    Done(Vec<Row>),
    /// It is durable, and the caller waits in vain: the service is not up. It is still tried, except
    /// for an image that was rolled back.
    Failed {
        /// The kind of failure.
        fault: Fault,
        /// For people.
        reason: String,
        /// The instance that failed, for its last output.
        instance: Option<InstanceId>,
        /// How the service is now.
        rows: Vec<Row>,
    },
    /// It is durable, and the caller's time was over.
    StillTrying(Vec<Row>),
    /// Another request changed the service while the caller waited.
    Overtaken(Vec<Row>),
    /// Nothing was changed.
    Refused(Refusal),
}

/// Why a service is not up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It runs and its checks do not pass.
    Unhealthy,
    /// It could not be started, or ends before it is up.
    StartFailed,
    /// Its image cannot be executed.
    ImageUnusable,
    /// It did not prove itself, and the previous content is back.
    RolledBack,
}

/// Why a request changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such service.
    #[error("there is no service {0}")]
    Unknown(ServiceName),
    /// The caller decided upon an older service config.
    #[error("the node's service config has generation {current}, which is newer")]
    Generation {
        /// The node's.
        current: u64,
    },
    /// More services than a node takes.
    #[error("the node has {max} services, as many as it takes", max = crux_crdt::service::SERVICES_MAX)]
    Services,
    /// More instances than a node takes.
    #[error("the node takes {max} instances in all", max = super::INSTANCES_MAX)]
    Instances,
    /// Two services want one port.
    #[error("service {by} has port {port}")]
    PortInUse {
        /// The port.
        port: u16,
        /// The service that has it.
        by: ServiceName,
    },
    /// More registrations than a node has.
    #[error("the node has {max} registrations in all", max = super::REGISTRATIONS_MAX)]
    Registrations,
    /// Two services want to be registered under one name.
    #[error("service {by} is registered as {service} {rev} too")]
    RegisteredTwice {
        /// The name.
        service: ServiceName,
        /// The revision.
        rev: ServiceName,
        /// The service that has it.
        by: ServiceName,
    },
    /// The target placed the service, so a person can have it started again, and no more.
    #[error("service {0} belongs to the target")]
    OfTarget(ServiceName),
    /// A person's service has the name that the target wants.
    #[error("service {0} was added by a person")]
    OfPerson(ServiceName),
    /// The goals are older than those that the node accepted before.
    #[error("the node accepted goals of a later target or a later pass")]
    OldOrder {
        /// Their order.
        held: Box<Order>,
    },
    /// There is nothing to go back to.
    #[error("service {0} has no previous content")]
    NoPrevious(ServiceName),
    /// This content was rolled back; `update` tries it again.
    #[error("service {0} was rolled back from this content")]
    RolledBack(ServiceName),
    /// A stopped service cannot be restarted.
    #[error("service {0} is stopped")]
    Stopped(ServiceName),
    /// The service config could not be written.
    #[error("the service config could not be written: {0}")]
    Disk(String),
    /// Too many requests wait.
    #[error("too many requests wait")]
    Busy,
    /// The node stops.
    #[error("the node stops")]
    Stopping,
}
