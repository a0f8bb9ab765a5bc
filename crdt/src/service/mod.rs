//! Services: what a node runs, as plain checked values.
//!
//! ```text
//!   text of a person ──▶ node::services ──▶ Fields<path or command> ── image made a blob ──▶ Config
//!                                                                                             │
//!   desired.json, the Services API ◀────────────── serde, in both directions ─────────────────┘
//! ```
//!
//! A [`Config`] is [`Fields`] that keep every rule of [`Fields::check`]; there is no other way to one, also
//! not by deserialising. It reads as its fields. [`bounds`] has every bound and default with its reason.
//!
//! Pure functions of a config say what follows from it: the names under which it is registered, how an update
//! replaces instances, what another config changes, and its texts with their [placeholders](Places) filled.
//!
//! Not here: what depends on the machine (whether a port is free, a user exists, a blob is a program). The
//! picket finds that out when it starts an instance.

#[cfg(any(test, feature = "test-utils"))]
pub mod arbitrary;
pub mod bounds;
mod change;
mod check;
mod codec;
mod config;
mod error;
mod image;
mod later;
mod moving;
mod on_node;
mod placeholder;
mod policy;
mod port;
mod register;
mod rollout;
mod rules;
mod spec;
#[cfg(test)]
mod tests;
mod written;

pub use bounds::*;
pub use change::{Change, OtherService};
pub use check::{Check, Probe};
pub use config::{Config, Fields};
pub use error::{ConfigError, ConfigErrors, Why};
pub use image::{Image, Machine, UnknownMachine};
pub use later::LATER_KEYS;
pub use moving::{Moving, OnMinority, ReplaceAfter};
pub use placeholder::Places;
pub use policy::{Kind, Limits, Restart, UpdateBy};
pub use port::{Port, PortName, PortNameError, Ports, SamePort};
pub use register::{Register, RegisterAs};
pub use rollout::{Rollout, Step};
pub use spec::SpecTag;
