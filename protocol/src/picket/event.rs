use core::time::Duration;
use std::collections::BTreeMap;

use crux_crdt::blob::BlobId;
use crux_crdt::service::PortName;

use super::id::{InstanceId, RequestId};
use super::record::{Exit, Found, Record};
use super::request::Requested;

/// An event for the supervisor.
///
/// Each command that names an answer is answered exactly once, whatever happens, unless the picket ends
/// before. Answers that come late, twice, or for what the engine does not know, are ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A person wants something. Answered by one [`super::Command::Answer`].
    Request(Requested),
    /// The caller of a request went away. It gets no answer; what it began stays.
    Cancel {
        /// Which request.
        id: RequestId,
    },
    /// A service config is durable: written, flushed, renamed.
    Saved {
        /// Which.
        generation: u64,
    },
    /// A service config was not written; the one before is still there.
    SaveFailed {
        /// Which.
        generation: u64,
        /// For people.
        reason: String,
    },
    /// At start, before [`Event::AdoptionOver`]: a record of an instance was found.
    Found {
        /// The record.
        record: Record,
        /// Its fate.
        found: Found,
    },
    /// Every record that was found has been reported; on another boot, where none counts, at once.
    /// Nothing starts before.
    AdoptionOver,
    /// An image was copied, compared with its root, and sealed.
    Sealed {
        /// Which.
        blob: BlobId,
        /// False: too large for the memory that sealed images may take; the store's file is executed.
        sealed: bool,
    },
    /// An image cannot be executed.
    SealFailed {
        /// Which.
        blob: BlobId,
        /// For people: the cause.
        reason: String,
    },
    /// All ports of an instance: the fixed ones, and a free one for each `auto`.
    PortsChosen {
        /// Of which instance.
        instance: InstanceId,
        /// Each name of its config.
        ports: BTreeMap<PortName, u16>,
    },
    /// A fixed port is taken, or none is free.
    PortsFailed {
        /// Of which instance.
        instance: InstanceId,
        /// For people.
        reason: String,
    },
    /// An instance is recorded, durably.
    Recorded {
        /// Which.
        instance: InstanceId,
    },
    /// An instance was not recorded, and no trace of a record is left.
    RecordFailed {
        /// Which.
        instance: InstanceId,
        /// For people.
        reason: String,
    },
    /// The keeper runs and the program was executed.
    Spawned {
        /// Which instance.
        instance: InstanceId,
        /// The program.
        pid: u32,
    },
    /// The keeper or the program could not be started. Nothing of it is left: there is no
    /// [`Event::Gone`] after it.
    SpawnFailed {
        /// Which instance.
        instance: InstanceId,
        /// For people: the step that failed and why.
        reason: String,
    },
    /// A program ended. Its children may still run, and so does its keeper.
    Exited {
        /// Which instance.
        instance: InstanceId,
        /// How.
        exit: Exit,
    },
    /// Nothing of an instance is left: no keeper and no process below it. Comes after
    /// [`super::Command::Kill`], and by itself when a keeper died and the picket killed what it left.
    Gone {
        /// Which instance.
        instance: InstanceId,
        /// Those of its ports that somebody else has bound.
        taken: Vec<PortName>,
    },
    /// The record of an instance is deleted.
    Forgotten {
        /// Which.
        instance: InstanceId,
    },
    /// The record of an instance is still there.
    ForgetFailed {
        /// Which.
        instance: InstanceId,
        /// For people.
        reason: String,
    },
    /// A check was made.
    Checked {
        /// Of which instance.
        instance: InstanceId,
        /// Which of its checks, as in [`super::Command::Check`].
        check: usize,
        /// Passed, or why not. At most [`super::TEXT_BYTES_MAX`] are kept.
        result: Result<(), String>,
    },
    /// A program is stopped, frozen or traced by somebody else, or no longer.
    Paused {
        /// Which instance.
        instance: InstanceId,
        /// Whether it is.
        paused: bool,
    },
    /// A fulcrum has the picket's ear: it is told all registrations.
    FulcrumAttached {
        /// Whether it took the place of one that died.
        restarted: bool,
    },
    /// The fulcrum is away.
    FulcrumAway,
    /// The fulcrum took over the registrations: the node's record has them.
    Published {
        /// Of which [`super::Command::Publish`]; those before it count as taken over too.
        seq: u64,
    },
    /// The node stops: all services at once, in order, nothing is started any more. Ends with
    /// [`super::Command::AllStopped`]. The wanted state stays as it is.
    Stop {
        /// How long the longest of them may take.
        within: Duration,
    },
    /// [`super::State::deadline`] has come.
    Wake,
}
