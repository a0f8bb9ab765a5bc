//! The targets of a simulated flock: on each host the supervisor, and the engines that plan and enact.
//!
//! ```text
//!   flock::State ── replica ──▶ planner::State ── slots ──▶ flock::State of the leader
//!         │                                                        ⋮ gossip
//!         └────── replica ──▶ enactor::State ── goals ──▶ picket::State ── spawn ──▶ programs
//!                                   ▲                          │
//!                                   └────────── list ──────────┘
//! ```
//!
//! The loops of a node around the two engines ([`Loops`]) end with its process. The supervisor, its disk and the programs
//! ([`Machine`]) outlive it: of each process that is killed the seed decides whether its machine loses its power with it.
//! The steps of the supervisor's shell and its crash points are the matter of the scenario `picket`; here each step
//! takes a while, happens or does not, and may fail on a full disk.
//!
//! Images and earlier generations are fetched from nowhere, late, and now and then not at the first try. A version is good,
//! or never gets ready, or ends again and again ([`Content`]).
//!
//! Every plan, set and spawn is judged when it is made: see the table of `invariant`.

mod content;
mod errand;
mod loops;
mod machine;
mod obey;
mod rows;
mod signed;
mod work;

pub(super) use content::Content;
pub(super) use errand::Errand;
pub(super) use loops::Loops;
pub(super) use machine::Machine;
pub(super) use rows::Rows;
pub(super) use signed::{Service, Signed, wanted};
pub(super) use work::{REST, Sites};
