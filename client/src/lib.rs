//! The library for programs that talk to a node: values, errors, and a client of the control API.
//!
//! ```no_run
//! # async fn list() -> Result<(), crux_client::Error> {
//! use std::{path::Path, time::Duration};
//!
//! use crux_client::Client;
//! use crux_client::op::GetMembers;
//!
//! let client = Client::connect(Path::new("/var/lib/crux"), Duration::from_secs(10)).await?;
//! for member in client.call(&GetMembers).await? {
//!     println!("{} is {}", member.node, member.state);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! | module | what it has |
//! |---|---|
//! | [`model`] | the values in answers; each type prints and serializes as the command line shows it |
//! | [`op`] | the operations of a node: a struct for each, with the type of its answer |
//! | [`order`] | the order in which names are shown |
//! | [`error`] | kinds of errors, hints, gRPC codes and exit codes |
//! | [`parse`] | parsers of what people type, with errors that say what to type instead |
//! | [`wire`] | conversion to and from the messages of `crux.v1`: here and nowhere else |
//! | [`socket`] | the paths of a node's sockets |
//! | `door` | with the feature of that name: how a process of a node serves gRPC on such a socket |
//! | `health` | with the feature of that name: `grpc.health.v1`, served from statuses that the caller keeps |
//!
//! [`Client`] calls the APIs that a node serves on the sockets in its data directory. It takes and gives
//! plain values; only [`wire`] and the traits of [`op`] show messages.
//!
//! This crate builds on `crux-crdt` and `crux-proto` and has few dependencies, because others link it.

mod client;
#[cfg(feature = "door")]
pub mod door;
pub mod error;
#[cfg(feature = "health")]
pub mod health;
pub mod model;
pub mod op;
pub mod order;
pub mod parse;
pub mod socket;
pub mod wire;

pub use client::{Client, Events, Get, Got, Logs, Watch, WatchEvent};
pub use error::{Error, Exit, Kind};
