//! Requests: one end each.

use std::collections::BTreeMap;

use crux_protocol::link::{Command, Event, Protocol, RequestFailure, RequestId};

use super::harness::{Node, next_id, pair};

fn failed(event: &Event) -> Option<RequestFailure> {
    match event {
        Event::RequestFailed { failure, .. } => Some(*failure),
        _ => None,
    }
}

#[tokio::test]
async fn both_ask_and_both_answer() {
    let (mut a, mut b) = pair().await;
    for protocol in [Protocol::Join, Protocol::Sync, Protocol::Call] {
        for (asking, asked) in [(&mut a, &mut b)] {
            let to = asked.me;
            let body = format!("{protocol:?}").into_bytes();
            tokio::select! {
                answer = asking.request(to, protocol, &body) => {
                    assert!(matches!(answer, Event::Response { body: got, .. } if got == body));
                }
                () = asked.echo() => {}
            }
        }
        let to = a.me;
        tokio::select! {
            answer = b.request(to, protocol, b"") => {
                assert!(matches!(answer, Event::Response { body, .. } if body.is_empty()));
            }
            () = a.echo() => {}
        }
    }
}

#[tokio::test]
async fn the_largest_body_gets_through_and_one_more_byte_does_not() {
    let (mut a, mut b) = pair().await;
    let to = b.me;
    for protocol in [Protocol::Join, Protocol::Sync, Protocol::Call] {
        let largest = vec![7; protocol.max_body()];
        tokio::select! {
            answer = a.request(to, protocol, &largest) => {
                assert!(matches!(answer, Event::Response { body, .. } if body == largest));
            }
            () = b.echo() => {}
        }
        let too_large = vec![7; protocol.max_body() + 1];
        let answer = a.request(to, protocol, &too_large).await;
        assert_eq!(failed(&answer), Some(RequestFailure::Lost));
        // Nor as a reply.
        let asked = async {
            let id = b
                .pick("request", |event| match event {
                    Event::Request { id, .. } => Some(*id),
                    _ => None,
                })
                .await;
            let body = too_large.clone();
            b.tell(Command::Reply { id, body }).await;
            b.echo().await;
        };
        tokio::select! {
            answer = a.request(to, protocol, b"give me too much") => {
                assert_eq!(failed(&answer), Some(RequestFailure::Lost));
            }
            () = asked => {}
        }
    }
}

#[tokio::test]
async fn two_hundred_at_once_end_once_each() {
    let (mut a, mut b) = pair().await;
    let to = b.me;
    let mut ends: BTreeMap<RequestId, Vec<Event>> = BTreeMap::new();
    let ask = async {
        for n in 0..200_u8 {
            let id = a.begin_request(to, Protocol::Sync, vec![n]).await;
            ends.insert(id, Vec::new());
        }
        let mut left = ends.len();
        while left > 0 {
            let (id, end) = a
                .pick("end of a request", |event| match event {
                    Event::Response { id, .. } | Event::RequestFailed { id, .. } => {
                        Some((*id, event.clone()))
                    }
                    _ => None,
                })
                .await;
            ends.get_mut(&id).expect("asked").push(end);
            left -= 1;
        }
        // Whatever comes for them twice comes before this.
        let last = a.request(to, Protocol::Sync, b"last").await;
        assert!(matches!(last, Event::Response { .. }));
    };
    tokio::select! {
        () = ask => {}
        () = b.echo() => {}
    }
    let again = |event: &&Event| {
        matches!(event, Event::Response { id, .. } | Event::RequestFailed { id, .. }
            if ends.contains_key(id))
    };
    assert_eq!(a.unread.iter().find(again), None);
    assert!(ends.values().all(|ends| ends.len() == 1));
    let answered = ends.values().flatten().filter(|end| failed(end).is_none());
    assert!(answered.count() >= 16, "what has room is answered");
    let failures = ends.values().flatten().filter_map(failed);
    assert!(failures.into_iter().all(|failure| failure == RequestFailure::Lost));
}

#[tokio::test]
async fn sixteen_at_a_time_lose_nothing() {
    let (mut a, mut b) = pair().await;
    let to = b.me;
    let ask = async {
        for _ in 0..20 {
            for _ in 0..16 {
                a.begin_request(to, Protocol::Sync, vec![1; 1000]).await;
            }
            for _ in 0..16 {
                a.pick("response", |event| match event {
                    Event::Response { .. } => Some(()),
                    Event::RequestFailed { failure, .. } => panic!("{failure:?}"),
                    _ => None,
                })
                .await;
            }
        }
    };
    tokio::select! {
        () = ask => {}
        () = b.echo() => {}
    }
}

#[tokio::test]
async fn nobody_there_is_told_at_once() {
    let mut nodes = Node::flock(2).await;
    let to = nodes[1].me;
    let answer = nodes[0].request(to, Protocol::Sync, b"?").await;
    assert_eq!(failed(&answer), Some(RequestFailure::NotConnected));
}

#[tokio::test]
async fn a_request_ends_with_its_connection() {
    let (mut a, mut b) = pair().await;
    let id = a.begin_request(b.me, Protocol::Call, b"never answered".into()).await;
    let reply = b
        .pick("request", |event| match event {
            Event::Request { id, .. } => Some(*id),
            _ => None,
        })
        .await;
    b.disconnect(a.me).await;
    a.pick("failure", |event| match event {
        Event::RequestFailed { id: other, failure, .. } if *other == id => {
            assert_eq!(*failure, RequestFailure::Lost);
            Some(())
        }
        _ => None,
    })
    .await;
    b.disconnected(a.me).await;
    // Too late, and no harm done.
    let body = b"late".to_vec();
    b.tell(Command::Reply { id: reply, body }).await;
    b.join(&mut a).await;
}

#[tokio::test]
async fn an_engine_that_does_not_look_loses_nothing() {
    let (mut a, mut b) = pair().await;
    let to = b.me;
    // More than the channels of the other side hold, while it looks away.
    let gossip = 3000_u32;
    for n in 0..gossip {
        let id = RequestId(next_id());
        let body = n.to_be_bytes().to_vec();
        let (peer, protocol) = (to, Protocol::Sync);
        a.tell(Command::Request { id, peer, protocol, body }).await;
    }
    let mut ended = 0;
    let ask = async {
        while ended < gossip {
            a.pick("end of a request", |event| match event {
                Event::Response { .. } | Event::RequestFailed { .. } => Some(()),
                _ => None,
            })
            .await;
            ended += 1;
        }
    };
    tokio::select! {
        () = ask => {}
        () = b.echo() => {}
    }
}

#[tokio::test]
async fn a_link_is_released_unless_a_request_is_in_progress_in_either_direction() {
    let (mut a, mut b) = pair().await;
    let id = RequestId(next_id());
    let (peer, protocol, body) = (b.me, Protocol::Call, b"wait".to_vec());
    a.tell(Command::Request { id, peer, protocol, body }).await;
    let reply = b
        .pick("request", |event| match event {
            Event::Request { id, .. } => Some(*id),
            _ => None,
        })
        .await;
    // Neither end lets go: the answer still comes.
    a.tell(Command::Release { peer: b.me }).await;
    b.tell(Command::Release { peer: a.me }).await;
    b.tell(Command::Reply { id: reply, body: b"here".to_vec() }).await;
    let answer = a
        .pick("answer", |event| match event {
            Event::Response { body, .. } => Some(body.clone()),
            _ => None,
        })
        .await;
    assert_eq!(answer, b"here");
    a.tell(Command::Release { peer: b.me }).await;
    a.disconnected(b.me).await;
    b.disconnected(a.me).await;
}
