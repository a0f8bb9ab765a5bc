//! Requests: one end each.

use std::collections::{BTreeMap, BTreeSet};

use crux_protocol::link::{Command, Event, Protocol, ReplyId, RequestFailure, RequestId};

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

/// Waits for the end of any request.
async fn next_end(node: &mut Node) -> (RequestId, Event) {
    node.pick("end of a request", |event| match event {
        Event::Response { id, .. } | Event::RequestFailed { id, .. } => Some((*id, event.clone())),
        _ => None,
    })
    .await
}

/// Waits for a request.
async fn next_request(node: &mut Node) -> (ReplyId, Vec<u8>) {
    node.pick("request", |event| match event {
        Event::Request { id, body, .. } => Some((*id, body.clone())),
        _ => None,
    })
    .await
}

/// Whether a request ended again, or one came again.
fn is_one_too_many(event: &&Event) -> bool {
    matches!(event, Event::Request { .. } | Event::Response { .. } | Event::RequestFailed { .. })
}

/// How many requests there may be to one peer at once, other than joins.
const ROOM: usize = 16;

/// While the peer answers nothing there is room for the first ones, and the others are told at once
/// that there is none: they were not sent.
#[tokio::test]
async fn of_two_hundred_at_once_the_first_are_answered_and_the_others_told_that_there_is_no_room() {
    for protocol in [Protocol::Sync, Protocol::Call] {
        let (mut a, mut b) = pair().await;
        let mut asked = Vec::new();
        for n in 0..200_u8 {
            asked.push(a.begin_request(b.me, protocol, vec![n]).await);
        }
        for id in &asked[ROOM..] {
            let (refused, end) = next_end(&mut a).await;
            assert_eq!((refused, failed(&end)), (*id, Some(RequestFailure::Busy)));
        }
        let mut owed = BTreeMap::new();
        while owed.len() < ROOM {
            let (id, body) = next_request(&mut b).await;
            assert_eq!(owed.insert(body, id), None, "it came once");
        }
        assert!(owed.keys().map(|body| usize::from(body[0])).eq(0..ROOM), "those with room came");
        for (body, id) in owed {
            b.tell(Command::Reply { id, body }).await;
        }
        let mut left: BTreeSet<RequestId> = asked[..ROOM].iter().copied().collect();
        while !left.is_empty() {
            let (id, end) = next_end(&mut a).await;
            let n = asked.iter().position(|asked| *asked == id).expect("asked");
            assert!(left.remove(&id), "{n} ended twice");
            let right = matches!(&end, Event::Response { body, .. } if usize::from(body[0]) == n);
            assert!(right, "{n}: {end:?}");
        }
        // There is room again. Whatever comes twice comes before this.
        tokio::select! {
            end = a.request(b.me, protocol, b"again") => {
                assert!(matches!(end, Event::Response { body, .. } if body == b"again"));
            }
            () = b.echo() => {}
        }
        let strays: Vec<Event> = a.drain().into_iter().chain(b.drain()).collect();
        assert_eq!(strays.iter().find(is_one_too_many), None);
    }
}

/// As an engine asks that has much to ask: as many at a time as there is room for.
#[tokio::test]
async fn two_hundred_that_wait_for_room_are_all_answered() {
    let (mut a, mut b) = pair().await;
    let to = b.me;
    let ask = async {
        let mut waiting = 0..200_u8;
        let mut asked = BTreeMap::new();
        let mut answered = 0;
        loop {
            for n in waiting.by_ref().take(ROOM - asked.len()) {
                let id = a.begin_request(to, Protocol::Sync, vec![n; 1000]).await;
                asked.insert(id, n);
            }
            if asked.is_empty() {
                return answered;
            }
            let (id, end) = next_end(&mut a).await;
            let n = asked.remove(&id).expect("asked, and not ended before");
            let right = matches!(&end, Event::Response { body, .. } if *body == vec![n; 1000]);
            assert!(right, "{n}: {end:?}");
            answered += 1;
        }
    };
    tokio::select! {
        answered = ask => assert_eq!(answered, 200),
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
    // More ends than the channels hold, while this side looks away.
    let mut asked = BTreeSet::new();
    for n in 0..3000_u32 {
        asked.insert(a.begin_request(to, Protocol::Sync, n.to_be_bytes().to_vec()).await);
    }
    let ask = async {
        while !asked.is_empty() {
            let (id, end) = next_end(&mut a).await;
            assert!(asked.remove(&id), "ended twice");
            let failure = failed(&end);
            assert!(failure.is_none_or(|it| it == RequestFailure::Busy), "{failure:?}");
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

/// The replies that a node owes at most, but for those by pastiche.
const REPLIES_MAX: usize = 1024;

#[tokio::test]
async fn one_owed_reply_too_many_is_lost_to_its_asker() {
    let request = |event: &Event| match event {
        Event::Request { id, .. } => Some(*id),
        _ => None,
    };
    let mut nodes = Node::flock(34).await;
    let mut asked = nodes.remove(0);
    for node in &mut nodes {
        node.join(&mut asked).await;
    }
    // Each member has as many in progress as it may.
    for node in &nodes[..32] {
        for n in 0..32 {
            let protocol = if n % 2 == 0 { Protocol::Sync } else { Protocol::Call };
            node.begin_request(asked.me, protocol, Vec::new()).await;
        }
    }
    let mut owed = Vec::new();
    while owed.len() < REPLIES_MAX {
        owed.push(asked.pick("request", request).await);
    }
    let last = &mut nodes[32];
    let answer = last.request(asked.me, Protocol::Call, b"one too many").await;
    assert_eq!(failed(&answer), Some(RequestFailure::Lost));
    assert_eq!(asked.drain().iter().find_map(request), None, "the engine hears nothing of it");
    asked.tell(Command::Reply { id: owed[0], body: Vec::new() }).await;
    let to = asked.me;
    tokio::select! {
        answer = last.request(to, Protocol::Call, b"there is room") => {
            assert!(matches!(answer, Event::Response { .. }), "{answer:?}");
        }
        () = asked.echo() => {}
    }
}
