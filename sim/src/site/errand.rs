use crux_protocol::picket::{self, Desired, Exit, InstanceId, Record};
use crux_protocol::proctor::{enactor, planner};

/// Something that a supervisor, or a loop of a node, is in the middle of.
#[derive(Debug, Clone)]
pub(crate) enum Errand {
    /// The supervisor is told something.
    Tell(picket::Event),
    /// Its config is on the disk.
    Save(Box<Desired>),
    /// A record of an instance is on the disk.
    Record(Box<Record>),
    /// An instance runs.
    Spawn(Box<Record>),
    /// Nothing of an instance is left.
    Kill(InstanceId),
    /// A record is gone.
    Forget(InstanceId),
    /// A program ends.
    End(InstanceId, Exit),
    /// The engine that enacts is told something.
    Enact(Box<enactor::Event>),
    /// The engine that plans is told something.
    Plan(Box<planner::Event>),
    /// Both look at the replica.
    Look,
    /// The timer of all three; only the one with its newest number counts.
    Wake(u64),
}
