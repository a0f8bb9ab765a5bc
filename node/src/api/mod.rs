//! The control API: gRPC over a unix socket in the data directory. Its client is `crux_client`.
//!
//! | module | what it does |
//! |---|---|
//! | `server` | serves Control, health and reflection until it is stopped |
//! | `service` | the Control service: reads use the view, the rest goes to the fulcrum |
//! | `blobs` | the Blobs service: streams in and out |
//! | `documents` | the Documents service: opens what callers signed |
//! | `proctor` | the Proctor service: what a target would change, how far it is, and why |
//! | `feed` | what `Watch` streams |
//! | `health` | what `grpc.health.v1` says of the node and of its services |
//!
//! Socket, seats and limits are those of `crux_client::door`, which the picket's API has too.
//! `crux_client` reads and writes every message, so that a node and its clients agree. Within the node
//! this is the only place that names tonic. A read uses the published view and never waits for the
//! fulcrum; a write asks the fulcrum through a bounded channel, with a time-out.
//!
//! # Limits
//!
//! Neither streams nor idle connections delay a short call. In a process that may open 2,048 files or
//! more, all callers together have at most
//!
//! | at once | at most | beyond |
//! |---|---|---|
//! | connections | 512 | the one that is idle for longest is closed in favour of the newcomer |
//! | watches (also of health, and reflection) | 128 | `limit_reached`, `RESOURCE_EXHAUSTED` |
//! | puts and gets of blobs | 128 | `limit_reached`, `RESOURCE_EXHAUSTED` |
//! | other calls for which the node has to work | 192 | `busy`, `UNAVAILABLE` |
//! | `status`, `leader`, `members`, `services`, `resolve`, reading documents, health checks | any number | |
//! | long calls of one connection | 64 | `limit_reached`, `RESOURCE_EXHAUSTED` |
//! | bytes of puts of documents and of targets, beyond 64 KiB of each | 32 MiB | `busy`, `UNAVAILABLE` |
//! | bytes of answers that callers have not taken | 64 MiB | the call of which nothing was taken for longest ends with `limit_reached` |
//!
//! With fewer descriptors, a quarter of them are connections, 16 at least, and the rest in proportion.
//! A connection that makes no call is closed after 10 s; one that made some, 5 min after the last. A
//! watcher that does not read costs one message; see `feed`.

mod blobs;
mod documents;
mod feed;
mod health;
mod proctor;
mod server;
mod service;
#[cfg(test)]
pub(crate) mod tests;

pub use crux_client::door::Socket;
pub use server::{Shows, serve};
