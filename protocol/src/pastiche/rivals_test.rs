//! The rules of the floor one by one: every instant and every turn is given, and each answer is exact.
//!
//! [`SLOW`] is the tree whose right to the floor is asked for, [`BIG`] the one that has it. [`OTHER`] has it
//! in between, so that [`BIG`] begins its first turn.

use core::time::Duration;

use crux_crdt::Principal;
use crux_crdt::blob::{BlobId, PIECE_BYTES, PieceSet, Root};

use super::claims::Tree;
use super::command::Command;
use super::config::Config;
use super::event::Waiter;
use super::fetch::Fetch;
use super::message::Holding;
use super::peer::Peer;
use super::rivals::Challenger;
use crate::time::Instant;

const BLOB: BlobId = BlobId([0xb; 32]);
const SLOW: Tree = tree(1, 20_000);
const BIG: Tree = tree(2, 10_000);
const OTHER: Tree = tree(3, 20_000);
/// A tree of ten pieces.
const SMALLER: Tree = tree(4, 10);
/// Nobody gives up in these tests.
const WAIT: Duration = Duration::from_secs(24 * 3600);
/// What the tree that has the floor had if it is about to end: all but so many pieces.
const LAST: u32 = 120;

const fn tree(root: u8, pieces: u64) -> Tree {
    (Root([root; 32]), pieces * PIECE_BYTES)
}

const fn at(millis: u64) -> Instant {
    Instant::after_origin(Duration::from_millis(millis))
}

/// The one node that serves a tree.
const fn holder(tree: &Tree) -> Principal {
    Principal(tree.0.0)
}

/// A fetch for which each of these is served by a node of its own.
fn fetch_of(trees: &[Tree]) -> Fetch {
    let mut fetch = Fetch::new(BLOB, 1, at(0));
    fetch.waiters.insert(Waiter(1), (at(0), WAIT));
    for tree in trees {
        let holding = Holding { root: tree.0, size: tree.1, pieces: PieceSet::all(tree.1) };
        let mut peer = Peer::new(at(0), &Config::default());
        peer.on_have(holding, at(0), &Config::default());
        fetch.peers.insert(holder(tree), peer);
    }
    fetch
}

/// A tree, of which the store has some pieces, gets the floor.
fn begin(fetch: &mut Fetch, tree: Tree, have: PieceSet, millis: u64) {
    fetch.challenger = Some(Challenger { tree, piece: None });
    assert_eq!(step(fetch, millis), Some(tree));
    assert_eq!(fetch.on_begun(tree, Ok(have), at(millis), &mut Vec::new()), Ok(()));
}

fn begin_empty(fetch: &mut Fetch, tree: Tree, millis: u64) {
    begin(fetch, tree, PieceSet::none(tree.1), millis);
}

/// The tree to which the floor is given by now.
fn step(fetch: &mut Fetch, millis: u64) -> Option<Tree> {
    let mut out = Vec::new();
    fetch.step(at(millis), &Config::default(), &mut out);
    match out[..] {
        [] => None,
        [Command::Begin { blob: BLOB, root, size }] => Some((root, size)),
        _ => panic!("{out:?}"),
    }
}

/// So many pieces are verified of the tree that has the floor.
fn bring(fetch: &mut Fetch, pieces: usize, millis: u64) {
    let tree = fetch.tree.expect("one has the floor");
    for index in fetch.have.missing().take(pieces).collect::<Vec<_>>() {
        fetch.writing.insert(index, holder(&tree));
        let written = fetch.on_written((tree.0, index), Ok(()), at(millis), &mut Vec::new());
        assert_eq!(written, Ok(()));
    }
}

/// A tree that has not the floor is asked for a piece, and sends it. Whether it takes the floor with it.
fn send(fetch: &mut Fetch, tree: Tree, millis: u64) -> bool {
    fetch.note_rival_asked(tree, holder(&tree), at(millis));
    let piece = (0, holder(&tree), b"piece".to_vec());
    fetch.on_rival(tree, piece, at(millis), &mut Vec::new());
    fetch.challenger.as_ref().is_some_and(|next| next.tree == tree)
}

/// A tree has the floor for turns of so many milliseconds, in which so many pieces come, and another one
/// for a second after each. Returns when the last of these ends.
fn have_turns(fetch: &mut Fetch, tree: Tree, turns: &[(u64, usize)], from: u64) -> u64 {
    let mut now = from;
    for (millis, pieces) in turns {
        begin_empty(fetch, tree, now);
        bring(fetch, *pieces, now + 500);
        now += millis;
        begin_empty(fetch, OTHER, now);
        now += 1000;
    }
    now
}

/// [`BIG`] gets the floor, and keeps it for so many turns, with a piece in each. In the next one it brings
/// a hundred, a moment before it is over. Returns when that is.
fn keep_floor(fetch: &mut Fetch, have: PieceSet, turns: u32, from: u64) -> u64 {
    begin(fetch, BIG, have, from);
    let mut since = from;
    for turn in 0..turns {
        let end = since + (2000 << turn);
        bring(fetch, 1, end);
        since = end + 250;
        fetch.renew_turn(at(since));
    }
    let end = since + (2000 << turns);
    bring(fetch, 100, end - 100);
    end
}

/// Whether [`SLOW`], after such turns, gets the floor at the end of a turn of two seconds of one that
/// brings ten pieces in it.
fn follows_after(turns: &[(u64, usize)]) -> bool {
    let mut fetch = fetch_of(&[SLOW, BIG, OTHER]);
    let now = have_turns(&mut fetch, SLOW, turns, 0);
    begin_empty(&mut fetch, BIG, now);
    bring(&mut fetch, 10, now + 1500);
    assert!(!send(&mut fetch, SLOW, now + 1500));
    assert_eq!(fetch.next_ready(at(now + 1999)), None, "{turns:?}");
    fetch.next_ready(at(now + 2000)) == Some(SLOW)
}

#[test]
fn a_rival_that_was_measured_has_to_be_faster() {
    assert!(follows_after(&[]), "it was never measured");
    assert!(follows_after(&[(2000, 11)]));
    assert!(!follows_after(&[(2000, 10)]));
    assert!(!follows_after(&[(2000, 11), (2000, 10)]), "the last turn counts");
    assert!(follows_after(&[(2000, 10), (2000, 11)]), "the last turn counts");
}

#[test]
fn an_empty_turn_leaves_the_pace_as_it_was() {
    assert!(follows_after(&[(2000, 11), (2000, 0)]));
    assert!(follows_after(&[(2000, 0)]), "it is as if it was never measured");
}

#[test]
fn a_short_turn_leaves_the_pace_as_it_was_and_is_better_than_none() {
    assert!(follows_after(&[(2000, 11), (1999, 1)]));
    assert!(!follows_after(&[(2000, 11), (2000, 1)]), "it was not short");
    assert!(!follows_after(&[(1999, 1)]), "it was measured");
}

#[test]
fn a_smaller_tree_gets_the_floor_whatever_its_pace() {
    for pieces in [0, 1] {
        let mut fetch = fetch_of(&[SMALLER, BIG, OTHER]);
        let now = have_turns(&mut fetch, SMALLER, &[(2000, pieces)], 0);
        begin_empty(&mut fetch, BIG, now);
        bring(&mut fetch, 19, now + 500);
        assert!(!send(&mut fetch, SMALLER, now + 500), "{pieces}");
        bring(&mut fetch, 1, now + 500);
        assert!(send(&mut fetch, SMALLER, now + 500), "{pieces}");
    }
}

/// [`SLOW`] had one turn, and a quarter of a piece came in a second.
fn slow() -> (Fetch, u64) {
    let mut fetch = fetch_of(&[SLOW, BIG, OTHER]);
    let now = have_turns(&mut fetch, SLOW, &[(2000, 1)], 0);
    (fetch, now)
}

#[test]
fn a_slower_tree_that_had_two_turns_fewer_is_owed_the_next() {
    for (turns, next) in [(1, None), (2, None), (3, Some(SLOW)), (4, Some(SLOW))] {
        let (mut fetch, now) = slow();
        let end = keep_floor(&mut fetch, PieceSet::none(BIG.1), turns, now);
        assert!(!send(&mut fetch, SLOW, end - 100));
        assert_eq!(fetch.next_ready(at(end - 1)), None, "{turns} turns");
        assert_eq!(fetch.next_ready(at(end)), next, "{turns} turns");
    }
}

#[test]
fn one_that_is_about_to_end_keeps_the_floor_until_four_turns_are_owed() {
    for (turns, next) in [(3, None), (4, None), (5, Some(SLOW))] {
        let (mut fetch, now) = slow();
        let mut have = PieceSet::all(BIG.1);
        (0..LAST).for_each(|index| assert!(have.remove(index)));
        let end = keep_floor(&mut fetch, have, turns, now);
        assert!(!send(&mut fetch, SLOW, end - 100));
        assert_eq!(fetch.next_ready(at(end - 1)), None, "{turns} turns");
        assert_eq!(fetch.next_ready(at(end)), next, "{turns} turns");
    }
}

/// The faster one had a turn more. Each brings more in a second than [`BIG`] does.
#[test]
fn of_those_that_are_owed_a_turn_one_that_had_fewer_comes_before_a_faster_one() {
    let faster = tree(5, 20_000);
    for (turns, first) in [(2, faster), (3, SLOW), (4, SLOW)] {
        let mut fetch = fetch_of(&[SLOW, faster, BIG, OTHER]);
        let now = have_turns(&mut fetch, SLOW, &[(2000, 30)], 0);
        let now = have_turns(&mut fetch, faster, &[(2000, 40), (2000, 40)], now);
        fetch.peers.remove(&holder(&OTHER));
        let end = keep_floor(&mut fetch, PieceSet::none(BIG.1), turns, now);
        let config = Config::default();
        assert_eq!(fetch.choose_rival(at(end - 1), &config), None, "{turns} turns");
        let chosen = fetch.choose_rival(at(end), &config);
        assert_eq!(chosen, Some((first, 0, holder(&first))), "{turns} turns");
        assert!(!send(&mut fetch, SLOW, end - 100));
        assert!(!send(&mut fetch, faster, end - 100));
        assert_eq!(fetch.next_ready(at(end)), Some(SLOW), "{turns} turns");
    }
}

/// [`BIG`] has the floor from the first moment, and brings pieces until 1.9 s.
fn beside_big(trees: &[Tree]) -> Fetch {
    let mut fetch = fetch_of(trees);
    begin_empty(&mut fetch, BIG, 0);
    bring(&mut fetch, 10, 1900);
    fetch
}

#[test]
fn a_tree_whose_piece_came_out_of_turn_has_the_floor_as_soon_as_it_may() {
    let mut fetch = beside_big(&[SLOW, BIG]);
    assert!(!send(&mut fetch, SLOW, 1900));
    assert_eq!(step(&mut fetch, 1999), None);
    assert_eq!(step(&mut fetch, 2000), Some(SLOW));
    let mut fetch = beside_big(&[SLOW, BIG]);
    assert_eq!(step(&mut fetch, 2000), None, "it sent none");
    assert!(send(&mut fetch, SLOW, 2000), "it comes in turn");
}

#[test]
fn a_tree_that_lost_the_floor_has_to_deliver_again() {
    let mut fetch = beside_big(&[SLOW, BIG, OTHER]);
    assert!(!send(&mut fetch, SLOW, 1900));
    assert_eq!(step(&mut fetch, 2000), Some(SLOW));
    let begun = fetch.on_begun(SLOW, Ok(PieceSet::none(SLOW.1)), at(2000), &mut Vec::new());
    assert_eq!(begun, Ok(()));
    begin_empty(&mut fetch, OTHER, 3000);
    // It brought nothing, and so was not measured: it would have the floor, if it was ready.
    bring(&mut fetch, 10, 4900);
    assert_eq!(fetch.next_ready(at(5000)), None);
    assert!(send(&mut fetch, SLOW, 5000));
}

#[test]
fn a_piece_that_comes_while_the_floor_changes_hands_is_not_lost() {
    // Another one takes the floor, and waits for a write to end.
    let mut fetch = beside_big(&[SLOW, BIG, OTHER]);
    fetch.writing.insert(9999, holder(&BIG));
    assert!(send(&mut fetch, OTHER, 2000));
    assert!(!send(&mut fetch, SLOW, 2000));
    fetch.writing.clear();
    // The store begins with that one.
    assert_eq!(step(&mut fetch, 2000), Some(OTHER));
    let late = tree(5, 20_000);
    fetch.peers.extend(fetch_of(&[late]).peers);
    assert!(!send(&mut fetch, late, 2000));
    let begun = fetch.on_begun(OTHER, Ok(PieceSet::none(OTHER.1)), at(2000), &mut Vec::new());
    assert_eq!(begun, Ok(()));
    bring(&mut fetch, 10, 3900);
    assert_eq!(fetch.next_ready(at(3999)), None);
    assert!([SLOW, late].map(Some).contains(&fetch.next_ready(at(4000))));
    for (tree, other) in [(SLOW, late), (late, SLOW)] {
        let gone = fetch.peers.remove(&holder(&other)).expect("it is served");
        assert_eq!(fetch.next_ready(at(4000)), Some(tree));
        fetch.peers.insert(holder(&other), gone);
    }
}

/// At the end of a turn the piece of a quick tree comes first. The other one was slow to send its own, but
/// sent one.
#[test]
fn a_slow_tree_that_is_ready_loses_no_race_to_a_quick_one_that_had_more_turns() {
    for (turns, takes) in [(&[][..], true), (&[(2000, 40)][..], false)] {
        let mut fetch = fetch_of(&[SLOW, BIG, OTHER]);
        let quick = tree(5, 20_000);
        fetch.peers.extend(fetch_of(&[quick]).peers);
        let now = have_turns(&mut fetch, quick, turns, 0);
        begin_empty(&mut fetch, BIG, now);
        bring(&mut fetch, 10, now + 1900);
        assert!(!send(&mut fetch, SLOW, now + 1900));
        assert_eq!(send(&mut fetch, quick, now + 2000), takes);
        let next = if takes { quick } else { SLOW };
        assert_eq!(step(&mut fetch, now + 2000), Some(next));
    }
}

/// [`SMALLER`] had so many turns, and [`BIG`] gets the floor at the moment that is returned.
fn after_turns(turns: usize) -> (Fetch, u64) {
    let mut fetch = fetch_of(&[SMALLER, BIG, OTHER]);
    let now = have_turns(&mut fetch, SMALLER, &vec![(2000, 1); turns], 0);
    begin_empty(&mut fetch, BIG, now);
    (fetch, now)
}

#[test]
fn a_smaller_tree_that_did_not_end_waits_until_twice_as_much_was_asked_for() {
    for (turns, due) in [(0, 10), (1, 20), (2, 40), (3, 80)] {
        let (mut fetch, now) = after_turns(turns);
        bring(&mut fetch, due - 1, now + 100);
        assert!(!send(&mut fetch, SMALLER, now + 100), "{turns} turns");
        assert_eq!(fetch.next_ready(at(now + 100)), None, "{turns} turns");
        bring(&mut fetch, 1, now + 100);
        assert_eq!(fetch.next_ready(at(now + 100)), Some(SMALLER), "{turns} turns");
        assert!(send(&mut fetch, SMALLER, now + 100), "{turns} turns");
    }
}

#[test]
fn a_smaller_tree_that_did_not_end_waits_at_most_as_long_as_its_last_turn() {
    for (turns, due) in [(1, 2000), (2, 4000), (3, 8000)] {
        let (mut fetch, now) = after_turns(turns);
        bring(&mut fetch, 10, now + 100);
        (1..due / 500).for_each(|half| bring(&mut fetch, 1, now + 500 * half));
        assert!(!send(&mut fetch, SMALLER, now + due - 1), "{turns} turns");
        assert_eq!(fetch.next_ready(at(now + due - 1)), None, "{turns} turns");
        assert_eq!(fetch.next_ready(at(now + due)), Some(SMALLER), "{turns} turns");
        assert!(send(&mut fetch, SMALLER, now + due), "{turns} turns");
    }
}

/// A new turn of the same tree does not begin that time again, and no event is needed at its end.
#[test]
fn a_smaller_tree_waits_from_when_the_other_one_got_the_floor() {
    let (mut fetch, now) = after_turns(3);
    bring(&mut fetch, 10, now + 2000);
    fetch.renew_turn(at(now + 2250));
    bring(&mut fetch, 10, now + 6000);
    fetch.renew_turn(at(now + 6500));
    bring(&mut fetch, 10, now + 6500);
    assert!(!send(&mut fetch, SMALLER, now + 7000));
    assert_eq!(fetch.next_ready(at(now + 7999)), None);
    assert_eq!(fetch.rival_deadline(at(now + 7999), &Config::default()), at(now + 8000));
    assert_eq!(fetch.next_ready(at(now + 8000)), Some(SMALLER));
}
