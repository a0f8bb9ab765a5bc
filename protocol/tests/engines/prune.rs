//! Links that nobody needs. Node 1 is linked to all of forty.

use std::collections::BTreeSet;
use std::time::Duration;

use crux_crdt::Principal;
use crux_protocol::flock::Event;
use crux_protocol::link;

use crate::fixture::principal;
use crate::reach::{MEMBERS, Node};

const KEPT: usize = 24;

fn linked_to_all() -> Node {
    let mut node = Node::new(2);
    for number in 2..=MEMBERS {
        let addr = format!("10.0.0.{number}:7000").parse().unwrap();
        let (peer, outbound, member) = (principal(number), true, true);
        node.give(Event::Link(link::Event::Connected { peer, addr, outbound, member }));
    }
    node
}

/// Seconds pass in which all others live, and what is released closes.
fn pass(node: &mut Node, seconds: u64) -> Vec<Principal> {
    let mut released = Vec::new();
    for _ in 0..seconds {
        node.run(Duration::from_secs(1));
        (2..=MEMBERS).for_each(|number| node.hear(number));
        for peer in node.observed.clone() {
            node.give(Event::Link(link::Event::Beat { peer, incarnation: 1, counter: 1 }));
        }
        for peer in std::mem::take(&mut node.released) {
            node.give(Event::Link(link::Event::Disconnected { peer }));
            released.push(peer);
        }
    }
    released
}

#[test]
fn links_of_the_start_are_closed_until_few_more_are_left_than_are_needed() {
    let mut node = linked_to_all();
    assert_eq!(pass(&mut node, 4), [], "a link stands for five seconds at least");
    let released = pass(&mut node, 30);
    assert_eq!(released.len(), usize::from(MEMBERS) - 1 - KEPT);
    let distinct: BTreeSet<_> = released.iter().copied().collect();
    assert_eq!(distinct.len(), released.len(), "each once");
    assert!(distinct.is_disjoint(&node.observed), "observers and observed stay linked");
    assert_eq!(node.state.linked().len(), KEPT);
    assert_eq!(pass(&mut node, 30), []);
}

#[test]
fn half_go_at_a_time_and_one_in_use_is_asked_for_again() {
    let mut node = linked_to_all();
    pass(&mut node, 4);
    node.run(Duration::from_secs(2));
    let first = std::mem::take(&mut node.released);
    assert_eq!(first.len() % 8, 0, "half of the surplus of fifteen, each second: {first:?}");
    assert!(!first.is_empty());
    // None of them closed: all were in use. So there is the same surplus.
    let later = pass(&mut node, 40);
    assert_eq!(later.len(), usize::from(MEMBERS) - 1 - KEPT);
}
