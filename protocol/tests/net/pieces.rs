//! Pieces of blobs: their own protocol, and events of their own.

use crux_crdt::Principal;
use crux_protocol::link::{Command, Event, Protocol, ReplyId, RequestFailure, RequestId};
use tokio::time::timeout;

use super::harness::{DEADLINE, Node, pair};

async fn bulk(node: &mut Node) -> Event {
    let event = timeout(DEADLINE, node.net.bulk.recv()).await;
    event.expect("an event in time").expect("the task runs")
}

async fn ask(from: &Node, to: Principal, length: usize) -> RequestId {
    from.begin_request(to, Protocol::Pastiche, vec![1; length]).await
}

async fn asked(node: &mut Node) -> ReplyId {
    match bulk(node).await {
        Event::Request { id, protocol: Protocol::Pastiche, .. } => id,
        other => panic!("a request, not {other:?}"),
    }
}

#[tokio::test]
async fn a_piece_comes_whole_and_its_sender_learns_when_it_is_gone() {
    let (mut a, mut b) = pair().await;
    let request = ask(&a, b.me, 3).await;
    let id = asked(&mut b).await;
    let body = vec![7; Protocol::Pastiche.max_body()];
    b.tell(Command::Reply { id, body: body.clone() }).await;
    assert_eq!(bulk(&mut a).await, Event::Response { id: request, peer: b.me, body });
    assert_eq!(bulk(&mut b).await, Event::Replied { id });
}

#[tokio::test]
async fn a_reply_that_nobody_waits_for_is_told_of_too() {
    let (mut a, mut b) = pair().await;
    let request = ask(&a, b.me, 3).await;
    let id = asked(&mut b).await;
    a.disconnect(b.me).await;
    let failure = RequestFailure::Lost;
    assert_eq!(bulk(&mut a).await, Event::RequestFailed { id: request, peer: b.me, failure });
    assert_eq!(bulk(&mut b).await, Event::Replied { id });
}

#[tokio::test]
async fn what_is_too_large_to_answer_is_told_of_once() {
    let (mut a, mut b) = pair().await;
    ask(&a, b.me, 3).await;
    let id = asked(&mut b).await;
    b.tell(Command::Reply { id, body: vec![7; Protocol::Pastiche.max_body() + 1] }).await;
    assert!(matches!(bulk(&mut a).await, Event::RequestFailed { .. }));
    assert_eq!(bulk(&mut b).await, Event::Replied { id });
}

#[tokio::test]
async fn a_whole_window_is_answered_both_ways_and_one_more_fails_at_once() {
    let (mut a, mut b) = pair().await;
    for _ in 0..48 {
        ask(&a, b.me, 80).await;
        ask(&b, a.me, 80).await;
    }
    let extra = ask(&a, b.me, 80).await;
    let mut answered = [0, 0];
    let mut failed = Vec::new();
    while answered != [48, 48] {
        let (at, node, event) = tokio::select! {
            event = bulk(&mut a) => (0, &a, event),
            event = bulk(&mut b) => (1, &b, event),
        };
        match event {
            Event::Request { id, .. } => {
                node.tell(Command::Reply { id, body: vec![5; 100_000] }).await;
            }
            Event::Response { body, .. } => {
                assert_eq!(body.len(), 100_000);
                answered[at] += 1;
            }
            Event::RequestFailed { id, .. } => failed.push(id),
            _ => {}
        }
    }
    assert_eq!(failed, [extra]);
}

#[tokio::test]
async fn pieces_that_nobody_takes_hold_up_nothing_else() {
    let (mut a, mut b) = pair().await;
    for _ in 0..40 {
        ask(&a, b.me, 1000).await;
    }
    // Nobody reads what node b was asked; it answers other questions all the same.
    let to = b.me;
    tokio::select! {
        answer = a.request(to, Protocol::Call, b"hello") => {
            assert!(matches!(answer, Event::Response { body, .. } if body == b"hello"));
        }
        () = b.echo() => {}
    }
}
