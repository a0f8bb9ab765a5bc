use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crux_crdt::blob::BlobId;
use crux_crdt::record::ServiceKey;
use crux_crdt::service::{Ports, Probe};

use super::desired::{Desired, Image, Version};
use super::happened::Happened;
use super::id::{InstanceId, RequestId};
use super::owned::Owned;
use super::record::Record;
use super::request::Outcome;

/// An order of the supervisor to its shell. Commands are carried out in their order; the answers may come in any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Write the node's service config, flush it, rename it. Answered by [`super::Event::Saved`] or
    /// [`super::Event::SaveFailed`]. There is one at a time.
    Save(Desired),
    /// Answer a request.
    Answer {
        /// Which.
        request: RequestId,
        /// How it ended.
        outcome: Outcome,
    },
    /// Keep these images, in the store and sealed, and no others. All of them, each time that changes.
    Pins(BTreeSet<BlobId>),
    /// Make an image ready to be executed. Answered by [`super::Event::Sealed`] or
    /// [`super::Event::SealFailed`].
    Seal(Image),
    /// Choose the ports of an instance. Answered by [`super::Event::PortsChosen`] or
    /// [`super::Event::PortsFailed`].
    ChoosePorts {
        /// Of which instance.
        instance: InstanceId,
        /// The ports of its config: a number is probed, `auto` is chosen.
        ports: Ports,
        /// Not to be chosen: other instances have them, or this one found them taken.
        avoid: BTreeSet<u16>,
    },
    /// Record an instance durably. Answered by [`super::Event::Recorded`] or
    /// [`super::Event::RecordFailed`].
    Record(Record),
    /// Start a recorded instance. Answered by [`super::Event::Spawned`] or
    /// [`super::Event::SpawnFailed`]; after a [`Command::Kill`] in between also by
    /// [`super::Event::Gone`] alone.
    Spawn {
        /// The instance.
        record: Record,
        /// The content it is made from.
        version: Arc<Version>,
    },
    /// Have the keeper remember whether the instance is up. It needs no answer: a note that is lost
    /// makes the next picket check first.
    Note {
        /// Which instance.
        instance: InstanceId,
        /// Whether it is.
        up: bool,
    },
    /// Send SIGTERM. There is no answer.
    Terminate {
        /// To which instance.
        instance: InstanceId,
        /// Not to the program alone but to every process below the keeper.
        tree: bool,
    },
    /// Kill every process of an instance, then its keeper; also of one that is being spawned.
    /// Answered by [`super::Event::Gone`]. It may be repeated.
    Kill {
        /// Which instance.
        instance: InstanceId,
    },
    /// Delete the record of an instance. Answered by [`super::Event::Forgotten`] or
    /// [`super::Event::ForgetFailed`].
    Forget {
        /// Which instance.
        instance: InstanceId,
    },
    /// Make a check. Answered by [`super::Event::Checked`], also after a time-out.
    Check {
        /// Of which instance.
        instance: InstanceId,
        /// Which of its checks.
        check: usize,
        /// The probe to try.
        probe: Probe,
        /// Where; none: it is a command, run as the service itself is.
        port: Option<u16>,
        /// How long it may take.
        timeout: Duration,
    },
    /// The registrations of this node's services, all of them. Answered by [`super::Event::Published`]
    /// once they are in the node's record. Sent only while a fulcrum is attached.
    Publish {
        /// Grows with each.
        seq: u64,
        /// The registrations of what is up.
        registrations: BTreeMap<ServiceKey, Registered>,
    },
    /// The registrations that are not well, all of them; empty if there are none.
    Conditions(BTreeMap<ServiceKey, Status>),
    /// Everything that the target placed here. Sent when it changes, and to each fulcrum that attaches; only while one is
    /// attached.
    Owned(Owned),
    /// For the record of events.
    Happened(Happened),
    /// The node stops, and no process of any service is left.
    AllStopped,
}

/// A registration of an instance that is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Which instance.
    pub instance: InstanceId,
    /// Where it listens, on the node's own address.
    pub port: u16,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
}

/// How the others see a registration that is not up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// A check fails now and then.
    Degraded,
    /// Its program is paused.
    Unknown,
}
