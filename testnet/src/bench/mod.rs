//! Figures, each with its spread, its cost and its peer's figure from the same run.
//!
//! | bench | what is timed | how it is seen |
//! |---|---|---|
//! | [`converge`] | registration sent to one node → shown by each node | watch streams on all nodes, open before |
//! | [`documents`] | a document put on one node → shown by each node, beside a registration | looks at all nodes |
//! | [`join()`] | a fresh node started → it holds a large registry, without and with documents | digests of two nodes |
//! | [`detect`] | `kill -9` → dead to each survivor; leader killed → first fenced command accepted | watch streams; leader pings without pause |
//! | [`stall`] | stopped → dead, resumed → alive, and who is wronged | watch streams |
//! | [`idle`] | CPU time and memory of a flock left alone | the kernel's accounts |
//! | [`blob`] | a get of one file → complete, and sealed, on the other node | the get's own stream |
//! | [`files`] | many small files put on one node, and got by another | the answers |
//! | [`services()`] | a program started, killed, taken over by the next picket → it answers | calls over TCP without pause |
//! | [`khan()`] | a program parsed, solved and planned on one core | the clock around each |
//! | [`proctor()`] | a target applied → programs up on all nodes; nodes and leaders killed | what the pickets write |
//! | [`swarm`] | one seed → sealed on each of many that fetch at once | each get's own stream |
//!
//! All times are taken on the clock of this one process. Rounds are cut into at least five batches;
//! a figure is quoted with the spread over them.

mod blob;
mod bulk;
mod calls;
mod converge;
mod cost;
mod detect;
mod documents;
mod files;
mod idle;
mod join;
mod khan;
mod leader;
mod looks;
mod machine;
mod noise;
mod operator;
mod pauses;
mod proctor;
mod report;
mod rig;
mod samples;
mod services;
mod sightings;
mod stall;
mod swarm;
mod transfer;

use std::path::PathBuf;

pub use blob::{Moving, blob, limited};
pub use converge::converge;
pub use cost::{Cost, Meter};
pub use detect::detect;
pub use documents::documents;
pub use files::files;
pub use idle::idle;
pub use join::{Joining, join};
pub use khan::{Solving, khan};
pub use machine::Machine;
pub use proctor::{Proctor, proctor};
pub use report::{Absent, Idle, Latency, Report, Value};
pub use samples::{Figure, Samples, Spread};
pub use services::{Services, services};
pub use stall::stall;
pub use swarm::{Swarming, swarm};
pub use transfer::Transfer;

/// The settings of every bench.
#[derive(Debug, Clone)]
pub struct Bench {
    /// This program: nodes are started by running it.
    pub exe: PathBuf,
    /// How many nodes, and how many serf agents beside them.
    pub nodes: usize,
    /// Whether to run the peers too.
    pub peers: bool,
    /// Whether a blob moves between two nodes all the while.
    pub bulk: bool,
}
