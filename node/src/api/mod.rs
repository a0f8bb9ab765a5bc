//! The control API: gRPC over a unix socket in the data directory, and its client.
//!
//! | module | what it does |
//! |---|---|
//! | `socket` | the socket: path, mode, who may connect, how many |
//! | `server` | serves Control, health and reflection until told to stop |
//! | `service` | one handler per call: convert, ask, convert |
//! | `blobs` | the Blobs service: streams in and out |
//! | `feed` | what `Watch` streams |
//! | [`control`] | how handlers reach the fulcrum |
//! | `convert` | wire types to the node's own and back; parses everything |
//! | `error` | errors to and from `google.rpc.Status` |
//! | [`client`] | the other side: plain structs and errors, no gRPC type |
//!
//! Besides `proto`, this is the only place that names tonic. Reading looks into the published view
//! and never waits for the fulcrum; writing asks it through a bounded channel, with a time-out.

mod blobs;
pub mod client;
pub mod control;
mod convert;
mod error;
mod feed;
mod server;
mod service;
mod socket;
#[cfg(test)]
pub(crate) mod tests;

pub use client::{Client, Get, Got, Watch, WatchEvent};
pub use control::{Ask, Handle};
pub use server::serve;
pub use socket::{SOCKET_NAME, Socket, check_path as check_socket_path};
