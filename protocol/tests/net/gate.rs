//! The gate.

use std::net::SocketAddr;
use std::time::Duration;

use crux_protocol::link::{Command, Event, Protocol, RequestFailure, Topic};
use crux_protocol::net::{Config, Limits, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};

use super::harness::{DEADLINE, Node, config};

fn failed(event: &Event) -> Option<RequestFailure> {
    match event {
        Event::RequestFailed { failure, .. } => Some(*failure),
        _ => None,
    }
}

#[tokio::test]
async fn a_stranger_may_join_and_nothing_else() {
    let mut member = Node::start(1).await;
    let mut stranger = Node::start(2).await;
    // The stranger takes the member for one, so that its own gate is not what stops it.
    stranger.admit([member.me]).await;
    assert_eq!(stranger.dial(member.addr(), None).await, Ok(member.me));
    stranger.connected(member.me, true).await;
    member.connected(stranger.me, false).await;
    let at = member.me;
    let conversation = async {
        let answer = stranger.request(at, Protocol::Join, b"hello").await;
        assert!(matches!(answer, Event::Response { body, .. } if body == b"hello"));
        for protocol in [Protocol::Sync, Protocol::Call] {
            let answer = stranger.request(at, protocol, b"hello").await;
            assert_eq!(failed(&answer), Some(RequestFailure::Unsupported));
        }
    };
    tokio::select! {
        () = conversation => {}
        () = member.echo() => {}
    }
    // Nor the other way, where it is this side that does not want to.
    let answer = member.request(stranger.me, Protocol::Sync, b"hello").await;
    assert_eq!(failed(&answer), Some(RequestFailure::Unsupported));
}

#[tokio::test]
async fn a_stranger_gets_no_gossip_and_no_beats() {
    let mut nodes = Node::flock(2).await;
    let mut stranger = Node::start(3).await;
    let [a, b] = &mut nodes[..] else { panic!("two nodes") };
    a.join(b).await;
    stranger.admit([a.me, b.me]).await;
    for member in [&mut *a, &mut *b] {
        assert!(stranger.dial(member.addr(), None).await.is_ok());
        member.connected(stranger.me, false).await;
    }
    let subjects = [a.me, b.me].into();
    stranger.tell(Command::Observe { subjects }).await;
    let (topic, data) = (Topic::Fact, b"for members".to_vec());
    let received = b.pick("gossip", |event| match event {
        Event::Gossip { data, .. } => Some(data.clone()),
        _ => None,
    });
    let publish = async {
        // Until the mesh stands.
        for counter in 0.. {
            let data = [&data[..], &[counter]].concat();
            a.tell(Command::Publish { topic, data }).await;
            let (incarnation, counter) = (1, counter.into());
            a.tell(Command::Beat { incarnation, counter }).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        data = received => assert!(data.starts_with(b"for members")),
        () = publish => {}
    }
    // What the stranger was told since is what it would have been told of the above.
    let answer = stranger.request(a.me, Protocol::Sync, b"").await;
    assert_eq!(failed(&answer), Some(RequestFailure::Unsupported));
    let leaked = |event: &&Event| matches!(event, Event::Gossip { .. } | Event::Beat { .. });
    assert_eq!(stranger.unread.iter().find(leaked), None);
}

#[tokio::test]
async fn whoever_is_admitted_gets_through_after_a_redial() {
    let mut a = Node::start(1).await;
    let mut b = Node::start(2).await;
    assert_eq!(b.dial(a.addr(), None).await, Ok(a.me));
    a.connected(b.me, false).await;
    b.connected(a.me, false).await;
    let (a_me, b_me) = (a.me, b.me);
    a.admit([b_me]).await;
    b.admit([a_me]).await;
    let answer = b.request(a_me, Protocol::Sync, b"too early").await;
    assert_eq!(failed(&answer), Some(RequestFailure::Unsupported));
    a.disconnect(b_me).await;
    b.disconnect(a_me).await;
    a.disconnected(b_me).await;
    b.disconnected(a_me).await;
    b.join(&mut a).await;
    tokio::select! {
        answer = b.request(a_me, Protocol::Sync, b"now") => {
            assert!(matches!(answer, Event::Response { .. }), "{answer:?}");
        }
        () = a.echo() => {}
    }
}

#[tokio::test]
async fn an_open_connection_beside_a_shut_one_works_and_takes_it_along() {
    let mut a = Node::start(1).await;
    let mut b = Node::start(2).await;
    assert_eq!(b.dial(a.addr(), None).await, Ok(a.me));
    a.connected(b.me, false).await;
    b.connected(a.me, false).await;
    let (a_me, b_me) = (a.me, b.me);
    a.admit([b_me]).await;
    b.admit([a_me]).await;
    b.join(&mut a).await;
    // Searches notify any handler of a peer, which must be one that understands.
    b.tell(Command::Find { peer: a_me }).await;
    tokio::select! {
        answer = b.request(a_me, Protocol::Call, b"now") => {
            assert!(matches!(answer, Event::Response { .. }), "{answer:?}");
        }
        () = a.echo() => {}
    }
    b.disconnect(a_me).await;
    a.disconnected(b_me).await;
    b.disconnected(a_me).await;
}

#[tokio::test]
async fn who_is_no_longer_admitted_is_a_stranger_on_the_next_connection() {
    let mut nodes = Node::flock(2).await.into_iter();
    let (mut a, mut b) = (nodes.next().expect("two"), nodes.next().expect("two"));
    a.join(&mut b).await;
    a.admit([]).await;
    a.disconnect(b.me).await;
    b.disconnected(a.me).await;
    a.disconnected(b.me).await;
    assert_eq!(b.dial(a.addr(), Some(a.me)).await, Ok(a.me));
    a.connected(b.me, false).await;
    let answer = b.request(a.me, Protocol::Sync, b"?").await;
    assert_eq!(failed(&answer), Some(RequestFailure::Unsupported));
}

/// Strangers, who are connected to a node in this order.
async fn come(a: &mut Node, seeds: impl IntoIterator<Item = u8>) -> Vec<Node> {
    let mut strangers = Vec::new();
    for seed in seeds {
        let mut stranger = Node::start(seed).await;
        assert_eq!(stranger.dial(a.addr(), None).await, Ok(a.me));
        a.connected(stranger.me, false).await;
        strangers.push(stranger);
    }
    strangers
}

#[tokio::test]
async fn strangers_leave_when_idle() {
    let limits = Limits { idle: Duration::from_millis(500), ..Limits::default() };
    let mut a = Node::with(Config { limits, ..config(1, Transport::Memory) }).await;
    for stranger in &mut come(&mut a, 2..=4).await {
        stranger.disconnected(a.me).await;
        a.disconnected(stranger.me).await;
    }
}

#[tokio::test]
async fn strangers_make_room_for_the_next_unless_they_proved_something() {
    let limits = Limits { strangers_max: 2, ..Limits::default() };
    let mut a = Node::with(Config { limits, ..config(1, Transport::Memory) }).await;
    let mut strangers = come(&mut a, 2..=4).await;
    a.disconnected(strangers[0].me).await;
    strangers[0].disconnected(a.me).await;
    assert_eq!(a.net.turned.lately().strangers, 1);
    a.tell(Command::Keep { peer: strangers[1].me }).await;
    let mut more = come(&mut a, 5..=6).await;
    a.disconnected(strangers[2].me).await;
    strangers[2].disconnected(a.me).await;
    // A peer that proved it is served, and so is the newest one.
    let to = a.me;
    for stranger in [&mut strangers[1], &mut more[1]] {
        tokio::select! {
            answer = stranger.request(to, Protocol::Join, b"?") => {
                assert!(matches!(answer, Event::Response { .. }), "{answer:?}");
            }
            () = a.echo() => {}
        }
    }
}

/// Waits until something holds that no event tells.
async fn until(holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, wait).await.expect("it holds in time");
}

/// The first line of every libp2p handshake, and the proposal to speak Noise.
const BEGINNING: &[u8] = b"\x13/multistream/1.0.0\n\x07/noise\n";

/// Keeps up connections that say this much and no more, whatever the node does to them.
fn hold(at: SocketAddr, count: usize, say: &'static [u8]) -> JoinSet<()> {
    let mut held = JoinSet::new();
    for _ in 0..count {
        held.spawn(async move {
            loop {
                let Ok(mut stream) = TcpStream::connect(at).await else { continue };
                stream.write_all(say).await.ok();
                stream.read_to_end(&mut Vec::new()).await.ok();
            }
        });
    }
    held
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_get_nowhere_keep_nobody_out() {
    for say in [&b""[..], &BEGINNING[..1], BEGINNING] {
        let mut nodes = Node::flock_of(1..=2, Transport::Tcp).await.into_iter();
        let (mut a, mut b) = (nodes.next().expect("two"), nodes.next().expect("two"));
        let _held = hold(a.addr(), 160, say);
        until(|| a.net.turned.lately().pending > 0).await;
        for _ in 0..5 {
            b.join(&mut a).await;
            a.disconnect(b.me).await;
            a.disconnected(b.me).await;
            b.disconnected(a.me).await;
        }
        let mut newcomer = Node::start_tcp(3).await;
        assert_eq!(newcomer.dial(a.addr(), None).await, Ok(a.me));
    }
}

#[tokio::test]
async fn a_handshake_that_stalls_is_closed_in_time() {
    let a = Node::start_tcp(1).await;
    let at = a.addr();
    let mut stalls = JoinSet::new();
    for (say, within) in [(&b""[..], 1), (&BEGINNING[..1], 3), (BEGINNING, 3)] {
        stalls.spawn(async move {
            let (mut stream, begun) =
                (TcpStream::connect(at).await.expect("a port"), Instant::now());
            stream.write_all(say).await.expect("an open connection");
            stream.read_to_end(&mut Vec::new()).await.ok();
            (begun.elapsed(), within)
        });
    }
    // One byte at a time, for longer than a handshake may take.
    stalls.spawn(async move {
        let (stream, begun) = (TcpStream::connect(at).await.expect("a port"), Instant::now());
        let (mut reader, mut writer) = stream.into_split();
        let trickle = async {
            let mut tick = interval(Duration::from_millis(300));
            for byte in BEGINNING.iter().cycle() {
                tick.tick().await;
                writer.write_all(&[*byte]).await.ok();
            }
        };
        let mut answer = Vec::new();
        tokio::select! {
            _ = reader.read_to_end(&mut answer) => {}
            () = trickle => {}
        }
        (begun.elapsed(), 3)
    });
    while let Some(closed) = stalls.join_next().await {
        let (after, within) = closed.expect("no panic");
        let bounds = Duration::from_secs(within)..Duration::from_secs(within + 2);
        assert!(bounds.contains(&(after + Duration::from_millis(50))), "{after:?}, not {within} s");
    }
    until(|| a.net.turned.lately().late == 4).await;
}
