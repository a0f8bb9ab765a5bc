//! Where libp2p bites: sizes, one address, a peer that reads nothing, verdicts that take long.

use std::collections::BTreeSet;
use std::time::Duration;

use crux_crdt::Principal;
use crux_protocol::link::{Command, Event, GOSSIP_PAYLOAD_MAX, Topic, Verdict};
use crux_protocol::net::Transport;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use super::gossip::{connect_all, receive, receive_after_warm_up, warm_up};
use super::harness::{DEADLINE, Node, pair};
use super::told;

const TOPIC: Topic = Topic::Fact;

async fn publish(node: &Node, data: Vec<u8>) {
    node.tell(Command::Publish { topic: TOPIC, data }).await;
}

/// Publishes a number every tenth of a second, for ever.
async fn count(node: &Node) {
    let mut tick = interval(Duration::from_millis(100));
    for number in 0_u32.. {
        tick.tick().await;
        publish(node, [b"count", &number.to_be_bytes()[..]].concat()).await;
    }
}

/// Waits for a number at least as great.
async fn counted(node: &mut Node, least: u32) {
    loop {
        let data = receive_after_warm_up(node, b"count").await;
        if data["count".len()..] >= least.to_be_bytes()[..] {
            return;
        }
    }
}

/// Trap P2: gossipsub measures its whole read buffer, in which the next message may have begun, and
/// the fifth that is over the limit ends the link.
#[tokio::test]
async fn payloads_of_every_size_up_to_the_limit_arrive_one_upon_the_other() {
    let (a, b) = pair().await;
    let mut nodes = [a, b];
    warm_up(&mut nodes).await;
    let [a, mut b] = nodes;
    // Around every step by which the buffer grows, and all the last 12 KiB.
    let steps =
        (1..=GOSSIP_PAYLOAD_MAX / 8192).flat_map(|n| [n * 8192 - 1, n * 8192, n * 8192 + 1]);
    let last = (0..=24).map(|n| GOSSIP_PAYLOAD_MAX - 512 * n);
    let sizes: BTreeSet<usize> = steps.chain(last).chain([8, 1000, 1024]).collect();
    let sizes: Vec<usize> = sizes.into_iter().filter(|size| *size <= GOSSIP_PAYLOAD_MAX).collect();
    for round in 0..4_u8 {
        let of_size = |size: &usize| {
            let mut data = vec![round; *size];
            data[..4].copy_from_slice(b"size");
            data
        };
        let sent: BTreeSet<Vec<u8>> = sizes.iter().map(of_size).collect();
        for data in &sent {
            publish(&a, data.clone()).await;
        }
        let mut missing: BTreeSet<usize> = sizes.iter().copied().collect();
        while !missing.is_empty() {
            let data = receive_after_warm_up(&mut b, b"size").await;
            assert!(sent.contains(&data), "not what was sent");
            missing.remove(&data.len());
        }
    }
}

/// Trap P4: by default the score of more than ten peers at one address falls until nobody listens to
/// them. Scores are reckoned once a second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_at_one_address_hear_each_other_for_seconds() {
    let mut nodes = Vec::new();
    for seed in 1..=20 {
        nodes.push(Node::start_tcp(seed).await);
    }
    let members: BTreeSet<Principal> = nodes.iter().map(|node| node.me).collect();
    for node in &nodes {
        node.admit(members.clone()).await;
    }
    connect_all(&mut nodes).await;
    let first = nodes.remove(0);
    let mut hearing = JoinSet::new();
    for mut node in nodes {
        // A node that is done still passes on what comes, and keeps its connections.
        hearing.spawn(async move {
            counted(&mut node, 40).await;
            node
        });
    }
    let mut done = Vec::new();
    let all = async {
        while let Some(node) = hearing.join_next().await {
            done.push(node.expect("it hears the count"));
        }
    };
    tokio::select! {
        () = all => {}
        () = count(&first) => {}
    }
    assert_eq!(done.len(), 19);
}

/// Trap P3: what a peer does not read must not hold up the others, nor pile up for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_reads_nothing_holds_up_nobody_and_catches_up_with_what_is_new() {
    one_reads_nothing(Transport::Memory, [201, 202, 203]).await;
}

/// The same where the system has a queue of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_reads_nothing_over_tcp() {
    one_reads_nothing(Transport::Tcp, [211, 212, 213]).await;
}

/// Messages of 4 KiB of which some do not fit any more between one node and the engine of another that
/// takes none: 2,048 wait in the queue, 1,024 with the engine, and windows and sockets hold a hundred
/// or two.
const TOO_MANY: u32 = 4096;

/// The seeds are of this test only, by which its peer is found in the log.
async fn one_reads_nothing(transport: Transport, seeds: [u8; 3]) {
    told::listen();
    let mut nodes = Node::flock_of(seeds, transport).await;
    connect_all(&mut nodes).await;
    warm_up(&mut nodes).await;
    let mut c = nodes.pop().expect("three");
    let mut b = nodes.pop().expect("two");
    let a = nodes.pop().expect("one");
    for number in 0..TOO_MANY {
        let mut data = vec![0; 4096];
        data[..8].copy_from_slice(&[b"much", &number.to_be_bytes()[..]].concat());
        publish(&a, data).await;
        if number % 64 == 63 {
            // The reader has what was published last, however long ago the other one stopped.
            let last = [b"much", &number.to_be_bytes()[..]].concat();
            receive_after_warm_up(&mut b, &last).await;
        }
    }
    // Some were dropped on the way to the one that takes none, and libp2p counts it for slow.
    let slow = c.me.short();
    let dropped = timeout(DEADLINE, told::heard(&["too slow for gossip", &slow])).await;
    assert!(dropped.is_ok(), "{TOO_MANY} messages wait for a peer that reads nothing");
    // It reads again, and hears what is published from now on.
    tokio::select! {
        () = counted(&mut c, 0) => {}
        () = count(&a) => {}
        () = relay(&mut b) => {}
    }
}

async fn relay(node: &mut Node) {
    loop {
        receive(node, Verdict::Accept).await;
    }
}

/// Trap P7: what is judged after gossipsub forgot it is not passed on. Its default is five seconds.
#[tokio::test]
async fn a_verdict_after_seven_seconds_still_passes_the_message_on() {
    let mut nodes = line().await;
    let [a, b, c] = &mut nodes[..] else { panic!("three") };
    publish(a, b"slowly judged".to_vec()).await;
    let id = b
        .pick("gossip", |event| match event {
            Event::Gossip { id, data, .. } => (data == b"slowly judged").then_some(*id),
            _ => None,
        })
        .await;
    // Meanwhile all else goes on.
    tokio::select! {
        () = counted(c, 70) => {}
        () = count(a) => {}
        () = relay(b) => {}
    }
    b.tell(Command::Judge { id, verdict: Verdict::Accept }).await;
    receive_after_warm_up(c, b"slowly judged").await;
}

/// The verdicts that are owed are bounded; the oldest is given up, and that does no harm.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verdicts_that_never_come_are_given_up() {
    let mut nodes = line().await;
    let [a, b, c] = &mut nodes[..] else { panic!("three") };
    let mut unjudged = Vec::new();
    for number in 0..5000_u32 {
        publish(a, [b"never", &number.to_be_bytes()[..]].concat()).await;
        unjudged.push(
            b.pick("gossip", |event| match event {
                Event::Gossip { id, data, .. } => data.starts_with(b"never").then_some(*id),
                _ => None,
            })
            .await,
        );
    }
    b.unread.clear();
    for id in [unjudged[0], unjudged[4999]] {
        b.tell(Command::Judge { id, verdict: Verdict::Accept }).await;
    }
    let data = receive_after_warm_up(c, b"never").await;
    assert_eq!(data["never".len()..], 4999_u32.to_be_bytes(), "the first was given up");
}

/// Three in a line, whose mesh stands.
async fn line() -> Vec<Node> {
    let mut nodes = Node::flock(3).await;
    for n in 1..3 {
        let [a, b] = &mut nodes[n - 1..=n] else { panic!("two of them") };
        a.join(b).await;
    }
    let [a, b, c] = &mut nodes[..] else { panic!("three") };
    let stands = async {
        tokio::select! {
            () = counted(c, 0) => {}
            () = count(a) => {}
            () = relay(b) => {}
        }
    };
    assert!(timeout(DEADLINE, stands).await.is_ok(), "the mesh stands");
    nodes
}
