//! Connections, and that they end.

use std::net::SocketAddr;
use std::time::Duration;

use crux_protocol::link::{DialFailure, Event, Protocol};
use crux_protocol::net::{self, Config, Error, Limits, Transport};
use tokio::time::timeout;

use super::harness::{DEADLINE, FLOCK, Node, config, pair};

#[tokio::test]
async fn a_connection_is_told_before_its_dial_is_answered() {
    let mut nodes = Node::flock(2).await;
    let (addr, b) = (nodes[1].addr(), nodes[1].me);
    let a = &mut nodes[0];
    assert_eq!(a.dial(addr, None).await, Ok(b));
    let connected = Event::Connected { peer: b, addr, outbound: true, member: true };
    assert_eq!(a.unread, [connected]);
}

#[tokio::test]
async fn a_dropped_node_is_gone_for_the_other() {
    let (a, mut b) = pair().await;
    let (gone, task) = (a.me, a.net.task);
    drop((a.net.commands, a.net.events));
    b.disconnected(gone).await;
    let ended = timeout(DEADLINE, task).await.expect("the task ends");
    ended.expect("the task does not panic");
}

#[tokio::test]
async fn closing_the_commands_is_enough() {
    let (a, mut b) = pair().await;
    let events = a.net.events;
    drop(a.net.commands);
    b.disconnected(a.me).await;
    drop(events);
}

#[tokio::test]
async fn a_disconnect_ends_it_for_both() {
    let (mut a, mut b) = pair().await;
    a.disconnect(b.me).await;
    a.disconnected(b.me).await;
    b.disconnected(a.me).await;
    a.join(&mut b).await;
}

#[tokio::test]
async fn several_connections_are_one_peer() {
    let (mut a, mut b) = pair().await;
    for _ in 0..2 {
        assert_eq!(a.dial(b.addr(), Some(b.me)).await, Ok(b.me));
    }
    a.disconnect(b.me).await;
    a.disconnected(b.me).await;
    b.disconnected(a.me).await;
    let told = |event: &&Event| matches!(event, Event::Connected { .. });
    assert_eq!(a.unread.iter().chain(&b.unread).find(told), None);
}

/// Trap P8: each side closes the link that the other keeps. Both dials are answered, hence there were
/// two links, and with either of them gone there is still one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn simultaneous_dials_leave_both_sides_with_a_link_that_lasts() {
    for round in 0..20_u8 {
        let transport = if round % 2 == 0 { Transport::Tcp } else { Transport::Memory };
        let mut nodes = Node::flock_of([1, 2], transport).await;
        let [a, b] = &mut nodes[..] else { panic!("two") };
        let (to_a, to_b) = (vec![a.addr().to_string()], vec![b.addr().to_string()]);
        let (first, second) =
            tokio::join!(a.begin_dial(to_b, Some(b.me)), b.begin_dial(to_a, Some(a.me)));
        assert_eq!(a.dial_result(first).await, Ok(b.me), "round {round}");
        assert_eq!(b.dial_result(second).await, Ok(a.me), "round {round}");
        ask_in_turn(a, b, round).await;
        ask_in_turn(b, a, round).await;
        let (a_me, b_me) = (a.me, b.me);
        for (node, other) in [(&mut *a, b_me), (&mut *b, a_me)] {
            node.connected(other, true).await;
            assert_eq!(node.drain(), [], "round {round}: it came once, and did not go");
        }
        // Both links end by the word of one side, and are told of as one.
        a.disconnect(b.me).await;
        a.disconnected(b.me).await;
        b.disconnected(a.me).await;
        assert_eq!([a.drain(), b.drain()], [[], []], "round {round}");
    }
}

/// Thirty requests one after the other, all answered: libp2p spreads them over the links.
async fn ask_in_turn(from: &mut Node, to: &mut Node, round: u8) {
    let peer = to.me;
    let ask = async {
        for n in 0..30_u8 {
            let answer = from.request(peer, Protocol::Sync, &[n]).await;
            let right = matches!(&answer, Event::Response { body, .. } if *body == [n]);
            assert!(right, "round {round}, request {n}: {answer:?}");
        }
    };
    tokio::select! {
        () = ask => {}
        () = to.echo() => {}
    }
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let first = Node::start_tcp(1).await;
    let taken = first.addr();
    let second = Config::new([2; 32], FLOCK, vec![taken]);
    match net::spawn(second).await {
        Err(Error::AddressInUse { addr }) => assert_eq!(addr, taken),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn ports_are_told_in_order_and_wildcards_stay() {
    let any = |ip: [u8; 4]| SocketAddr::from((ip, 0));
    let listen = vec![any([127, 0, 0, 1]), any([0, 0, 0, 0]), any([127, 0, 0, 1])];
    let config = Config { listen: listen.clone(), ..config(1, Transport::Tcp) };
    let node = Node::with(config).await;
    assert_eq!(node.net.listening.len(), 3);
    for (asked, got) in listen.iter().zip(&node.net.listening) {
        assert_eq!(asked.ip(), got.ip());
        assert_ne!(got.port(), 0);
    }
    let mut other = Node::start_tcp(2).await;
    let at = SocketAddr::from(([127, 0, 0, 1], node.net.listening[1].port()));
    assert_eq!(other.dial(at, None).await, Ok(node.me));
}

#[tokio::test]
async fn members_known_from_before_are_let_in_at_once() {
    let mut a = Node::start(1).await;
    let b = Config { members: std::sync::Arc::new([a.me].into()), ..config(2, Transport::Memory) };
    let mut b = Node::with(b).await;
    a.admit([b.me]).await;
    a.join(&mut b).await;
}

#[tokio::test]
async fn one_too_many_connections_of_a_peer_close_the_oldest() {
    let (mut a, mut b) = pair().await;
    for _ in 0..6 {
        assert_eq!(a.dial(b.addr(), Some(b.me)).await, Ok(b.me));
    }
    let b_me = b.me;
    let working = async {
        // Some of these may be on a connection that is going down, and lost.
        loop {
            use crux_protocol::link::Protocol::Call;
            if let Event::Response { .. } = a.request(b_me, Call, b"?").await {
                return;
            }
        }
    };
    tokio::select! {
        () = working => {}
        () = b.echo() => {}
    }
    assert_eq!(a.dial(a.addr(), None).await, Err(DialFailure::Myself));
}

#[tokio::test]
async fn members_stay_connected_without_a_word() {
    let limits = Limits { idle: Duration::from_millis(200), ..Limits::default() };
    let mut nodes = Vec::new();
    for seed in [1, 2] {
        let limits = limits.clone();
        nodes.push(Node::with(Config { limits, ..config(seed, Transport::Memory) }).await);
    }
    let members = [nodes[0].me, nodes[1].me];
    for node in &nodes {
        node.admit(members).await;
    }
    let [a, b] = &mut nodes[..] else { panic!("two") };
    a.join(b).await;
    let long = Duration::from_secs(2);
    assert!(timeout(long, a.disconnected(b.me)).await.is_err(), "gossip keeps it open");
}
