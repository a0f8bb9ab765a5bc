//! What programs link to talk to a node: values, errors, and a client of the control API.
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
//! | [`model`] | what answers are made of; each type prints and serializes as the command line shows it |
//! | [`op`] | what a node can be asked: a struct for each operation, with the type of its answer |
//! | [`error`] | kinds of errors, hints, gRPC codes and exit codes |
//! | [`parse`] | what people write, with errors that say what to write instead |
//! | [`wire`] | everything to and from the messages of `crux.v1`: here and nowhere else |
//! | [`socket`] | where a node's socket is |
//!
//! [`Client`] is the other end of the API that a node serves on the socket in its data directory. It
//! takes and gives plain values; only [`wire`] and the traits of [`op`] show messages.
//!
//! This crate builds on `crux-crdt` and `crux-proto` and has few dependencies, because others link it.

mod client;
pub mod error;
pub mod model;
pub mod op;
pub mod parse;
pub mod socket;
pub mod wire;

pub use client::{Client, Get, Got, Watch, WatchEvent};
pub use error::{Error, Exit, Kind};
