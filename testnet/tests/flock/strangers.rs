//! Strangers at the door of real nodes: silent ones, and many that know the flock id and no more.

use std::net::SocketAddr;
use std::time::Duration;

use crux_crdt::Digest;
use crux_crdt::act::After;
use crux_protocol::join::{Hello, Request};
use crux_protocol::link::{Command, DialId, Event, Protocol, RequestId};
use crux_protocol::net::{self, Config};
use crux_testnet::process::{Cluster, FlockStatus};
use crux_testnet::wait::{self, Seen};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::{cluster, ok, until};

/// More than a node has places for handshakes.
const SILENT: usize = 160;
/// More than a node has places for strangers, or for those that join.
const STRANGERS: u8 = 80;
/// How long a newcomer or a restart has: far above what it takes, and far below what it took.
const WITHIN: Duration = Duration::from_secs(8);

/// Three nodes, of which two run and are one flock.
async fn two_of_three() -> Cluster {
    let mut cluster = cluster(3).await;
    (0..2).for_each(|at| ok(cluster.node(at).start()));
    until(&mut cluster, "two are one flock", FlockStatus::is_agreed).await;
    cluster
}

/// Waits until both nodes say that they close connections for others.
async fn crowded(cluster: &mut Cluster) {
    let crowded = wait::until("there is no place left", WITHIN, async || {
        cluster.statuses().await?;
        let logs = [0, 1].map(|at| cluster.node(at).log());
        let crowded = logs.iter().all(|log| log.contains("to make room for others"));
        Ok(Seen::when(crowded, (), |()| logs.concat()))
    });
    ok(crowded.await);
}

/// A newcomer joins, and a member that was killed is back.
async fn come_and_come_back(cluster: &mut Cluster) {
    ok(cluster.node(2).start());
    ok(cluster.until("a newcomer joins", WITHIN, FlockStatus::is_agreed).await);
    ok(cluster.node(1).kill());
    ok(cluster.node(1).start());
    ok(cluster.until("a member is back", WITHIN, FlockStatus::is_agreed).await);
}

/// Connects again and again, and says nothing.
async fn be_silent(at: SocketAddr) {
    loop {
        if let Ok(mut stream) = TcpStream::connect(at).await {
            stream.read_to_end(&mut Vec::new()).await.ok();
        }
        tokio::task::yield_now().await;
    }
}

/// Says hello and never proves anything, again and again.
async fn be_a_stranger(at: SocketAddr, flock: Digest, number: u8) {
    let mut net = net::spawn(Config::new([number; 32], flock, Vec::new())).await.unwrap();
    let dial = |id| Command::Dial { id: DialId(id), addrs: vec![at.to_string()], expect: None };
    let hello = Hello {
        nonce: [number; 32],
        name: None,
        addresses: vec!["127.0.0.1:9".parse().unwrap()],
        agreement_key: [0; 32],
        incarnation: 1,
        alone: true,
        after: After::default(),
    };
    let mut id = 0;
    net.commands.send(dial(id)).await.unwrap();
    while let Some(event) = net.events.recv().await {
        id += 1;
        let command = match event {
            Event::Connected { peer, .. } => {
                let body = Request::Hello(hello.clone()).encode();
                Command::Request { id: RequestId(id), peer, protocol: Protocol::Join, body }
            }
            Event::Disconnected { .. } | Event::DialFailed { .. } => dial(id),
            _ => continue,
        };
        net.commands.send(command).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connections_keep_out_neither_newcomers_nor_members() {
    let mut cluster = two_of_three().await;
    let mut silent = JoinSet::new();
    for at in 0..2 {
        let at = cluster.nodes()[at].spec().listen;
        (0..SILENT).for_each(|_| _ = silent.spawn(be_silent(at)));
    }
    crowded(&mut cluster).await;
    come_and_come_back(&mut cluster).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_with_the_flock_id_alone_keep_nobody_busy() {
    let mut cluster = two_of_three().await;
    let statuses = ok(cluster.statuses().await);
    let flock = statuses.all().unwrap()[0].flock_id;
    let mut strangers = JoinSet::new();
    for at in 0..2 {
        let at = cluster.nodes()[at].spec().listen;
        for number in 1..=STRANGERS {
            strangers.spawn(be_a_stranger(at, flock, number));
        }
    }
    crowded(&mut cluster).await;
    come_and_come_back(&mut cluster).await;
    for at in 0..3 {
        assert_eq!(ok(cluster.client(at).members().await).len(), 3, "and nobody else got in");
    }
}
