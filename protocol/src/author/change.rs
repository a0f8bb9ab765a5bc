use crux_crdt::Principal;
use crux_crdt::act::Statement;
use crux_crdt::fact::Fact;
use crux_crdt::path::Endpoint;
use crux_crdt::record::{KindFull, Record, Registration, ServiceKey, SlotSet};
use std::sync::Arc;

use crate::leader::Claim;
use crate::link::ReplyId;
use crate::liveness::BootNonce;

/// One change of what this node says.
#[derive(Debug, Clone)]
pub enum Change {
    /// Register a service, or replace the one with its key.
    Register(Registration),
    /// Remove a registration.
    Deregister(ServiceKey),
    /// Say these slots of their kind and no others.
    Set(SlotSet),
    /// Claim to lead; 0 clears the claim.
    Claim(u64),
    /// Clear the claim for good: a node that comes alone leaves it behind.
    StandDown,
    /// The name is provisional no more.
    Firm,
    /// Where this node is reached.
    Addresses(Vec<Endpoint>),
    /// Sign a membership act.
    Act(Statement),
    /// Go on above this incarnation.
    Reincarnate(u64),
    /// Take over what this identity said before it lost its disk, and go on above it.
    Recover(Arc<Record>),
    /// Say for the last time what this run added: another run of this identity goes on above it.
    Yield {
        /// The boot nonce of the other run.
        to: BootNonce,
        /// The incarnation above which to say it.
        above: u64,
    },
    /// Accept commands under this claim and none lower.
    Fence(Claim),
    /// Forget that commands under this claim were accepted.
    ForgetFence(Claim),
    /// Write a fact of another author for good.
    Keep(Fact),
    /// Write facts that a person signed, then merge and publish them.
    State(Vec<Fact>),
}

/// The party that waits for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The node itself.
    Internal,
    /// A control request.
    Control(u64),
    /// An admission for the join engine.
    Join {
        /// The newcomer.
        peer: Principal,
        /// Whether this node is the one that joins.
        joining: bool,
    },
    /// A request of a peer, to be answered when the change is durable.
    Peer(ReplyId),
}

/// Why a change cannot be made. Nothing was changed; who asked is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// This node has as many slots of a kind, registrations say, as a node may have.
    #[error(transparent)]
    Full(#[from] KindFull),
    /// A slot of this kind is over a bound, so that no other node could read the record.
    #[error("one of the {0} is over a bound")]
    Slot(&'static str),
    /// There is no such registration on this node.
    #[error("this node has no such registration")]
    NotRegistered,
    /// This node signed as many acts as a node may sign.
    #[error("this node signed {0} membership acts, which is the limit")]
    TooManyActs(u64),
    /// The member runs at an incarnation that nobody can be retired at.
    #[error(
        "that node states an incarnation which only a lying node has, or one that was lied about"
    )]
    Incarnation,
    /// The profile is over a bound.
    #[error("the profile is over a bound: at most 8 addresses and 32 labels of 63 bytes each")]
    Profile,
}
