//! It knows the flock id, which is no secret, and begins to join wherever it can.
//!
//! Each key gets through the encrypted handshake and says hello, again and again; it cannot prove,
//! and does not try. What is closed is dialled again.

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crux_crdt::act::After;
use crux_crdt::path::Endpoint;
use crux_crdt::{Digest, Principal};
use crux_protocol::join::{Hello, Request};
use crux_protocol::link::{Command, DialId, Event, Protocol, RequestId};
use crux_protocol::net::{self, Net};
use futures::future::join_all;
use tokio::time::{MissedTickBehavior, interval};

use crate::Error;
use crate::output::say;

/// How often each key says hello to whom it is linked with, and dials the others.
const PERIOD: Duration = Duration::from_secs(1);

/// Has so many keys begin to join through each target, until it is killed.
///
/// # Errors
///
/// [`Error::Broken`] when a network cannot be started.
pub(in super::super) async fn guests(
    flock: Digest,
    from: IpAddr,
    targets: &[SocketAddr],
    keys: usize,
) -> Result<(), Error> {
    let mut guests = Vec::new();
    for _ in 0..keys {
        // It dials from where it listens.
        let listen = vec![SocketAddr::new(from, 0)];
        let net = net::spawn(net::Config::new(rand::random(), flock, listen)).await;
        let net = net.map_err(|error| Error::Broken(format!("a guest: {error}")))?;
        guests.push(Guest { net, places: vec![Place::default(); targets.len()], sent: 0 });
    }
    let left = Cell::new(keys * targets.len());
    join_all(guests.into_iter().map(|guest| guest.run(targets, &left))).await;
    Ok(())
}

/// What a guest knows of one target.
#[derive(Clone, Copy, Default)]
struct Place {
    linked: Option<Principal>,
    /// Whether a dial of it was answered, or failed.
    tried: bool,
}

/// One key.
struct Guest {
    net: Net,
    places: Vec<Place>,
    sent: u64,
}

impl Guest {
    async fn run(mut self, targets: &[SocketAddr], left: &Cell<usize>) {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => for (at, target) in targets.iter().enumerate() {
                    let command = self.knock(at, *target);
                    self.send(command).await;
                },
                event = self.net.events.recv() => match event {
                    None => return,
                    Some(Event::Dialled { id, peer, .. }) => {
                        let at = self.place_of(id);
                        self.places[at].linked = Some(peer);
                        self.tried(at, left);
                        let command = self.knock(at, targets[at]);
                        self.send(command).await;
                    }
                    Some(Event::DialFailed { id, .. }) => self.tried(self.place_of(id), left),
                    Some(Event::Disconnected { peer }) => {
                        let of = |place: &&mut Place| place.linked == Some(peer);
                        self.places.iter_mut().filter(of).for_each(|place| place.linked = None);
                    }
                    Some(_) => {}
                },
            }
        }
    }

    /// Says hello to a target, or dials it.
    fn knock(&mut self, at: usize, target: SocketAddr) -> Command {
        self.sent += 1;
        match self.places[at].linked {
            Some(peer) => hello(peer, self.sent),
            None => {
                let id = DialId(self.sent * self.places.len() as u64 + at as u64);
                Command::Dial { id, addrs: vec![target.to_string()], expect: None }
            }
        }
    }

    fn place_of(&self, id: DialId) -> usize {
        usize::try_from(id.0).unwrap_or(0) % self.places.len()
    }

    fn tried(&mut self, at: usize, left: &Cell<usize>) {
        if !std::mem::replace(&mut self.places[at].tried, true) {
            left.set(left.get() - 1);
            if left.get() == 0 {
                say("every key was everywhere");
            }
        }
    }

    async fn send(&self, command: Command) {
        // The network ended: so does the loop.
        self.net.commands.send(command).await.ok();
    }
}

fn hello(peer: Principal, number: u64) -> Command {
    let hello = Hello {
        nonce: rand::random(),
        name: None,
        addresses: Endpoint::try_from(SocketAddr::from(([127, 0, 0, 1], 9))).into_iter().collect(),
        agreement_key: [0; 32],
        incarnation: 1,
        alone: true,
        after: After::default(),
    };
    let body = Request::Hello(hello).encode();
    Command::Request { id: RequestId(number), peer, protocol: Protocol::Join, body }
}
