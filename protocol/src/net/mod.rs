//! The network: libp2p, behind the two enums of [`crate::link`].
//!
//! This module decides nothing. Engines say which peers to dial, which to admit and what to send; it
//! carries that out, and reports what happened. It is the only one in the workspace that names
//! libp2p, and no type of libp2p appears in its public interface.
//!
//! ```text
//!   engine ── Command ──▶ [bounded] ──▶ ┌─ task ──────────────────────────────────────────────┐
//!                                       │ dial       addresses of a dial, one answer          │
//!                                       │ peers      connections ─▶ Connected, Disconnected   │
//!                                       │ requests   ids, limits, replies that are owed       │
//!   engine ◀── Event ──── [bounded] ◀── │ gossip     verdicts that are owed                   │
//!                                       │ book       what Kademlia was told, searches         │
//!                                       │ providers  who has which blob, said and sought      │
//!                                       │                                                     │
//!                                       │ swarm ┬─ gate ─┬─ gossipsub   /meshsub/…            │
//!                                       │       │        ├─ kademlia    /crux/kad/1           │
//!                                       │       │        ├─ beat        /crux/beat/1          │
//!                                       │       │        ├─ sync        /crux/sync/4          │
//!                                       │       │        ├─ call        /crux/call/2          │
//!   mover  ◀── Event ──── [bounded] ◀── │       │        └─ pastiche    /crux/pastiche/1      │
//!                                       │       └─ join                 /crux/join/2          │
//!                                       └───────┬─────────────────────────────────────────────┘
//!                                               ▼
//!                      one task per connection: TCP, turns, Noise (prologue: the flock id), Yamux,
//!                      within a time-out that the door enforces
//! ```
//!
//! **Members and strangers.** Both pass the Noise handshake if they name the same flock id.
//! The protocols of a connection are fixed when it is made: `/crux/join/2` for everyone, the rest for
//! those in [`Command::Admit`]'s set at that moment. So after an admission both sides disconnect
//! and dial again.
//!
//! **Back-pressure.** Everything has a bound ([`Limits`] and `limits.rs`). When the engine does
//! not take its events, the swarm is not polled: connection tasks then wait, their sockets fill,
//! and peers are slowed down. Commands are taken all the while.
//!
//! # Invariants
//!
//! * Every [`Command::Dial`] is answered by exactly one `Dialled` or `DialFailed`, every
//!   [`Command::Request`] by exactly one `Response` or `RequestFailed`, as long as the task lives.
//! * A peer's first event is a `Connected`; between its last connection and its next `Connected`
//!   there is one `Disconnected`.
//! * A peer outside the admitted set reaches nothing but `/crux/join/2`, and no behaviour behind
//!   the gate knows that it exists.
//! * Constants bound what a peer can make this node hold, whatever it sends.
//!
//! # What it does not do
//!
//! It keeps no connection for its own sake, retries nothing (but a heartbeat stream on an open
//! connection), and forgets gossip that no engine judges within seconds.
//!
//! [`Command::Admit`]: crate::link::Command::Admit
//! [`Command::Dial`]: crate::link::Command::Dial
//! [`Command::Request`]: crate::link::Command::Request

mod address;
mod beat;
mod behaviour;
mod book;
mod codec;
mod config;
mod dial;
mod door;
mod error;
mod exchange;
mod fair;
mod gate;
mod gossip;
mod holders;
mod identity;
mod limits;
mod listen;
mod peers;
mod providers;
mod source;
mod task;
mod transport;
mod turned;

use std::net::SocketAddr;
use std::sync::Arc;

use crux_crdt::Principal;
use libp2p::{Swarm, swarm};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::Instrument;

pub use config::{Config, Limits, Transport};
pub use error::Error;
pub use turned::{Report, Turned};

use crate::link::{Command, Event};
use behaviour::Behaviour;
use limits::{COMMANDS_MAX, EVENTS_MAX, NEGOTIATING_MAX};
use task::Task;

/// A running network.
///
/// Dropping it, or either of its channels, stops the task: it closes all connections in order and
/// ends within some 1.2 s. Await [`Net::task`] to see it through.
#[derive(Debug)]
pub struct Net {
    /// The principal of this node.
    pub me: Principal,
    /// Takes commands. MUST NOT be waited on while events are not taken, unless the commands of
    /// one event are fewer than its capacity.
    pub commands: mpsc::Sender<Command>,
    /// Gives events.
    pub events: mpsc::Receiver<Event>,
    /// Gives the events of [`crate::link::Protocol::Pastiche`]: requests, responses, failures, and
    /// replies that are gone; and who has which blob. May be dropped; then peers get no answer by
    /// that protocol.
    pub bulk: mpsc::Receiver<Event>,
    /// Where this node listens, in the order of [`Config::listen`], with real ports. An
    /// unspecified IP stays unspecified.
    pub listening: Vec<SocketAddr>,
    /// Which connections were closed before they were members'.
    pub turned: Arc<Turned>,
    /// The task. It never ends on its own account.
    pub task: JoinHandle<()>,
}

/// Starts the network, and returns when it listens.
///
/// MUST be called within a Tokio runtime with time and IO enabled.
pub async fn spawn(config: Config) -> Result<Net, Error> {
    let keys = identity::keypair(&config.secret_key);
    let local = keys.public().to_peer_id();
    let topics = gossip::Topics::new(&config.genesis);
    let doorstep = door::Doorstep::default();
    let turned = Arc::new(Turned::default());
    let behaviour = Behaviour::new(local, &topics, &config, doorstep.clone(), Arc::clone(&turned))?;
    let transport =
        transport::build(config.transport, &config.listen, &keys, &config.genesis, doorstep)?;
    let swarm_config = swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(config.limits.idle)
        .with_max_negotiating_inbound_streams(NEGOTIATING_MAX);
    let mut swarm = Swarm::new(transport, behaviour, local, swarm_config);
    let mut early = Vec::new();
    let listening =
        listen::listen(&mut swarm, config.transport, &config.listen, &mut early).await?;

    let (commands, commands_out) = mpsc::channel(COMMANDS_MAX);
    let (events_in, events) = mpsc::channel(EVENTS_MAX);
    let (bulk_in, bulk) = mpsc::channel(EVENTS_MAX);
    let channels = task::Channels { commands: commands_out, events: events_in, bulk: bulk_in };
    let task = Task::new(swarm, config.transport, topics, channels, Arc::clone(&turned));
    let me = identity::principal_of(&local).expect("the key is Ed25519");
    let span = tracing::error_span!("net", me = %me.short());
    Ok(Net {
        me,
        commands,
        events,
        bulk,
        listening,
        turned,
        task: tokio::spawn(task.run(early).instrument(span)),
    })
}
