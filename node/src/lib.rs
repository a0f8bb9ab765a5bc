//! The daemon and its CLI.
//!
//! ```text
//!   cli ──▶ config ──▶ startup ──▶ fulcrum ◀──▶ protocol::net   other nodes
//!                         │           ▲  ▲
//!                         │           │  └──▶ store               disk
//!                         └──▶ lock   └─────▶ api                 people and programs
//! ```
//!
//! | module | what it does |
//! |---|---|
//! | [`cli`] | one file per verb; speaks to a running node only through the control API |
//! | [`config`] | defaults < file < environment < flags, merged and checked once |
//! | [`startup`] | brings a node up and down: a list to read aloud |
//! | [`parts`] | the tasks and threads of a node: supervised, named, stopped in order |
//! | [`fulcrum`] | the loop that drives `crux_protocol::flock`, and what people see of it |
//! | [`blobs`] | files by their hash: kept, checked, evicted |
//! | [`services`] | configs of services as people write them |
//! | [`tar`] | directories as one file, packed one way and unpacked with distrust |
//! | [`outfile`] | files that commands write for their callers |
//! | [`store`] | the database; the only place that names redb |
//! | [`api`] | the control API; within the node the only place that names tonic |
//! | [`pastiche`] | moves blobs between stores |
//! | [`picket`] | serves the process that runs this one, and its services |
//! | [`discovery`] | finds nodes of the flock on the link |
//! | [`identity`], [`lock`], [`secret`] | the node's key, its directory, the flock's secret |
//! | `modes`, `nodes`, `rejoin` | who may read secrets; which nodes run here; that who left stays away |
//! | [`view`] | what is shown; its types, and [`error`], are those of `crux_client` |
//! | `plain`, `duration` | text of others, as it is shown; `10s` |
//! | `arena`, `again` | one heap for all threads; re-executing the program |
//! | [`shutdown`], `reload`, `private` | signals, settings read again, memory that nobody else reads |
//! | `telemetry`, `burst` | the log, which nobody waits for, and how much of it repeats |

mod again;
pub mod api;
mod arena;
pub mod blobs;
mod burst;
pub mod cli;
pub mod clock;
pub mod config;
pub mod discovery;
mod duration;
pub mod fulcrum;
pub mod identity;
pub mod lock;
mod modes;
mod nodes;
pub mod outfile;
pub mod parts;
pub mod pastiche;
pub mod picket;
mod plain;
mod private;
mod proctor;
mod rejoin;
mod reload;
pub mod secret;
pub mod services;
pub mod shutdown;
pub mod startup;
pub mod store;
pub mod tar;
pub mod telemetry;
pub mod view;

pub use cli::{helper, main, main_from};
pub use crux_client::error;
pub use crux_client::{Error, Exit, Kind};
