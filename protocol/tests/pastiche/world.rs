//! Nodes in virtual time: engines, stores, and links with a delay and a rate.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use crux_crdt::Principal;
use crux_crdt::blob::{BlobId, Descriptor, PIECE_BYTES, PieceSet};
use crux_protocol::link::{ReplyId, RequestFailure, RequestId};
use crux_protocol::pastiche::{
    Command, Config, Event, Facts, Failure, Holding, Report, Response, State, Waiter,
};
use crux_protocol::time::Instant;

use crate::fixture::{BLOB, context, descriptor, principal};
use crate::store::Store;

const DELAY: Duration = Duration::from_millis(1);
/// What the network calls a lost request.
const LOST: Duration = Duration::from_secs(20);

/// How a node answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Honest,
    /// Its pieces are not what it promised.
    WrongPieces,
    /// It promises, and sends no piece.
    Silent,
    /// It sends without end; the network cuts it off.
    Endless,
    /// It promises, and then has not.
    Fickle,
    /// It sends what is no message.
    Rubbish,
    /// It sends one piece, and then none for so many seconds.
    Trickle(u64),
    /// It sends the first piece as often as it is asked for, and is busy for all others.
    FirstOnly,
}

pub(crate) struct Node {
    pub(crate) state: State,
    pub(crate) store: Store,
    pub(crate) manner: Manner,
    pub(crate) alive: bool,
    /// Bytes of pieces that it sent.
    pub(crate) sent: u64,
    pub(crate) done: Vec<(Waiter, Result<(), Failure>, Instant)>,
    pub(crate) reports: Vec<Report>,
    number: u8,
    me: Principal,
    offers: bool,
    /// When its next piece goes out, if it trickles.
    trickles: Instant,
    /// When what is on its way out and in is through.
    out_until: Instant,
    in_until: Instant,
    wake: Instant,
}

enum What {
    Engine(Event),
    /// A request and who asks.
    Ask(usize, RequestId, Vec<u8>),
    Lost(RequestId),
    Wake(Instant),
}

struct Entry(Instant, u64, usize, What);

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

pub(crate) struct World {
    pub(crate) nodes: Vec<Node>,
    pub(crate) now: Instant,
    /// Bytes a second of each node's link, each way.
    rate: Option<u64>,
    heap: BinaryHeap<Reverse<Entry>>,
    next: u64,
    /// The asking nodes, by the reply that is owed: (asked node, reply) → (asking node, request).
    owed: BTreeMap<(usize, ReplyId), (usize, RequestId)>,
    /// Requests that were neither answered nor lost.
    open: BTreeSet<(usize, RequestId)>,
    /// What the flock's index was told.
    pub(crate) index: BTreeMap<BlobId, BTreeSet<Principal>>,
    /// Those to whom no link stands, both ways, until somebody reaches them.
    pub(crate) apart: BTreeSet<Principal>,
}

impl World {
    pub(crate) fn new(count: u8, config: &Config, rate: Option<u64>) -> Self {
        let node = |number: u8| Node {
            state: State::new(config.clone(), context(number), [number; 32]),
            store: Store::default(),
            manner: Manner::Honest,
            alive: true,
            sent: 0,
            done: Vec::new(),
            reports: Vec::new(),
            number,
            me: principal(number),
            offers: false,
            trickles: Instant::ORIGIN,
            out_until: Instant::ORIGIN,
            in_until: Instant::ORIGIN,
            wake: Instant::NEVER,
        };
        Self {
            nodes: (0..count).map(node).collect(),
            now: Instant::ORIGIN,
            rate,
            heap: BinaryHeap::new(),
            next: 0,
            owed: BTreeMap::new(),
            open: BTreeSet::new(),
            index: BTreeMap::new(),
            apart: BTreeSet::new(),
        }
    }

    pub(crate) fn get(&mut self, node: usize, waiter: u64, wait: Duration) {
        let waiter = Waiter(waiter);
        self.tell(node, Event::Get { waiter, blob: BLOB, wait });
    }

    /// Makes a node offer [`BLOB`] in its registry.
    pub(crate) fn offer(&mut self, node: usize) {
        self.nodes[node].offers = true;
    }

    pub(crate) fn kill(&mut self, node: usize) {
        self.nodes[node].alive = false;
        let lost: Vec<_> = self.owed.iter().filter(|((to, _), _)| *to == node).collect();
        let lost: Vec<_> = lost.into_iter().map(|(_, from)| *from).collect();
        self.owed.retain(|(to, _), _| *to != node);
        lost.into_iter().for_each(|(from, id)| self.lose(from, id, RequestFailure::Lost));
    }

    /// A node comes back with what is on its disk and nothing else.
    pub(crate) fn restart(&mut self, node: usize, config: &Config) {
        self.kill(node);
        self.open.retain(|(from, _)| *from != node);
        let number = self.nodes[node].number;
        self.nodes[node].state = State::new(config.clone(), context(number), [number + 100; 32]);
        self.nodes[node].alive = true;
    }

    /// Runs until it holds, or the time is over. Whether it holds.
    pub(crate) fn run(&mut self, most: Duration, until: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + most;
        while !until(self) {
            let Some(Reverse(Entry(at, _, node, what))) = self.heap.pop() else { return false };
            if at > end {
                self.now = end;
                self.push(at, node, what);
                return false;
            }
            self.now = at;
            self.happen(node, what);
        }
        true
    }

    pub(crate) fn all_done(&self, nodes: std::ops::Range<usize>) -> bool {
        self.nodes[nodes].iter().all(|node| !node.done.is_empty())
    }

    fn push(&mut self, at: Instant, node: usize, what: What) {
        self.next += 1;
        self.heap.push(Reverse(Entry(at, self.next, node, what)));
    }

    fn happen(&mut self, node: usize, what: What) {
        match what {
            What::Wake(at) if self.nodes[node].wake != at => {}
            What::Wake(_) => self.tell(node, Event::Wake),
            What::Lost(id) => {
                if self.open.contains(&(node, id)) {
                    self.lose(node, id, RequestFailure::Lost);
                }
            }
            What::Ask(from, id, body) => {
                if !self.nodes[node].alive {
                    return;
                }
                self.next += 1;
                let reply = ReplyId(self.next);
                self.owed.insert((node, reply), (from, id));
                let peer = self.nodes[from].me;
                self.tell(node, Event::Request { reply, peer, body });
            }
            What::Engine(Event::Response { id, body }) => {
                if self.open.remove(&(node, id)) {
                    self.tell(node, Event::Response { id, body });
                }
            }
            What::Engine(event) => self.tell(node, event),
        }
    }

    fn lose(&mut self, from: usize, id: RequestId, failure: RequestFailure) {
        if self.open.remove(&(from, id)) {
            self.tell(from, Event::RequestFailed { id, failure });
        }
    }

    pub(crate) fn tell(&mut self, node: usize, event: Event) {
        if !self.nodes[node].alive {
            return;
        }
        let others = self.nodes.iter().enumerate().filter(|(at, n)| *at != node && n.alive);
        let linked: BTreeSet<_> = others.clone().map(|(_, n)| n.me).collect();
        let offer = |node: &Node| {
            let Holding { root, size, .. } = node.store.kept.get(&BLOB)?.holding;
            Some((node.me, Descriptor { blob: BLOB, root, size }))
        };
        let offers = others.filter(|(_, node)| node.offers);
        let holders: Vec<_> = offers.filter_map(|(_, node)| offer(node)).collect();
        let facts =
            Facts { linked: &linked, is_member: &|_| true, holders: &|_: &BlobId| holders.clone() };
        let commands = self.nodes[node].state.handle(event, self.now, &facts);
        for command in commands {
            self.obey(node, command);
        }
        let wake = self.nodes[node].state.deadline(self.now);
        self.nodes[node].wake = wake;
        if wake != Instant::NEVER {
            assert!(wake > self.now, "a deadline that passed is a loop");
            self.push(wake, node, What::Wake(wake));
        }
    }

    fn obey(&mut self, node: usize, command: Command) {
        let now = self.now;
        let store = &mut self.nodes[node].store;
        let event = match command {
            Command::Send { id, peer, request } => {
                return self.send(node, id, peer, &request.encode());
            }
            Command::Reply { reply, response } => return self.reply(node, reply, &response),
            Command::Begin { blob, root, size } => {
                Event::Begun { blob, root, size, result: store.begin(blob, root, size) }
            }
            Command::Write { blob, root, size, index, body } => {
                let result = store.write((blob, root, size), index, &body);
                Event::Written { blob, root, index, result }
            }
            Command::Seal { blob, root, size } => {
                Event::Sealed { blob, result: store.seal(blob, root, size) }
            }
            Command::Rest { blob } => {
                store.resting.insert(blob);
                return;
            }
            // Nobody here holds a small one.
            Command::Take { .. } => return,
            Command::Try { blob, root, size, body } => {
                let result = store.try_piece((blob, root, size), &body);
                Event::Tried { blob, root, size, result }
            }
            Command::Abandon { blob, root, size } => {
                store.abandon(blob, root, size);
                return;
            }
            Command::Look { read, blob } => {
                let number = self.nodes[node].number;
                let found = self.nodes[node].store.kept.get(&blob).map(|kept| {
                    let holding = kept.holding.clone();
                    let sign = || descriptor(number, holding.root, holding.size);
                    let own = kept.sealed.then(sign).into_iter().collect();
                    (holding, own)
                });
                Event::Looked { read, found }
            }
            Command::Read { read, blob, root, index } => {
                Event::Read { read, bytes: store.read(blob, root, index) }
            }
            Command::Tell { .. } => return,
            Command::Reach { peer } => {
                self.apart.remove(&peer);
                return;
            }
            Command::Provide { blob } => {
                let me = self.nodes[node].me;
                self.index.entry(blob).or_default().insert(me);
                Event::Provided { blob, told: true }
            }
            Command::Withdraw { .. } => return,
            Command::Seek { blob } => {
                let peers = self.index.get(&blob).into_iter().flatten().copied().collect();
                Event::Providers { blob, peers, last: true }
            }
            Command::Done { waiter, result } => {
                self.nodes[node].done.push((waiter, result, now));
                return;
            }
            Command::Report(report) => {
                self.nodes[node].reports.push(report);
                return;
            }
        };
        self.push(now, node, What::Engine(event));
    }

    fn send(&mut self, node: usize, id: RequestId, peer: Principal, body: &[u8]) {
        self.open.insert((node, id));
        if self.apart.contains(&peer) {
            let failure = RequestFailure::NotConnected;
            self.open.remove(&(node, id));
            self.push(self.now, node, What::Engine(Event::RequestFailed { id, failure }));
            return;
        }
        let to = self.nodes.iter().position(|other| other.me == peer).unwrap();
        self.push(self.now + DELAY, to, What::Ask(node, id, body.to_vec()));
        self.push(self.now + LOST, node, What::Lost(id));
    }

    fn reply(&mut self, node: usize, reply: ReplyId, response: &Response) {
        let Some((to, id)) = self.owed.remove(&(node, reply)) else { return };
        let is_piece = matches!(response, Response::Piece { .. });
        let mut arrives = self.now + DELAY;
        let mut gone = self.now;
        if is_piece {
            self.nodes[node].sent += PIECE_BYTES;
            if let Some(rate) = self.rate {
                let takes = Duration::from_nanos(PIECE_BYTES * 1_000_000_000 / rate);
                gone = self.nodes[node].out_until.max(self.now) + takes;
                self.nodes[node].out_until = gone;
                // It comes in while it goes out, unless others come in at the same time.
                arrives = (gone + DELAY).max(self.nodes[to].in_until + takes);
                self.nodes[to].in_until = arrives;
            }
        }
        self.push(gone, node, What::Engine(Event::Replied { reply }));
        let honest = response.encode();
        let body = match self.nodes[node].manner {
            Manner::Honest => honest,
            _ if !is_piece => honest,
            Manner::WrongPieces => Response::Piece { pieces: None, body: vec![9; 36] }.encode(),
            Manner::Silent => return,
            Manner::Endless => {
                self.push(arrives, to, What::Lost(id));
                return;
            }
            Manner::Fickle => Response::Unknown.encode(),
            Manner::Rubbish => vec![0xee; 9],
            Manner::FirstOnly => match response {
                Response::Piece { body, .. } if body.ends_with(&[0; 4]) => honest,
                _ => Response::Busy { retry_after: Duration::from_secs(1) }.encode(),
            },
            Manner::Trickle(seconds) => {
                arrives = arrives.max(self.nodes[node].trickles);
                self.nodes[node].trickles = arrives + Duration::from_secs(seconds);
                honest
            }
        };
        self.push(arrives, to, What::Engine(Event::Response { id, body }));
    }

    /// What a node holds of [`BLOB`].
    pub(crate) fn pieces(&self, node: usize) -> PieceSet {
        let kept = self.nodes[node].store.kept.get(&BLOB);
        kept.map(|kept| kept.holding.pieces.clone()).unwrap_or_default()
    }
}
