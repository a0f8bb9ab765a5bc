//! What a node says of itself.

use std::collections::BTreeMap;
use std::time::Duration;

use crux_crdt::sign::Signed;
use crux_protocol::link::Verdict;
use crux_protocol::liveness::{Config, Evidence, Notice, Output, State, Suspicion};
use crux_protocol::time::Instant;
use rand::rngs::StdRng;

use super::{engine, suspicion};
use crate::fixture::{FLOCK, at, context, identity, principal, principals, rng};

#[test]
fn beats_go_out_every_second() {
    let mut state = engine();
    let due = at(10_000) + Duration::from_secs(1);
    let beat = Output::Beat { incarnation: 1, counter: 1 };
    assert!(!state.on_wake(at(10_900), &mut rng()).contains(&beat));
    assert!(state.on_wake(due, &mut rng()).contains(&beat));
}

#[test]
fn a_suspicion_of_this_node_is_answered_by_a_beacon_at_once() {
    let mut state = engine();
    let before = state.beacon().to_vec();
    state.on_notice(&suspicion(3, 1, Evidence::Silent, 1), at(10_500));
    let out = state.on_wake(at(10_500), &mut rng());
    assert!(out.contains(&Output::Publish(state.beacon().to_vec())));
    assert_ne!(state.beacon(), before);
}

fn beacons(out: &[Output]) -> usize {
    out.iter().filter(|output| matches!(output, Output::Publish(_))).count()
}

fn suspicion_about(by: u8, counter: u64, number: u64) -> Notice {
    let (subject, evidence) = (principal(1), Evidence::Silent);
    let suspicion = Suspicion { subject, incarnation: 1, counter, evidence, number };
    Notice::Suspicion(Signed::sign(suspicion, &FLOCK, &identity(by)))
}

/// Who was stopped hears old suspicions at once, and new ones right after its beacon.
#[test]
fn a_suspicion_about_a_fresher_beacon_is_answered_though_another_came_just_before() {
    let mut state = engine();
    // The first beacon was sent by then.
    assert_eq!(state.on_notice(&suspicion_about(2, 1, 1), at(10_500)).0, Verdict::Accept);
    assert_eq!(beacons(&state.on_wake(at(10_500), &mut rng())), 1, "the second beacon");
    assert_eq!(state.on_notice(&suspicion_about(2, 1, 2), at(10_505)).0, Verdict::Ignore);
    assert_eq!(state.on_notice(&suspicion_about(2, 2, 3), at(10_510)).0, Verdict::Accept);
    assert_eq!(beacons(&state.on_wake(at(10_699), &mut rng())), 0, "not so soon");
    assert_eq!(beacons(&state.on_wake(at(10_700), &mut rng())), 1);
}

/// Gossip loses beacons, and who slept asks once.
#[test]
fn a_suspicion_about_an_older_beacon_is_answered_when_the_newest_had_its_time() {
    let mut state = engine();
    state.on_notice(&suspicion_about(2, 1, 1), at(10_500));
    assert_eq!(beacons(&state.on_wake(at(10_500), &mut rng())), 1, "the second beacon");
    assert_eq!(state.on_notice(&suspicion_about(3, 1, 1), at(10_600)).0, Verdict::Accept);
    assert_eq!(beacons(&state.on_wake(at(11_499), &mut rng())), 0, "it may be on its way there");
    assert_eq!(beacons(&state.on_wake(at(11_500), &mut rng())), 1, "it did not come there");
}

/// A node that started at the time 10 s and knows of one other, until this time: when it beaconed.
fn beaconed_until(until: u64, state: &mut State, luck: &mut StdRng) -> Vec<Instant> {
    let mut beaconed = Vec::new();
    while state.deadline() < at(until) {
        let now = state.deadline();
        let out = state.on_wake(now, luck);
        if out.contains(&Output::Publish(state.beacon().to_vec())) {
            beaconed.push(now);
        }
    }
    beaconed
}

/// After a heal everyone is suspected. All beaconed together from then on: 152 of 200 in one second of ten.
#[test]
fn what_happens_to_all_at_once_does_not_have_them_beacon_together_from_then_on() {
    let accused = |state: &mut State| {
        let (about, soon) = (suspicion_about(2, 9, 1), at(25_300));
        assert_eq!(state.on_notice(&about, at(25_000)).0, Verdict::Accept);
        soon
    };
    let slept = |_: &mut State| at(45_000);
    let causes: [&dyn Fn(&mut State) -> Instant; 2] = [&accused, &slept];
    for (number, cause) in causes.into_iter().enumerate() {
        let mut luck = rng();
        let mut each_second = BTreeMap::<u64, usize>::new();
        for _ in 0..100 {
            let mut state = State::new(Config::default(), context(1), identity(1), 1, at(10_000));
            state.set_members(&principals([1, 2]), at(10_000));
            let before = beaconed_until(25_000, &mut state, &mut luck);
            assert!(before.len() >= 2, "{before:?}");
            let at_once = cause(&mut state);
            let out = state.on_wake(at_once, &mut luck);
            assert!(out.contains(&Output::Publish(state.beacon().to_vec())), "cause {number}");
            let after = beaconed_until(105_000, &mut state, &mut luck);
            let after: Vec<_> = after.into_iter().filter(|it| *it >= at(55_000)).collect();
            assert!((5..=6).contains(&after.len()), "one each nine to ten seconds: {after:?}");
            for beacon in after {
                *each_second.entry(beacon.since(Instant::ORIGIN).as_secs()).or_default() += 1;
            }
        }
        let most = each_second.values().max().copied();
        assert!(most < Some(30), "cause {number}: of 100 in one second {each_second:?}");
    }
}
