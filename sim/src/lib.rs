//! The engines without sockets: a flock in virtual time, from one seed.
//!
//! ```text
//!   scenario ── steps ──▶ run ──▶ world ── events ──▶ flock::State, one per host
//!                          │      │  ▲ ◀── commands ──┘
//!                          │   queue  net, host::Disk
//!                          └─ conditions ─▶ check ─▶ invariant ◀── what clients were told
//! ```
//!
//! The model. *Links*: a dial is answered after three delays or fails as it does on a real
//! network (refused, unreachable, another key, another flock, this node itself); each side decides
//! its gate when the connection is made, from the last set it was given; a connection keeps its
//! order, and a lost packet delays what follows. *Cuts* are silent (packets vanish, connections stay
//! and go on after the heal) or refused (connections close and dials are refused), and one-way where
//! a scenario says so. *Requests* get exactly one answer. *Gossip* is gossipsub's mesh with
//! the adapter's numbers: messages go to five peers or so over links whose gates are open on both sides,
//! a heartbeat a second mends the mesh and advertises to some outside it, who ask for what they lack. A
//! message is known by content for two minutes, passed on only after a verdict, and at stated rates lost,
//! doubled, or overtaken by later ones, so that anti-entropy has something to repair. *Beats* are sent on streams
//! that an observer opened. *Disks* answer late and keep of a crash a prefix of what they were given.
//! *Processes* are killed, started anew with or without their disk, and stopped and resumed. *People* sign documents:
//! an operator and three users, who ask a node to write them, or let them out without asking any. *Targets* are planned and
//! enacted where a scenario has them: each host has a supervisor with programs, too.
//!
//! A scenario is a text ([`scenario`]), which chaos on processes and containers play as well; the command
//! line is `crux-testnet sim`. The crate takes the engines without the network, so that it is built with a
//! sixth of the packages of a node.
//!
//! Not modelled: bandwidth, processing time, and the address book (a search finds nothing).
//!
//! **Invariant**: a run is a function of scenario, number of nodes and seed. Every source of entropy
//! is closed: time is virtual and starts at zero; all randomness of the world comes from one generator,
//! that of each process from a seed derived from it, its host and its boot; keys are derived from the
//! seed; every map is ordered; nothing runs in parallel; and no address, pointer or hash of this
//! process enters the log. It is shown by running a seed twice and comparing the logs byte for byte.

pub mod bench;
mod check;
mod choice;
mod faults;
mod host;
mod invariant;
mod net;
mod people;
mod picket;
mod probe;
mod queue;
mod report;
mod run;
pub mod scenario;
mod site;
mod trace;
mod world;
mod writes;

pub use choice::choose;
pub use invariant::{Violation, Writes};
pub use report::Report;
pub use run::{Options, run};
