//! The holders of blobs.

use crux_crdt::Principal;
use crux_crdt::blob::BlobId;
use crux_protocol::link::{Command, Event};
use tokio::time::timeout;

use super::harness::{DEADLINE, Node};

const BLOB: BlobId = BlobId([5; 32]);

/// The next thing that is told of blobs.
async fn told(node: &mut Node) -> Event {
    timeout(DEADLINE, node.net.bulk.recv()).await.expect("in time").expect("the task runs")
}

async fn provide(node: &mut Node, blob: BlobId) -> bool {
    node.tell(Command::Provide { blob }).await;
    match told(node).await {
        Event::Provided { blob: of, told } if of == blob => told,
        other => panic!("{other:?}"),
    }
}

async fn seek(node: &mut Node, blob: BlobId) -> Vec<Principal> {
    node.tell(Command::Seek { blob }).await;
    let mut found = Vec::new();
    loop {
        match told(node).await {
            Event::Providers { blob: of, peers, last } if of == blob => {
                found.extend(peers);
                if last {
                    found.sort_unstable();
                    found.dedup();
                    return found;
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Tells each node of the book's entries, both ways, and links them.
async fn link(a: &mut Node, b: &mut Node) {
    a.join(b).await;
    for (node, other) in [(&*a, &*b), (&*b, &*a)] {
        let (peer, addrs) = (other.me, vec![other.addr()]);
        node.tell(Command::SetAddresses { peer, addrs }).await;
    }
}

#[tokio::test]
async fn a_holder_is_found_by_way_of_another() {
    let mut nodes = Node::flock(3).await;
    let [holder, middle, seeker] = &mut nodes[..] else { panic!("three") };
    link(holder, middle).await;
    link(seeker, middle).await;
    assert!(provide(holder, BLOB).await);
    // What is stated has no answer, and may be still under way.
    let found = async {
        loop {
            let found = seek(seeker, BLOB).await;
            if !found.is_empty() {
                return found;
            }
        }
    };
    let found = timeout(DEADLINE, found).await.expect("it is found");
    assert_eq!(found, [holder.me]);
    assert_eq!(seek(seeker, BlobId([6; 32])).await, [], "nobody has another one");
}

#[tokio::test]
async fn what_is_withdrawn_is_not_told_by_who_withdrew_it() {
    let mut nodes = Node::flock(2).await;
    let [holder, seeker] = &mut nodes[..] else { panic!("two") };
    // Nobody is there to be told, but it tells of itself.
    assert!(provide(holder, BLOB).await);
    link(holder, seeker).await;
    assert_eq!(seek(seeker, BLOB).await, [holder.me]);
    holder.tell(Command::Withdraw { blob: BLOB }).await;
    let gone = async { while !seek(seeker, BLOB).await.is_empty() {} };
    timeout(DEADLINE, gone).await.expect("it is gone");
}

#[tokio::test]
async fn a_stranger_learns_nothing_and_puts_nothing_in() {
    let (mut member, mut stranger) = (Node::start(1).await, Node::start(2).await);
    // The stranger takes this node for a member; this node does not.
    stranger.admit([member.me]).await;
    stranger.tell(Command::SetAddresses { peer: member.me, addrs: vec![member.addr()] }).await;
    assert_eq!(stranger.dial(member.addr(), Some(member.me)).await, Ok(member.me));
    provide(&mut stranger, BLOB).await;
    let other = BlobId([6; 32]);
    assert!(provide(&mut member, other).await);
    assert_eq!(seek(&mut stranger, other).await, []);
    assert_eq!(seek(&mut member, BLOB).await, []);
}

#[tokio::test]
async fn too_many_searches_are_answered_all_the_same() {
    let mut node = Node::start(1).await;
    for number in 0..64 {
        node.tell(Command::Seek { blob: BlobId([number; 32]) }).await;
    }
    for _ in 0..64 {
        assert!(matches!(told(&mut node).await, Event::Providers { last: true, .. }));
    }
}
