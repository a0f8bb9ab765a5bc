//! Beats.

use std::time::Duration;

use crux_crdt::Principal;
use crux_protocol::link::{Command, Event};
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::timeout;

use super::harness::{DEADLINE, Node, pair};

/// Beats until somebody says stop. Which of them arrive is not promised, that some do is.
async fn beat(node: &Node) {
    beat_by(node.net.commands.clone()).await;
}

async fn beat_by(commands: Sender<Command>) {
    for counter in 1.. {
        let beat = Command::Beat { incarnation: 7, counter };
        commands.send(beat).await.expect("the task runs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn heard_on(events: &mut Receiver<Event>, of: Principal) -> u64 {
    let hear = async {
        loop {
            match events.recv().await.expect("the task runs") {
                Event::Beat { peer, incarnation: 7, counter } if peer == of => return counter,
                _ => {}
            }
        }
    };
    timeout(DEADLINE, hear).await.expect("a beat")
}

async fn heard(node: &mut Node, of: Principal) -> u64 {
    node.pick("beat", |event| match event {
        Event::Beat { peer, incarnation: 7, counter } if *peer == of => Some(*counter),
        _ => None,
    })
    .await
}

async fn observe(node: &Node, subjects: &[Principal]) {
    let subjects = subjects.iter().copied().collect();
    node.tell(Command::Observe { subjects }).await;
}

/// Waits until one has heard the other.
async fn hears(node: &mut Node, subject: &Node) {
    tokio::select! {
        () = beat(subject) => {}
        _ = heard(node, subject.me) => {}
    }
}

/// Both beat in turn until the first has heard so many, each newer than the one before. Returns
/// what the second was told meanwhile.
async fn exchange(listening: &mut Node, other: &mut Node, count: usize) -> Vec<Event> {
    let subject = other.me;
    listening.drain();
    other.drain();
    let both = async {
        tokio::join!(beat(other), beat_by(listening.net.commands.clone()));
    };
    let mut last = 0;
    let listen = async {
        for _ in 0..count {
            let next = heard_on(&mut listening.net.events, subject).await;
            assert!(next > last || last == 0, "{next} after {last}");
            last = next;
        }
    };
    tokio::select! {
        () = both => {}
        () = listen => {}
    }
    other.drain()
}

#[tokio::test]
async fn they_go_one_way() {
    let (mut a, mut b) = pair().await;
    observe(&a, &[b.me]).await;
    hears(&mut a, &b).await;
    let told = exchange(&mut a, &mut b, 20).await;
    assert_eq!(told, [], "the other does not observe");
}

#[tokio::test]
async fn nobody_is_heard_who_is_no_longer_observed() {
    let (mut a, mut b) = pair().await;
    observe(&a, &[b.me]).await;
    observe(&b, &[a.me]).await;
    hears(&mut a, &b).await;
    hears(&mut b, &a).await;
    observe(&a, &[]).await;
    // Ten of one direction are time enough for the other to have stopped.
    exchange(&mut b, &mut a, 10).await;
    let told = exchange(&mut b, &mut a, 10).await;
    assert_eq!(told, []);
    observe(&a, &[b.me]).await;
    hears(&mut a, &b).await;
}

#[tokio::test]
async fn they_come_back_with_the_connection() {
    let (mut a, mut b) = pair().await;
    let (a_me, b_me) = (a.me, b.me);
    observe(&a, &[b_me]).await;
    for _ in 0..3 {
        tokio::select! {
            () = beat(&b) => {}
            _ = heard(&mut a, b_me) => {}
        }
        b.disconnect(a_me).await;
        a.disconnected(b_me).await;
        b.disconnected(a_me).await;
        a.unread.clear();
        b.join(&mut a).await;
    }
}

#[tokio::test]
async fn they_survive_the_end_of_one_of_two_connections() {
    let (mut a, mut b) = pair().await;
    let b_me = b.me;
    observe(&a, &[b_me]).await;
    for _ in 0..8 {
        // Each closes the oldest in the end.
        assert_eq!(a.dial(b.addr(), Some(b_me)).await, Ok(b_me));
        tokio::select! {
            () = beat(&b) => {}
            _ = heard(&mut a, b_me) => {}
        }
    }
    b.unread.clear();
}
