//! Many nodes and one blob.

use std::num::NonZeroU64;
use std::time::Duration;

use crux_protocol::pastiche::{Config, Failure};

use crate::fixture::{BLOB, ROOT, mib};
use crate::world::World;

const WAIT: Duration = Duration::from_secs(10);
/// The cap per node of goal P5.
const CAP: u64 = 5_000_000;

fn capped() -> Config {
    Config { up_rate: NonZeroU64::new(CAP), down_rate: NonZeroU64::new(CAP), ..Config::default() }
}

/// One seed, that many fetchers. Returns the time of each over the floor, ascending, and how many
/// copies the seed sent.
fn spread(fetchers: u8, size: u64, config: &Config, rate: Option<u64>) -> (Vec<f64>, f64) {
    let mut world = World::new(fetchers + 1, config, rate);
    world.nodes[0].store.keep(BLOB, ROOT, size);
    world.offer(0);
    let all = 1..usize::from(fetchers) + 1;
    all.clone().for_each(|node| world.get(node, 1, WAIT));
    assert!(world.run(Duration::from_secs(300), |world| world.all_done(all.clone())));
    #[expect(clippy::cast_precision_loss, reason = "a ratio to look at")]
    let floor = size as f64 / CAP as f64;
    let done = world.nodes[all].iter().map(|node| {
        assert_eq!(node.done[0].1, Ok(()));
        assert_eq!(node.reports, []);
        node.done[0].2.since_origin().as_secs_f64() / floor
    });
    let mut times: Vec<_> = done.collect();
    times.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "a ratio to look at")]
    let copies = world.nodes[0].sent as f64 / size as f64;
    (times, copies)
}

#[test]
fn one_seed_and_twenty_with_capped_links_are_near_the_floor() {
    let (times, copies) = spread(20, mib(64), &capped(), Some(CAP));
    let last = *times.last().unwrap();
    println!(
        "20 nodes, 64 MiB, 5 MB/s: first {:.2}, last {last:.2} of the floor; seed sent {copies:.2} copies",
        times[0]
    );
    assert!(last < 1.4, "{last}");
    assert!(copies < 1.5, "{copies}");
}

#[test]
fn links_that_nobody_told_about_are_found_out() {
    let (times, copies) = spread(10, mib(16), &Config::default(), Some(CAP));
    let last = *times.last().unwrap();
    println!(
        "10 nodes, 16 MiB, engines not told the rate: last {last:.2} of the floor; seed sent {copies:.2} copies"
    );
    assert!(last < 3.0, "{last}");
}

#[test]
fn one_to_one_is_at_the_rate_of_the_link_and_nothing_comes_twice() {
    let mut world = World::new(2, &Config::default(), Some(100_000_000));
    world.nodes[0].store.keep(BLOB, ROOT, mib(200) + 5);
    world.get(1, 1, WAIT);
    assert!(world.run(Duration::from_secs(20), |world| world.all_done(1..2)));
    let took = world.now.since_origin();
    assert!(took < Duration::from_millis(2_500), "{took:?}");
    assert_eq!(world.nodes[0].sent, mib(201));
    assert!(world.nodes[1].store.kept[&BLOB].sealed);
}

#[test]
fn an_empty_blob_is_sealed_without_a_piece() {
    let mut world = World::new(2, &Config::default(), None);
    world.nodes[0].store.keep(BLOB, ROOT, 0);
    world.get(1, 1, WAIT);
    assert!(world.run(WAIT, |world| world.all_done(1..2)));
    assert!(world.nodes[1].store.kept[&BLOB].sealed);
    assert_eq!(world.nodes[0].sent, 0);
}

#[test]
fn a_fetch_survives_the_death_of_its_seed_once_others_hold_the_pieces() {
    let mut world = World::new(5, &capped(), Some(CAP));
    world.nodes[0].store.keep(BLOB, ROOT, mib(32));
    (1..5).for_each(|node| world.get(node, 1, WAIT));
    let spread =
        |world: &World| (0..32).all(|index| (1..5).any(|node| world.pieces(node).contains(index)));
    assert!(world.run(Duration::from_secs(60), spread));
    assert!(!world.all_done(1..2), "the seed dies before anybody has it all");
    world.kill(0);
    assert!(world.run(Duration::from_secs(60), |world| world.all_done(1..5)));
    assert!(world.nodes[1..].iter().all(|node| node.done[0].1 == Ok(())));
}

#[test]
fn when_the_only_seed_dies_two_who_hold_half_each_and_fetch_nothing_do() {
    let mut world = World::new(4, &capped(), Some(CAP));
    let size = mib(20);
    world.nodes[0].store.keep(BLOB, ROOT, size);
    for half in [0, 1] {
        let pieces = (half..20).step_by(2);
        let node = 1 + usize::try_from(half).unwrap();
        world.nodes[node].store.keep_part((BLOB, ROOT, size), pieces);
    }
    world.get(3, 1, WAIT);
    assert!(world.run(Duration::from_secs(60), |world| world.pieces(3).held() >= 2));
    world.kill(0);
    assert!(world.pieces(3).held() < 20, "the seed dies early");
    assert!(world.run(Duration::from_secs(60), |world| world.all_done(3..4)));
    assert_eq!(world.nodes[3].done[0].1, Ok(()));
    assert!(world.nodes[3].store.writes.values().all(|writes| *writes == 1));
    assert!(world.nodes[1..3].iter().all(|node| !node.store.kept[&BLOB].sealed));
}

#[test]
fn a_provider_that_dies_midway_is_replaced_and_no_piece_is_written_twice() {
    let mut world = World::new(3, &capped(), Some(CAP));
    world.nodes[0].store.keep(BLOB, ROOT, mib(20));
    world.nodes[1].store.keep(BLOB, ROOT, mib(20));
    world.get(2, 1, WAIT);
    assert!(world.run(Duration::from_secs(60), |world| world.pieces(2).held() >= 8));
    world.kill(0);
    assert!(world.run(Duration::from_secs(60), |world| world.all_done(2..3)));
    assert_eq!(world.nodes[2].done[0].1, Ok(()));
    assert!(world.nodes[2].store.writes.values().all(|writes| *writes == 1));
}

#[test]
fn a_fetcher_that_is_started_again_goes_on_where_it_was() {
    let config = capped();
    let mut world = World::new(2, &config, Some(CAP));
    world.nodes[0].store.keep(BLOB, ROOT, mib(20));
    world.get(1, 1, WAIT);
    assert!(world.run(Duration::from_secs(60), |world| world.pieces(1).held() >= 10));
    world.restart(1, &config);
    world.get(1, 2, WAIT);
    assert!(world.run(Duration::from_secs(60), |world| world.all_done(1..2)));
    assert!(world.nodes[1].store.writes.values().all(|writes| *writes == 1));
    assert!(world.nodes[0].sent <= mib(20 + 8), "{}", world.nodes[0].sent);
}

#[test]
fn a_late_holder_is_waited_for_and_one_that_never_comes_is_not() {
    let mut world = World::new(3, &Config::default(), None);
    world.get(1, 1, WAIT);
    world.get(1, 2, Duration::from_secs(2));
    assert!(!world.run(Duration::from_secs(3), |_| false));
    let done: Vec<_> =
        world.nodes[1].done.iter().map(|(waiter, result, _)| (waiter.0, result.clone())).collect();
    assert_eq!(done, [(2, Err(Failure::NobodyHas))]);
    world.nodes[2].store.keep(BLOB, ROOT, mib(3));
    assert!(world.run(Duration::from_secs(7), |world| world.nodes[1].done.len() == 2));
    assert_eq!(world.nodes[1].done[1].1, Ok(()));
}

#[test]
fn a_slow_provider_is_helped_out() {
    // Its pieces take 10 s each; the other one has a normal link, but comes late.
    let mut world = World::new(3, &Config::default(), Some(100_000));
    world.nodes[0].store.keep(BLOB, ROOT, mib(2));
    world.get(1, 1, WAIT);
    assert!(!world.run(Duration::from_secs(1), |_| false));
    world.nodes[2].store.keep(BLOB, ROOT, mib(2));
    world.offer(2);
    assert!(world.run(Duration::from_secs(60), |world| world.nodes[2].sent > 0));
    assert!(world.now.since_origin() < Duration::from_secs(6), "{:?}", world.now);
}
