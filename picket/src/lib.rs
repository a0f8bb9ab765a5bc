//! Runs a node and its programs, and keeps them running.
//!
//! ```text
//! picket                 this crate, in `crux-node run`: [`run()`]
//!  ├─ fulcrum            the node itself, in `crux-node fulcrum`: [`fulcrum`] watches it, [`link`] leads there
//!  └─ keeper             one per instance: [`keeper::main`], in `crux-node keeper`
//!      └─ program        executed by [`launch::main`] from a sealed file
//! ```
//!
//! Keeper and launch step have one thread, no runtime, and nothing of the node's: they outlive it. The
//! picket's side of a keeper is a [`handle::Keeper`]. The engine `crux_protocol::picket` decides what runs;
//! `supervise` carries that out, and `api` asks it for people.

mod api;
mod assignment;
pub mod check;
pub mod clock;
pub mod crash;
pub mod desired;
pub mod durable;
pub mod events;
pub mod fds;
pub mod fulcrum;
pub mod handle;
pub mod image;
pub mod keeper;
pub mod launch;
pub mod link;
pub mod logs;
pub mod orphans;
pub mod reaper;
pub mod record;
mod run;
mod supervise;
mod text;
pub mod tree;
pub mod user;

pub use run::{Config, Ended, run};
