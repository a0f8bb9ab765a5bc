//! Beats and beacons that stay away.

use crux_protocol::liveness::{Config, Evidence, Liveness, Output, State};

use super::{beacon, changed, engine, let_beat, suspicion};
use crate::fixture::{at, context, identity, principal, principals, rng};

#[test]
fn a_linked_member_lives_and_one_from_disk_is_dead_until_heard() {
    let mut state = State::new(Config::default(), context(1), identity(1), 1, at(0));
    state.set_members(&principals([1, 2]), at(0));
    assert_eq!(state.liveness(&principal(2)), Liveness::Dead);
    assert_eq!(state.on_connected(principal(2), at(5)), [changed(2, Liveness::Alive)]);
}

#[test]
fn silence_makes_suspect_and_two_seconds_later_dead() {
    let mut state = engine();
    assert_eq!(let_beat(&mut state, &[2], 12_000), []);
    for by in [3, 4] {
        state.on_notice(&suspicion(by, 2, Evidence::Silent, 1), at(12_000));
    }
    assert_eq!(state.liveness(&principal(2)), Liveness::Suspect);
    let mut out = Vec::new();
    for now in (12_000..=14_250).step_by(250) {
        for number in 3..=5 {
            state.on_beat(principal(number), (1, 1), at(now));
        }
        out.extend(state.on_wake(at(now), &mut rng()));
    }
    assert!(out.contains(&changed(2, Liveness::Dead)));
}

/// A container that was moved to another network had two connections to a peer, of which one had lost
/// its way. Beats were expected on that one, and comparisons sent, for as long as TCP kept it.
#[test]
fn the_link_to_a_member_that_beacons_and_sends_no_beats_is_stuck() {
    let mut state = engine();
    let mut stuck_at = Vec::new();
    for now in (10_250..=27_000_u64).step_by(250) {
        for number in 3..=5 {
            state.on_beat(principal(number), (1, 1), at(now));
        }
        if now.is_multiple_of(1_000) {
            state.on_notice(&beacon(2, now, now), at(now));
        }
        let out = state.on_wake(at(now), &mut rng());
        if out.contains(&Output::Stuck(principal(2))) {
            stuck_at.push(now);
            state.on_disconnected(principal(2));
            state.on_connected(principal(2), at(now + 10));
        }
        assert!(out.iter().all(|it| matches!(it, Output::Stuck(who) if *who == principal(2))
            || !matches!(it, Output::Stuck(_))));
    }
    let [first, second] = stuck_at[..] else { panic!("{stuck_at:?}") };
    assert!((17_500..=18_500).contains(&first), "7.8 s after it was linked: {first}");
    assert!(second - first >= 7_500, "the new link has its time, too: {second}");
}

#[test]
fn no_beacon_for_three_periods_is_death_whatever_observers_say() {
    let mut state = engine();
    let mut out = Vec::new();
    for now in (10_250..=41_000).step_by(250) {
        for number in 3..=5 {
            state.on_beat(principal(number), (1, 1), at(now));
        }
        out.extend(state.on_wake(at(now), &mut rng()));
    }
    assert_eq!(state.liveness(&principal(2)), Liveness::Dead);
    assert!(out.contains(&changed(2, Liveness::Dead)));
    assert_eq!(state.liveness(&principal(3)), Liveness::Alive);
}
