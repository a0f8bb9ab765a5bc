//! Parts of what a leader decides: losses, roll-outs, drains.

use std::collections::BTreeMap;
use std::time::Duration;

use crux_crdt::Principal;
use crux_crdt::record::Failure;
use crux_crdt::service::{Moving, OnMinority, ReplaceAfter, SpecTag, Step};
use crux_protocol::proctor::planner::{
    Deaths, Leaving, Memory, Place, Places, Rollout, Turn, is_minority, stays,
};
use crux_protocol::time::Instant;
use proptest::prelude::*;

use crate::fixture::at;

const fn node(number: u8) -> Principal {
    Principal([number; 32])
}

const A: SpecTag = SpecTag([1; 8]);
const B: SpecTag = SpecTag([2; 8]);

fn nodes(alive: &str) -> BTreeMap<Principal, bool> {
    (0..).zip(alive.chars()).map(|(number, c)| (node(number), c == '+')).collect()
}

#[test]
fn a_node_is_lost_after_it_was_dead_for_the_time_of_the_service() {
    let (mut deaths, moving) = (Deaths::default(), Moving::default());
    let never = Moving { replace_after: ReplaceAfter::Never, ..moving };
    deaths.see(&nodes("+++"), at(0));
    assert_eq!((deaths.lost_at(&node(0), &moving), deaths.footprint()), (None, 0));
    deaths.see(&nodes("-++"), at(1_000));
    deaths.see(&nodes("-++"), at(9_000));
    assert_eq!(deaths.lost_at(&node(0), &moving), Some(at(31_000)));
    assert!(!deaths.is_lost(&node(0), &moving, at(30_999)));
    assert!(deaths.is_lost(&node(0), &moving, at(31_000)));
    assert!(!deaths.is_lost(&node(0), &never, Instant::NEVER));
    assert!(deaths.is_dead_for(&node(0), Duration::from_secs(8), at(9_000)));
    assert!(!deaths.is_dead_for(&node(1), Duration::ZERO, at(9_000)));
    deaths.see(&nodes("+++"), at(20_000));
    deaths.see(&nodes("-++"), at(21_000));
    assert_eq!(deaths.lost_at(&node(0), &moving), Some(at(51_000)), "it was back");
    deaths.see(&nodes("+"), at(22_000));
    assert_eq!(deaths.footprint(), 0, "those that are gone are forgotten");
}

#[test]
fn nothing_is_replaced_by_a_minority() {
    let minorities = [(0, 1), (1, 3), (1, 4), (2, 5), (3, 10)];
    assert!(minorities.iter().all(|(alive, all)| is_minority(*alive, *all)));
    let others = [(0, 0), (1, 1), (1, 2), (2, 3), (2, 4), (5, 10)];
    assert!(!others.iter().any(|(alive, all)| is_minority(*alive, *all)));
    let (mut deaths, hold) = (Deaths::default(), Moving::default());
    let replace = Moving { on_minority: OnMinority::Replace, ..hold };
    deaths.see(&nodes("--+"), at(0));
    assert!(deaths.is_minority());
    assert!(!deaths.is_lost(&node(0), &hold, Instant::NEVER));
    assert!(deaths.is_lost(&node(0), &replace, at(30_000)));
    deaths.see(&nodes("-++"), at(40_000));
    assert!(deaths.is_lost(&node(0), &hold, at(40_000)), "it was dead all the time");
}

#[test]
fn what_is_drained_ends_when_its_replacement_is_ready() {
    let leaving = |all: &[(u8, u32, bool)]| -> BTreeMap<_, _> {
        let of = |(number, count, is_over): &(u8, u32, bool)| {
            (node(*number), Leaving { count: *count, is_over: *is_over })
        };
        all.iter().map(of).collect()
    };
    let two = leaving(&[(1, 2, false)]);
    let kept = |count, ready, leaving| -> Vec<u32> {
        stays(count, ready, leaving).into_values().collect()
    };
    assert_eq!(kept(Some(3), 1, &two), [2]);
    assert_eq!(kept(Some(3), 2, &two), [1], "one at a time");
    assert!(stays(Some(3), 3, &two).is_empty());
    assert_eq!(kept(Some(1), 0, &two), [1]);
    assert_eq!(kept(None, 9, &two), [2], "a service without a solution stays as it runs");
    let both = leaving(&[(1, 2, false), (2, 2, false)]);
    assert_eq!(kept(Some(4), 0, &both), [2, 2], "both wait");
    assert_eq!(stays(Some(4), 1, &both), [(node(1), 1), (node(2), 2)].into());
    assert_eq!(stays(Some(4), 2, &both), [(node(2), 2)].into());
    assert_eq!(stays(Some(4), 0, &leaving(&[(1, 2, true), (2, 2, false)])), [(node(2), 2)].into());
}

const ROLLOUT: Rollout = Rollout {
    wanted: B,
    failed: None,
    before: None,
    lost: None,
    step: Step::Nodes(2),
    deadline: Duration::from_secs(60),
};

/// Places by a letter each: the version; an upper one is ready. `-`: new, `!`: the wanted version failed, `?`: a dead
/// place with the wanted version, `|`: the wanted version may not start yet.
fn places(text: &str) -> Places {
    let place = |c: char| Place {
        spec: match c {
            'a' | 'A' => Some(A),
            '-' => None,
            _ => Some(B),
        },
        is_alive: c != '?',
        is_ready: c.is_ascii_uppercase(),
        is_released: c != '|',
        failed: (c == '!').then_some(Failure::CrashLoop),
    };
    (0..).zip(text.chars()).map(|(number, c)| (node(number), place(c))).collect()
}

fn versions(turn: &Turn) -> String {
    turn.specs.values().map(|spec| if *spec == A { 'a' } else { 'b' }).collect()
}

/// The versions after one turn of a leader that knows nothing.
fn turn(rollout: &Rollout, text: &str) -> (String, Option<Failure>) {
    let turn = rollout.turn(&places(text), &mut Memory::default(), at(0));
    (versions(&turn), turn.failed)
}

#[test]
fn a_version_comes_step_by_step() {
    for (before, after) in [
        ("AAAAA", "bbaaa"),
        ("bbAAA", "bbaaa"),
        ("BbAAA", "bbaaa"),
        ("BBAAA", "bbbba"),
        ("BBBBA", "bbbbb"),
        ("BBBBB", "bbbbb"),
        ("||AAA", "bbaaa"),
        // A dead one was not ready, and may not be: it counts against the step.
        ("?AAAA", "bbaaa"),
        ("??AAA", "bbaaa"),
        // New places count, too, and have the version before until it is their turn.
        ("--AAA", "bbaaa"),
        ("A---A", "bbaaa"),
        ("bb--A", "bbaaa"),
        // Nothing was there before.
        ("-----", "bbbbb"),
        ("bb---", "bbbbb"),
        ("BB---", "bbbbb"),
        ("", ""),
    ] {
        assert_eq!(turn(&ROLLOUT, before), (after.to_owned(), None), "{before}");
    }
    let quarter = Rollout { step: Step::Percent(25), ..ROLLOUT };
    assert_eq!(turn(&quarter, "AAAAAAAA").0, "bbaaaaaa");
    assert_eq!(turn(&quarter, "AAA").0, "baa");
}

#[test]
fn a_version_that_fails_goes_back() {
    let crash = Some(Failure::CrashLoop);
    for (before, after) in
        [("b!AAA", "aaaaa"), ("BB!!A", "aaaaa"), ("BBBB!", "bbbbb"), ("BBB!A", "aabaa")]
    {
        let expected = if before == "BBBB!" { None } else { crash };
        assert_eq!(turn(&ROLLOUT, before), (after.to_owned(), expected), "{before}");
    }
    let marked = Rollout { failed: crash, ..ROLLOUT };
    for (before, after) in [
        ("AAAAA", "aaaaa"),
        ("AA-AA", "aaaaa"),
        ("BBBBA", "aabba"),
        // Those before are on their way.
        ("aaBBA", "aabba"),
        ("AaBBA", "aaaba"),
    ] {
        assert_eq!(turn(&marked, before), (after.to_owned(), crash), "{before}");
    }
    // The version of the generation before, where nobody has another one.
    let with = Rollout { before: Some(A), ..ROLLOUT };
    assert_eq!(turn(&with, "!bb"), ("aaa".to_owned(), crash));
    assert_eq!(turn(&ROLLOUT, "!bb"), ("bbb".to_owned(), crash), "there is none");
    assert_eq!(turn(&with, "BB!"), ("bbb".to_owned(), None), "it is proven");
    // The places that had it are lost, and all are new.
    let lost = Rollout { lost: Some(A), ..ROLLOUT };
    assert_eq!(turn(&lost, "---"), ("bba".to_owned(), None));
    assert_eq!(turn(&lost, "-B-"), ("bbb".to_owned(), None), "the new one is proven");
    assert_eq!(turn(&with, "BB-"), ("bbb".to_owned(), None), "and new places have it");
}

#[test]
fn a_version_that_is_late_failed() {
    let (mut memory, rollout) = (Memory::default(), ROLLOUT);
    let first = rollout.turn(&places("||AA"), &mut memory, at(0));
    assert_eq!(first.deadline, Instant::NEVER, "it may not start yet");
    let started = rollout.turn(&places("bbAA"), &mut memory, at(1_000));
    assert_eq!(started.deadline, at(61_000));
    let half = rollout.turn(&places("bBAA"), &mut memory, at(60_999));
    assert_eq!((half.failed, half.deadline), (None, at(61_000)));
    let dead = rollout.turn(&places("?BAA"), &mut memory, at(61_000));
    assert_eq!((dead.failed, versions(&dead)), (None, "bbba".to_owned()), "it proves nothing");
    let back = rollout.turn(&places("bBBA"), &mut memory, at(70_000));
    assert_eq!((back.failed, back.deadline), (None, at(130_000)));
    let late = rollout.turn(&places("bBBA"), &mut memory, at(130_000));
    assert_eq!((late.failed, versions(&late)), (Some(Failure::Deadline), "aaaa".to_owned()));
    assert_eq!(late.deadline, Instant::NEVER);
}

#[test]
fn the_version_before_is_remembered_until_all_are_ready() {
    let all = Rollout { step: Step::Percent(100), ..ROLLOUT };
    let mut memory = Memory::default();
    assert_eq!(versions(&all.turn(&places("AAA"), &mut memory, at(0))), "bbb");
    assert_eq!(versions(&all.turn(&places("BBb"), &mut memory, at(1))), "bbb");
    let failed = all.turn(&places("BB!"), &mut memory, at(2));
    assert_eq!((versions(&failed), failed.failed), ("aaa".to_owned(), Some(Failure::CrashLoop)));
    let mut memory = Memory::default();
    all.turn(&places("AAA"), &mut memory, at(0));
    all.turn(&places("BBB"), &mut memory, at(1));
    let proven = all.turn(&places("BB!"), &mut memory, at(2));
    assert_eq!((versions(&proven), proven.failed), ("bbb".to_owned(), None));
    // Another target wants another version: what was remembered was of this one.
    let mut memory = Memory::default();
    all.turn(&places("AAb"), &mut memory, at(0));
    let other = Rollout { wanted: A, ..all };
    let turn = other.turn(&places("AAA"), &mut memory, at(100_000));
    assert_eq!((turn.failed, turn.deadline), (None, Instant::NEVER));
}

/// A service in a small horde, whose nodes do what the plan says after some passes.
struct Horde {
    places: Places,
    /// For how many passes each node still works on its version.
    work: BTreeMap<Principal, u8>,
    memory: Memory,
    failed: Option<Failure>,
    now: u64,
    /// Whether the wanted version works.
    works: bool,
}

impl Horde {
    fn pass(&mut self, rollout: Rollout) -> Turn {
        self.now += 1_000;
        let rollout = Rollout { failed: self.failed, ..rollout };
        let turn = rollout.turn(&self.places, &mut self.memory, at(self.now));
        self.failed = turn.failed;
        for (at, place) in &mut self.places {
            let spec = turn.specs[at];
            if place.spec != Some(spec) {
                (place.spec, place.is_ready, place.failed) = (Some(spec), false, None);
                self.work.insert(*at, 2);
            }
            let left = self.work.entry(*at).or_default();
            *left = left.saturating_sub(u8::from(place.is_alive));
            let is_done = *left == 0 && place.is_alive;
            place.is_ready = is_done && (self.works || spec == A);
        }
        turn
    }

    fn on_wanted(&self, ready: bool) -> usize {
        let of = self.places.values().filter(|place| place.spec == Some(B));
        of.filter(|place| place.is_ready == ready).count()
    }
}

proptest! {
    /// Whatever dies, comes back, and takes over the lead.
    #[test]
    fn a_step_is_never_exceeded_and_the_end_is_one_version(
        count in 1..9_u8,
        step in prop_oneof![(1..4_u16).prop_map(Step::Nodes), (1..=100_u8).prop_map(Step::Percent)],
        works in any::<bool>(),
        new in prop::collection::vec(prop::bool::weighted(0.2), 9),
        happens in prop::collection::vec((0..12_u8, 0..9_u8), 0..40),
    ) {
        let text: String = new.iter().skip(1).take(count.into()).map(|new| if *new { '-' } else { 'A' }).collect();
        prop_assume!(text.contains('A'));
        let rollout = Rollout { step, before: Some(A), ..ROLLOUT };
        let (places, work) = (places(&text), BTreeMap::new());
        let mut horde = Horde { places, work, memory: Memory::default(), failed: None, now: 0, works };
        let most = step.of(count.into());
        let mut marked = false;
        for (what, at) in happens.iter().copied().chain(std::iter::repeat_n((11, 0), 400)) {
            if let Some(place) = horde.places.get_mut(&node(at)) {
                match what {
                    0 => (place.is_alive, place.is_ready) = (false, false),
                    1 | 2 => place.is_alive = true,
                    3 => horde.memory = Memory::default(),
                    _ => {}
                }
            }
            if (what, at) == (11, 0) {
                horde.places.values_mut().for_each(|place| place.is_alive = true);
            }
            let was_on_wanted = horde.on_wanted(false) + horde.on_wanted(true);
            let turn = horde.pass(rollout);
            let on_wanted = horde.on_wanted(false) + horde.on_wanted(true);
            if !works {
                prop_assert!(on_wanted <= most, "a version that is never ready: {} of {}", on_wanted, most);
            }
            prop_assert!(!marked || on_wanted <= was_on_wanted, "no node gets a failed one");
            marked |= turn.failed.is_some();
            prop_assert!(!works || !marked || turn.failed == Some(Failure::Deadline));
        }
        let expected = if marked { A } else { B };
        prop_assert!(works || marked, "a version that does not work is found out");
        for place in horde.places.values() {
            prop_assert_eq!((place.spec, place.is_ready), (Some(expected), true));
        }
    }
}
