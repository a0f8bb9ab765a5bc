//! One fetch, event by event: exactly these commands come out.

use std::collections::BTreeSet;
use std::time::Duration;

use crux_crdt::Principal;
use crux_crdt::blob::{Descriptor, PieceSet, Root};
use crux_protocol::link::{ReplyId, RequestFailure, RequestId};
use crux_protocol::pastiche::{
    Command, Config, Event, Facts, Failure, Holding, Progress, Report, Request, Response,
    SealFailure, State, TryFailure, Waiter, WriteFailure,
};
use crux_protocol::time::Instant;

use crate::fixture::{BLOB, ROOT, at, context, descriptor, mib, principal};
use crate::store::piece;

const WAIT: Duration = Duration::from_secs(10);
const SIZE: u64 = mib(2) + 5;

/// Node 0, to which nodes 1 and 2 are linked; node 2 offers the blob.
fn handle(state: &mut State, event: Event, now: Instant) -> Vec<Command> {
    let linked: BTreeSet<Principal> = [principal(1), principal(2)].into();
    let offer = (principal(2), Descriptor { blob: BLOB, root: ROOT, size: SIZE });
    let facts = Facts { linked: &linked, is_member: &|_| true, holders: &|_| vec![offer] };
    state.handle(event, now, &facts)
}

fn engine() -> State {
    let config = Config { peers_max: 1, ..Config::default() };
    State::new(config, context(0), [1; 32])
}

fn get(waiter: u64) -> Event {
    Event::Get { waiter: Waiter(waiter), blob: BLOB, wait: WAIT }
}

fn answer(id: u64, response: &Response) -> Event {
    Event::Response { id: RequestId(id), body: response.encode() }
}

fn have(pieces: PieceSet) -> Response {
    let holding = Holding { root: ROOT, size: SIZE, pieces };
    Response::Have { holding, descriptors: vec![descriptor(2, ROOT, SIZE)], others: Vec::new() }
}

fn ask(id: u64, index: u32) -> Command {
    let request = Request::Piece { blob: BLOB, root: ROOT, index };
    Command::Send { id: RequestId(id), peer: principal(2), request }
}

fn sent(index: u32) -> Response {
    Response::Piece { pieces: None, body: piece(ROOT, index) }
}

fn tell(held: u64, providers: usize) -> Command {
    let progress = Progress { blob: BLOB, size: SIZE, held, providers };
    Command::Tell { waiters: vec![Waiter(1)], progress }
}

/// A fetch that follows the root and has the first two pieces in flight, as requests 2 and 3.
fn moving() -> State {
    let mut state = engine();
    let request = Request::Have { blob: BLOB, brief: false };
    let first = Command::Send { id: RequestId(1), peer: principal(2), request };
    assert_eq!(handle(&mut state, get(1), at(0)), [first]);
    let begin = Command::Begin { blob: BLOB, root: ROOT, size: SIZE };
    assert_eq!(handle(&mut state, answer(1, &have(PieceSet::all(SIZE))), at(1)), [begin]);
    let begun =
        Event::Begun { blob: BLOB, root: ROOT, size: SIZE, result: Ok(PieceSet::none(SIZE)) };
    assert_eq!(handle(&mut state, begun, at(2)), [ask(2, 0), ask(3, 1)]);
    state
}

#[test]
fn a_small_blob_comes_with_the_first_answer() {
    let mut state = engine();
    handle(&mut state, get(1), at(0));
    let body = b"all of it".to_vec();
    let take = Command::Take { blob: BLOB, body: body.clone() };
    assert_eq!(handle(&mut state, answer(1, &Response::Whole(body)), at(1)), [take]);
    let done = Command::Done { waiter: Waiter(1), result: Ok(()) };
    assert_eq!(handle(&mut state, Event::Sealed { blob: BLOB, result: Ok(()) }, at(2)), [done]);
}

#[test]
fn who_sends_another_small_blob_is_reported_and_somebody_else_is_asked() {
    let mut state = engine();
    handle(&mut state, get(1), at(0));
    handle(&mut state, answer(1, &Response::Whole(b"a lie".to_vec())), at(1));
    let mismatch = Event::Sealed { blob: BLOB, result: Err(SealFailure::Mismatch) };
    let report = Report::BadPiece { peer: principal(2), blob: BLOB };
    assert_eq!(handle(&mut state, mismatch, at(2)), [Command::Report(report)]);
    let request = Request::Have { blob: BLOB, brief: false };
    let next = Command::Send { id: RequestId(2), peer: principal(1), request };
    assert_eq!(handle(&mut state, Event::Wake, at(500)), [next]);
}

fn write(index: u32) -> Command {
    Command::Write { blob: BLOB, root: ROOT, size: SIZE, index, body: piece(ROOT, index) }
}

fn written(index: u32) -> Event {
    Event::Written { blob: BLOB, root: ROOT, index, result: Ok(()) }
}

/// All pieces are there, and the SHA-3 is being compared.
fn sealing() -> State {
    let mut state = moving();
    assert_eq!(handle(&mut state, answer(2, &sent(0)), at(3)), [write(0), ask(4, 2)]);
    assert_eq!(handle(&mut state, answer(3, &sent(1)), at(4)), [write(1)]);
    assert_eq!(handle(&mut state, answer(4, &sent(2)), at(5)), [write(2)]);
    assert_eq!(handle(&mut state, written(0), at(6)), [tell(mib(1), 0)]);
    assert_eq!(handle(&mut state, written(2), at(7)), [tell(mib(1) + 5, 0)]);
    let seal = Command::Seal { blob: BLOB, root: ROOT, size: SIZE };
    assert_eq!(handle(&mut state, written(1), at(8)), [tell(SIZE, 0), seal]);
    state
}

#[test]
fn a_fetch_from_the_first_question_to_the_seal() {
    let mut state = sealing();
    let sealed = Event::Sealed { blob: BLOB, result: Ok(()) };
    let done = Command::Done { waiter: Waiter(1), result: Ok(()) };
    assert_eq!(handle(&mut state, sealed, at(9)), [done]);
    assert_eq!(state.deadline(at(9)), Instant::NEVER, "nothing is left of it");
}

/// Pieces of a tree that was followed once are served, too: what is here of the other tells nothing of it.
#[test]
fn what_is_held_is_said_of_the_tree_that_is_followed() {
    for (root, is_said) in [(ROOT, true), (Root([0xee; 32]), false)] {
        let mut state = moving();
        handle(&mut state, answer(2, &sent(0)), at(3));
        handle(&mut state, written(0), at(4));
        let asked = Request::Piece { blob: BLOB, root, index: 0 }.encode();
        let request = Event::Request { reply: ReplyId(9), peer: principal(1), body: asked };
        let read =
            handle(&mut state, request, at(5)).into_iter().find_map(|command| match command {
                Command::Read { read, .. } => Some(read),
                _ => None,
            });
        let read = Event::Read { read: read.expect("it looks"), bytes: Some(vec![5]) };
        let pieces =
            handle(&mut state, read, at(6)).into_iter().find_map(|command| match command {
                Command::Reply { response: Response::Piece { pieces, .. }, .. } => Some(pieces),
                _ => None,
            });
        assert_eq!(pieces.expect("a piece").is_some(), is_said);
    }
}

#[test]
fn two_gets_of_one_blob_share_one_fetch() {
    let mut state = sealing();
    assert_eq!(handle(&mut state, get(2), at(9)), []);
    let sealed = Event::Sealed { blob: BLOB, result: Ok(()) };
    let done = |waiter| Command::Done { waiter: Waiter(waiter), result: Ok(()) };
    assert_eq!(handle(&mut state, sealed, at(10)), [done(1), done(2)]);
}

#[test]
fn what_is_held_already_is_not_fetched() {
    let mut state = engine();
    handle(&mut state, get(1), at(0));
    handle(&mut state, answer(1, &have(PieceSet::all(SIZE))), at(1));
    let mut held = PieceSet::all(SIZE);
    held.remove(1);
    let begun = Event::Begun { blob: BLOB, root: ROOT, size: SIZE, result: Ok(held) };
    assert_eq!(handle(&mut state, begun, at(2)), [ask(2, 1)]);
}

#[test]
fn a_busy_provider_is_left_alone_for_as_long_as_it_says() {
    let mut state = moving();
    let busy = Response::Busy { retry_after: Duration::from_millis(70) };
    assert_eq!(handle(&mut state, answer(2, &busy), at(10)), []);
    assert_eq!(state.deadline(at(10)), at(80));
    assert_eq!(handle(&mut state, answer(3, &busy), at(11)), []);
    assert_eq!(handle(&mut state, Event::Wake, at(81)), [ask(4, 0)], "one only: it is busy");
}

#[test]
fn a_lost_request_is_made_again_after_a_rest() {
    let mut state = moving();
    let lost = |id| Event::RequestFailed { id: RequestId(id), failure: RequestFailure::Lost };
    assert_eq!(handle(&mut state, lost(2), at(10)), []);
    assert_eq!(handle(&mut state, lost(3), at(10)), []);
    let request = Request::Have { blob: BLOB, brief: true };
    let again = Command::Send { id: RequestId(4), peer: principal(2), request };
    assert_eq!(handle(&mut state, Event::Wake, at(1_010)), [again]);
    let out = handle(&mut state, answer(4, &have(PieceSet::all(SIZE))), at(1_011));
    assert_eq!(out, [ask(5, 0)]);
}

/// Of many blobs at once the questions and pieces of one peer may be more than there is room for on
/// the way to it, time and again: it is not given up for that.
#[test]
fn a_request_without_room_is_made_again_and_held_against_nobody() {
    let mut state = moving();
    let busy = |id| Event::RequestFailed { id: RequestId(id), failure: RequestFailure::Busy };
    assert_eq!(handle(&mut state, busy(2), at(10)), []);
    let mut now = 10;
    for id in 3..6 {
        assert_eq!(handle(&mut state, busy(id), at(now)), []);
        assert_eq!(state.deadline(at(now)), at(now + 100));
        now += 100;
        assert_eq!(handle(&mut state, Event::Wake, at(now)), [ask(id + 1, 0)]);
    }
    let out = handle(&mut state, answer(6, &sent(0)), at(now));
    assert_eq!(out, [write(0), ask(7, 1), ask(8, 2)]);
}

#[test]
fn a_piece_that_was_damaged_on_the_disk_is_fetched_again() {
    let mut state = sealing();
    let damaged = SealFailure::Damaged(vec![1]);
    let out = handle(&mut state, Event::Sealed { blob: BLOB, result: Err(damaged) }, at(9));
    assert_eq!(out, [ask(5, 1)]);
}

#[test]
fn a_full_disk_ends_it_and_says_so() {
    let mut state = moving();
    handle(&mut state, answer(2, &sent(0)), at(3));
    let full = crux_protocol::pastiche::StoreFailure::DiskFull;
    let failure = WriteFailure::Store(full.clone());
    let written = Event::Written { blob: BLOB, root: ROOT, index: 0, result: Err(failure) };
    let done = Command::Done { waiter: Waiter(1), result: Err(Failure::Store(full)) };
    let out = handle(&mut state, written, at(4));
    assert_eq!(out, [done, Command::Rest { blob: BLOB }]);
    assert_eq!(handle(&mut state, answer(3, &sent(1)), at(5)), [], "what comes late is dropped");
}

#[test]
fn who_cancels_gets_no_answer_and_stops_the_fetch() {
    let mut state = moving();
    let rest = Command::Rest { blob: BLOB };
    assert_eq!(handle(&mut state, Event::Cancel { waiter: Waiter(1) }, at(3)), [rest]);
    assert_eq!(handle(&mut state, answer(2, &sent(0)), at(4)), []);
    assert_eq!(state.deadline(at(4)), Instant::NEVER);
}

#[test]
fn fetches_over_the_bound_wait_and_then_go_on() {
    let config = Config { fetches_max: 1, queued_max: 1, peers_max: 1, ..Config::default() };
    let mut state = State::new(config, context(0), [1; 32]);
    let get = |number: u8| Event::Get {
        waiter: Waiter(number.into()),
        blob: crux_crdt::blob::BlobId([number; 32]),
        wait: WAIT,
    };
    assert_eq!(handle(&mut state, get(1), at(0)).len(), 1, "asks for it");
    assert_eq!(handle(&mut state, get(2), at(1)), [], "waits");
    let busy = Command::Done { waiter: Waiter(3), result: Err(Failure::Busy) };
    assert_eq!(handle(&mut state, get(3), at(2)), [busy]);
    let out = handle(&mut state, Event::Cancel { waiter: Waiter(1) }, at(3));
    assert!(matches!(out[..], [Command::Send { .. }]), "its turn: {out:?}");
}

#[test]
fn a_request_that_is_rubbish_is_answered_and_reported() {
    let mut state = engine();
    let (reply, peer) = (ReplyId(1), principal(1));
    let out = handle(&mut state, Event::Request { reply, peer, body: vec![9; 3] }, at(0));
    let report = Command::Report(crux_protocol::pastiche::Report::Malformed { peer });
    assert_eq!(out, [report, Command::Reply { reply, response: Response::Unknown }]);
}

/// A node that has the mover fetch from it is gone, or its user; what the store was doing ends later.
#[test]
fn what_the_store_touches_for_nobody_rests_again() {
    let mut state = moving();
    handle(&mut state, answer(2, &sent(0)), at(3));
    let rest = [Command::Rest { blob: BLOB }];
    assert_eq!(handle(&mut state, Event::Cancel { waiter: Waiter(1) }, at(4)), rest);
    assert_eq!(handle(&mut state, written(0), at(5)), rest);
    let begun =
        || Event::Begun { blob: BLOB, root: ROOT, size: SIZE, result: Ok(PieceSet::none(SIZE)) };
    assert_eq!(handle(&mut state, begun(), at(6)), rest);
    // The same when another get came, and went before it began anything.
    handle(&mut state, get(2), at(7));
    assert_eq!(handle(&mut state, written(0), at(8)), []);
    assert_eq!(handle(&mut state, Event::Cancel { waiter: Waiter(2) }, at(9)), rest);
}

#[test]
fn what_an_earlier_fetch_began_is_not_taken_for_another_tree() {
    let mut state = moving();
    handle(&mut state, Event::Cancel { waiter: Waiter(1) }, at(3));
    handle(&mut state, get(2), at(4));
    handle(&mut state, answer(4, &have(PieceSet::all(SIZE))), at(5));
    let begun =
        |root, size| Event::Begun { blob: BLOB, root, size, result: Ok(PieceSet::none(size)) };
    let other = crux_crdt::blob::Root([1; 32]);
    assert_eq!(handle(&mut state, begun(other, SIZE), at(6)), []);
    assert_eq!(handle(&mut state, begun(ROOT, mib(9)), at(6)), []);
    assert_eq!(handle(&mut state, begun(ROOT, SIZE), at(7)).len(), 2, "two are asked for");
}

/// Those that wait for a place wait no longer than they said, each.
#[test]
fn a_get_that_waits_for_a_place_ends_in_its_time() {
    let config = Config { fetches_max: 1, peers_max: 1, ..Config::default() };
    let mut state = State::new(config, context(0), [1; 32]);
    let get = |number: u8, seconds| Event::Get {
        waiter: Waiter(number.into()),
        blob: crux_crdt::blob::BlobId([number.min(3); 32]),
        wait: Duration::from_secs(seconds),
    };
    assert_eq!(handle(&mut state, get(1, 60), at(0)).len(), 1, "asks for it");
    for (number, seconds) in [(2, 7), (3, 5), (4, 6)] {
        assert_eq!(handle(&mut state, get(number, seconds), at(0)), [], "waits");
    }
    let busy = |waiter| Command::Done { waiter: Waiter(waiter), result: Err(Failure::Busy) };
    let done = |out: &[Command]| -> Vec<Command> {
        out.iter().filter(|it| matches!(it, Command::Done { .. })).cloned().collect()
    };
    let mut ended = Vec::new();
    let mut now = at(0);
    while now < at(6_500) {
        now = state.deadline(now);
        for command in done(&handle(&mut state, Event::Wake, now)) {
            ended.push((now, command));
        }
    }
    assert_eq!(ended, [(at(5_000), busy(3)), (at(6_000), busy(4))], "to the moment");
    // The second gets a place, and with it no more time than it has.
    handle(&mut state, Event::Cancel { waiter: Waiter(1) }, at(6_600));
    assert_eq!(done(&handle(&mut state, Event::Wake, at(6_999))), []);
    let nobody = Command::Done { waiter: Waiter(2), result: Err(Failure::NobodyHas) };
    assert_eq!(done(&handle(&mut state, Event::Wake, at(7_000))), [nobody]);
}

/// Any number of keys may send it.
#[test]
fn what_is_not_the_blob_prolongs_no_wait() {
    let mut state = engine();
    handle(&mut state, get(1), at(0));
    handle(&mut state, answer(1, &Response::Whole(b"a lie".to_vec())), at(9_000));
    let mismatch = Event::Sealed { blob: BLOB, result: Err(SealFailure::Mismatch) };
    handle(&mut state, mismatch, at(9_001));
    let out = handle(&mut state, Event::Wake, at(10_000));
    assert!(matches!(out[0], Command::Done { waiter: Waiter(1), result: Err(_) }), "{out:?}");
}

/// Node 1 says, and does not sign, that it holds all of another tree, which is one byte.
#[test]
fn a_tree_of_one_piece_is_refuted_in_memory_and_who_served_it_is_named() {
    let lie = crux_crdt::blob::Root([9; 32]);
    let mut state = State::new(Config::default(), context(0), [1; 32]);
    let out = handle(&mut state, get(1), at(0));
    let asked = |to| {
        let of = |command: &Command| match command {
            Command::Send { id: RequestId(id), peer, .. } => {
                (*peer == principal(to)).then_some(*id)
            }
            _ => None,
        };
        out.iter().find_map(of).expect("it is asked")
    };
    handle(&mut state, answer(asked(2), &have(PieceSet::all(SIZE))), at(1));
    handle(&mut state, Event::Wake, at(60));
    let result = Ok(PieceSet::none(SIZE));
    let begun = Event::Begun { blob: BLOB, root: ROOT, size: SIZE, result };
    assert_eq!(handle(&mut state, begun, at(61)), [ask(3, 0), ask(4, 1)]);
    let holding = Holding { root: lie, size: 1, pieces: PieceSet::all(1) };
    let stated = Response::Have { holding, descriptors: Vec::new(), others: Vec::new() };
    let request = Request::Piece { blob: BLOB, root: lie, index: 0 };
    let first = Command::Send { id: RequestId(5), peer: principal(1), request };
    assert_eq!(handle(&mut state, answer(asked(1), &stated), at(62)), [first]);
    let body = piece(lie, 0);
    let attempt = Command::Try { blob: BLOB, root: lie, size: 1, body: body.clone() };
    let sent_it = Response::Piece { pieces: None, body };
    assert_eq!(handle(&mut state, answer(5, &sent_it), at(63)), [attempt], "nothing is begun");
    let result = Err(TryFailure::Mismatch);
    let tried = Event::Tried { blob: BLOB, root: lie, size: 1, result };
    let (signers, servers) = (Vec::new(), vec![principal(1)]);
    let report = Command::Report(Report::FalseRoot { signers, servers, blob: BLOB });
    assert_eq!(handle(&mut state, tried, at(64)), [report]);
    // It is asked nothing more, and the other goes on.
    assert_eq!(handle(&mut state, answer(3, &sent(0)), at(65)), [write(0), ask(6, 2)]);
    let out = handle(&mut state, Event::Wake, at(5_000));
    assert!(
        !out.iter().any(|it| matches!(it, Command::Send { peer, .. } if *peer == principal(1)))
    );
}

/// The blob itself may be the rival: then it is there at once.
#[test]
fn a_tree_of_one_piece_that_is_right_ends_the_fetch() {
    let mut world = crate::world::World::new(4, &Config::default(), Some(1_000_000));
    world.nodes[0].store.keep(BLOB, ROOT, 70_000);
    for liar in [2, 3] {
        world.nodes[liar].store.keep(BLOB, crux_crdt::blob::Root([9; 32]), mib(30));
    }
    world.get(1, 1, WAIT);
    assert!(world.run(Duration::from_secs(3), |world| world.all_done(1..2)));
    assert_eq!(world.nodes[1].done[0].1, Ok(()));
    assert!(world.nodes[1].store.writes.len() <= 3, "{:?}", world.nodes[1].store.writes);
}

/// Only who compared the SHA-3 says that it holds all.
#[test]
fn what_is_complete_and_not_sealed_is_said_to_lack_a_piece() {
    let mut state = engine();
    let body = Request::Have { blob: BLOB, brief: true }.encode();
    let ask = Event::Request { reply: ReplyId(1), peer: principal(1), body };
    let out = handle(&mut state, ask, at(0));
    let [Command::Look { read, .. }] = out[..] else { panic!("{out:?}") };
    let holding = Holding { root: ROOT, size: SIZE, pieces: PieceSet::all(SIZE) };
    let out = handle(&mut state, Event::Looked { read, found: Some((holding, Vec::new())) }, at(1));
    let [Command::Reply { response: Response::Have { holding, .. }, .. }] = &out[..] else {
        panic!("{out:?}")
    };
    assert_eq!(holding.pieces.iter().collect::<Vec<_>>(), [0, 1]);
}
