//! Nodes under test.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crux_crdt::{Digest, Principal};
use crux_protocol::link::{Command, DialFailure, DialId, Event, Protocol, RequestId};
use crux_protocol::net::{self, Config, Net, Transport};
use tokio::time::timeout;

/// How long anything may take. Far more than it does: the machine may be busy.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) const FLOCK: Digest = Digest([42; 32]);

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

pub(crate) fn next_id() -> u64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

/// A node, and what it was told and nobody asked for yet.
pub(crate) struct Node {
    pub(crate) net: Net,
    pub(crate) me: Principal,
    pub(crate) unread: Vec<Event>,
}

pub(crate) fn config(seed: u8, transport: Transport) -> Config {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    Config { transport, ..Config::new([seed; 32], FLOCK, vec![any]) }
}

impl Node {
    pub(crate) async fn start(seed: u8) -> Self {
        Self::with(config(seed, Transport::Memory)).await
    }

    pub(crate) async fn start_tcp(seed: u8) -> Self {
        Self::with(config(seed, Transport::Tcp)).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let net = net::spawn(config).await.expect("the network starts");
        Self { me: net.me, net, unread: Vec::new() }
    }

    /// So many nodes that admit each other.
    pub(crate) async fn flock(size: u8) -> Vec<Self> {
        Self::flock_of(1..=size, Transport::Memory).await
    }

    /// The same, with these seeds, over this transport.
    pub(crate) async fn flock_of(
        seeds: impl IntoIterator<Item = u8>,
        transport: Transport,
    ) -> Vec<Self> {
        let mut nodes = Vec::new();
        for seed in seeds {
            nodes.push(Self::with(config(seed, transport)).await);
        }
        let members: BTreeSet<Principal> = nodes.iter().map(|node| node.me).collect();
        for node in &nodes {
            node.admit(members.clone()).await;
        }
        nodes
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.net.listening[0]
    }

    pub(crate) async fn tell(&self, command: Command) {
        let sent = timeout(DEADLINE, self.net.commands.send(command)).await;
        sent.expect("commands are taken").expect("the task runs");
    }

    pub(crate) async fn admit(&self, members: impl IntoIterator<Item = Principal>) {
        let members = Arc::new(members.into_iter().collect());
        self.tell(Command::Admit { members }).await;
    }

    pub(crate) async fn disconnect(&self, peer: Principal) {
        self.tell(Command::Disconnect { peer }).await;
    }

    /// Waits for an event that is picked. Others are kept in their order.
    pub(crate) async fn pick<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(&Event) -> Option<T>,
    ) -> T {
        let found = self.unread.iter().position(|event| pick(event).is_some());
        if let Some(at) = found {
            return pick(&self.unread.remove(at)).expect("picked once already");
        }
        let wait = async {
            loop {
                let event = self.net.events.recv().await.expect("the task runs");
                match pick(&event) {
                    Some(picked) => return picked,
                    None => self.unread.push(event),
                }
            }
        };
        let picked = timeout(DEADLINE, wait).await.ok();
        picked.unwrap_or_else(|| panic!("no {what}, but {:?}", self.unread))
    }

    /// Takes everything that was told so far.
    pub(crate) fn drain(&mut self) -> Vec<Event> {
        let mut all = std::mem::take(&mut self.unread);
        while let Ok(event) = self.net.events.try_recv() {
            all.push(event);
        }
        all
    }

    pub(crate) async fn connected(&mut self, to: Principal, as_member: bool) {
        self.pick("connection", |event| match event {
            Event::Connected { peer, member, .. } => {
                (*peer == to && *member == as_member).then_some(())
            }
            _ => None,
        })
        .await;
    }

    pub(crate) async fn disconnected(&mut self, from: Principal) {
        self.pick("disconnection", |event| {
            (*event == Event::Disconnected { peer: from }).then_some(())
        })
        .await;
    }

    pub(crate) async fn begin_dial(&self, addrs: Vec<String>, expect: Option<Principal>) -> DialId {
        let id = DialId(next_id());
        self.tell(Command::Dial { id, addrs, expect }).await;
        id
    }

    pub(crate) async fn dial_result(&mut self, dial: DialId) -> Result<Principal, DialFailure> {
        self.pick("answer to a dial", |event| match event {
            Event::Dialled { id, peer, .. } if *id == dial => Some(Ok(*peer)),
            Event::DialFailed { id, failure } if *id == dial => Some(Err(*failure)),
            _ => None,
        })
        .await
    }

    pub(crate) async fn dial(
        &mut self,
        addr: SocketAddr,
        expect: Option<Principal>,
    ) -> Result<Principal, DialFailure> {
        let id = self.begin_dial(vec![addr.to_string()], expect).await;
        self.dial_result(id).await
    }

    pub(crate) async fn begin_request(
        &self,
        peer: Principal,
        protocol: Protocol,
        body: Vec<u8>,
    ) -> RequestId {
        let id = RequestId(next_id());
        self.tell(Command::Request { id, peer, protocol, body }).await;
        id
    }

    /// Sends a request and waits for its end.
    pub(crate) async fn request(
        &mut self,
        peer: Principal,
        protocol: Protocol,
        body: &[u8],
    ) -> Event {
        let request = self.begin_request(peer, protocol, body.to_vec()).await;
        self.pick("end of a request", |event| match event {
            Event::Response { id, .. } | Event::RequestFailed { id, .. } if *id == request => {
                Some(event.clone())
            }
            _ => None,
        })
        .await
    }

    /// Answers every request with its own body, for ever.
    pub(crate) async fn echo(&mut self) {
        loop {
            let (id, body) = self
                .pick("request", |event| match event {
                    Event::Request { id, body, .. } => Some((*id, body.clone())),
                    _ => None,
                })
                .await;
            self.tell(Command::Reply { id, body }).await;
        }
    }

    /// Dials another node and waits until both have the other for a member.
    pub(crate) async fn join(&mut self, other: &mut Node) {
        let dialled = self.dial(other.addr(), Some(other.me)).await;
        assert_eq!(dialled, Ok(other.me));
        self.connected(other.me, true).await;
        other.connected(self.me, true).await;
    }
}

/// Two members, connected.
pub(crate) async fn pair() -> (Node, Node) {
    let mut nodes = Node::flock(2).await.into_iter();
    let (mut a, mut b) = (nodes.next().expect("two"), nodes.next().expect("two"));
    a.join(&mut b).await;
    (a, b)
}
