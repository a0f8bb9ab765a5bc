//! The long tail: blobs that nobody offers in the strew, and the flock's index.

use std::collections::BTreeSet;
use std::time::Duration;

use crux_crdt::Principal;
use crux_crdt::blob::BlobId;
use crux_protocol::link::{PROVIDED_MAX, RequestFailure, RequestId};
use crux_protocol::pastiche::{Command, Config, Event, Facts, Request, Response, State, Waiter};
use crux_protocol::time::Instant;

use crate::fixture::{BLOB, ROOT, at, context, mib, principal};
use crate::world::World;

const WAIT: Duration = Duration::from_secs(10);
const HOUR: u64 = 3_600_000;

fn engine(config: Config) -> State {
    State::new(config, context(0), [1; 32])
}

/// Node 0, to which so many others are linked; nobody offers anything.
fn handle(state: &mut State, linked: u8, event: Event, now: Instant) -> Vec<Command> {
    let linked: BTreeSet<Principal> = (1..=linked).map(principal).collect();
    let is_member = |peer: &Principal| *peer != principal(66);
    let facts = Facts { linked: &linked, is_member: &is_member, holders: &|_| Vec::new() };
    state.handle(event, now, &facts)
}

fn blob(number: u8) -> BlobId {
    BlobId([number; 32])
}

fn get() -> Event {
    Event::Get { waiter: Waiter(1), blob: BLOB, wait: WAIT }
}

/// Two numbers of nodes, by the order of their keys.
fn two() -> [u8; 2] {
    if principal(1) < principal(2) { [1, 2] } else { [2, 1] }
}

fn have(id: u64, peer: u8) -> Command {
    let request = Request::Have { blob: BLOB, brief: false };
    Command::Send { id: RequestId(id), peer: principal(peer), request }
}

fn unknown(id: u64) -> Event {
    Event::Response { id: RequestId(id), body: Response::Unknown.encode() }
}

fn providers(peers: &[u8], last: bool) -> Event {
    let peers = peers.iter().map(|peer| principal(*peer)).collect();
    Event::Providers { blob: BLOB, peers, last }
}

fn stored(kept: &[u8], others: &[u8]) -> Event {
    let ids = |numbers: &[u8]| numbers.iter().map(|number| blob(*number)).collect();
    Event::Stored { kept: ids(kept), others: ids(others) }
}

fn provided(number: u8, told: bool) -> Event {
    Event::Provided { blob: blob(number), told }
}

#[test]
fn the_index_is_asked_when_nobody_offers_it_and_whom_it_names_is_asked() {
    let mut state = engine(Config { peers_max: 1, ..Config::default() });
    let (seek, [first, second]) = (Command::Seek { blob: BLOB }, two());
    assert_eq!(handle(&mut state, 2, get(), at(0)), [seek, have(1, first)]);
    assert_eq!(handle(&mut state, 2, unknown(1), at(1)), []);
    // This node itself and one that is no member are named too.
    let named = providers(&[0, second, 66], false);
    let out = handle(&mut state, 2, named, at(2));
    assert_eq!(out, [have(2, second)], "in the place of who has nothing");
}

#[test]
fn the_index_is_asked_again_after_a_while_and_not_twice_at_once() {
    let mut state = engine(Config { peers_max: 1, ..Config::default() });
    handle(&mut state, 2, get(), at(0));
    handle(&mut state, 2, unknown(1), at(1));
    let asks = |out: &[Command]| out.contains(&Command::Seek { blob: BLOB });
    let later = at(6_000);
    assert!(!asks(&handle(&mut state, 2, Event::Wake, later)), "the first search is under way");
    handle(&mut state, 2, providers(&[], true), later);
    assert!(!asks(&handle(&mut state, 2, Event::Wake, at(8_000))));
    assert!(asks(&handle(&mut state, 2, Event::Wake, at(11_000))));
}

#[test]
fn a_holder_that_is_not_linked_is_linked_for_it_and_others_are_not() {
    let mut state = engine(Config::default());
    let (seek, [first, second]) = (Command::Seek { blob: BLOB }, two());
    let out = handle(&mut state, 2, get(), at(0));
    assert_eq!(out, [have(1, first), have(2, second)], "where all can be asked, the index waits");
    assert_eq!(state.deadline(at(0)), at(100));
    assert_eq!(handle(&mut state, 2, Event::Wake, at(100)), [seek]);
    handle(&mut state, 2, providers(&[second], true), at(101));
    let away = |id| {
        let failure = RequestFailure::NotConnected;
        Event::RequestFailed { id: RequestId(id), failure }
    };
    assert_eq!(handle(&mut state, 2, away(1), at(102)), []);
    let reach = Command::Reach { peer: principal(second) };
    assert_eq!(handle(&mut state, 2, away(2), at(102)), [reach]);
}

#[test]
fn what_is_stored_is_stated_a_few_at_a_time_and_again_in_time() {
    let config = Config { provides_max: 1, ..Config::default() };
    let mut state = engine(config);
    let provide = |number| Command::Provide { blob: blob(number) };
    assert_eq!(handle(&mut state, 0, stored(&[], &[1, 2]), at(0)), [], "to nobody");
    assert_eq!(handle(&mut state, 1, Event::Wake, at(1)), [provide(1)]);
    assert_eq!(handle(&mut state, 1, provided(1, true), at(2)), [provide(2)]);
    assert_eq!(handle(&mut state, 1, provided(2, false), at(3)), []);
    assert_eq!(state.deadline(at(3)), at(30_003), "what was told to nobody is tried again soon");
    assert_eq!(handle(&mut state, 1, Event::Wake, at(30_003)), [provide(2)]);
    assert_eq!(handle(&mut state, 1, provided(2, true), at(30_004)), []);
    assert_eq!(state.deadline(at(30_004)), at(4 * HOUR + 2));
    assert_eq!(handle(&mut state, 1, Event::Wake, at(4 * HOUR + 2)), [provide(1)]);
}

#[test]
fn what_is_gone_is_withdrawn() {
    let mut state = engine(Config::default());
    handle(&mut state, 1, stored(&[3], &[1, 2]), at(0));
    let out = handle(&mut state, 1, stored(&[3], &[2]), at(1));
    assert_eq!(out, [Command::Withdraw { blob: blob(1) }]);
    assert_eq!(handle(&mut state, 1, provided(1, true), at(2)), [], "a late answer does no harm");
}

#[test]
fn a_flock_that_grew_is_told_again() {
    let mut state = engine(Config::default());
    handle(&mut state, 3, stored(&[1], &[]), at(0));
    handle(&mut state, 3, provided(1, true), at(1));
    assert_eq!(handle(&mut state, 5, Event::Wake, at(2)), []);
    assert_eq!(handle(&mut state, 6, Event::Wake, at(3)), [Command::Provide { blob: blob(1) }]);
}

#[test]
fn there_is_a_bound_and_what_is_to_stay_comes_first() {
    let mut state = engine(Config { provides_max: usize::MAX, ..Config::default() });
    let ids = |first: u32, count: usize| -> Vec<BlobId> {
        let id = |number: u32| {
            let mut id = [0; 32];
            id[28..].copy_from_slice(&number.to_be_bytes());
            BlobId(id)
        };
        (first..).take(count).map(id).collect()
    };
    let (kept, others) = (ids(1_000_000, 2), ids(0, PROVIDED_MAX));
    let out = handle(&mut state, 1, Event::Stored { kept: kept.clone(), others }, at(0));
    assert_eq!(out.len(), PROVIDED_MAX);
    for blob in kept {
        assert!(out.contains(&Command::Provide { blob }));
    }
}

#[test]
fn one_beyond_the_places_and_without_a_link_is_found_by_the_index() {
    let config = Config { peers_max: 4, ..Config::default() };
    let mut world = World::new(20, &config, None);
    let size = mib(3) + 7;
    world.nodes[19].store.keep(BLOB, ROOT, size);
    world.apart.insert(principal(19));
    world.tell(19, Event::Stored { kept: Vec::new(), others: vec![BLOB] });
    world.get(0, 1, WAIT);
    assert!(world.run(Duration::from_secs(5), |world| world.all_done(0..1)), "it is found");
    assert!(world.nodes[0].done[0].1.is_ok());
}

#[test]
fn an_index_full_of_lies_costs_questions_only() {
    let config = Config { peers_max: 8, ..Config::default() };
    let mut world = World::new(20, &config, None);
    let size = mib(2);
    world.nodes[3].store.keep(BLOB, ROOT, size);
    world.index.insert(BLOB, (4..20).map(principal).collect());
    world.get(0, 1, WAIT);
    assert!(world.run(Duration::from_secs(5), |world| world.all_done(0..1)));
    assert!(world.nodes[0].done[0].1.is_ok(), "{:?}", world.nodes[0].done);
    assert!(world.nodes[0].reports.is_empty());
}
