//! The operations of the Control service.

use std::collections::BTreeMap;
use std::time::Duration;

use crux_crdt::Principal;
use crux_crdt::path::{Endpoint, FlockId, NetId, Query};
use crux_crdt::record::ServiceKey;
use crux_proto::v1::{self, control_client::ControlClient};
use tonic::transport::Channel;

use super::{
    ANSWER_BYTES_MAX, Call, Effect, Op, Wire, bare_answer, bare_request, calls_over, whole_answer,
};
use crate::error::Error;
use crate::model::{Check, Leader, Member, NodeRef, Service, Status};
use crate::parse;
use crate::socket::Door;
use crate::wire::Message;
use crate::wire::field::{self, present};

/// Hands the table of the Control service's calls to a macro: `call: Operation, effect;` for each.
/// `Watch` is not in it: it answers with a stream.
#[macro_export]
macro_rules! control_calls {
    ($macro:ident! { $($first:tt)* }) => {
        $macro! { $($first)*
            status: GetStatus, Reads;
            leader: GetLeader, Reads;
            leader_ping: LeaderPing, Writes;
            members: GetMembers, Reads;
            register: Register, Writes;
            deregister: Deregister, Writes;
            services: GetServices, Reads;
            resolve: Resolve, Reads;
            forget: Forget, Writes;
            leave: Leave, Writes;
            doctor: Doctor, Reads;
        }
    };
}

control_calls!(calls_over! { ControlClient at Control: });

/// Asks what the node is and what it sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetStatus;

/// Asks who leads, from the node's view; `None` when nobody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetLeader;

/// Has every live member store the leader's term. Refused with
/// [`NoLeader`](crate::Kind::NoLeader), [`Fenced`](crate::Kind::Fenced).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaderPing;

/// The outcome of a leader ping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderPinged {
    /// The leader that it ran under.
    pub leader: Leader,
    /// The members that stored the term durably, the leader included.
    pub accepted: Vec<Principal>,
    /// The members that hold a greater term, or did not answer.
    pub failed: Vec<Principal>,
}

/// Asks for every member the node knows, in any state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetMembers;

/// Publishes a service of the node; answered when durable. Refused with
/// [`LimitReached`](crate::Kind::LimitReached), [`DiskFull`](crate::Kind::DiskFull).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// Its key on the node: registering the same key again replaces the rest.
    pub key: ServiceKey,
    /// Where it is reached.
    pub endpoint: Endpoint,
    /// Free labels, at most [`SERVICE_LABELS_MAX`](crux_crdt::record::SERVICE_LABELS_MAX); see
    /// [`parse::labels`].
    pub labels: BTreeMap<String, String>,
    /// Gone that long after the last register of the same; `None` stays until deregistered.
    pub lease: Option<Duration>,
    /// How many other members must have stored it before the answer.
    pub sync: u32,
    /// How long the node waits for them, at most 50 s; then it answers how many did. `None`: 8 s. A caller
    /// that waits less long than this learns nothing.
    pub sync_within: Option<Duration>,
}

/// A service was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Its path.
    pub path: FlockId,
    /// Its instance name, unique in the flock.
    pub instance: String,
    /// Where it is reached.
    pub net_id: NetId,
}

/// Withdraws a service of the node; answered when durable. Refused with
/// [`NotFound`](crate::Kind::NotFound).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deregister {
    /// Its key on the node.
    pub key: ServiceKey,
}

/// Asks for the services that a query matches, ordered by path and ordinal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GetServices {
    /// Which.
    pub query: Query,
    /// Also those that are not live.
    pub all: bool,
}

/// Picks one live instance for a generic or actual name, an instance name or a query. Refused with
/// [`NotFound`](crate::Kind::NotFound), also when there is no such node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolve {
    /// The name.
    pub name: String,
    /// Only instances on this node; `None`: on any.
    pub on: Option<NodeRef>,
}

/// Retires a member that is not coming back; answers who it was. Refused with
/// [`NotFound`](crate::Kind::NotFound), and [`Refused`](crate::Kind::Refused) when it is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forget {
    /// The member to forget.
    pub node: NodeRef,
}

/// Makes the node leave the flock and stop; answered when that is durable and sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leave;

/// Checks what commonly goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doctor;

impl Op for GetStatus {
    type Answer = Status;
}

impl Wire for GetStatus {
    bare_request!(StatusRequest);
    whole_answer!();
}

impl Op for GetLeader {
    type Answer = Option<Leader>;
}

impl Wire for GetLeader {
    bare_request!(LeaderRequest);

    type Response = v1::LeaderResponse;

    fn answer_to_wire(answer: &Option<Leader>) -> v1::LeaderResponse {
        v1::LeaderResponse { leader: answer.as_ref().map(Message::to_wire) }
    }

    fn answer_from_wire(wire: &v1::LeaderResponse) -> Result<Option<Leader>, Error> {
        wire.leader.as_ref().map(Message::from_wire).transpose()
    }
}

impl Op for LeaderPing {
    type Answer = LeaderPinged;
}

impl Wire for LeaderPing {
    bare_request!(LeaderPingRequest);

    type Response = v1::LeaderPingResponse;

    fn answer_to_wire(answer: &LeaderPinged) -> v1::LeaderPingResponse {
        let print = |all: &[Principal]| all.iter().map(Principal::to_string).collect();
        v1::LeaderPingResponse {
            leader: Some(answer.leader.to_wire()),
            accepted: print(&answer.accepted),
            failed: print(&answer.failed),
        }
    }

    fn answer_from_wire(wire: &v1::LeaderPingResponse) -> Result<LeaderPinged, Error> {
        let keys = |field: &str, all: &[String]| -> Result<Vec<Principal>, Error> {
            all.iter().map(|key| field::parse(field, key)).collect()
        };
        Ok(LeaderPinged {
            leader: Leader::from_wire(present("leader", wire.leader.as_ref())?)?,
            accepted: keys("accepted", &wire.accepted)?,
            failed: keys("failed", &wire.failed)?,
        })
    }
}

impl Op for GetMembers {
    type Answer = Vec<Member>;
}

impl Wire for GetMembers {
    bare_request!(MembersRequest);

    type Response = v1::MembersResponse;

    fn answer_to_wire(answer: &Vec<Member>) -> v1::MembersResponse {
        v1::MembersResponse { members: answer.iter().map(Message::to_wire).collect() }
    }

    fn answer_from_wire(wire: &v1::MembersResponse) -> Result<Vec<Member>, Error> {
        wire.members.iter().map(Message::from_wire).collect()
    }
}

impl Op for Register {
    type Answer = Registered;
}

impl Wire for Register {
    type Request = v1::RegisterRequest;
    type Response = v1::RegisterResponse;

    fn to_wire(&self) -> v1::RegisterRequest {
        let millis = |lease: Duration| u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        v1::RegisterRequest {
            service: self.key.service.to_string(),
            rev: self.key.rev.to_string(),
            address: self.endpoint.to_string(),
            horde: self.key.horde.to_string(),
            lease_ms: self.lease.map(millis),
            sync: self.sync,
            ordinal: self.key.ordinal.into(),
            labels: self.labels.clone().into_iter().collect(),
            sync_within_ms: self.sync_within.map(millis),
        }
    }

    fn from_wire(wire: &v1::RegisterRequest) -> Result<Self, Error> {
        Ok(Self {
            key: parse::service_key(&wire.horde, &wire.service, &wire.rev, wire.ordinal)?,
            endpoint: parse::endpoint(&wire.address)?,
            labels: parse::labels(wire.labels.clone())?,
            lease: wire.lease_ms.map(Duration::from_millis).map(parse::lease).transpose()?,
            sync: wire.sync,
            sync_within: wire.sync_within_ms.map(Duration::from_millis),
        })
    }

    fn answer_to_wire(answer: &Registered) -> v1::RegisterResponse {
        v1::RegisterResponse {
            path: answer.path.to_string(),
            instance: answer.instance.clone(),
            net_id: answer.net_id.to_string(),
        }
    }

    fn answer_from_wire(wire: &v1::RegisterResponse) -> Result<Registered, Error> {
        Ok(Registered {
            path: field::parse("path", &wire.path)?,
            instance: wire.instance.clone(),
            net_id: field::parse("net_id", &wire.net_id)?,
        })
    }
}

impl Op for Deregister {
    type Answer = ();
}

impl Wire for Deregister {
    type Request = v1::DeregisterRequest;

    fn to_wire(&self) -> v1::DeregisterRequest {
        v1::DeregisterRequest {
            service: self.key.service.to_string(),
            rev: self.key.rev.to_string(),
            horde: self.key.horde.to_string(),
            ordinal: self.key.ordinal.into(),
        }
    }

    fn from_wire(wire: &v1::DeregisterRequest) -> Result<Self, Error> {
        let key = parse::service_key(&wire.horde, &wire.service, &wire.rev, wire.ordinal)?;
        Ok(Self { key })
    }

    bare_answer!(DeregisterResponse);
}

impl Op for GetServices {
    type Answer = Vec<Service>;
}

impl Wire for GetServices {
    type Request = v1::ServicesRequest;

    fn to_wire(&self) -> v1::ServicesRequest {
        v1::ServicesRequest { query: self.query.to_string(), all: self.all }
    }

    fn from_wire(wire: &v1::ServicesRequest) -> Result<Self, Error> {
        Ok(Self { query: parse::query(&wire.query)?, all: wire.all })
    }

    whole_answer!();
}

impl Op for Resolve {
    type Answer = Service;
}

impl Wire for Resolve {
    type Request = v1::ResolveRequest;
    type Response = v1::ResolveResponse;

    fn to_wire(&self) -> v1::ResolveRequest {
        let node = self.on.as_ref().map(NodeRef::to_string).unwrap_or_default();
        v1::ResolveRequest { name: self.name.clone(), node }
    }

    fn from_wire(wire: &v1::ResolveRequest) -> Result<Self, Error> {
        let on = (!wire.node.is_empty()).then(|| parse::node(&wire.node)).transpose()?;
        Ok(Self { name: wire.name.clone(), on })
    }

    fn answer_to_wire(answer: &Service) -> v1::ResolveResponse {
        v1::ResolveResponse { service: Some(answer.to_wire()) }
    }

    fn answer_from_wire(wire: &v1::ResolveResponse) -> Result<Service, Error> {
        Service::from_wire(present("service", wire.service.as_ref())?)
    }
}

impl Op for Forget {
    type Answer = Principal;
}

impl Wire for Forget {
    type Request = v1::ForgetRequest;
    type Response = v1::ForgetResponse;

    fn to_wire(&self) -> v1::ForgetRequest {
        v1::ForgetRequest { node: self.node.to_string() }
    }

    fn from_wire(wire: &v1::ForgetRequest) -> Result<Self, Error> {
        Ok(Self { node: parse::node(&wire.node)? })
    }

    fn answer_to_wire(answer: &Principal) -> v1::ForgetResponse {
        v1::ForgetResponse { principal: answer.to_string() }
    }

    fn answer_from_wire(wire: &v1::ForgetResponse) -> Result<Principal, Error> {
        field::parse("principal", &wire.principal)
    }
}

impl Op for Leave {
    type Answer = ();
}

impl Wire for Leave {
    bare_request!(LeaveRequest);
    bare_answer!(LeaveResponse);
}

impl Op for Doctor {
    type Answer = Vec<Check>;
}

impl Wire for Doctor {
    bare_request!(DoctorRequest);

    type Response = v1::DoctorResponse;

    fn answer_to_wire(answer: &Vec<Check>) -> v1::DoctorResponse {
        v1::DoctorResponse { checks: answer.iter().map(Message::to_wire).collect() }
    }

    fn answer_from_wire(wire: &v1::DoctorResponse) -> Result<Vec<Check>, Error> {
        wire.checks.iter().map(Message::from_wire).collect()
    }
}

#[cfg(test)]
mod tests;
