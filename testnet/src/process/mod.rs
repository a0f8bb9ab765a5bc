//! Real nodes as child processes: started, stopped, killed, paused, asked.
//!
//! A [`Cluster`] owns a directory, a secret and the [`NodeProcess`]es in it:
//!
//! ```text
//!   DIR/secret          the initial secret, made by `crux-node keygen`
//!   DIR/testnet.json    names and ports, so that the same flock comes up again
//!   DIR/n1/             a node's data directory: key, database, control socket
//!   DIR/n1.log          what that node wrote
//! ```
//!
//! # Invariants
//!
//! * A node keeps its port over restarts, and nobody else's testnet gets it meanwhile
//!   ([`PortBlock`]).
//! * Dropping a node kills it and reaps it. A node whose testnet was killed sees its standard
//!   input close and stops.

mod blobs;
mod client;
mod cluster;
mod command;
pub mod entry;
mod home;
mod node;
mod ports;
pub mod procfs;
mod spec;
mod status;

pub use blobs::BlobClient;
pub use client::{NodeClient, Registration};
pub use cluster::{Cluster, ClusterOptions, FORM_WITHIN, STOP_WITHIN};
pub use command::{Finished, run_node_command, run_node_command_on};
pub use entry::NODE_VERB;
pub use home::Home;
pub use node::NodeProcess;
pub(crate) use node::tail;
pub use ports::PortBlock;
pub use spec::NodeSpec;
pub use status::{FlockStatus, NodeSaid};
