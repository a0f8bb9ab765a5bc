//! Chaos on real processes: faults of every kind while clients work, and a judgement at the end.
//!
//! ```text
//!   seed ─▶ Plan ──▶ run ──▶ Rig ──▶ Fault ─┬─▶ processes: kill, freeze, fill, wipe, rekey
//!                     │                     └─▶ proxy: cut, slow, narrow, flaky, half-open
//!                     │                     └─▶ a member that lies, or a stranger (`liar`)
//!      scenario file ─┘
//!                    clients ──calls──▶ nodes ◀──looks── observers
//!                       └────────▶ History ◀────────────────┘
//!                                     ├─▶ check ──▶ violations
//!                                     └─▶ picture
//! ```
//!
//! The nemesis draws its plan from a seed: the same seed, number of nodes and time give the same
//! faults at the same times. What processes make of it hangs on the machine; so a run is judged by
//! what was recorded, not by what should have happened when.
//!
//! # Invariants
//!
//! * Every run ends with all faults healed, and with the demand that all nodes are one flock in one
//!   state within [`SETTLE_WITHIN`].
//! * A call that is not in the history was not made: clients end theirs before the end.
//! * Nothing is left behind: processes die with the rig, and rules with the proxy.

pub mod check;
mod condition;
mod fault;
pub mod history;
mod mover;
mod observer;
mod picture;
mod plan;
mod recorder;
mod report;
mod rig;
mod run;
mod script;
mod workload;

pub use fault::Fault;
pub use picture::picture;
pub use plan::{Plan, Planned};
pub use recorder::Recorder;
pub use report::Report;
pub use rig::Rig;
pub use run::{Options, Ran, SETTLE_WITHIN, run};
pub use script::{SLACK, run_script};
pub use workload::Client;
