//! The address book.

use crux_protocol::link::{Command, DialFailure, Event};

use super::harness::Node;

#[tokio::test]
async fn a_member_is_found_by_way_of_another() {
    let mut nodes = Node::flock(3).await;
    let [a, b, c] = &mut nodes[..] else { panic!("three") };
    a.join(b).await;
    c.join(b).await;
    let (at, sought) = (c.addr(), c.me);
    // Only the one in the middle knows where the third is.
    b.tell(Command::SetAddresses { peer: sought, addrs: vec![at] }).await;
    a.tell(Command::SetAddresses { peer: b.me, addrs: vec![b.addr()] }).await;
    let found = async {
        // Until the one in the middle has read its command.
        loop {
            a.tell(Command::Find { peer: sought }).await;
            let wait = a.pick("what was found", |event| match event {
                Event::Found { peer, addrs } if *peer == sought => Some(addrs.clone()),
                _ => None,
            });
            let brief = std::time::Duration::from_secs(2);
            if let Ok(addrs) = tokio::time::timeout(brief, wait).await {
                return addrs;
            }
        }
    };
    let deadline = super::harness::DEADLINE;
    let addrs = tokio::time::timeout(deadline, found).await;
    assert_eq!(addrs.expect("found"), [at]);
}

#[tokio::test]
async fn nobody_is_dialled_for_being_in_the_book() {
    let mut nodes = Node::flock(3).await;
    let [a, b, c] = &mut nodes[..] else { panic!("three") };
    for other in [&*b, &*c] {
        let (peer, addrs) = (other.me, vec![other.addr()]);
        a.tell(Command::SetAddresses { peer, addrs }).await;
    }
    // Kademlia searches the book half a second after an entry, if it is let.
    let brief = std::time::Duration::from_secs(1);
    assert!(tokio::time::timeout(brief, a.net.events.recv()).await.is_err(), "nothing happens");
    assert_eq!(a.dial(a.addr(), None).await, Err(DialFailure::Myself));
}
