//! Three nodes of the present build in a line, and a member of tomorrow's at its end.

use crate::rig::facts;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crux_crdt::act::Act;
use crux_crdt::fact::Kind;
use crux_crdt::record::Profile;
use crux_crdt::sign::{Ed25519, Signed};
use crux_crdt::strew::Strew;
use crux_crdt::{Digest, Principal};
use crux_protocol::context::{Apart, Context};
use crux_protocol::flock::{Batch, Command, Config, Event, Notice, Parts, Restored, State};
use crux_protocol::genesis::{InitialSecret, JoinKey};
use crux_protocol::link::{self, GossipId, Protocol, ReplyId, RequestFailure, Topic, Verdict};
use crux_protocol::sync::{self, Aside, Request, Response, Roots};
use crux_protocol::time::Instant;
use zeroize::Zeroizing;

use super::{operator, tomorrow};
use crate::rig::{FLOCK, admit, marker, record, who};

/// A node of the present build, its disk and what it was sent.
pub(super) struct Node {
    pub(super) state: State,
    disk: Restored,
}

/// Nodes 1 to 3 of the present build in a line, and the member of tomorrow, linked to node 1 alone.
pub(super) struct Line {
    pub(super) nodes: BTreeMap<u8, Node>,
    /// What the member of tomorrow holds.
    pub(super) theirs: Strew,
    /// Its engine, for what both versions know.
    sync: sync::State,
    now: Instant,
    next: u64,
    pub(super) notices: Vec<Notice>,
}

fn context(of: u8) -> Context {
    let me = who(of).principal();
    let operator = Some(operator().principal());
    Context { flock: FLOCK, operator, me, verifier: Arc::new(Ed25519), sharing: Arc::new(Apart) }
}

/// Everybody admitted everybody, and has a record.
fn flock() -> Restored {
    let all = [1, 2, 3, 9].map(who);
    let pairs = all.iter().flat_map(|by| all.iter().map(move |of| (by, of)));
    let pairs = pairs.filter(|(by, of)| by.principal() != of.principal());
    let acts: Vec<_> = pairs.map(|(by, of)| admit(by, of)).collect();
    let records: Vec<_> = all.iter().map(|by| record(by, marker(1), Profile::default())).collect();
    Restored { facts: facts(acts, records), ..Restored::default() }
}

fn start(number: u8, disk: Restored, now: Instant) -> State {
    let secret = InitialSecret::new(Zeroizing::new([3; 32]));
    let parts = Parts {
        identity: who(number),
        join_key: JoinKey::initial(&secret),
        restored: disk,
        seed: [number; 32],
    };
    let addresses = vec!["127.0.0.1:1000".parse().expect("an address")];
    let config = Config::new(addresses);
    State::new(config, context(number), parts, now)
}

fn number_of(peer: &Principal) -> u8 {
    [1, 2, 3, 9].into_iter().find(|n| who(*n).principal() == *peer).expect("one of the flock")
}

fn linked(a: u8, b: u8) -> bool {
    matches!((a.min(b), a.max(b)), (1, 2) | (2, 3) | (1, 9))
}

/// Merges a write into what a disk holds.
fn store(disk: &mut Restored, batch: Batch) {
    for fact in batch.facts {
        disk.facts.retain(|held| (held.kind(), held.key()) != (fact.kind(), fact.key()));
        disk.facts.push(fact);
    }
}

impl Line {
    pub(super) fn new() -> Self {
        let now = Instant::after_origin(Duration::from_secs(100));
        let seed = [9; 32];
        let operator = Some(operator().principal());
        let theirs = Strew::restore(tomorrow().principal(), operator, flock().facts);
        let mut line = Self {
            nodes: BTreeMap::new(),
            theirs,
            sync: sync::State::new(sync::Config::default(), context(9), &seed, now),
            now,
            next: 0,
            notices: Vec::new(),
        };
        for number in 1..=3 {
            let state = start(number, flock(), now);
            line.nodes.insert(number, Node { state, disk: flock() });
        }
        line.connect();
        line
    }

    fn connect(&mut self) {
        for number in 1..=3 {
            self.give(number, Event::Wake);
            for peer in [1, 2, 3, 9].into_iter().filter(|peer| linked(number, *peer)) {
                let addr = format!("192.0.2.{peer}:7117").parse().expect("an address");
                let peer = who(peer).principal();
                let connected = link::Event::Connected { peer, addr, outbound: true, member: true };
                self.give(number, Event::Link(connected));
            }
        }
    }

    /// Hands an event in, and does what follows from it, on all nodes.
    pub(super) fn give(&mut self, to: u8, event: Event) {
        let mut events = VecDeque::from([(to, event)]);
        while let Some((at, event)) = events.pop_front() {
            let gossip = match &event {
                Event::Link(link::Event::Gossip { topic, data, .. }) => {
                    Some((*topic, data.clone()))
                }
                _ => None,
            };
            let node = self.nodes.get_mut(&at).expect("a node");
            for command in node.state.handle(event, self.now) {
                self.execute(at, command, gossip.as_ref(), &mut events);
            }
        }
    }

    /// Does what a node asks for. `gossip`: the message that it may have judged.
    fn execute(
        &mut self,
        at: u8,
        command: Command,
        gossip: Option<&(Topic, Vec<u8>)>,
        events: &mut VecDeque<(u8, Event)>,
    ) {
        let disk = &mut self.nodes.get_mut(&at).expect("a node").disk;
        match command {
            Command::Link(command) => self.carry(at, command, gossip, events),
            Command::Persist { ticket, batch } => {
                store(disk, batch);
                events.push_back((at, Event::Persisted { ticket, result: Ok(()) }));
            }
            Command::Save(batch) => store(disk, batch),
            Command::Notice(notice) => self.notices.push(notice),
            _ => {}
        }
    }

    /// Does what a node asks of the network.
    fn carry(
        &mut self,
        from: u8,
        command: link::Command,
        gossip: Option<&(Topic, Vec<u8>)>,
        events: &mut VecDeque<(u8, Event)>,
    ) {
        match command {
            link::Command::Publish { topic, data } => self.spread(from, topic, &data, events),
            // What is accepted is passed on.
            link::Command::Judge { verdict: Verdict::Accept, .. } => {
                let (topic, data) = gossip.expect("a verdict answers gossip");
                self.spread(from, *topic, data, events);
            }
            link::Command::Request { id, peer, protocol, body } => {
                let to = number_of(&peer);
                let answer = linked(from, to).then(|| self.answer(from, to, protocol, &body));
                let event = match answer.flatten() {
                    Some(body) => link::Event::Response { id, peer, body },
                    None => {
                        let failure = RequestFailure::Lost;
                        link::Event::RequestFailed { id, peer, failure }
                    }
                };
                events.push_back((from, Event::Link(event)));
            }
            _ => {}
        }
    }

    fn spread(&mut self, from: u8, topic: Topic, data: &[u8], events: &mut VecDeque<(u8, Event)>) {
        for to in (1..=3).filter(|to| linked(from, *to)) {
            self.next += 1;
            // A node that has a message gets no second copy: here each goes away from node 1.
            if to > from || from == 9 {
                let (id, from) = (GossipId(self.next), who(from).principal());
                let data = data.to_vec();
                let event = link::Event::Gossip { id, topic, from, data };
                events.push_back((to, Event::Link(event)));
            }
        }
    }

    /// What a peer answers to a request at once.
    fn answer(&mut self, from: u8, to: u8, protocol: Protocol, body: &[u8]) -> Option<Vec<u8>> {
        self.next += 1;
        let (id, peer) = (ReplyId(self.next), who(from).principal());
        if to == 9 {
            return self.tomorrow_answers(peer, id, protocol, body);
        }
        let body = body.to_vec();
        let event = Event::Link(link::Event::Request { id, peer, protocol, body });
        let (mut reply, mut events) = (None, VecDeque::new());
        let node = self.nodes.get_mut(&to).expect("a node");
        for command in node.state.handle(event, self.now) {
            match command {
                Command::Link(link::Command::Reply { id: replied, body }) if replied == id => {
                    reply = Some(body);
                }
                other => self.execute(to, other, None, &mut events),
            }
        }
        for (at, event) in events {
            self.give(at, event);
        }
        reply
    }

    /// The member of tomorrow answers as this build does, and names a set besides that this build lacks.
    fn tomorrow_answers(
        &mut self,
        peer: Principal,
        id: ReplyId,
        protocol: Protocol,
        body: &[u8],
    ) -> Option<Vec<u8>> {
        if protocol != Protocol::Sync {
            return None;
        }
        if let Ok(Request::Roots { .. }) = Request::decode(body) {
            return Some(Response::encode_roots(&self.later_roots(), &Aside::default()));
        }
        if let Ok(Request::Ranges { kind, .. }) = Request::decode(body) {
            assert!(Kind::KNOWN.contains(&kind), "it asks for no set that it does not know");
        }
        let aside = Aside::default();
        let out = self.sync.on_request(peer, id, body, self.now, &self.theirs, &aside);
        out.into_iter().find_map(|output| match output {
            sync::Output::Reply { body, .. } => Some(body),
            _ => None,
        })
    }

    pub(super) fn later_roots(&self) -> Roots {
        Roots::new(self.theirs.roots().chain([(Kind(7), Digest([7; 32]))]))
    }

    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        for wakes in 0.. {
            assert!(wakes < 10_000, "the engines ask to be woken without end");
            let due = self.nodes.iter_mut().map(|(at, node)| (node.state.deadline(), *at)).min();
            let (due, at) = due.expect("three nodes");
            if due > end {
                break;
            }
            self.now = self.now.max(due);
            self.give(at, Event::Wake);
        }
        self.now = end;
    }

    pub(super) fn hold(&self, act: &Signed<Act>) -> usize {
        let same = |held: &Arc<Signed<Act>>| {
            held.value() == act.value() && held.signature() == act.signature()
        };
        let hold = |node: &&Node| node.state.strew().act(&act.id()).is_some_and(same);
        self.nodes.values().filter(hold).count()
    }

    /// All nodes start again from what is on their disks.
    pub(super) fn restart(&mut self) {
        for (number, node) in &mut self.nodes {
            let disk = node.disk.clone();
            node.state = start(*number, disk, self.now);
        }
        self.connect();
    }
}
