//! What a node says of itself.

use std::collections::BTreeMap;
use std::time::Duration;

use crux_crdt::Digest;
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

/// A node that was stopped hears old suspicions at once, and new ones right after its beacon.
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

/// How many of a hundred nodes, that share their luck, beacon in which second from 55 s on. Each starts at 10 s,
/// and runs until this happens to it, at a time that it tells.
fn beacons_each_second(
    config: &Config,
    members: u8,
    cause: &dyn Fn(&mut State) -> Instant,
) -> BTreeMap<u64, usize> {
    let (mut luck, mut each_second) = (rng(), BTreeMap::new());
    for _ in 0..100 {
        let mut state = State::new(config.clone(), context(1), identity(1), 1, at(10_000));
        // It reads its disk, and comes to know of the others only then.
        state.on_wake(at(10_000), &mut luck);
        state.set_members(&principals(1..=members), at(10_000));
        beaconed_until(25_000, &mut state, &mut luck);
        let at_once = cause(&mut state);
        let out = state.on_wake(at_once, &mut luck);
        assert!(out.contains(&Output::Publish(state.beacon().to_vec())));
        let after = beaconed_until(105_000, &mut state, &mut luck);
        let after: Vec<_> = after.into_iter().filter(|it| *it >= at(55_000)).collect();
        assert!((4..=7).contains(&after.len()), "one a period: {after:?}");
        for beacon in after {
            *each_second.entry(beacon.since_origin().as_secs()).or_default() += 1;
        }
    }
    each_second
}

fn accused(state: &mut State) -> Instant {
    assert_eq!(state.on_notice(&suspicion_about(2, 9, 1), at(25_000)).0, Verdict::Accept);
    at(25_300)
}

/// After a heal everyone is suspected. All beaconed together from then on: 152 of 200 in one second of ten.
#[test]
fn who_all_answer_a_suspicion_do_not_beacon_together_from_then_on() {
    let each_second = beacons_each_second(&Config::default(), 2, &accused);
    assert!(each_second.values().all(|it| *it < 30), "{each_second:?}");
}

#[test]
fn who_all_slept_do_not_beacon_together_from_then_on() {
    for slept_until in [28_000, 45_000] {
        let each_second = beacons_each_second(&Config::default(), 2, &|_| at(slept_until));
        assert!(each_second.values().all(|it| *it < 30), "{each_second:?}");
    }
}

/// A period is longer where there are many; when they started it was not, and their turns lay close together.
#[test]
fn who_all_start_in_a_large_flock_do_not_beacon_together_from_then_on() {
    let config = Config { beacon_period_min: Duration::from_secs(1), ..Config::default() };
    let each_second = beacons_each_second(&config, 255, &accused);
    assert!(each_second.values().all(|it| *it < 35), "{each_second:?}");
}

/// A node that gets two at once that were held up sees that by when they were sent. (`liveness::lag`)
#[test]
fn two_beacons_are_never_close_together() {
    // Something happens once in each twentieth of a second of a period, so shortly before the turn, too.
    for happens_at in (20_000..30_000).step_by(50) {
        for leads in [false, true] {
            let mut state = State::new(Config::default(), context(1), identity(1), 1, at(10_000));
            state.set_members(&principals([1, 2]), at(10_000));
            let mut luck = rng();
            let mut beaconed = beaconed_until(happens_at, &mut state, &mut luck);
            if leads {
                state.set_own(Digest::default(), true, at(happens_at));
            } else {
                state.on_notice(&suspicion_about(2, 9, 1), at(happens_at));
            }
            beaconed.extend(beaconed_until(happens_at + 12_000, &mut state, &mut luck));
            let apart = beaconed.windows(2).map(|it| it[1].since(it[0])).min();
            assert!(apart >= Some(Duration::from_millis(200)), "{happens_at}: {beaconed:?}");
        }
    }
}
