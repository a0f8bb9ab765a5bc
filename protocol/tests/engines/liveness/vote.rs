//! Suspicions of others, and what refutes them.

use crux_crdt::sign::Signed;
use crux_protocol::link::Verdict;
use crux_protocol::liveness::{Evidence, Liveness, Notice, Output, Suspicion};

use super::{beacon, changed, engine, suspicion};
use crate::fixture::{FLOCK, at, identity, principal};

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

/// Who slept reads what others said meanwhile, and then the beats.
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
