//! Calls to members to whom no connection is open. Node 1 knows forty from its disk, and is linked to nobody.

use crate::fixture::facts;
use std::collections::BTreeSet;
use std::time::Duration;

use crux_crdt::record::Profile;
use crux_crdt::sign::Signed;
use crux_crdt::{Digest, Principal};
use crux_protocol::flock::{
    Answer, Command, Config, Control, ControlError, ControlId, Event, Parts, Restored, State,
};
use crux_protocol::genesis::{InitialSecret, JoinKey};
use crux_protocol::join;
use crux_protocol::leader::{Claim, Request, Response};
use crux_protocol::link::{self, DialId, GossipId, Protocol, ReplyId, RequestId, Topic};
use crux_protocol::liveness::{Beacon, Notice, Run};
use crux_protocol::sync;
use crux_protocol::time::Instant;
use zeroize::Zeroizing;

use crate::fixture::{FLOCK, admission, at, context, identity, named_record, principal};

pub(crate) const MEMBERS: u8 = 40;

pub(crate) struct Node {
    pub(crate) state: State,
    pub(crate) now: Instant,
    /// Members dialled since this was emptied, and by which dial.
    dials: Vec<(Principal, DialId)>,
    /// Calls that went out since this was emptied.
    calls: Vec<(RequestId, Principal, Vec<u8>)>,
    /// How this node asked others how it stands with them.
    knocks: Vec<(RequestId, Principal)>,
    pub(crate) observed: BTreeSet<Principal>,
    /// Members whose connections became unneeded since this was emptied.
    pub(crate) released: Vec<Principal>,
    answers: Vec<Result<Answer, ControlError>>,
}

impl Node {
    /// Node 1, to which all are alive and `leader` leads, after it dialled whom it wants by itself.
    pub(crate) fn new(leader: u8) -> Self {
        let record = |number: u8| {
            let address = format!("10.0.0.{number}:7000").parse().unwrap();
            let claim = u64::from(number == leader);
            named_record(
                number,
                0,
                Profile { addresses: vec![address], claim, ..Profile::default() },
            )
        };
        let others = || 2..=MEMBERS;
        let restored = Restored {
            facts: facts(
                others().flat_map(|it| [admission(1, it), admission(it, 1)]),
                (1..=MEMBERS).map(record),
            ),
            ..Restored::default()
        };
        let secret = InitialSecret::new(Zeroizing::new([3; 32]));
        let join_key = JoinKey::initial(&secret);
        // With other luck one of those who are dialled because few are linked is dialled again for a command.
        let parts = Parts { identity: identity(1), join_key, restored, seed: [5; 32] };
        let config = Config::new(vec!["10.0.0.1:7000".parse().unwrap()]);
        let state = State::new(config, context(1), parts, at(10_000));
        let (dials, calls, answers) = (Vec::new(), Vec::new(), Vec::new());
        let (knocks, observed, released) = (Vec::new(), BTreeSet::new(), Vec::new());
        let now = at(10_000);
        let mut node = Self { state, now, dials, calls, knocks, observed, released, answers };
        node.give(Event::Wake);
        // Those it knows from disk, who are dead to it so far.
        node.dials.clear();
        for number in others() {
            node.hear(number);
        }
        node.run(Duration::from_millis(100));
        // Somebody has nothing that it lacks: its own claim is not out of date.
        let roots = sync::Roots::of(node.state.strew());
        let same = sync::Request::Roots { roots, aside: sync::Aside::default(), urgent: false };
        let (id, peer, protocol) = (ReplyId(1), principal(2), Protocol::Sync);
        node.give(Event::Link(link::Event::Request { id, peer, protocol, body: same.encode() }));
        assert_eq!(node.state.leader(), Some(Claim { n: 1, principal: principal(leader) }));
        node
    }

    pub(crate) fn hear(&mut self, number: u8) {
        let counter = self.now.since(at(10_000)).as_secs() + 1;
        let uptime = self.now.since_origin();
        let beacon = Beacon {
            incarnation: 1,
            counter,
            uptime,
            state_digest: Digest::default(),
            restart: None,
            run: Run::default(),
        };
        let beacon = Signed::sign(beacon, &FLOCK, &identity(number));
        let (id, from) = (GossipId(u64::from(number)), principal(2));
        let (topic, data) = (Topic::Beat, Notice::Beacon(beacon).encode());
        self.give(Event::Link(link::Event::Gossip { id, topic, from, data }));
    }

    /// Hands an event in. The disk answers at once, and nobody else.
    pub(crate) fn give(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for command in self.state.handle(event, self.now) {
                match command {
                    Command::Link(command) => self.note(command),
                    Command::Answer { result, .. } => self.answers.push(result),
                    Command::Persist { ticket, .. } => {
                        events.push(Event::Persisted { ticket, result: Ok(()) });
                    }
                    _ => {}
                }
            }
        }
    }

    fn note(&mut self, command: link::Command) {
        match command {
            link::Command::Dial { id, expect: Some(peer), .. } => self.dials.push((peer, id)),
            link::Command::Request { id, peer, protocol: Protocol::Call, body } => {
                self.calls.push((id, peer, body));
            }
            link::Command::Request { id, peer, protocol: Protocol::Join, .. } => {
                self.knocks.push((id, peer));
            }
            link::Command::Observe { subjects } => self.observed = subjects,
            link::Command::Release { peer } => self.released.push(peer),
            _ => {}
        }
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.state.deadline() <= end {
            self.now = self.now.max(self.state.deadline());
            self.give(Event::Wake);
        }
        self.now = end;
    }

    fn ping(&mut self) {
        self.give(Event::Control { id: ControlId(1), request: Control::LeaderPing });
    }

    /// A dial is answered, and the connection is open.
    fn link(&mut self, peer: Principal, dial: DialId, open: bool) {
        let addr = "10.0.0.9:7000".parse().unwrap();
        let event = link::Event::Connected { peer, addr, outbound: true, member: open };
        self.give(Event::Link(event));
        self.give(Event::Link(link::Event::Dialled { id: dial, peer, addr }));
    }

    fn answer(&mut self, id: RequestId, peer: Principal, response: &Response) {
        let body = response.encode();
        self.give(Event::Link(link::Event::Response { id, peer, body }));
    }

    fn dialled(&self) -> BTreeSet<Principal> {
        self.dials.iter().map(|(peer, _)| *peer).collect()
    }
}

/// A leader that was asked for a fenced command, and one whom it dials for that.
fn commanding() -> (Node, Principal, DialId) {
    let mut node = Node::new(1);
    node.dials.clear();
    node.ping();
    node.run(Duration::from_millis(1));
    let (peer, dial) = node.dials[0];
    (node, peer, dial)
}

fn others() -> BTreeSet<Principal> {
    (2..=MEMBERS).map(principal).collect()
}

#[test]
fn a_fenced_command_dials_every_live_member_and_goes_out_once_its_link_is_open() {
    let mut node = Node::new(1);
    assert!(node.dialled().len() < usize::from(MEMBERS - 1), "it is linked to a few by itself");
    let before = std::mem::take(&mut node.dials);
    node.ping();
    assert_eq!(node.calls, [], "there is no link");
    node.run(Duration::from_millis(1));
    let missing: BTreeSet<_> =
        others().into_iter().filter(|it| before.iter().all(|(peer, _)| peer != it)).collect();
    assert_eq!(node.dialled(), missing, "those who are not being dialled yet, once");
    assert_eq!(node.dials.len(), missing.len());

    let (peer, dial) = node.dials[0];
    let claim = Claim { n: 1, principal: principal(1) };
    node.link(peer, dial, true);
    let [(id, to, body)] = &node.calls[..] else { panic!("{:?}", node.calls) };
    assert_eq!(*to, peer);
    let Ok(Request::Fenced(fenced)) = Request::decode(body, &context(1)) else {
        panic!("{body:?}")
    };
    assert_eq!(fenced.claim(), claim);
    let id = *id;
    node.answer(id, peer, &Response::Accepted);
    node.calls.clear();

    node.run(Duration::from_millis(998));
    assert_eq!(node.answers, [], "the rest has time left");
    node.run(Duration::from_secs(5));
    let [Ok(Answer::Pinged(pinged))] = &node.answers[..] else { panic!("{:?}", node.answers) };
    assert_eq!(pinged.accepted, BTreeSet::from([principal(1), peer]));
    assert_eq!(pinged.failed, others().into_iter().filter(|it| *it != peer).collect());

    // A member that is connected only now was not waited for, and is not asked.
    let late = missing.into_iter().find(|it| *it != peer).unwrap();
    node.link(late, DialId(0), true);
    assert_eq!(node.calls, []);
}

#[test]
fn a_call_waits_for_the_gate_and_not_for_the_link() {
    let (mut node, peer, dial) = commanding();
    node.link(peer, dial, false);
    assert_eq!(node.calls, [], "its gate is closed");
    let addr = "10.0.0.9:7000".parse().unwrap();
    let opened = link::Event::Connected { peer, addr, outbound: true, member: true };
    node.give(Event::Link(opened));
    assert_eq!(node.calls.len(), 1);
    assert_eq!(node.calls[0].1, peer);
}

/// The other gate was closed on the first link. A second one opens beside it, of which nobody is told
/// but by the end of its dial.
#[test]
fn a_call_goes_out_over_a_second_link_beside_one_that_the_other_side_holds_closed() {
    let (mut node, peer, dial) = commanding();
    node.link(peer, dial, true);
    let (id, ..) = node.calls.remove(0);
    let failure = link::RequestFailure::Unsupported;
    node.give(Event::Link(link::Event::RequestFailed { id, peer, failure }));
    node.run(Duration::from_millis(100));
    node.calls.clear();
    node.dials.clear();
    node.ping();
    assert!(node.calls.iter().all(|(_, to, _)| *to != peer), "the link is of no use");

    let [(knock, to)] = node.knocks[..] else { panic!("{:?}", node.knocks) };
    assert_eq!(to, peer);
    let standing = join::Response::Standing { known: true, acts: Vec::new() }.encode();
    node.give(Event::Link(link::Event::Response { id: knock, peer, body: standing }));
    let [(to, dial)] = node.dials[..] else { panic!("{:?}", node.dials) };
    assert_eq!(to, peer);
    let addr = "10.0.0.9:7000".parse().unwrap();
    node.give(Event::Link(link::Event::Dialled { id: dial, peer, addr }));
    let called: Vec<_> = node.calls.iter().map(|(_, to, _)| *to).collect();
    assert_eq!(called, [peer, peer], "the first command once more, and the second");
}

/// Of two links to one peer one is closed, and a call that went over it is lost.
#[test]
fn who_did_not_get_a_command_is_asked_once_more() {
    let (mut node, peer, dial) = commanding();
    node.link(peer, dial, true);
    let lose = |node: &mut Node| {
        let [(id, to, _)] = node.calls[..] else { panic!("{:?}", node.calls) };
        assert_eq!(to, peer);
        node.calls.clear();
        let failure = link::RequestFailure::Lost;
        node.give(Event::Link(link::Event::RequestFailed { id, peer, failure }));
    };
    lose(&mut node);
    lose(&mut node);
    assert_eq!(node.calls, [], "once");
}

/// A dial that began before the network came back lasts until it times out.
#[test]
fn who_waits_for_a_call_is_dialled_though_an_older_dial_lasts() {
    let mut node = Node::new(1);
    let (peer, _) = node.dials[0];
    node.run(Duration::from_millis(600));
    node.dials.clear();
    node.ping();
    node.run(Duration::from_millis(1));
    assert_eq!(node.dials.iter().filter(|(to, _)| *to == peer).count(), 1);
    node.ping();
    node.run(Duration::from_millis(1));
    assert_eq!(node.dials.iter().filter(|(to, _)| *to == peer).count(), 1, "that one is under way");
}

#[test]
fn a_request_to_an_unlinked_leader_is_passed_on_or_fails_once() {
    // One to whom no link is wanted otherwise.
    let wanted = Node::new(2).dialled();
    let leader = (3..=MEMBERS).find(|number| !wanted.contains(&principal(*number))).unwrap();
    let mut node = Node::new(leader);
    let leader = principal(leader);
    node.dials.clear();
    node.ping();
    node.run(Duration::from_millis(1));
    let [(peer, dial)] = node.dials[..] else { panic!("{:?}", node.dials) };
    assert_eq!(peer, leader);
    node.link(leader, dial, true);
    let [(id, to, body)] = &node.calls[..] else { panic!("{:?}", node.calls) };
    assert_eq!((*to, body), (leader, &Request::Forward.encode()));
    let id = *id;
    node.answer(id, leader, &Response::NotLeading);
    assert_eq!(node.answers, [Err(ControlError::NoLeader)]);
    node.run(Duration::from_secs(2));
    assert_eq!(node.answers.len(), 1);

    let mut lonely = Node::new(3);
    lonely.ping();
    lonely.run(Duration::from_millis(990));
    assert_eq!(lonely.answers, []);
    lonely.run(Duration::from_secs(5));
    assert_eq!(lonely.answers, [Err(ControlError::LeaderSilent)]);
}

/// In a large flock most of those whom a node observes do not observe it.
#[test]
fn a_leader_has_authority_as_long_as_it_hears_anybody_whom_it_observes() {
    let observed = Node::new(1).observed;
    assert!(observed.len() > 2);
    for heard in observed.iter().copied() {
        let mut node = Node::new(1);
        for counter in 1..=4 {
            node.run(Duration::from_secs(1));
            let beat = link::Event::Beat { peer: heard, incarnation: 1, counter };
            node.give(Event::Link(beat));
        }
        node.ping();
        assert_eq!(node.answers, [], "it asks the others");
    }
    let mut alone = Node::new(1);
    alone.run(Duration::from_secs(4));
    alone.ping();
    assert_eq!(alone.answers, [Err(ControlError::NoLeader)]);
}
