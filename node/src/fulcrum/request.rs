//! Requests of the rest of the node to the fulcrum.
//!
//! Reading needs no request: the fulcrum publishes a [`View`](crate::view::View), and readers look
//! there. A request changes state, or needs other nodes. It is an operation of
//! [`crux_client::op`], or one of the node's own below; a `From` says which event it is for
//! the engine. The way back is of the answer's type, so nobody can take one answer for another.

use std::sync::Arc;
use std::time::Duration;

use crux_client::model::{Check, NodeRef};
use crux_client::op::{
    Deregister, Doctor, Forget, LeaderPing, LeaderPinged, Leave, Op, Register, Registered,
};
use crux_crdt::Principal;
use crux_crdt::document::Document;
use crux_crdt::fact::Fact;
use crux_crdt::record::SlotSet;
use crux_protocol::flock::{Control, STORE_PATIENCE};
use crux_protocol::leader::Claim;
use tokio::sync::oneshot;

use crate::error::Error;
use crate::view::Sight;

/// Where an answer goes. The fulcrum MUST send one; a closed receiver means that nobody waits any more,
/// and the request may still be carried out.
pub type ReplyTo<T> = oneshot::Sender<Result<T, Error>>;

/// An operation, and where its answer goes.
#[derive(Debug)]
pub struct Asked<O: Op> {
    /// The request.
    pub op: O,
    /// Where the answer goes.
    pub reply: ReplyTo<O::Answer>,
}

/// Says these slots of their kind in the node's record and no others; answered when durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set(pub SlotSet);

/// Dials a member that is not linked; answered before it is known whether it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach(pub Principal);

/// Leads in a greater term than this one, if this node leads: see [`Control::Outbid`]. Answered at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outbid(pub Claim);

/// Tells all members that another process of this node takes over within this time, at most
/// [`RESTART_MAX`](crux_protocol::liveness::RESTART_MAX); answered at once. See [`super::Handle::announce_restart`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restart(pub Duration);

/// Has the flock hold documents, all of them or none; answered when they are durable, and stored by so many other members.
/// Refused with [`Conflict`](crate::Kind::Conflict), [`NotGranted`](crate::Kind::NotGranted),
/// [`LimitReached`](crate::Kind::LimitReached).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The documents, opened, one for each key.
    pub documents: Vec<Arc<Document>>,
    /// How many other members must have stored them.
    pub sync: u32,
    /// How long to wait for those.
    pub patience: Duration,
}

/// Looks at every node of the horde and at the plan in force, as a leader does at each change; answered at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look;

impl Op for Look {
    type Answer = Sight;
}

impl Op for State {
    type Answer = ();
}

impl Op for Set {
    type Answer = ();
}

impl Op for Outbid {
    type Answer = ();
}

impl Op for Restart {
    type Answer = ();
}

impl Op for Reach {
    type Answer = ();
}

/// An operation as the fulcrum carries it out.
#[derive(Debug)]
pub enum Request {
    /// The engine does it.
    Engine(Control, Reply),
    /// The engine retires a member, and who that is the fulcrum looks up.
    Forget(NodeRef, ReplyTo<Principal>),
    /// The fulcrum looks around by itself.
    Doctor(ReplyTo<Vec<Check>>),
    /// The fulcrum reads the engine's state.
    Look(ReplyTo<Sight>),
}

/// Where the engine's answer goes, and as what.
#[derive(Debug)]
pub enum Reply {
    /// As what was registered.
    Registered(ReplyTo<Registered>),
    /// As what became of the ping.
    Pinged(ReplyTo<LeaderPinged>),
    /// As the member that was retired.
    Forgotten(Principal, ReplyTo<Principal>),
    /// As that it was done.
    Done(ReplyTo<()>),
}

impl From<Asked<Register>> for Request {
    fn from(Asked { op, reply }: Asked<Register>) -> Self {
        let Register { key, endpoint, labels, lease, sync, sync_within } = op;
        let patience = sync_within.unwrap_or(STORE_PATIENCE);
        let register = Control::Register { key, endpoint, labels, lease, sync, patience };
        Self::Engine(register, Reply::Registered(reply))
    }
}

impl From<Asked<Deregister>> for Request {
    fn from(Asked { op, reply }: Asked<Deregister>) -> Self {
        Self::Engine(Control::Deregister(op.key), Reply::Done(reply))
    }
}

impl From<Asked<LeaderPing>> for Request {
    fn from(asked: Asked<LeaderPing>) -> Self {
        Self::Engine(Control::LeaderPing, Reply::Pinged(asked.reply))
    }
}

impl From<Asked<Forget>> for Request {
    fn from(Asked { op, reply }: Asked<Forget>) -> Self {
        Self::Forget(op.node, reply)
    }
}

impl From<Asked<Leave>> for Request {
    fn from(asked: Asked<Leave>) -> Self {
        Self::Engine(Control::Leave, Reply::Done(asked.reply))
    }
}

impl From<Asked<Doctor>> for Request {
    fn from(asked: Asked<Doctor>) -> Self {
        Self::Doctor(asked.reply)
    }
}

impl From<Asked<Look>> for Request {
    fn from(asked: Asked<Look>) -> Self {
        Self::Look(asked.reply)
    }
}

impl From<Asked<State>> for Request {
    fn from(Asked { op, reply }: Asked<State>) -> Self {
        let State { documents, sync, patience } = op;
        let facts = documents.into_iter().map(Fact::from).collect();
        Self::Engine(Control::State { facts, sync, patience }, Reply::Done(reply))
    }
}

impl From<Asked<Set>> for Request {
    fn from(Asked { op, reply }: Asked<Set>) -> Self {
        Self::Engine(Control::Set(op.0), Reply::Done(reply))
    }
}

impl From<Asked<Outbid>> for Request {
    fn from(Asked { op, reply }: Asked<Outbid>) -> Self {
        Self::Engine(Control::Outbid(op.0), Reply::Done(reply))
    }
}

impl From<Asked<Restart>> for Request {
    fn from(Asked { op, reply }: Asked<Restart>) -> Self {
        Self::Engine(Control::Restart(op.0), Reply::Done(reply))
    }
}

impl From<Asked<Reach>> for Request {
    fn from(Asked { op, reply }: Asked<Reach>) -> Self {
        Self::Engine(Control::Reach(op.0), Reply::Done(reply))
    }
}
