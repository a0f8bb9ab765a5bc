//! What the rest of the node asks of the fulcrum.
//!
//! Reading needs no request: the fulcrum publishes a [`View`](crate::view::View), and whoever reads
//! looks there. A request changes state, or needs other nodes. It is an operation of
//! [`crux_client::op`], or one of the two of the node's own below; a `From` says which event it is for
//! the engine. The way back is of the answer's type, so nobody can take one answer for another.

use crux_client::model::{Check, NodeRef};
use crux_client::op::{
    Deregister, Doctor, Forget, LeaderPing, LeaderPinged, Leave, Op, Register, Registered,
};
use crux_crdt::Principal;
use crux_crdt::blob::Descriptor;
use crux_protocol::flock::Control;
use tokio::sync::oneshot;

use crate::error::Error;

/// Where an answer goes. The fulcrum MUST send one; a closed receiver means that nobody waits any more,
/// and the request may still be carried out.
pub type ReplyTo<T> = oneshot::Sender<Result<T, Error>>;

/// An operation, and where its answer goes.
#[derive(Debug)]
pub struct Asked<O: Op> {
    /// What is asked.
    pub op: O,
    /// Where the answer goes.
    pub reply: ReplyTo<O::Answer>,
}

/// Offers these blobs and no others; answered when durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer(pub Vec<Descriptor>);

/// Dials a member that is not linked; answered before it is known whether it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach(pub Principal);

impl Op for Offer {
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
        let Register { horde, service, rev, endpoint, lease, sync } = op;
        let register = Control::Register { horde, service, rev, endpoint, lease, sync };
        Self::Engine(register, Reply::Registered(reply))
    }
}

impl From<Asked<Deregister>> for Request {
    fn from(Asked { op, reply }: Asked<Deregister>) -> Self {
        let Deregister { horde, service, rev } = op;
        Self::Engine(Control::Deregister { horde, service, rev }, Reply::Done(reply))
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

impl From<Asked<Offer>> for Request {
    fn from(Asked { op, reply }: Asked<Offer>) -> Self {
        Self::Engine(Control::Offer(op.0), Reply::Done(reply))
    }
}

impl From<Asked<Reach>> for Request {
    fn from(Asked { op, reply }: Asked<Reach>) -> Self {
        Self::Engine(Control::Reach(op.0), Reply::Done(reply))
    }
}
