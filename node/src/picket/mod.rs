//! The node's end of the link to its picket, the process that started it.
//!
//! ```text
//!   picket ◀──▶ Link ◀──▶ Server ──▶ fulcrum::Handle    registrations
//!                           │  ├───▶ Pantry             images: fetched, held
//!                           │  ├───▶ Placer             goals of a target, what it placed
//!                           └──────▶ stop, reload       what signals mean to a node alone
//! ```
//!
//! **Invariants**
//!
//! * Each numbered request is answered once. More than `REQUESTS_MAX` at a time are answered with `busy`.
//! * A set of goals is sent only once the picket knows that this fulcrum serves: before, it has nobody to answer.
//! * A registration that the picket made stays when the link closes: the next fulcrum states it from the record,
//!   and whether its service still runs only the picket knows.
//! * The blobs of the last list of pins are held, each from the moment that it is here. Holds end with this
//!   process, and the picket sends its list to each.
//!
//! **Out of scope.** It decides nothing about services: the engine that does runs in the picket.

mod placing;
mod server;

use std::os::unix::net::UnixStream;

use crux_crdt::path::Endpoint;
use tokio::sync::{mpsc, oneshot};

pub use placing::{Placer, Placing, placing};
pub(crate) use server::serve;

/// How many requests of the picket are carried out at a time: 128 services, each with an image and a registration
/// that is withdrawn and one that is made, and some.
const REQUESTS_MAX: usize = 512;

/// How many sets of goals are without an answer at a time: what the picket takes.
const GOALS_MAX: usize = 8;

/// The link to the picket, and the ways in which it may act on the node.
#[derive(Debug)]
pub struct Tie {
    /// The link. The first message was read.
    pub stream: UnixStream,
    /// The picket's process.
    pub picket: u32,
    /// Stops the node.
    pub stop: oneshot::Sender<()>,
    /// Has the settings read again.
    pub reload: mpsc::Sender<()>,
    /// Where others reach the node; filled in once that is known.
    pub addresses: Vec<Endpoint>,
}
