//! The gate.

use std::time::Duration;

use crux_crdt::Principal;
use crux_protocol::link::{Command, Event, Protocol, RequestFailure, Topic};
use crux_protocol::net::{Config, Limits, Transport};

use super::harness::{Node, config};

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
    let (topic, data) = (Topic::Registry, b"for members".to_vec());
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

#[tokio::test]
async fn strangers_are_bounded_and_leave_when_idle() {
    let limits = Limits { strangers_max: 2, idle: Duration::from_millis(500), ..Limits::default() };
    let mut a = Node::with(Config { limits, ..config(1, Transport::Memory) }).await;
    let mut strangers = Vec::new();
    for seed in 2..=4 {
        strangers.push(Node::start(seed).await);
    }
    for stranger in &mut strangers {
        assert_eq!(stranger.dial(a.addr(), None).await, Ok(a.me));
    }
    let names: Vec<Principal> = strangers.iter().map(|node| node.me).collect();
    a.connected(names[0], false).await;
    a.connected(names[1], false).await;
    for stranger in &mut strangers {
        stranger.disconnected(a.me).await;
    }
    let third =
        |event: &&Event| matches!(event, Event::Connected { peer, .. } if *peer == names[2]);
    assert_eq!(a.unread.iter().find(third), None);
}
