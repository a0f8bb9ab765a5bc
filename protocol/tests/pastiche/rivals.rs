//! False trees beside the true one. Each of these keys states its own, and signs it.

use std::time::Duration;

use crux_crdt::blob::{BLOB_BYTES_MAX, Root};
use crux_protocol::pastiche::{Config, Failure};

use crate::fixture::{BLOB, ROOT, mib, principal};
use crate::world::{Manner, World};

/// What a get waits if nobody says otherwise.
const WAIT: Duration = Duration::from_secs(10);
/// Of each node's link, in bytes a second.
const RATE: u64 = 50_000_000;
/// Greater, by its bytes, than the true root, so that ties by bytes would go to the lie.
const LIE: u8 = 0xf0;
const TRUE_SIZE: u64 = mib(3);

/// Node 0 is honest and holds three pieces, node 1 fetches, the others state trees of their own.
fn beside(liars: u8, size: u64, manner: Manner) -> World {
    let mut world = World::new(2 + liars, &Config::default(), Some(RATE));
    world.nodes[0].store.keep(BLOB, ROOT, TRUE_SIZE);
    for liar in 2..2 + liars {
        let root = Root([LIE + liar % 16; 32].map(|byte| byte.wrapping_add(liar / 16)));
        let node = &mut world.nodes[usize::from(liar)];
        node.store.keep(BLOB, root, size);
        node.manner = manner;
    }
    world
}

fn is_got(world: &mut World, within: Duration) {
    world.get(1, 1, WAIT);
    let ended = world.run(within, |world| world.all_done(1..2));
    assert!(ended, "not within {within:?}");
    assert_eq!(world.nodes[1].done[0].1, Ok(()));
    assert!(world.nodes[1].store.kept[&BLOB].sealed);
}

#[test]
fn silent_claims_cost_a_moment_and_nothing_of_the_store() {
    for size in [mib(1), mib(20), BLOB_BYTES_MAX] {
        for liars in [1, 5, 15] {
            let mut world = beside(liars, size, Manner::Silent);
            is_got(&mut world, Duration::from_secs(3));
            assert_eq!(world.nodes[1].store.most, TRUE_SIZE, "only the blob itself took room");
        }
    }
}

#[test]
fn claims_that_the_store_cannot_hold_are_passed_over() {
    let mut world = beside(3, BLOB_BYTES_MAX, Manner::Honest);
    world.nodes[1].store.room = mib(10);
    is_got(&mut world, Duration::from_secs(3));
    assert!((2..5).all(|liar| world.nodes[liar].sent <= mib(1)), "each is asked for one piece");
}

/// The pieces of a false tree are right for that tree.
#[test]
fn a_false_tree_that_delivers_takes_no_more_room_than_the_blob() {
    for size in [mib(1), mib(2), mib(20), BLOB_BYTES_MAX] {
        for liars in [1, 5, 15] {
            let mut world = beside(liars, size, Manner::Honest);
            is_got(&mut world, Duration::from_secs(10));
            let store = &world.nodes[1].store;
            assert!(store.most <= TRUE_SIZE, "{size} bytes, {liars} liars: {}", store.most);
            let all = store.most_of_all;
            assert!(all <= 2 * TRUE_SIZE, "{size} bytes, {liars} liars: {all}, with what rests");
        }
    }
}

#[test]
fn a_false_tree_that_more_nodes_signed_is_left_all_the_same() {
    let mut world = World::new(7, &Config::default(), Some(RATE));
    world.nodes[0].store.keep(BLOB, ROOT, TRUE_SIZE);
    for liar in 2..7 {
        world.nodes[liar].store.keep(BLOB, Root([LIE; 32]), BLOB_BYTES_MAX);
        world.offer(liar);
    }
    world.offer(0);
    is_got(&mut world, Duration::from_secs(3));
    assert!(world.nodes[1].store.most <= TRUE_SIZE);
}

/// It sends something now and then, so that it is never without progress.
#[test]
fn a_false_tree_that_trickles_costs_a_bounded_time() {
    for (size, gap, liars, within) in
        [(mib(100), 1, 1, 10), (mib(100), 1, 5, 30), (mib(100), 9, 1, 10), (mib(100), 9, 5, 30)]
    {
        let mut world = beside(liars, BLOB_BYTES_MAX, Manner::Trickle(gap));
        world.nodes[0].store.keep(BLOB, ROOT, size);
        is_got(&mut world, Duration::from_secs(within));
    }
}

/// The honest one is at the end of the line for places, and there are more liars than places.
#[test]
fn more_silent_liars_than_places_do_not_keep_the_holder_out() {
    let config = Config { peers_max: 8, ..Config::default() };
    let mut world = World::new(26, &config, Some(RATE));
    world.nodes[0].store.keep(BLOB, ROOT, TRUE_SIZE);
    for liar in 2..26 {
        let node = &mut world.nodes[usize::from(liar)];
        node.store.keep(BLOB, Root([LIE ^ liar; 32]), mib(20));
        node.manner = Manner::Silent;
        world.offer(usize::from(liar));
    }
    is_got(&mut world, WAIT + WAIT);
}

/// Forty-eight pieces may be in flight, and each of these keeps what it was asked for.
#[test]
fn silent_liars_of_many_blobs_do_not_take_all_places_for_pieces() {
    let mut world = beside(60, mib(20), Manner::Silent);
    is_got(&mut world, WAIT);
}

#[test]
fn a_get_ends_when_no_piece_came_for_as_long_as_it_waits() {
    let mut world = beside(3, mib(20), Manner::Silent);
    world.kill(0);
    world.get(1, 1, WAIT);
    assert!(!world.run(WAIT - Duration::from_millis(1), |world| world.all_done(1..2)));
    assert!(world.run(Duration::from_millis(2), |world| world.all_done(1..2)), "to the moment");
    assert_eq!(world.nodes[1].done[0].1, Err(Failure::Stalled), "somebody says that it has it");
    assert_eq!(world.nodes[1].store.most, 0);
}

#[test]
fn a_get_that_gets_a_piece_now_and_then_goes_on() {
    let mut world = World::new(2, &Config::default(), Some(RATE));
    world.nodes[0].store.keep(BLOB, ROOT, mib(4));
    world.nodes[0].manner = Manner::Trickle(4);
    world.get(1, 1, Duration::from_secs(5));
    assert!(world.run(Duration::from_secs(60), |world| world.all_done(1..2)));
    assert_eq!(world.nodes[1].done[0].1, Ok(()));
    assert!(world.now.since_origin() > Duration::from_secs(10));
}

#[test]
fn what_was_fetched_of_a_blob_that_nobody_goes_on_with_may_go() {
    let mut world = World::new(2, &Config::default(), Some(RATE));
    world.nodes[0].store.keep(BLOB, ROOT, mib(100));
    world.get(1, 1, WAIT);
    assert!(world.run(WAIT, |world| world.pieces(1).held() > 3));
    assert!(world.nodes[1].store.resting.is_empty());
    world.kill(0);
    assert!(world.run(WAIT + WAIT, |world| world.all_done(1..2)));
    assert!(world.nodes[1].done[0].1.is_err());
    assert!(world.nodes[1].store.resting.contains(&BLOB));
}

#[test]
fn a_small_blob_is_taken_whole_whatever_tree_is_followed_meanwhile() {
    use crux_crdt::blob::PieceSet;
    use crux_protocol::link::RequestId;
    use crux_protocol::pastiche::{
        Command, Event, Facts, Holding, Request, Response, State, Waiter,
    };

    use crate::fixture::{at, context};

    let linked = [principal(1), principal(2)].into();
    let facts = Facts { linked: &linked, is_member: &|_| true, holders: &|_| Vec::new() };
    let mut state = State::new(Config::default(), context(0), [1; 32]);
    let get = Event::Get { waiter: Waiter(1), blob: BLOB, wait: WAIT };
    let out = state.handle(get, at(0), &facts);
    let asked = |to: u8| {
        let of = |command: &Command| match command {
            Command::Send { id, peer, request: Request::Have { .. } } => {
                (*peer == principal(to)).then_some(*id)
            }
            _ => None,
        };
        out.iter().find_map(of).expect("it is asked")
    };
    let answer =
        |id: RequestId, response: Response| Event::Response { id, body: response.encode() };
    let holding = Holding { root: Root([LIE; 32]), size: mib(20), pieces: PieceSet::all(mib(20)) };
    let lie = Response::Have { holding, descriptors: Vec::new(), others: Vec::new() };
    state.handle(answer(asked(1), lie), at(1), &facts);
    let out = state.handle(Event::Wake, at(60), &facts);
    assert!(matches!(out[..], [Command::Begin { .. }]), "{out:?}");
    let begun = Event::Begun {
        blob: BLOB,
        root: Root([LIE; 32]),
        size: mib(20),
        result: Ok(PieceSet::none(mib(20))),
    };
    state.handle(begun, at(61), &facts);
    let whole = answer(asked(2), Response::Whole(b"all of it".to_vec()));
    let take = Command::Take { blob: BLOB, body: b"all of it".to_vec() };
    assert_eq!(state.handle(whole, at(100), &facts), [take]);
    let sealed = Event::Sealed { blob: BLOB, result: Ok(()) };
    let out = state.handle(sealed, at(101), &facts);
    assert_eq!(out[0], Command::Done { waiter: Waiter(1), result: Ok(()) });
}
