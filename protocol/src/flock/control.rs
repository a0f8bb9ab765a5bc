use core::time::Duration;
use std::collections::BTreeMap;

use crux_crdt::Principal;
use crux_crdt::fact::{Fact, Refused};
use crux_crdt::path::Endpoint;
use crux_crdt::record::{Registration, ServiceKey, SlotSet};

use crate::author::Rejection;
use crate::leader::{Claim, Pinged};

/// How many facts one request states.
pub const STATED_MAX: usize = 1024;

/// Names a control request in its answer. Chosen by who asks, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ControlId(pub u64);

/// What a person or program asks of this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// Register a service. Answered when durable here and, if asked for, on others.
    Register {
        /// What names it on this node.
        key: ServiceKey,
        /// Where it is reached.
        endpoint: Endpoint,
        /// Its labels, within the bounds of [`Registration::labels`].
        labels: BTreeMap<String, String>,
        /// Gone that long after the last register of the same.
        lease: Option<Duration>,
        /// How many other members must have stored it.
        sync: u32,
        /// How long to wait for them, at most [`STORE_PATIENCE_MAX`](super::STORE_PATIENCE_MAX).
        patience: Duration,
    },
    /// Remove a registration. Answered when durable.
    Deregister(ServiceKey),
    /// Say these slots of their kind and no others. Answered when durable.
    Set(SlotSet),
    /// Write facts that a person signed, all of them or none. Answered when durable here and, if asked for, on
    /// others. The caller verified them, as those of a peer.
    State {
        /// The facts, at most [`STATED_MAX`].
        facts: Vec<Fact>,
        /// How many other members must have stored all of them.
        sync: u32,
        /// How long to wait for them, at most [`STORE_PATIENCE_MAX`](super::STORE_PATIENCE_MAX).
        patience: Duration,
    },
    /// Dial a member that is not linked, for whoever has something to send to it. Answered at once;
    /// what becomes of it the network tells.
    Reach(Principal),
    /// Lead in a greater term than this one, if this node leads: something that counts carries it, so nodes obey
    /// nothing that this one signs. Answered at once. The engine gives the holder of that term its time to be heard
    /// first, and ignores one that is out of reach.
    Outbid(Claim),
    /// Have every live member store the leader's claim.
    LeaderPing,
    /// Retire a member that is not coming back.
    Forget(Principal),
    /// Tell all members that another process of this node takes over within this time, at most
    /// [`RESTART_MAX`](crate::liveness::RESTART_MAX), so that they do not call it dead meanwhile. Answered at once;
    /// the process is to run for [`RESTART_LINGER`](crate::liveness::RESTART_LINGER) more.
    Restart(Duration),
    /// Leave the flock, then stop.
    Leave,
}

/// What this node answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Registered like this.
    Registered(Registration),
    /// Done.
    Done,
    /// What became of the leader's no-op.
    Pinged(Pinged),
}

/// Why a control request failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The change cannot be made. Nothing was changed.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// A fact cannot be taken as its signer wants it. Nothing was changed.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The same, found while the facts were being written: they are on the disk by now, all or some, and other
    /// members get them. So they may win over what somebody else wrote meanwhile.
    #[error("written, at least in part, but {0}")]
    Late(Refused),
    /// More facts than [`STATED_MAX`] in one request. Nothing was changed; the caller is at fault.
    #[error("{0} facts in one request exceed the limit of {STATED_MAX}")]
    TooManyFacts(usize),
    /// The disk is full. Nothing was changed; works again when there is room.
    #[error("the disk of this node is full; it is read-only until there is room")]
    DiskFull,
    /// The disk failed. What is on it is unknown until the next start.
    #[error("the disk of this node failed")]
    DiskFailed,
    /// Too much waits for the disk. Nothing was changed; try again.
    #[error("too many changes wait for this node's disk")]
    Busy,
    /// Durable here, and not acknowledged by as many members as asked for.
    #[error(
        "durable here, but {got} of {need} other members confirmed in time that they stored it"
    )]
    NotStored {
        /// How many did.
        got: u32,
        /// How many were asked for.
        need: u32,
    },
    /// There is no leader now. Nothing was changed; try again.
    #[error("there is no leader now")]
    NoLeader,
    /// The leader did not answer. Whether it acted is not known.
    #[error("the leader did not answer")]
    LeaderSilent,
    /// Nobody stored the claim, or a greater one is held. The leader will claim again.
    #[error("a greater claim than the leader's is held")]
    Fenced,
    /// The node to be forgotten is alive: it would come back at once. Nothing was changed.
    #[error("the node is alive; stop it, or let it leave")]
    Alive,
    /// This node's key is in use twice, and the other node goes on: this one is about to stop. Nothing was
    /// changed.
    #[error("this node's key is in use elsewhere, and this node is about to stop")]
    Yields,
    /// No such member. Nothing was changed.
    #[error("no such member")]
    NotFound,
}
