//! Restarts that were announced, and members that said so and did not come back.

use std::time::Duration;

use crux_crdt::Digest;
use crux_crdt::canon::{Canonical as _, DecodeError};
use crux_crdt::sign::Signed;
use crux_protocol::link::Verdict;
use crux_protocol::liveness::{
    Beacon, Config, Evidence, Liveness, Notice, Output, RESTART_MAX, Run, State, Suspicion,
};

use super::{beacon, changed, engine, is_suspicion, let_beat, suspicion, suspicions, within};
use crate::fixture::{FLOCK, at, context, identity, principal, principals, rng};

fn restarting(counter: u64, uptime: u64, within: u64) -> Beacon {
    Beacon {
        incarnation: 1,
        counter,
        uptime: Duration::from_millis(uptime),
        state_digest: Digest::default(),
        restart: Some(Duration::from_millis(within)),
        run: Run::default(),
    }
}

/// Node 2's second beacon, which announces that it is back within so many milliseconds.
fn announcement(by: u8, uptime: u64, within: u64) -> Notice {
    Notice::Beacon(Signed::sign(restarting(2, uptime, within), &FLOCK, &identity(by)))
}

/// The first beacon of the next run.
fn next_run(by: u8) -> Notice {
    let run = Run { nonce: [9; 16], born: 2, sees: None };
    let beacon = Beacon { incarnation: 2, restart: None, run, ..restarting(1, 10, 0) };
    Notice::Beacon(Signed::sign(beacon, &FLOCK, &identity(by)))
}

/// A suspicion that is about node 2's announcement.
fn about_it(by: u8, evidence: Evidence, number: u64) -> Notice {
    let subject = principal(2);
    let suspicion = Suspicion { subject, incarnation: 1, counter: 2, evidence, number };
    Notice::Suspicion(Signed::sign(suspicion, &FLOCK, &identity(by)))
}

/// The connection to node 2 closes and nobody listens there, at 11 s.
fn goes(state: &mut State) -> Vec<Output> {
    assert_eq!(state.on_disconnected(principal(2)), [Output::Probe(principal(2))]);
    state.on_refused(principal(2), at(11_000))
}

#[test]
fn a_restart_that_was_announced_is_no_death() {
    let mut state = engine();
    let announced = state.on_notice(&announcement(2, 11_000, 10_000), at(11_000));
    assert_eq!(announced, (Verdict::Accept, vec![Output::Away(principal(2))]));
    assert!(state.is_away(&principal(2), at(20_999)) && !state.is_away(&principal(2), at(21_000)));
    assert_eq!(goes(&mut state), [], "what this node knows waits");
    // Others missed the announcement, or do not care.
    for by in [3, 4, 5] {
        let (_, out) = state.on_notice(&suspicion(by, 2, Evidence::Gone, 1), at(11_200));
        assert_eq!(out, []);
        let (_, out) = state.on_notice(&about_it(by, Evidence::Gone, 2), at(11_300));
        assert_eq!(out, []);
    }
    for now in (11_250..=14_000).step_by(250) {
        (3..=5).for_each(|it| _ = state.on_beat(principal(it), (1, 1), at(now)));
        let out = state.on_wake(at(now), &mut rng());
        assert!(!out.contains(&changed(2, Liveness::Dead)) && suspicions(&out) == 0, "{out:?}");
    }
    assert_eq!(state.liveness(&principal(2)), Liveness::Alive);
    assert_eq!(state.on_connected(principal(2), at(14_000)), []);
    let (_, back) = state.on_notice(&next_run(2), at(14_010));
    assert_eq!(back, [Output::Away(principal(2))]);
    // From then on it is as any other.
    assert_eq!(state.on_disconnected(principal(2)), [Output::Probe(principal(2))]);
    assert!(matches!(state.on_refused(principal(2), at(14_100))[..], [Output::Publish(_)]));
}

/// The same, without the announcement.
#[test]
fn a_restart_that_was_not_announced_is_a_death() {
    let mut state = engine();
    assert!(matches!(goes(&mut state)[..], [Output::Publish(_)]));
    state.on_notice(&suspicion(3, 2, Evidence::Gone, 1), at(11_200));
    let (_, out) = state.on_notice(&suspicion(4, 2, Evidence::Gone, 1), at(11_200));
    assert_eq!(out, [changed(2, Liveness::Dead)]);
}

#[test]
fn a_member_that_does_not_come_back_is_dead_as_soon_as_its_time_passed() {
    let mut state = engine();
    state.on_notice(&announcement(2, 11_000, 4_000), at(11_000));
    assert_eq!(goes(&mut state), []);
    let mut spoke = None;
    while spoke.is_none() {
        let now = state.deadline();
        (3..=5).for_each(|it| _ = state.on_beat(principal(it), (1, 1), now));
        let out = state.on_wake(now, &mut rng());
        spoke = out.iter().any(|it| is_suspicion(&it)).then_some(now);
    }
    assert_eq!(spoke, Some(at(15_000)));
    state.on_notice(&about_it(3, Evidence::Gone, 1), at(15_010));
    let (_, out) = state.on_notice(&about_it(4, Evidence::Gone, 1), at(15_010));
    assert_eq!(out, [changed(2, Liveness::Dead)]);
}

#[test]
fn a_member_that_is_silent_is_suspect_when_its_time_passed() {
    let mut state = engine();
    state.on_notice(&announcement(2, 10_250, 4_000), at(10_250));
    assert_eq!(let_beat(&mut state, &[2], 14_000), []);
    for by in [3, 4, 5] {
        state.on_notice(&about_it(by, Evidence::Silent, 1), at(14_100));
    }
    assert_eq!(state.liveness(&principal(2)), Liveness::Alive);
    state.on_wake(at(14_250), &mut rng());
    assert_eq!(state.liveness(&principal(2)), Liveness::Suspect);
}

#[test]
fn nobody_can_announce_more_than_ten_seconds() {
    let mut state = engine();
    let forever = restarting(2, 11_000, 3_600_000);
    assert_eq!(Beacon::from_canonical(&forever.to_canonical()).unwrap().restart, Some(RESTART_MAX));
    // The node does not accept the text of a liar.
    let mut bytes = forever.to_canonical();
    let at_restart = 1 + 8 + 8 + 8 + 32;
    assert_eq!(bytes[at_restart..at_restart + 2], 10_000_u16.to_be_bytes());
    bytes[at_restart..at_restart + 2].copy_from_slice(&10_001_u16.to_be_bytes());
    let read = Beacon::from_canonical(&bytes);
    assert_eq!(read, Err(DecodeError::Invalid("announced restart")));
    state.announce_restart(Duration::MAX, at(11_000), &mut rng());
    assert_eq!(within(state.beacon()).value().restart, Some(RESTART_MAX));
    // Silence alone decides later than any announcement ends.
    let config = Config::default();
    assert!(config.beacon_period_min * config.beacon_periods > RESTART_MAX);
}

/// Else every death that it would have to confirm waits for it.
#[test]
fn a_member_that_is_away_holds_up_no_verdict_on_others() {
    let verdict = |announced: bool| {
        let mut state = State::new(Config::default(), context(1), identity(1), 1, at(10_000));
        state.set_members(&principals(1..=3), at(10_000));
        for number in [2, 3] {
            state.on_connected(principal(number), at(10_000));
            state.on_notice(&beacon(number, 1, 10_000), at(10_000));
        }
        state.on_wake(at(10_000), &mut rng());
        if announced {
            state.on_notice(&announcement(2, 10_500, 10_000), at(10_500));
        }
        state.on_disconnected(principal(3));
        state.on_refused(principal(3), at(10_600));
        state.liveness(&principal(3))
    };
    assert_eq!(verdict(true), Liveness::Dead, "one of one");
    assert_eq!(verdict(false), Liveness::Alive, "one of two");
}

#[test]
fn each_beacon_says_how_much_of_the_time_is_left() {
    let mut state = engine();
    let left = |state: &State| within(state.beacon()).value().restart;
    assert_eq!(left(&state), None);
    let out = state.announce_restart(Duration::from_secs(5), at(11_000), &mut rng());
    assert_eq!(out, [Output::Publish(state.beacon().to_vec())], "at once");
    assert_eq!(left(&state), Some(Duration::from_secs(5)));
    assert!(state.is_away(&principal(1), at(15_999)));
    state.on_notice(&suspicion(3, 1, Evidence::Silent, 1), at(12_500));
    state.on_wake(at(12_500), &mut rng());
    assert_eq!(left(&state), Some(Duration::from_millis(3_500)));
    // It did not restart after all.
    state.on_notice(&suspicion(4, 1, Evidence::Silent, 1), at(16_000));
    state.on_wake(at(16_000), &mut rng());
    assert_eq!(left(&state), None);
    assert!(!state.is_away(&principal(1), at(16_000)));
}

#[test]
fn an_announcement_that_was_held_up_excuses_for_as_much_less() {
    let mut state = engine();
    // It left six seconds before.
    state.on_notice(&announcement(2, 11_000, 10_000), at(17_000));
    assert!(state.is_away(&principal(2), at(20_999)));
    assert!(!state.is_away(&principal(2), at(21_000)));
}

#[test]
fn a_heartbeat_of_the_next_run_or_a_beacon_ends_it() {
    let mut state = engine();
    state.on_notice(&announcement(2, 11_000, 10_000), at(11_000));
    // The run that announced it sends heartbeats until it ends.
    assert_eq!(state.on_beat(principal(2), (1, 2), at(11_100)), []);
    assert!(state.is_away(&principal(2), at(11_100)));
    assert_eq!(state.on_beat(principal(2), (2, 0), at(12_000)), [Output::Away(principal(2))]);
    assert!(!state.is_away(&principal(2), at(12_000)));
    let mut state = engine();
    state.on_notice(&announcement(2, 11_000, 10_000), at(11_000));
    let (_, out) = state.on_notice(&beacon(2, 3, 11_500), at(11_500));
    assert_eq!(out, [Output::Away(principal(2))], "the restart was called off");
    assert!(!state.is_away(&principal(2), at(11_500)));
}
