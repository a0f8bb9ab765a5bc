//! The Services API on `picket.sock`, and `grpc.health.v1` beside it. They are served also while the fulcrum is away.
//!
//! ```text
//!   caller ──▶ door ──▶ Service ── Call ──▶ Shell, which answers
//!                          └──▶ readers of logs and events, each its own
//! ```
//!
//! It decides nothing and keeps nothing: each call is one value to the shell, whose channel is bounded. A caller that
//! goes away takes its request with it. Streams are read by the pool's threads, only as far as their callers read, and
//! are counted as the control API counts its watches.

mod server;
mod service;
mod streams;

pub(crate) use server::serve;
pub(crate) use service::Service;
