//! Providers that lie, each beside an honest one.

use std::time::Duration;

use crux_crdt::blob::Root;
use crux_protocol::pastiche::{Config, Failure, Report, StoreFailure};

use crate::fixture::{BLOB, ROOT, mib, principal};
use crate::world::{Manner, World};

const WAIT: Duration = Duration::from_secs(10);
const LIE: Root = Root([0xff; 32]);

/// Node 0 is honest, node 1 lies, node 2 fetches eight pieces.
fn beside_an_honest_one(manner: Manner) -> World {
    let mut world = World::new(3, &Config::default(), Some(5_000_000));
    world.nodes[0].store.keep(BLOB, ROOT, mib(8));
    world.nodes[1].store.keep(BLOB, ROOT, mib(8));
    world.nodes[1].manner = manner;
    world.get(2, 1, WAIT);
    assert!(world.run(Duration::from_secs(60), |world| world.all_done(2..3)), "{manner:?}");
    assert_eq!(world.nodes[2].done[0].1, Ok(()), "{manner:?}");
    assert!(world.nodes[2].store.kept[&BLOB].sealed, "{manner:?}");
    world
}

#[test]
fn wrong_pieces_are_thrown_away_and_their_sender_is_reported_once() {
    let world = beside_an_honest_one(Manner::WrongPieces);
    let report = Report::BadPiece { peer: principal(1), blob: BLOB };
    assert_eq!(world.nodes[2].reports, [report]);
}

#[test]
fn rubbish_is_reported() {
    let world = beside_an_honest_one(Manner::Rubbish);
    assert!(world.nodes[2].reports.contains(&Report::Malformed { peer: principal(1) }));
}

#[test]
fn silence_and_broken_promises_cost_time_and_nothing_else() {
    for manner in [Manner::Silent, Manner::Endless, Manner::Fickle] {
        let world = beside_an_honest_one(manner);
        assert_eq!(world.nodes[2].reports, [], "{manner:?}");
        let took = world.now.since_origin();
        assert!(took < Duration::from_secs(8), "{manner:?}: {took:?}");
    }
}

#[test]
fn a_lone_liar_does_not_hold_a_get_for_ever() {
    for manner in [Manner::Silent, Manner::Endless, Manner::Fickle, Manner::WrongPieces] {
        let mut world = World::new(2, &Config::default(), None);
        world.nodes[0].store.keep(BLOB, ROOT, mib(8));
        world.nodes[0].manner = manner;
        world.get(1, 1, WAIT);
        let ended = world.run(WAIT + Duration::from_millis(1), |world| world.all_done(1..2));
        assert!(ended, "{manner:?}");
        // The others are given up for what they sent.
        let is_silent = manner == Manner::Silent;
        let why = if is_silent { Failure::Stalled } else { Failure::NobodyHas };
        assert_eq!(world.nodes[1].done[0].1, Err(why), "{manner:?}");
    }
}

#[test]
fn of_two_roots_the_one_with_more_signers_is_followed() {
    let mut world = World::new(4, &Config::default(), None);
    world.nodes[0].store.keep(BLOB, LIE, mib(4));
    world.nodes[1].store.keep(BLOB, ROOT, mib(4));
    world.nodes[2].store.keep(BLOB, ROOT, mib(4));
    world.get(3, 1, WAIT);
    assert!(world.run(WAIT, |world| world.all_done(3..4)));
    assert_eq!(world.nodes[3].done[0].1, Ok(()));
    assert_eq!(world.nodes[3].reports, []);
    assert_eq!(world.nodes[0].sent, 0, "it was never asked for a piece");
}

#[test]
fn a_false_root_is_found_out_its_signers_shown_and_another_followed() {
    let mut world = World::new(4, &Config::default(), None);
    world.nodes[0].store.keep(BLOB, LIE, mib(4));
    world.nodes[1].store.keep(BLOB, LIE, mib(4));
    world.nodes[2].store.keep(BLOB, ROOT, mib(4));
    world.get(3, 1, WAIT);
    assert!(world.run(Duration::from_secs(30), |world| world.all_done(3..4)));
    assert_eq!(world.nodes[3].done[0].1, Ok(()));
    let mut signers = vec![principal(0), principal(1)];
    signers.sort();
    assert_eq!(
        world.nodes[3].reports,
        [Report::FalseRoot { signers, servers: Vec::new(), blob: BLOB }]
    );
    assert!(world.nodes[3].store.kept[&BLOB].sealed);
}

#[test]
fn where_everybody_lies_that_is_said() {
    let mut world = World::new(2, &Config::default(), None);
    world.nodes[0].store.keep(BLOB, LIE, mib(4));
    world.get(1, 1, WAIT);
    assert!(world.run(Duration::from_secs(30), |world| world.all_done(1..2)));
    assert_eq!(world.nodes[1].done[0].1, Err(Failure::Lies));
    assert!(!world.nodes[1].store.kept.contains_key(&BLOB), "nothing of it is kept");
}

#[test]
fn a_store_that_takes_nothing_ends_it_at_once() {
    let mut world = World::new(2, &Config::default(), None);
    world.nodes[0].store.keep(BLOB, ROOT, mib(4));
    world.nodes[1].store.room = mib(3);
    world.get(1, 1, WAIT);
    assert!(world.run(Duration::from_secs(1), |world| world.all_done(1..2)));
    assert_eq!(world.nodes[1].done[0].1, Err(Failure::Store(StoreFailure::Quota)));
    assert_eq!(world.nodes[0].sent, 0);
}
