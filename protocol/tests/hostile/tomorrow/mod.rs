//! A member of tomorrow's version: it sends acts, roots and messages that this build does not know.

mod line;
mod versions;

use std::sync::Arc;
use std::time::Duration;

use crux_crdt::act::{ACT_BYTES_MAX, Act, Statement};
use crux_crdt::canon::Canonical as _;
use crux_crdt::sign::{Identity, Signed};
use crux_protocol::flock::{Event, Notice};
use crux_protocol::link::{self, GossipId, Protocol, ReplyId, Topic};
use crux_protocol::sync::{Aside, Request};

use self::line::{Line, Node};
use crate::rig::{act, sealed_act, who};

const SECOND: Duration = Duration::from_secs(1);

/// An act of a kind that this build does not know.
fn unknown(by: &Identity, number: u64, body: &[u8]) -> Arc<Signed<Act>> {
    let statement = [&[200][..], body].concat();
    act(by, number, Statement::from_canonical(&statement).expect("it is kept"))
}

fn tomorrow() -> Arc<Identity> {
    who(9)
}

/// The operator of the flock. It is not a member.
fn operator() -> Arc<Identity> {
    who(8)
}

/// A small one by gossip, the greatest by sync, in which the other side names a set that nobody here knows. Three nodes
/// hold both, byte for byte, also after a restart, and show what they showed before.
#[test]
fn an_unknown_act_reaches_every_node_and_outlasts_a_restart() {
    unknown_acts_spread(&tomorrow());
}

/// The same of the operator, which is not a member.
#[test]
fn an_unknown_act_of_the_operator_does_too() {
    unknown_acts_spread(&operator());
}

fn unknown_acts_spread(by: &Identity) {
    let mut line = Line::new();
    line.run(3 * SECOND);
    let shown = |line: &Line| {
        let nodes = line.nodes.values();
        let of = |node: &Node| {
            let strew = node.state.strew();
            (strew.membership().members().count(), strew.shown().count())
        };
        nodes.map(of).collect::<Vec<_>>()
    };
    let before = shown(&line);
    assert_eq!(before, [(4, 4); 3]);

    let small = unknown(by, 2, b"evict");
    line.theirs.merge_act(small.clone());
    let (topic, data, from) = (Topic::Fact, sealed_act(&small), tomorrow().principal());
    let id = GossipId(1_000_000);
    line.give(1, Event::Link(link::Event::Gossip { id, topic, from, data }));
    assert_eq!(line.hold(&small), 3, "gossip passes it on at once");

    let greatest = unknown(by, 3, &vec![5; ACT_BYTES_MAX - 42]);
    line.theirs.merge_act(greatest.clone());
    let urgent =
        Request::Roots { roots: line.later_roots(), aside: Aside::default(), urgent: true };
    let asked = link::Event::Request {
        id: ReplyId(1_000_001),
        peer: tomorrow().principal(),
        protocol: Protocol::Sync,
        body: urgent.encode(),
    };
    line.give(1, Event::Link(asked));
    assert!(line.hold(&greatest) >= 1, "sync brings what is too large for gossip");
    line.run(5 * SECOND);
    assert_eq!(line.hold(&greatest), 3, "and each passes it on");

    line.restart();
    assert_eq!((line.hold(&small), line.hold(&greatest)), (3, 3));
    assert_eq!(shown(&line), before, "they count for nothing");
    line.run(30 * SECOND);
    let digests: Vec<_> = line.nodes.values().map(|node| node.state.strew().digest()).collect();
    assert!(digests.iter().all(|digest| *digest == digests[0]));
    let blamed = line.notices.iter().any(|notice| matches!(notice, Notice::Misbehaved { .. }));
    assert!(!blamed, "{:?}", line.notices);
}

/// What any other stranger signs is neither kept nor passed on; nor is what this build knows of the operator.
#[test]
fn of_strangers_nothing_is_kept() {
    let mut line = Line::new();
    line.run(3 * SECOND);
    let subject = who(7).principal();
    let acts = [unknown(&who(7), 1, b"evict"), act(&operator(), 1, Statement::admit(subject, 1))];
    for (n, act) in acts.iter().enumerate() {
        let (topic, data, from) = (Topic::Fact, sealed_act(act), tomorrow().principal());
        let id = GossipId(1_000_000 + n as u64);
        line.give(1, Event::Link(link::Event::Gossip { id, topic, from, data }));
        assert_eq!(line.hold(act), 0);
    }
}
