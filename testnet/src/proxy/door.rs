use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::connection::{self, Ends};
use super::links::Links;
use super::{Rule, Stats};
use crate::Error;

/// Connections at a time. 30 nodes with three to each other are some 2,600; each has two sockets.
const CONNECTIONS_MAX: usize = 4096;

/// The pause after a connection could not be accepted: no file is left, say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where a node is.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The address it states, at which the proxy listens. Port 0 picks one.
    pub front: SocketAddr,
    /// The address it listens at. It dials from the same IP, which no other node has.
    pub node: SocketAddr,
}

/// The proxy of a flock. Dropping it closes all connections and listeners.
#[derive(Debug)]
pub struct Proxy {
    links: Arc<Links>,
    fronts: Vec<SocketAddr>,
    _doors: JoinSet<()>,
}

impl Proxy {
    /// Listens in front of every place. Nodes are numbered in the order of `places`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when an address cannot be listened at. Nothing listens then.
    pub async fn start(places: &[Place]) -> Result<Self, Error> {
        let links = Arc::new(Links::new(places.len()));
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let ips: Arc<[IpAddr]> = places.iter().map(|place| place.node.ip()).collect();
        let mut doors = JoinSet::new();
        let mut fronts = Vec::new();
        for (node, place) in places.iter().enumerate() {
            let what = format!("listen at {}", place.front);
            let listener = TcpListener::bind(place.front).await.map_err(Error::io(&what))?;
            fronts.push(listener.local_addr().map_err(Error::io(what))?);
            let door = Door {
                node,
                behind: place.node,
                ips: ips.clone(),
                links: links.clone(),
                room: room.clone(),
            };
            doors.spawn(door.run(listener));
        }
        Ok(Self { links, fronts, _doors: doors })
    }

    /// The address that a node is to state.
    #[must_use]
    pub fn front(&self, node: usize) -> SocketAddr {
        self.fronts[node]
    }

    /// The rule for bytes from one node to another.
    #[must_use]
    pub fn rule(&self, from: usize, to: usize) -> Rule {
        self.links.watch(from, to).borrow().rule
    }

    /// Sets the rule for bytes from one node to another.
    pub fn set(&self, from: usize, to: usize, rule: Rule) {
        self.links.change(from, to, |seen| seen.rule = rule);
    }

    /// Resets all connections between two nodes.
    pub fn reset(&self, one: usize, other: usize) {
        self.links.change(one, other, |seen| seen.resets += 1);
    }

    /// Makes all connections between two nodes half-open: `believer` still has them and hears
    /// nothing, `other` sees them reset. They end when either rule between the two is set.
    pub fn half_open(&self, believer: usize, other: usize) {
        self.links.change(believer, other, |seen| seen.half_opens += 1);
    }

    /// Lifts every rule.
    pub fn heal(&self) {
        let nodes = self.links.nodes();
        for from in 0..nodes {
            for to in 0..nodes {
                self.set(from, to, Rule::default());
            }
        }
    }

    /// What passed so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.links.stats()
    }
}

/// One node's door.
struct Door {
    node: usize,
    behind: SocketAddr,
    ips: Arc<[IpAddr]>,
    links: Arc<Links>,
    room: Arc<Semaphore>,
}

impl Door {
    async fn run(self, listener: TcpListener) {
        // Dropped with the door, and all connections with it.
        let mut connections = JoinSet::new();
        loop {
            let Ok(permit) = self.room.clone().acquire_owned().await else { return };
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((dialled, from)) => self.admit(dialled, from.ip(), permit, &mut connections),
                    Err(_) => sleep(ACCEPT_PAUSE).await,
                },
                // Reaps; disabled while there is none.
                Some(_) = connections.join_next() => {}
            }
        }
    }

    fn admit(
        &self,
        dialled: TcpStream,
        from: IpAddr,
        permit: OwnedSemaphorePermit,
        connections: &mut JoinSet<()>,
    ) {
        // A dialler without a number has no rules; it is turned away.
        let Some(dialler) = self.ips.iter().position(|ip| *ip == from) else { return };
        self.links.counters.connections.fetch_add(1, Ordering::Relaxed);
        let ends = Ends { dialler, from, node: self.node, behind: self.behind };
        let links = self.links.clone();
        connections.spawn(async move {
            connection::run(dialled, ends, &links).await;
            drop(permit);
        });
    }
}
