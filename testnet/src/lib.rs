//! A local testnet: real nodes, real sockets and real disk on one machine.
//!
//! ```text
//!   cli ──► story ─┐                         up     a flock to play with
//!    │  ──► bench ─┼─► process ──► crux-node  demo   a scripted story with a verdict
//!    │  ──► view ──┘      │                   bench  figures, with the peers' from the same run
//!    ├──► chaos ─► proxy ─┤                  chaos  faults of every kind, and a judgement
//!    │        peer ◄─ bench└─► wait
//!    └──► crux_sim                           sim    the engines alone, in virtual time
//! ```
//!
//! * [`process`] starts, stops, kills and asks real nodes. A node is this same program with the
//!   first argument `node`, which calls the node's library entry point: one code path for the
//!   daemon, the testnet and the tests.
//! * [`wait`] is the only way to wait: a condition, a deadline, and what was last seen.
//! * [`view`] shows a flock as a table.
//! * [`site`] has them run a target, and sees what comes of it.
//! * [`story`] is the demo, and [`sample`] the program that it has nodes run.
//! * [`containers`] is the same in containers, on networks that can be cut.
//! * [`chaos`] breaks real nodes, and by [`proxy`] the links between them, while clients work.
//! * [`liar`] is a member that lies, or a stranger, for real nodes to withstand.
//! * [`crux_sim`] drives the engines without sockets, from a seed; its scenarios say as data what happens
//!   to a flock, and chaos and containers run them too.
//! * [`mod@bench`] measures, and [`peer`] runs what a user would pick instead.
//!
//! # Invariant
//!
//! No process outlives the testnet that started it. Nodes stop when the pipe they hold as standard
//! input closes, and peers are tethered by a death signal, so even `kill -9` of the testnet leaves
//! no orphan.

use std::ffi::OsString;
use std::process::ExitCode;

pub mod bench;
pub mod chaos;
mod cli;
pub mod containers;
mod error;
pub mod liar;
pub mod output;
pub mod peer;
pub mod process;
pub mod proxy;
pub mod sample;
pub mod site;
pub mod story;
pub mod view;
pub mod wait;

pub use error::Error;

/// Runs the program with `args`, the first of which is its own name.
///
/// Some first arguments are for its own children and never reach the command line parser: `node` becomes a node,
/// `liar` one that lies, `tether` another program that dies with the testnet; `keeper` and `launch` are what nodes start
/// for their services.
pub fn main_from(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.collect();
    // Helpers that a node of ours starts for its services.
    if let Some(helper) = args.get(1).and_then(|word| crux_node::helper(word)) {
        return helper();
    }
    match args.get(1).and_then(|first| first.to_str()) {
        Some(process::NODE_VERB) => process::entry::node(args.into_iter().skip(2)),
        Some(liar::LIAR_VERB) => liar::entry::run(args.into_iter().skip(2)),
        Some(peer::TETHER_VERB) => peer::tether::exec(args.into_iter().skip(2)),
        _ => cli::run(args),
    }
}
