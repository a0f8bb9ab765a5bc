//! Trees that compete for the floor over a long time, and what stays of those that lost it.

use std::time::Duration;

use crux_crdt::blob::{BLOB_BYTES_MAX, Root};
use crux_protocol::pastiche::Config;

use crate::fixture::{BLOB, ROOT, mib, principal};
use crate::world::{Manner, World};

const WAIT: Duration = Duration::from_secs(10);
/// Of each node's link, in bytes a second.
const RATE: u64 = 50_000_000;
const LIE: Root = Root([0xf0; 32]);

/// Node 0 is honest and holds so many pieces, node 1 fetches, node 2 holds a lie.
fn beside_a_lie(pieces: u64, lie: u64) -> World {
    let mut world = World::new(4, &Config::default(), Some(RATE));
    world.nodes[0].store.keep(BLOB, ROOT, mib(pieces));
    world.nodes[2].store.keep(BLOB, LIE, lie);
    world.nodes[3].alive = false;
    world
}

fn is_got(world: &mut World, within: Duration) {
    assert!(world.run(within, |world| world.all_done(1..2)), "not within {within:?}");
    assert_eq!(world.nodes[1].done[0].1, Ok(()));
    assert!(world.nodes[1].store.kept[&BLOB].sealed);
}

/// Its pieces come one a second, those of the lie fifty times as fast, and there is no end of them.
#[test]
fn an_honest_tree_that_takes_half_an_hour_ends_beside_a_faster_larger_lie() {
    let mut world = beside_a_lie(1500, BLOB_BYTES_MAX);
    world.nodes[0].manner = Manner::Trickle(1);
    world.get(1, 1, WAIT);
    is_got(&mut world, Duration::from_secs(4 * 1500));
}

/// As above, where nothing stays of what lost the floor.
#[test]
fn an_honest_tree_ends_although_nothing_of_it_stays() {
    let mut world = beside_a_lie(1500, BLOB_BYTES_MAX);
    world.nodes[1].store.forgets = true;
    world.nodes[0].manner = Manner::Trickle(1);
    world.get(1, 1, WAIT);
    is_got(&mut world, Duration::from_secs(16 * 1500));
}

/// A lie of two pieces sends the first again and again, and never the second.
#[test]
fn a_smaller_lie_that_never_ends_costs_a_share_of_the_time() {
    let mut world = beside_a_lie(3000, mib(2));
    world.nodes[2].manner = Manner::FirstOnly;
    world.get(1, 1, WAIT);
    is_got(&mut world, Duration::from_secs(4 * 60));
    let written = &world.nodes[1].store.writes;
    assert!((2..3000).all(|index| written[&index] == 1), "nothing was fetched twice");
}

/// Its only holder vanishes, a lie gets the floor, and then another holder comes.
#[test]
fn a_tree_that_brought_nothing_for_some_turns_is_not_shut_out() {
    let mut world = beside_a_lie(100, BLOB_BYTES_MAX);
    world.nodes[2].alive = false;
    world.nodes[2].manner = Manner::Trickle(1);
    world.get(1, 1, Duration::from_secs(60));
    assert!(world.run(WAIT, |world| world.pieces(1).held() > 20));
    world.kill(0);
    let gone = world.now;
    world.run(WAIT, |world| world.now > gone + Duration::from_secs(8));
    world.nodes[2].alive = true;
    let of_the_lie = |world: &World| world.nodes[1].store.kept[&BLOB].holding.root == LIE;
    assert!(world.run(WAIT, of_the_lie), "the lie has the floor");
    world.nodes[3].store.keep(BLOB, ROOT, mib(100));
    world.nodes[3].alive = true;
    is_got(&mut world, Duration::from_secs(30));
}

/// At 60 of 100 pieces somebody states a tree of fewer.
#[test]
fn a_small_tree_that_is_stated_late_deletes_nothing() {
    for size in [mib(1), mib(2), mib(40)] {
        let mut world = beside_a_lie(100, size);
        world.nodes[2].alive = false;
        world.get(1, 1, WAIT);
        assert!(world.run(WAIT, |world| world.pieces(1).held() > 60));
        let late = world.now;
        world.nodes[2].alive = true;
        // What is left comes slowly, so that there is time to hear of the other one.
        world.nodes[0].manner = Manner::Trickle(1);
        is_got(&mut world, Duration::from_secs(30));
        let took = world.now.since(late);
        assert!(took < Duration::from_secs(20), "{size}: {took:?}");
        let written = &world.nodes[1].store.writes;
        let twice = (40..60).filter(|index| written[index] > 1).count();
        assert_eq!(twice, 0, "{size}: what was there stayed");
        assert_eq!(world.nodes[1].reports.len(), 1, "{size}: the lie is shown");
        let served = world.nodes[2].sent;
        assert!(served >= size, "{size}: {served}");
    }
}

/// Sixteen of them hold all places, thirty-two offer the blob, and one after the other sends a piece.
#[test]
fn many_keys_that_state_one_tree_do_not_keep_the_holder_out() {
    let config = Config { peers_max: 16, ..Config::default() };
    let mut world = World::new(34, &config, Some(RATE));
    world.nodes[0].store.keep(BLOB, ROOT, mib(3));
    for liar in 2..34 {
        let node = &mut world.nodes[liar];
        node.store.keep(BLOB, LIE, BLOB_BYTES_MAX);
        node.manner = Manner::Trickle(1);
        world.offer(liar);
    }
    world.get(1, 1, WAIT);
    is_got(&mut world, Duration::from_secs(30));
    assert!(!world.nodes[1].reports.iter().any(|report| {
        matches!(report, crux_protocol::pastiche::Report::BadPiece { peer, .. } if *peer == principal(0))
    }));
}
