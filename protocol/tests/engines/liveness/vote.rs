//! Suspicions of others, and what refutes them.

use crux_crdt::sign::Signed;
use crux_protocol::link::Verdict;
use crux_protocol::liveness::{Config, Evidence, Liveness, Notice, Output, State, Suspicion};

use super::{beacon, changed, engine, suspicion};
use crate::fixture::{FLOCK, at, context, identity, principal, principals, rng};

#[test]
fn a_closed_link_is_probed_and_a_majority_that_says_gone_kills_at_once() {
    let mut state = engine();
    assert_eq!(state.on_disconnected(principal(2)), [Output::Probe(principal(2))]);
    let own = state.on_refused(principal(2), at(10_100));
    assert!(matches!(own[..], [Output::Publish(_)]), "one of four is no majority: {own:?}");
    let (verdict, out) = state.on_notice(&suspicion(3, 2, Evidence::Gone, 1), at(10_110));
    assert_eq!((verdict, out), (Verdict::Accept, vec![changed(2, Liveness::Suspect)]));
    let (verdict, out) = state.on_notice(&suspicion(4, 2, Evidence::Gone, 1), at(10_120));
    assert_eq!((verdict, out), (Verdict::Accept, vec![changed(2, Liveness::Dead)]));
}

/// A process that was resumed still advertised a beacon from before it was stopped; who had missed it showed
/// its sender, dead for fifteen seconds, alive for two.
#[test]
fn a_beacon_that_the_suspicions_are_about_brings_nobody_back() {
    let mut state = engine();
    let about_the_second = |by, number| {
        let (subject, evidence) = (principal(2), Evidence::Gone);
        let suspicion = Suspicion { subject, incarnation: 1, counter: 2, evidence, number };
        Notice::Suspicion(Signed::sign(suspicion, &FLOCK, &identity(by)))
    };
    for by in [3, 4, 5] {
        state.on_notice(&about_the_second(by, 1), at(10_100));
    }
    assert_eq!(state.liveness(&principal(2)), Liveness::Dead);
    let (verdict, out) = state.on_notice(&beacon(2, 2, 25_000), at(25_000));
    assert_eq!((verdict, out), (Verdict::Accept, Vec::new()));
    assert_eq!(state.liveness(&principal(2)), Liveness::Dead);
    let (verdict, out) = state.on_notice(&beacon(2, 3, 25_100), at(25_100));
    assert_eq!((verdict, out), (Verdict::Accept, vec![changed(2, Liveness::Alive)]));
}

#[test]
fn a_fresher_beacon_refutes_every_suspicion_before_it() {
    let mut state = engine();
    for by in [3, 4] {
        state.on_notice(&suspicion(by, 2, Evidence::Silent, 1), at(10_100));
    }
    let (verdict, out) = state.on_notice(&beacon(2, 2, 10_200), at(10_200));
    assert_eq!(verdict, Verdict::Accept);
    assert!(out.contains(&changed(2, Liveness::Alive)));
    // It counts for nothing, but its subject is to hear that somebody missed that beacon.
    let (verdict, out) = state.on_notice(&suspicion(5, 2, Evidence::Silent, 1), at(10_700));
    assert_eq!((verdict, out), (Verdict::Accept, vec![]));
    let (verdict, out) = state.on_notice(&suspicion(4, 2, Evidence::Silent, 2), at(11_199));
    assert_eq!((verdict, out), (Verdict::Ignore, vec![]), "once in half a second is enough");
    assert_eq!(state.liveness(&principal(2)), Liveness::Alive);
}

/// A node that slept reads what others said meanwhile, and then the heartbeats.
#[test]
fn a_beat_tells_of_the_beacon_that_refuted_a_suspicion() {
    let mut state = engine();
    for by in [3, 4] {
        state.on_notice(&suspicion(by, 2, Evidence::Silent, 1), at(10_100));
    }
    assert_eq!(state.liveness(&principal(2)), Liveness::Suspect);
    assert_eq!(state.on_beat(principal(2), (1, 1), at(10_200)), []);
    assert_eq!(state.on_beat(principal(2), (1, 2), at(10_300)), [changed(2, Liveness::Alive)]);
}

#[test]
fn strangers_have_no_voice() {
    let mut state = engine();
    let (verdict, out) = state.on_notice(&suspicion(8, 2, Evidence::Gone, 1), at(10_100));
    assert_eq!((verdict, out), (Verdict::Ignore, vec![]));
    assert_eq!(state.on_notice(&beacon(8, 1, 10_100), at(10_100)), (Verdict::Ignore, vec![]));
}

/// Node 1 in a flock of seven, in which 3 and 4 are suspect.
fn two_are_suspect() -> State {
    let mut state = State::new(Config::default(), context(1), identity(1), 1, at(10_000));
    state.set_members(&principals(1..=7), at(10_000));
    for number in 2..=7 {
        state.on_notice(&beacon(number, 1, 10_000), at(10_000));
    }
    state.on_wake(at(10_000), &mut rng());
    for suspect in [3, 4] {
        for by in [5, 6] {
            state.on_notice(&suspicion(by, suspect, Evidence::Silent, 1), at(10_050));
        }
        assert_eq!(state.liveness(&principal(suspect)), Liveness::Suspect);
    }
    state
}

fn gone(state: &mut State, of: u8, by: &[u8]) -> Liveness {
    for by in by {
        state.on_notice(&suspicion(*by, of, Evidence::Gone, 2), at(10_100));
    }
    state.liveness(&principal(of))
}

#[test]
fn suspects_kill_nobody() {
    // Four of six observers; of those who are not themselves suspect two of four.
    assert_eq!(gone(&mut two_are_suspect(), 2, &[3, 4, 5, 6]), Liveness::Suspect);
}

#[test]
fn suspects_do_not_hold_up_a_death() {
    // Three of six observers; of those who are not themselves suspect three of four.
    assert_eq!(gone(&mut two_are_suspect(), 2, &[5, 6, 7]), Liveness::Dead);
}

/// A liar names a beacon that its subject never reaches; said again by the honest, nothing refutes it.
#[test]
fn an_observer_agrees_about_a_beacon_that_it_may_have_missed_and_about_none_further() {
    let mut state = engine();
    for by in [3, 4, 5] {
        state.on_notice(&suspicion(by, 2, Evidence::Gone, 1), at(10_100));
    }
    assert_eq!(state.liveness(&principal(2)), Liveness::Dead);
    let mut now = 12_000;
    let mut agreed = |incarnation, counter| {
        let (subject, evidence) = (principal(2), Evidence::Gone);
        let lie = Suspicion { subject, incarnation, counter, evidence, number: now };
        let lie = Notice::Suspicion(Signed::sign(lie, &FLOCK, &identity(3)));
        let (verdict, out) = state.on_notice(&lie, at(now));
        now += 2_000;
        let [Output::Publish(data)] = &out[..] else { panic!("{out:?}") };
        let notice = Notice::decode(data, &context(2)).unwrap();
        let Notice::Suspicion(said) = notice else { panic!("{notice:?}") };
        assert_eq!((verdict, said.value().subject), (Verdict::Accept, subject));
        (said.value().incarnation, said.value().counter)
    };
    assert_eq!(agreed(1, 3), (1, 3), "two beacons may have been missed");
    assert_eq!(agreed(1, 5), (1, 5), "four, too");
    assert_eq!(agreed(1, 6), (1, 5));
    assert_eq!(agreed(1, u64::MAX), (1, 5));
    assert_eq!(agreed(9, 1), (1, 5));
}
