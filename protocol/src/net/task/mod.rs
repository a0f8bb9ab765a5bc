//! The one task that owns the swarm. It does nothing slow.

mod command;
mod event;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use futures::StreamExt;
use libp2p::Swarm;
use libp2p::swarm::SwarmEvent;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::Transport;
use super::behaviour::{Behaviour, BehaviourEvent};
use super::book::Book;
use super::dial::Dials;
use super::exchange::Requests;
use super::gossip::{Gossip, Topics};
use super::limits::{LINGER, OUTBOX_MAX, SHUTDOWN_TIMEOUT};
use super::peers::Peers;
use super::providers::Providers;
use super::turned::Turned;
use crate::link::{Command, DialId, Event, Protocol};

/// The task.
pub(super) struct Task {
    swarm: Swarm<Behaviour>,
    transport: Transport,
    commands: Receiver<Command>,
    events: Sender<Event>,
    /// Events for which the channel had no room yet.
    outbox: VecDeque<Event>,
    /// Takes what is about pieces of blobs, so that bulk waits behind bulk only.
    bulk: Sender<Event>,
    /// The same for it. Bounded by the requests that this node made, and by those that it may owe a
    /// reply, so the network is polled whether or not it is taken.
    bulk_outbox: VecDeque<Event>,
    peers: Peers,
    dials: Dials,
    /// Host names being resolved.
    resolving: JoinSet<(DialId, Vec<SocketAddr>)>,
    requests: Requests,
    gossip: Gossip,
    book: Book,
    providers: Providers,
    /// Counts connections that were closed before they were members'.
    turned: Arc<Turned>,
}

/// The task's ends of its channels.
pub(super) struct Channels {
    pub(super) commands: Receiver<Command>,
    pub(super) events: Sender<Event>,
    pub(super) bulk: Sender<Event>,
}

impl Task {
    pub(super) fn new(
        swarm: Swarm<Behaviour>,
        transport: Transport,
        topics: Topics,
        Channels { commands, events, bulk }: Channels,
        turned: Arc<Turned>,
    ) -> Self {
        Self {
            swarm,
            transport,
            commands,
            events,
            outbox: VecDeque::new(),
            bulk,
            bulk_outbox: VecDeque::new(),
            peers: Peers::default(),
            dials: Dials::default(),
            resolving: JoinSet::new(),
            requests: Requests::default(),
            gossip: Gossip::new(topics),
            book: Book::new(transport),
            providers: Providers::default(),
            turned,
        }
    }

    /// Runs until the engine drops its end of either channel, then closes what is open. Begins
    /// with what happened before there was a task.
    pub(super) async fn run(mut self, early: Vec<SwarmEvent<BehaviourEvent>>) {
        for event in early {
            self.on_swarm_event(event);
        }
        while self.step().await {}
        self.shut_down().await;
    }

    /// Waits for one thing to happen and handles it. Returns false when it is time to stop.
    ///
    /// While the engine does not take its events, the network is not polled: nothing is lost, and
    /// peers are slowed down by TCP. Commands are still taken, or else an engine that sends a
    /// burst of them before it looks at events would wait for ever.
    async fn step(&mut self) -> bool {
        if !self.deliver() {
            return false;
        }
        self.deliver_bulk();
        let flowing = self.outbox.is_empty();
        let due = self.dials.next_due();
        tokio::select! {
            () = room(&self.events), if !flowing => {}
            () = room(&self.bulk), if !self.bulk_outbox.is_empty() => {}
            command = self.commands.recv(), if self.outbox.len() < OUTBOX_MAX => match command {
                Some(command) => self.on_command(command),
                None => return false,
            },
            event = self.swarm.select_next_some(), if flowing => self.on_swarm_event(event),
            Some(resolved) = self.resolving.join_next(), if flowing => {
                match resolved {
                    Ok((id, addrs)) => self.on_looked_up(id, addrs),
                    // A dial without an answer would be forgotten.
                    Err(err) if err.is_panic() => std::panic::resume_unwind(err.into_panic()),
                    Err(_) => {}
                }
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if flowing && due.is_some() => {
                self.on_dials_due();
            }
            () = self.events.closed() => return false,
        }
        true
    }

    /// Moves events into the channel while it has room. Returns false if nobody reads it.
    fn deliver(&mut self) -> bool {
        while let Some(event) = self.outbox.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.outbox.push_front(event);
                    return true;
                }
                Err(TrySendError::Closed(_)) => return false,
            }
        }
        true
    }

    /// The same for bulk, which nobody has to want.
    fn deliver_bulk(&mut self) {
        while let Some(event) = self.bulk_outbox.pop_front() {
            match self.bulk.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.bulk_outbox.push_front(event);
                    return;
                }
                Err(TrySendError::Closed(_)) => self.bulk_outbox.clear(),
            }
        }
    }

    fn emit(&mut self, event: Event) {
        self.outbox.push_back(event);
    }

    fn emit_of(&mut self, protocol: Protocol, event: Event) {
        match protocol {
            Protocol::Join | Protocol::Sync | Protocol::Call => self.emit(event),
            Protocol::Pastiche => self.bulk_outbox.push_back(event),
        }
    }

    /// Lets Kademlia dial while it has something to do, and only then.
    fn mind_kademlia(&mut self) {
        let busy = self.book.is_finding() || self.providers.is_busy();
        self.swarm.behaviour_mut().gate.let_inner_dial(busy);
    }

    /// Lets what was said last get out, then closes every connection.
    async fn shut_down(mut self) {
        let linger = async { while self.swarm.next().await.is_some() {} };
        // It never ends by itself.
        timeout(LINGER, linger).await.ok();
        self.swarm.behaviour_mut().gate.close_all();
        let closing = async {
            while self.swarm.network_info().num_peers() > 0 {
                self.swarm.select_next_some().await;
            }
        };
        if timeout(SHUTDOWN_TIMEOUT, closing).await.is_err() {
            tracing::debug!("some connections did not close in time");
        }
    }
}

/// Waits until a channel has room, or is closed. Its only sender is this task, so the room stays.
async fn room(events: &Sender<Event>) {
    drop(events.reserve().await);
}
