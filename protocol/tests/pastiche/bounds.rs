//! The bounds of the serving side, each up to the bound and one beyond; and of what is signed, who counts.

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::time::Duration;

use crux_crdt::Principal;
use crux_crdt::blob::{BlobId, PIECE_BYTES, PieceSet, Root};
use crux_crdt::sign::Signed;
use crux_protocol::link::{ReplyId, RequestId};
use crux_protocol::pastiche::{
    Command, Config, Event, Facts, Holding, ReadId, Report, Request, Response, SealFailure, State,
    Waiter,
};
use crux_protocol::time::Instant;

use crate::fixture::{BLOB, ROOT, at, context, descriptor, mib, principal};

const WAIT: Duration = Duration::from_secs(60);
/// How many questions about holdings may be at the store.
const LOOKS_MAX: u64 = 256;
/// How many blobs, and how many askers of each, are remembered.
const DEMANDS_MAX: u64 = 64;
const ASKERS_MAX: u8 = 64;
/// How long an asker counts.
const ASKER_LIFE: u64 = 10_000;

fn handle(state: &mut State, event: Event, now: Instant) -> Vec<Command> {
    let facts = Facts { linked: &BTreeSet::new(), is_member: &|_| true, holders: &|_| Vec::new() };
    state.handle(event, now, &facts)
}

fn blob(number: u64) -> BlobId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&number.to_be_bytes());
    BlobId(id)
}

/// One node that is asked, and the numbers of what it was asked.
struct Asked {
    state: State,
    replies: u64,
    looks: u64,
}

impl Asked {
    fn new(config: Config) -> Self {
        Self { state: State::new(config, context(0), [1; 32]), replies: 0, looks: 0 }
    }

    fn ask(&mut self, peer: u8, request: Request, now: Instant) -> Vec<Command> {
        self.replies += 1;
        let (reply, body) = (ReplyId(self.replies), request.encode());
        handle(&mut self.state, Event::Request { reply, peer: principal(peer), body }, now)
    }

    /// A question about what is held goes to the store.
    fn look(&mut self, peer: u8, blob: BlobId, brief: bool, now: Instant) -> ReadId {
        let out = self.ask(peer, Request::Have { blob, brief }, now);
        self.looks += 1;
        let read = ReadId(self.looks);
        assert_eq!(out, [Command::Look { read, blob }]);
        read
    }

    /// The store holds all of it: what is answered.
    fn looked(&mut self, read: ReadId, own: Vec<Signed<crux_crdt::blob::Descriptor>>) -> Response {
        let holding = Holding { root: ROOT, size: mib(3), pieces: PieceSet::all(mib(3)) };
        let found = Some((holding, own));
        match &handle(&mut self.state, Event::Looked { read, found }, at(0))[..] {
            [Command::Reply { response, .. }] => response.clone(),
            out => panic!("{out:?}"),
        }
    }

    /// The others that are said to fetch a blob.
    fn others(&mut self, peer: u8, blob: BlobId, now: Instant) -> Vec<Principal> {
        let read = self.look(peer, blob, true, now);
        match self.looked(read, Vec::new()) {
            Response::Have { others, .. } => others,
            response => panic!("{response:?}"),
        }
    }

    /// The store read a piece, or has it not, and what is answered is gone: what is read next.
    fn read_next(&mut self, id: u64, bytes: Option<Vec<u8>>, now: Instant) -> Option<u32> {
        let mut out = handle(&mut self.state, Event::Read { read: ReadId(id), bytes }, now);
        if let [Command::Reply { reply, .. }] = out[..] {
            out = handle(&mut self.state, Event::Replied { reply }, now);
        }
        out.iter().find_map(|command| match command {
            Command::Read { index, .. } => Some(*index),
            _ => None,
        })
    }
}

fn piece(index: u32) -> Request {
    Request::Piece { blob: BLOB, root: ROOT, index }
}

#[test]
fn so_many_questions_are_at_the_store_and_one_more_is_told_to_come_again() {
    let mut node = Asked::new(Config::default());
    let reads: Vec<_> = (0..LOOKS_MAX).map(|n| node.look(1, blob(n), false, at(0))).collect();
    let out = node.ask(2, Request::Have { blob: BLOB, brief: false }, at(1));
    let retry_after = Duration::from_millis(50);
    let reply = ReplyId(LOOKS_MAX + 1);
    assert_eq!(out, [Command::Reply { reply, response: Response::Busy { retry_after } }]);
    node.looked(reads[0], Vec::new());
    node.look(2, BLOB, false, at(2));
}

#[test]
fn so_many_blobs_are_remembered_and_the_one_asked_for_longest_ago_is_forgotten() {
    let mut node = Asked::new(Config::default());
    for number in 0..DEMANDS_MAX {
        node.look(1, blob(number), true, at(number));
    }
    assert_eq!(node.others(2, blob(0), at(100)), [principal(1)], "the first is known still");
    // One beyond: the second is the oldest by now.
    node.look(1, blob(DEMANDS_MAX), true, at(101));
    assert_eq!(node.others(2, blob(2), at(102)), [principal(1)]);
    assert_eq!(node.others(2, blob(0), at(103)), [principal(1)]);
    assert_eq!(node.others(2, blob(1), at(104)), [], "forgotten");
}

#[test]
fn so_many_who_ask_for_a_blob_are_remembered_and_for_so_long() {
    let mut node = Asked::new(Config::default());
    // Those named are the first by their keys, sixteen at most: one that is not in does not show, so
    // each after the bound has the smallest key there is.
    let mut peers: Vec<u8> = (1..=ASKERS_MAX + 1).collect();
    peers.sort_by_key(|peer| principal(*peer));
    let smallest = peers.remove(0);
    for peer in &peers {
        node.look(*peer, BLOB, true, at(0));
    }
    node.look(smallest, BLOB, true, at(1));
    let others = node.others(peers[0], BLOB, at(2));
    assert_eq!(others.len(), 16);
    assert!(!others.contains(&principal(smallest)), "one more than are remembered");
    // A moment before their time they count still, and then there is a place.
    node.look(smallest, BLOB, true, at(ASKER_LIFE - 1));
    assert!(!node.others(peers[0], BLOB, at(ASKER_LIFE - 1)).contains(&principal(smallest)));
    node.look(smallest, BLOB, true, at(ASKER_LIFE));
    assert!(node.others(peers[0], BLOB, at(ASKER_LIFE)).contains(&principal(smallest)));
}

/// What was sent least often goes first, not what was asked for first.
#[test]
fn of_what_a_peer_asks_for_that_goes_first_which_was_sent_least_often() {
    let mut node = Asked::new(Config { reads_max: 1, ..Config::default() });
    // What is sent is counted of blobs that somebody asks for.
    node.look(1, BLOB, true, at(0));
    // Piece 0 goes out, and then twice more stands in line before 1 and 2.
    node.ask(1, piece(0), at(0));
    for index in [0, 1, 0, 2] {
        assert_eq!(node.ask(2, piece(index), at(0)), []);
    }
    let order: Vec<_> = (2..=5).filter_map(|id| node.read_next(id, Some(vec![1]), at(1))).collect();
    assert_eq!(order, [1, 2, 0, 0]);
}

/// A peer that lost a piece asks for it again, and for others that it has not.
#[test]
fn a_piece_that_was_sent_before_is_not_passed_over_for_ever() {
    let mut node = Asked::new(Config { reads_max: 1, ..Config::default() });
    node.look(1, BLOB, true, at(0));
    node.ask(1, piece(0), at(0));
    for index in 0..4 {
        assert_eq!(node.ask(1, piece(index), at(0)), []);
    }
    assert_eq!(node.read_next(2, Some(vec![1]), at(499)), Some(1), "it was sent before");
    assert_eq!(node.read_next(3, Some(vec![1]), at(500)), Some(0), "and waited for long enough");
    assert_eq!(node.read_next(4, Some(vec![1]), at(500)), Some(2));
}

/// With a rate, a piece that was not read did not go out: the next one may at once.
#[test]
fn the_rate_of_a_piece_that_did_not_go_out_is_given_back() {
    let up_rate = NonZeroU64::new(PIECE_BYTES);
    let config = || Config { up_rate, reads_max: 8, ..Config::default() };
    let first = Command::Read { read: ReadId(1), blob: BLOB, root: ROOT, index: 0 };
    let second = |now: u64, out: &[Command]| {
        let read = Command::Read { read: ReadId(2), blob: BLOB, root: ROOT, index: 1 };
        assert!(out.contains(&read), "at {now}: {out:?}");
    };
    // The store has it not.
    let mut node = Asked::new(config());
    assert_eq!(node.ask(1, piece(0), at(10_000)), std::slice::from_ref(&first));
    assert_eq!(node.ask(1, piece(1), at(10_000)), [], "a second each");
    let none = Event::Read { read: ReadId(1), bytes: None };
    second(10_001, &handle(&mut node.state, none, at(10_001)));
    // The asking peer has left.
    let mut node = Asked::new(config());
    assert_eq!(node.ask(1, piece(0), at(10_000)), [first]);
    assert_eq!(node.ask(2, piece(1), at(10_000)), []);
    assert_eq!(handle(&mut node.state, Event::Replied { reply: ReplyId(1) }, at(10_001)), []);
    let read = Event::Read { read: ReadId(1), bytes: Some(vec![1]) };
    second(10_002, &handle(&mut node.state, read, at(10_002)));
}

#[test]
fn who_wants_no_statements_gets_none() {
    let mut node = Asked::new(Config::default());
    for (brief, expected) in [(false, 1), (true, 0)] {
        let read = node.look(1, BLOB, brief, at(0));
        let response = node.looked(read, vec![descriptor(0, ROOT, mib(3))]);
        let Response::Have { descriptors, .. } = response else { panic!("{response:?}") };
        assert_eq!(descriptors.len(), expected, "brief: {brief}");
    }
}

/// A node that fetches, to which 1 to 4 are linked; 4 never answers, each other states a tree, with statements of others.
struct Fetching {
    state: State,
    now: u64,
}

type Said = (u8, Root, Vec<Signed<crux_crdt::blob::Descriptor>>);

impl Fetching {
    fn handle(&mut self, event: Event) -> Vec<Command> {
        self.now += 1;
        let linked: BTreeSet<_> = (1..=4).map(principal).collect();
        let facts = Facts { linked: &linked, is_member: &|_| true, holders: &|_| Vec::new() };
        self.state.handle(event, at(self.now), &facts)
    }

    /// What it asks for first, once those answered.
    fn first(said: Vec<Said>) -> (Self, Root) {
        let mut it = Self { state: State::new(Config::default(), context(0), [3; 32]), now: 0 };
        let out = it.handle(Event::Get { waiter: Waiter(1), blob: BLOB, wait: WAIT });
        let mut out = it.answer(&out, said);
        it.now += 60;
        out.extend(it.handle(Event::Wake));
        let root = asked_first(&out);
        (it, root)
    }

    /// Answers what is asked of what peers hold, in the order in which they are given.
    fn answer(&mut self, asked: &[Command], said: Vec<Said>) -> Vec<Command> {
        let mut out = Vec::new();
        for (peer, root, descriptors) in said {
            let id = asked.iter().find_map(|command| match command {
                Command::Send { id, peer: to, request: Request::Have { .. } } => {
                    (*to == principal(peer)).then_some(*id)
                }
                _ => None,
            });
            let holding = Holding { root, size: SIZE, pieces: PieceSet::all(SIZE) };
            let have = Response::Have { holding, descriptors, others: Vec::new() };
            let id = id.expect("it is asked");
            out.extend(self.handle(Event::Response { id, body: have.encode() }));
        }
        out
    }
}

const SIZE: u64 = PIECE_BYTES;

fn asked_first(out: &[Command]) -> Root {
    let asked = out.iter().find_map(|command| match command {
        Command::Send { request: Request::Piece { root, .. }, .. } => Some(*root),
        Command::Begin { root, .. } => Some(*root),
        _ => None,
    });
    asked.unwrap_or_else(|| panic!("nothing is asked for: {out:?}"))
}

fn request_of(out: &[Command]) -> RequestId {
    let id = out.iter().find_map(|command| match command {
        Command::Send { id, request: Request::Piece { .. }, .. } => Some(*id),
        _ => None,
    });
    id.expect("a piece is asked for")
}

fn signed(by: u8, root: Root) -> Signed<crux_crdt::blob::Descriptor> {
    descriptor(by, root, SIZE)
}

/// Node 4 signed two trees: only the first that came counts, so the other has one signer less.
#[test]
fn who_signs_two_trees_counts_for_the_first() {
    for (a, b) in [(Root([0x10; 32]), Root([0xe0; 32])), (Root([0xe0; 32]), Root([0x10; 32]))] {
        let said = vec![
            (1, a, vec![signed(1, a), signed(4, a)]),
            (2, b, vec![signed(2, b), signed(4, b)]),
            (3, b, vec![signed(4, b), signed(4, b)]),
        ];
        let (_, first) = Fetching::first(said);
        assert_eq!(first, a, "two signed it, and one the other, whatever more serve that");
    }
}

/// Nodes 5 and 6 signed a tree that is found false. What they sign afterwards counts for nothing.
#[test]
fn who_signed_a_false_tree_does_not_count_again() {
    let (lie, second, truth) = (Root([0x20; 32]), Root([0xf0; 32]), Root([0x11; 32]));
    for seed in 0..8 {
        let mut it =
            Fetching { state: State::new(Config::default(), context(0), [seed; 32]), now: 0 };
        let out = it.handle(Event::Get { waiter: Waiter(1), blob: BLOB, wait: WAIT });
        let liars = vec![signed(5, lie), signed(6, lie)];
        let silent = [(2, Response::Unknown), (3, Response::Unknown)];
        for (peer, response) in silent {
            let id = out.iter().find_map(|command| match command {
                Command::Send { id, peer: to, .. } if *to == principal(peer) => Some(*id),
                _ => None,
            });
            it.handle(Event::Response { id: id.unwrap(), body: response.encode() });
        }
        it.answer(&out, vec![(1, lie, liars)]);
        it.now += 60;
        let out = it.handle(Event::Wake);
        assert_eq!(asked_first(&out), lie);
        let out = it.handle(Event::Begun {
            blob: BLOB,
            root: lie,
            size: SIZE,
            result: Ok(PieceSet::none(SIZE)),
        });
        let body = Response::Piece { pieces: None, body: vec![1] }.encode();
        it.handle(Event::Response { id: request_of(&out), body });
        it.handle(Event::Written { blob: BLOB, root: lie, index: 0, result: Ok(()) });
        let mismatch = Event::Sealed { blob: BLOB, result: Err(SealFailure::Mismatch) };
        let out = it.handle(mismatch);
        let mut signers = vec![principal(5), principal(6)];
        signers.sort();
        let report =
            Command::Report(Report::FalseRoot { signers, servers: vec![principal(1)], blob: BLOB });
        assert!(out.contains(&report), "{out:?}");
        // They sign another one together, and one honest node signs the right one.
        it.now = 1_000;
        let mut asked = it.handle(Event::Wake);
        it.now = 9_000;
        asked.extend(it.handle(Event::Wake));
        let said = vec![
            (2, second, vec![signed(5, second), signed(6, second)]),
            (3, truth, vec![signed(3, truth)]),
        ];
        it.answer(&asked, said);
        it.now += 60;
        let out = it.handle(Event::Wake);
        assert_eq!(asked_first(&out), truth, "one signed it, and nobody who counts the other");
    }
}

/// What is asked for and is not here is counted for nothing: a peer may ask for any index.
#[test]
fn a_piece_that_is_not_here_is_not_remembered_as_sent() {
    let mut node = Asked::new(Config { reads_max: 1, ..Config::default() });
    node.look(1, BLOB, true, at(0));
    node.ask(1, piece(0), at(0));
    for index in [0, 1] {
        assert_eq!(node.ask(2, piece(index), at(0)), []);
    }
    // Piece 0 is being read, so it counts, unless it is not here.
    assert_eq!(node.read_next(2, None, at(1)), Some(0), "no later than the other");
}

/// How often pieces were sent is remembered of so many, and then those of the blob go that was asked
/// for longest ago.
#[test]
fn so_many_pieces_are_remembered_as_sent() {
    const SENT_MAX: u32 = 64 * 1024;
    let mut node = Asked::new(Config { reads_max: 1, ..Config::default() });
    let (old, new) = (blob(1), blob(2));
    node.look(1, old, true, at(0));
    node.look(1, new, true, at(1));
    let of = |blob, index| Request::Piece { blob, root: ROOT, index };
    let sent = |node: &mut Asked, blob, index| {
        let out = node.ask(1, of(blob, index), at(2));
        let [Command::Read { read, .. }] = out[..] else { panic!("{out:?}") };
        handle(&mut node.state, Event::Read { read, bytes: Some(vec![1]) }, at(2));
        let reply = ReplyId(node.replies);
        handle(&mut node.state, Event::Replied { reply }, at(2));
    };
    // What goes first of two pieces of a blob, the first of which was sent.
    let first = |node: &mut Asked, blob: BlobId| {
        let out = node.ask(9, of(new, u32::MAX >> 12), at(3));
        let [Command::Read { read, .. }] = out[..] else { panic!("{out:?}") };
        node.ask(2, of(blob, 0), at(3));
        node.ask(2, of(blob, 900_000), at(3));
        let mut next = Some(read);
        let mut order = Vec::new();
        while let Some(read) = next {
            let out = handle(&mut node.state, Event::Read { read, bytes: None }, at(3));
            next = out.iter().find_map(|command| match command {
                Command::Read { read, index, .. } => {
                    order.push(*index);
                    Some(*read)
                }
                _ => None,
            });
        }
        order[0]
    };
    sent(&mut node, old, 0);
    for index in 0..SENT_MAX - 1 {
        sent(&mut node, new, index);
    }
    assert_eq!(first(&mut node, new), 900_000, "it was not sent");
    sent(&mut node, new, SENT_MAX);
    assert_eq!(first(&mut node, old), 0, "one beyond: the older blob's are forgotten");
    assert_eq!(first(&mut node, new), 900_000, "and not those of the other");
}
