//! The fulcrum: the coordinating core of a node.
//!
//! ```text
//!        network ──▶ ┌──────────────────────────────┐ ──▶ network
//!   control API ───▶ │ Runtime   one loop, no logic │ ──▶ store ──▶ (durable) ──┐
//!  store answers ──▶ │   │ Event        ▲ Command   │ ──▶ control API           │
//!         clock ───▶ │   ▼              │           │ ──▶ View, for readers     │
//!     discovery ───▶ │ flock::State     pure        │                           │
//!                    └──────────────────────────────┘ ◀─────────────────────────┘
//! ```
//!
//! All decisions are in `crux_protocol::flock`, which is pure. The loop here takes one event at a time,
//! hands it in with the time, and executes the commands in order. Readers never wait for the loop: they
//! read the [`View`](crate::view::View) that it published last.

mod answer;
mod doctor;
mod handle;
pub mod health;
mod hush;
mod picture;
pub mod request;
mod runtime;
mod wire;

#[cfg(test)]
pub(crate) use answer::not_taken;
pub use doctor::Surroundings;
pub use handle::{Handle, Processes};
pub use runtime::{Inputs, Runtime};
pub use wire::Wire;
