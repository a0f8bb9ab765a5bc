//! The serving side: turns, bounds, rates.

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::time::Duration;

use crux_crdt::blob::{PIECE_BYTES, PieceSet};
use crux_protocol::link::ReplyId;
use crux_protocol::pastiche::{
    Command, Config, Event, Facts, Holding, ReadId, Request, Response, State,
};
use crux_protocol::time::Instant;

use crate::fixture::{BLOB, ROOT, at, context, descriptor, mib, principal};

fn handle(state: &mut State, event: Event, now: Instant) -> Vec<Command> {
    let facts = Facts { linked: &BTreeSet::new(), is_member: &|_| true, holders: &|_| Vec::new() };
    state.handle(event, now, &facts)
}

/// A peer asks for a piece.
fn ask(state: &mut State, peer: u8, reply: u64, index: u32, now: Instant) -> Vec<Command> {
    let body = Request::Piece { blob: BLOB, root: ROOT, index }.encode();
    handle(state, Event::Request { reply: ReplyId(reply), peer: principal(peer), body }, now)
}

fn read(id: u64, index: u32) -> Command {
    Command::Read { read: ReadId(id), blob: BLOB, root: ROOT, index }
}

fn engine(config: Config) -> State {
    State::new(config, context(0), [1; 32])
}

#[test]
fn a_question_is_answered_with_what_is_held_what_was_signed_and_who_else_asks() {
    let mut state = engine(Config::default());
    let body = Request::Have { blob: BLOB, brief: false }.encode();
    let looked = |read| {
        let holding = Holding { root: ROOT, size: mib(3), pieces: PieceSet::all(mib(3)) };
        let own = vec![descriptor(0, ROOT, mib(3))];
        Event::Looked { read: ReadId(read), found: Some((holding, own)) }
    };
    for (peer, number) in [(1, 1), (2, 2)] {
        let (reply, peer) = (ReplyId(number), principal(peer));
        let out = handle(&mut state, Event::Request { reply, peer, body: body.clone() }, at(0));
        assert_eq!(out, [Command::Look { read: ReadId(number), blob: BLOB }]);
    }
    let out = handle(&mut state, looked(2), at(1));
    let holding = Holding { root: ROOT, size: mib(3), pieces: PieceSet::all(mib(3)) };
    let descriptors = vec![descriptor(0, ROOT, mib(3))];
    let response = Response::Have { holding, descriptors, others: vec![principal(1)] };
    assert_eq!(out, [Command::Reply { reply: ReplyId(2), response }]);
    let out = handle(&mut state, Event::Looked { read: ReadId(1), found: None }, at(1));
    assert_eq!(out, [Command::Reply { reply: ReplyId(1), response: Response::Unknown }]);
}

#[test]
fn memory_is_bounded_until_replies_are_gone() {
    let mut state = engine(Config { reads_max: 2, ..Config::default() });
    assert_eq!(ask(&mut state, 1, 1, 0, at(0)), [read(1, 0)]);
    assert_eq!(ask(&mut state, 1, 2, 1, at(0)), [read(2, 1)]);
    assert_eq!(ask(&mut state, 1, 3, 2, at(0)), []);
    let bytes = Event::Read { read: ReadId(1), bytes: Some(vec![5]) };
    let response = Response::Piece { pieces: None, body: vec![5] };
    let reply = Command::Reply { reply: ReplyId(1), response };
    assert_eq!(handle(&mut state, bytes, at(1)), [reply], "read, and still in memory");
    let gone = Event::Replied { reply: ReplyId(1) };
    assert_eq!(handle(&mut state, gone, at(2)), [read(3, 2)]);
}

#[test]
fn peers_take_turns_however_much_one_asks_for() {
    let mut state = engine(Config { reads_max: 1, ..Config::default() });
    assert_eq!(ask(&mut state, 1, 1, 0, at(0)), [read(1, 0)]);
    (2..8).for_each(|number| assert_eq!(ask(&mut state, 1, number, 1, at(0)), []));
    ask(&mut state, 2, 20, 5, at(0));
    ask(&mut state, 3, 30, 6, at(0));
    let mut order = Vec::new();
    for id in 1..=4 {
        let mut out = handle(&mut state, Event::Read { read: ReadId(id), bytes: None }, at(1));
        if let Some(Command::Read { index, .. }) = out.pop() {
            order.push(index);
        }
    }
    assert_eq!(order, [1, 5, 6, 1]);
}

#[test]
fn a_peer_with_too_many_in_line_is_told_to_come_later() {
    let config = Config { reads_max: 1, waiting_per_peer_max: 3, ..Config::default() };
    let mut state = engine(config);
    (0..4).for_each(|number| _ = ask(&mut state, 1, number, 0, at(0)));
    let out = ask(&mut state, 1, 9, 0, at(0));
    let [Command::Reply { response: Response::Busy { retry_after }, .. }] = &out[..] else {
        panic!("{out:?}")
    };
    assert!(*retry_after >= Duration::from_millis(50));
}

#[test]
fn what_goes_out_keeps_to_the_rate() {
    let rate = NonZeroU64::new(2 * PIECE_BYTES);
    let mut state = engine(Config { up_rate: rate, ..Config::default() });
    assert_eq!(ask(&mut state, 1, 1, 0, at(1_000)), [read(1, 0)]);
    assert_eq!(ask(&mut state, 1, 2, 1, at(1_000)), []);
    assert_eq!(ask(&mut state, 2, 3, 2, at(1_000)), []);
    // 500 ms each, less the quarter of a second that was saved up.
    assert_eq!(state.deadline(at(1_000)), at(1_250));
    assert_eq!(handle(&mut state, Event::Wake, at(1_250)), [read(2, 1)]);
    assert_eq!(state.deadline(at(1_250)), at(1_750));
    let bytes = Event::Read { read: ReadId(1), bytes: Some(vec![5]) };
    handle(&mut state, bytes, at(1_260));
    assert_eq!(handle(&mut state, Event::Replied { reply: ReplyId(1) }, at(1_270)), []);
    assert_eq!(handle(&mut state, Event::Wake, at(1_750)), [read(3, 2)]);
}

#[test]
fn who_went_away_is_not_read_for() {
    let mut state = engine(Config { reads_max: 1, ..Config::default() });
    ask(&mut state, 1, 1, 0, at(0));
    ask(&mut state, 2, 2, 1, at(0));
    assert_eq!(handle(&mut state, Event::Replied { reply: ReplyId(2) }, at(1)), []);
    let out = handle(&mut state, Event::Read { read: ReadId(1), bytes: None }, at(2));
    assert_eq!(out.len(), 1, "the answer, and no more to read: {out:?}");
}

/// A fetcher that was killed while its pieces were read took their places for good, and the next one
/// got nothing.
#[test]
fn who_goes_away_while_a_piece_is_read_leaves_its_place() {
    let mut state = engine(Config { reads_max: 1, ..Config::default() });
    assert_eq!(ask(&mut state, 1, 1, 0, at(0)), [read(1, 0)]);
    assert_eq!(ask(&mut state, 2, 2, 1, at(0)), []);
    let gone = Event::Replied { reply: ReplyId(1) };
    assert_eq!(handle(&mut state, gone, at(1)), [], "the store still reads");
    let bytes = Event::Read { read: ReadId(1), bytes: Some(vec![5]) };
    assert_eq!(handle(&mut state, bytes, at(2)), [read(2, 1)]);
}
