//! The operations of the Services service, which the picket serves on a socket of its own. Logs and events are
//! streams: see [`Client::logs`](crate::Client::logs) and [`Client::events`](crate::Client::events).

mod streams;

use std::time::Duration;

use crux_crdt::blob::BlobId;
use crux_crdt::name::ServiceName;
use crux_crdt::service::{CONFIG_BYTES_MAX, Config};
use crux_proto::v1::{self, services_client::ServicesClient};
use tonic::transport::Channel;

use super::{ANSWER_BYTES_MAX, Call, Effect, Op, Wire, bare_request, calls_over, whole_answer};
use crate::error::{Error, Kind};
use crate::model::json::whole_millis;
use crate::model::{Inspected, Instance, Picket, Settled};
use crate::parse;
use crate::socket::Door;
use crate::wire::Message;
use crate::wire::field::{config_from_wire, config_to_wire};

pub use streams::{ReadEvents, ReadLogs};

/// Hands the table of the Services service's calls to a macro: `call: Operation, effect;` for each.
/// `Logs` and `Events` are not in it: they answer with streams.
#[macro_export]
macro_rules! services_calls {
    ($macro:ident! { $($first:tt)* }) => {
        $macro! { $($first)*
            get_picket: GetPicket, Reads;
            add_service: AddService, Writes;
            update_service: UpdateService, Writes;
            roll_back_service: RollBackService, Writes;
            start_service: StartService, Writes;
            stop_service: StopService, Writes;
            restart_service: RestartService, Writes;
            remove_service: RemoveService, Writes;
            list_instances: ListInstances, Reads;
            inspect_service: InspectService, Reads;
            show_service: ShowService, Reads;
        }
    };
}

services_calls!(calls_over! { ServicesClient at Picket: });

/// How long a request that changes a service waits, unless it says otherwise. As long as a service may take to be
/// up by default.
pub const WITHIN: Duration = Duration::from_secs(60);

/// The longest request to this service, in bytes: the texts of a config, each byte of which may take six in JSON
/// (`\u0001`), and what frames them.
pub const SERVICES_REQUEST_BYTES_MAX: usize = 6 * CONFIG_BYTES_MAX + 64 * 1024;

/// Asks which processes run the node, and what they are to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetPicket;

/// Keeps a service running. The same config again changes nothing; another one is an update. Refused with
/// [`LimitReached`](Kind::LimitReached), [`NotPermitted`](Kind::NotPermitted),
/// [`NotEnforced`](Kind::NotEnforced), [`Generation`](Kind::Generation), and fails as [`Until`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddService {
    /// Which service, and how.
    pub config: Config,
    /// For what the answer waits.
    pub until: Until,
}

/// Replaces the config of a service, or its image. Refused with [`NotFound`](Kind::NotFound), and as
/// [`AddService`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateService {
    /// Which service.
    pub service: ServiceName,
    /// The new config or image.
    pub new: New,
    /// For what the answer waits.
    pub until: Until,
}

/// The new part of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum New {
    /// The whole config, whose name is the service's.
    Config(Box<Config>),
    /// The image; the rest stays.
    Image {
        /// The blob.
        blob: BlobId,
        /// The program's argv\[0\]; `None`: the service's name.
        argv0: Option<String>,
        /// The revision from now on; `None`: as it was.
        rev: Option<ServiceName>,
    },
}

/// For what an answer waits. Where the service does not get there, the answer is an error:
/// [`ImageUnusable`](Kind::ImageUnusable), [`StartFailed`](Kind::StartFailed), [`Unhealthy`](Kind::Unhealthy),
/// [`RolledBack`](Kind::RolledBack); while it is still tried, [`TimedOut`](Kind::TimedOut).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Until {
    /// The goal that the node waits for.
    pub goal: Goal,
    /// For how long the node waits. A caller that waits less long than this learns nothing.
    pub within: Duration,
    /// The generation that the request was made against; refused if the node has a later one.
    pub generation: Option<u64>,
}

/// The goal that a service has to reach before the node answers a request that changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Every instance is up, and its node has stored its registrations; after a stop: is gone. Registrations are not
    /// waited for while the fulcrum is away, and 5 s at most while it does not answer; a note in the answer says so.
    Up,
    /// Every instance was executed; after a stop: is gone.
    Started,
    /// The change is durable.
    None,
}

/// Takes a service back to the config before its last update. Refused with [`NotFound`](Kind::NotFound), and with
/// [`Refused`](Kind::Refused) when there was no update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollBackService {
    /// Which service.
    pub service: ServiceName,
    /// For what the answer waits.
    pub until: Until,
}

/// Starts a service that was stopped, and ends any wait of one that failed. Refused with
/// [`NotFound`](Kind::NotFound).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartService {
    /// Which service.
    pub service: ServiceName,
    /// For what the answer waits.
    pub until: Until,
}

/// Stops a service in order; it stays stopped. Refused with [`NotFound`](Kind::NotFound).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopService {
    /// Which service.
    pub service: ServiceName,
    /// For what the answer waits.
    pub until: Until,
}

/// Stops a service in order and starts it again. Refused with [`NotFound`](Kind::NotFound).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartService {
    /// Which service.
    pub service: ServiceName,
    /// For what the answer waits.
    pub until: Until,
}

/// Stops a service in order and forgets it. Refused with [`NotFound`](Kind::NotFound).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoveService {
    /// Which service.
    pub service: ServiceName,
    /// For what the answer waits.
    pub until: Until,
}

/// Asks for the instances of the node, by service and ordinal. Refused with [`NotFound`](Kind::NotFound) when it
/// names a service that the node does not have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListInstances {
    /// Of which service; `None`: of all.
    pub service: Option<ServiceName>,
    /// Also of services that are stopped or done.
    pub all: bool,
}

/// Asks for all that is known of a service. Refused with [`NotFound`](Kind::NotFound).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectService {
    /// Which service.
    pub service: ServiceName,
}

/// Asks for the config of a service. Refused with [`NotFound`](Kind::NotFound).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShowService {
    /// Which service.
    pub service: ServiceName,
}

/// A config in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The config.
    pub config: Config,
    /// The number of changes to the node's desired services.
    pub generation: u64,
}

impl Goal {
    /// Every goal.
    pub const ALL: [Self; 3] = [Self::Up, Self::Started, Self::None];

    /// The word used on the command line and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Started => "started",
            Self::None => "none",
        }
    }
}

impl Default for Until {
    fn default() -> Self {
        Self { goal: Goal::Up, within: WITHIN, generation: None }
    }
}

impl Until {
    fn to_wire(self) -> v1::Until {
        v1::Until {
            what: self.goal.as_str().to_owned(),
            within_ms: Some(whole_millis(self.within)),
            generation: self.generation,
        }
    }

    /// Unset, and a goal that is empty: as by default.
    fn from_wire(wire: Option<&v1::Until>) -> Result<Self, Error> {
        let Some(wire) = wire else { return Ok(Self::default()) };
        let goal = Goal::ALL.into_iter().find(|goal| goal.as_str() == wire.what);
        let goal = goal.or_else(|| wire.what.is_empty().then_some(Goal::Up)).ok_or_else(|| {
            Error::new(Kind::InvalidArgument, format!("cannot wait until {:?}", wire.what))
                .with_hint("It is one of up, started and none.")
        })?;
        let within = wire.within_ms.map_or(WITHIN, Duration::from_millis);
        Ok(Self { goal, within, generation: wire.generation })
    }
}

fn service(s: &str) -> Result<ServiceName, Error> {
    parse::service_name("the service", s)
}

/// The service that a request names; an empty name is none.
fn some_service(s: &str) -> Result<Option<ServiceName>, Error> {
    (!s.is_empty()).then(|| service(s)).transpose()
}

/// The config of a request.
fn config(json: &[u8]) -> Result<Config, Error> {
    serde_json::from_slice(json).map_err(|err| {
        Error::new(Kind::InvalidConfig, err.to_string()).augment("the config").with_hint(
            "It is the JSON of a service config; `crux-node service check FILE` says what is wrong with one.",
        )
    })
}

fn or_empty(service: Option<&ServiceName>) -> String {
    service.map_or_else(String::new, ServiceName::to_string)
}

impl Op for GetPicket {
    type Answer = Picket;
}

impl Wire for GetPicket {
    bare_request!(GetPicketRequest);
    whole_answer!();
}

impl Op for AddService {
    type Answer = Settled;
}

impl Wire for AddService {
    type Request = v1::AddServiceRequest;

    fn to_wire(&self) -> v1::AddServiceRequest {
        let (config, until) = (config_to_wire(&self.config), Some(self.until.to_wire()));
        v1::AddServiceRequest { config, until }
    }

    fn from_wire(wire: &v1::AddServiceRequest) -> Result<Self, Error> {
        let until = Until::from_wire(wire.until.as_ref())?;
        Ok(Self { config: config(&wire.config)?, until })
    }

    whole_answer!();
}

impl Op for UpdateService {
    type Answer = Settled;
}

impl Wire for UpdateService {
    type Request = v1::UpdateServiceRequest;

    fn to_wire(&self) -> v1::UpdateServiceRequest {
        use v1::update_service_request::Change;
        let change = match &self.new {
            New::Config(config) => Change::Config(config_to_wire(config)),
            New::Image { blob, argv0, rev } => Change::Image(v1::NewImage {
                blob: blob.to_string(),
                argv0: argv0.clone(),
                rev: rev.as_ref().map(ServiceName::to_string),
            }),
        };
        v1::UpdateServiceRequest {
            service: self.service.to_string(),
            change: Some(change),
            until: Some(self.until.to_wire()),
        }
    }

    fn from_wire(wire: &v1::UpdateServiceRequest) -> Result<Self, Error> {
        use v1::update_service_request::Change;
        let new = match &wire.change {
            Some(Change::Config(wire)) => New::Config(Box::new(config(wire)?)),
            Some(Change::Image(image)) => {
                let rev = image.rev.as_ref().map(|rev| parse::service_name("the revision", rev));
                New::Image {
                    blob: parse::blob(&image.blob)?,
                    argv0: image.argv0.clone(),
                    rev: rev.transpose()?,
                }
            }
            None => return Err(Error::new(Kind::InvalidArgument, "change: not set")),
        };
        let until = Until::from_wire(wire.until.as_ref())?;
        Ok(Self { service: service(&wire.service)?, new, until })
    }

    whole_answer!();
}

/// An operation that is only about which service, and how long to wait.
macro_rules! changes_a_service {
    ($($Op:ident)*) => {
        $(impl Op for $Op {
            type Answer = Settled;
        }

        impl Wire for $Op {
            type Request = v1::ServiceRequest;

            fn to_wire(&self) -> v1::ServiceRequest {
                let (service, until) = (self.service.to_string(), Some(self.until.to_wire()));
                v1::ServiceRequest { service, until }
            }

            fn from_wire(wire: &v1::ServiceRequest) -> Result<Self, Error> {
                let until = Until::from_wire(wire.until.as_ref())?;
                Ok(Self { service: service(&wire.service)?, until })
            }

            whole_answer!();
        })*
    };
}

changes_a_service! { RollBackService StartService StopService RestartService RemoveService }

impl Op for ListInstances {
    type Answer = Vec<Instance>;
}

impl Wire for ListInstances {
    type Request = v1::ListInstancesRequest;
    type Response = v1::ListInstancesResponse;

    fn to_wire(&self) -> v1::ListInstancesRequest {
        v1::ListInstancesRequest { service: or_empty(self.service.as_ref()), all: self.all }
    }

    fn from_wire(wire: &v1::ListInstancesRequest) -> Result<Self, Error> {
        Ok(Self { service: some_service(&wire.service)?, all: wire.all })
    }

    fn answer_to_wire(answer: &Vec<Instance>) -> v1::ListInstancesResponse {
        v1::ListInstancesResponse { instances: answer.iter().map(Message::to_wire).collect() }
    }

    fn answer_from_wire(wire: &v1::ListInstancesResponse) -> Result<Vec<Instance>, Error> {
        wire.instances.iter().map(Message::from_wire).collect()
    }
}

impl Op for InspectService {
    type Answer = Inspected;
}

impl Wire for InspectService {
    type Request = v1::InspectServiceRequest;

    fn to_wire(&self) -> v1::InspectServiceRequest {
        v1::InspectServiceRequest { service: self.service.to_string() }
    }

    fn from_wire(wire: &v1::InspectServiceRequest) -> Result<Self, Error> {
        Ok(Self { service: service(&wire.service)? })
    }

    whole_answer!();
}

impl Op for ShowService {
    type Answer = Shown;
}

impl Wire for ShowService {
    type Request = v1::ShowServiceRequest;
    type Response = v1::ShowServiceResponse;

    fn to_wire(&self) -> v1::ShowServiceRequest {
        v1::ShowServiceRequest { service: self.service.to_string() }
    }

    fn from_wire(wire: &v1::ShowServiceRequest) -> Result<Self, Error> {
        Ok(Self { service: service(&wire.service)? })
    }

    fn answer_to_wire(answer: &Shown) -> v1::ShowServiceResponse {
        let (config, generation) = (config_to_wire(&answer.config), answer.generation);
        v1::ShowServiceResponse { config, generation }
    }

    fn answer_from_wire(wire: &v1::ShowServiceResponse) -> Result<Shown, Error> {
        Ok(Shown { config: config_from_wire(&wire.config)?, generation: wire.generation })
    }
}

#[cfg(test)]
mod tests;
