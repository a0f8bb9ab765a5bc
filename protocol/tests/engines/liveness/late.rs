//! Beacons that took long, and questions.

use crux_crdt::sign::Signed;
use crux_protocol::link::Verdict;
use crux_protocol::liveness::{Evidence, Liveness, Notice, Suspicion};

use super::{beacon, changed, engine, let_beat, suspicion, suspicions, within};
use crate::fixture::{FLOCK, at, identity, principal, rng};

/// A process that was resumed goes on offering what it had, and who missed that takes it for news.
#[test]
fn a_late_beacon_brings_nobody_back_and_makes_this_node_ask() {
    let mut state = engine();
    for by in [3, 4, 5] {
        state.on_notice(&suspicion(by, 2, Evidence::Gone, 1), at(12_000));
    }
    assert_eq!(state.liveness(&principal(2)), Liveness::Dead);
    assert_eq!(let_beat(&mut state, &[2], 16_000), []);
    // It was sent a second after the first one, and comes five seconds after that.
    let (verdict, out) = state.on_notice(&beacon(2, 3, 11_000), at(16_000));
    assert_eq!((verdict, out), (Verdict::Accept, Vec::new()));
    assert_eq!(state.liveness(&principal(2)), Liveness::Dead);
    assert!(state.deadline() <= at(16_000));
    assert_eq!(suspicions(&state.on_wake(at(16_000), &mut rng())), 0, "all would ask at once");
    assert!((at(16_000)..=at(16_500)).contains(&state.deadline()));
    assert_eq!(suspicions(&state.on_wake(at(16_500), &mut rng())), 1);
    assert_eq!(suspicions(&state.on_wake(at(16_501), &mut rng())), 0, "it asks once");
    let (_, out) = state.on_notice(&beacon(2, 4, 16_530), at(16_550));
    assert_eq!(out, [changed(2, Liveness::Alive)]);
}

#[test]
fn who_suspects_a_member_goes_on_until_it_hears_more_than_a_late_beacon() {
    let mut state = engine();
    for by in [3, 4] {
        state.on_notice(&suspicion(by, 2, Evidence::Silent, 1), at(19_000));
    }
    assert_eq!(state.liveness(&principal(2)), Liveness::Suspect);
    let (_, out) = state.on_notice(&beacon(2, 2, 12_000), at(20_000));
    assert_eq!((state.liveness(&principal(2)), out), (Liveness::Suspect, Vec::new()));
    let (_, out) = state.on_notice(&beacon(2, 3, 20_030), at(20_050));
    assert_eq!(out, [changed(2, Liveness::Alive)]);
}

#[test]
fn a_question_counts_for_nothing_and_spares_others_the_same() {
    let mut state = engine();
    for by in [3, 4, 5] {
        let (verdict, out) = state.on_notice(&suspicion(by, 2, Evidence::Asked, 1), at(10_100));
        let expected = if by == 3 { Verdict::Accept } else { Verdict::Ignore };
        assert_eq!((verdict, out), (expected, Vec::new()), "one is passed on");
    }
    assert_eq!(state.liveness(&principal(2)), Liveness::Alive);

    for by in [3, 4, 5] {
        state.on_notice(&suspicion(by, 2, Evidence::Gone, 2), at(12_000));
    }
    assert_eq!(let_beat(&mut state, &[2], 16_000), []);
    state.on_notice(&beacon(2, 3, 11_000), at(16_000));
    state.on_wake(at(16_000), &mut rng());
    let other = Suspicion {
        subject: principal(2),
        incarnation: 1,
        counter: 3,
        evidence: Evidence::Asked,
        number: 9,
    };
    let other = Notice::Suspicion(Signed::sign(other, &FLOCK, &identity(4)));
    let (_, out) = state.on_notice(&other, at(16_001));
    assert_eq!(suspicions(&out), 1, "this node observes that one, and answers");
    assert_eq!(suspicions(&state.on_wake(at(16_500), &mut rng())), 0);
}

/// The beacon may be older than its author's link, by which alone it comes.
#[test]
fn what_a_member_says_itself_is_never_late() {
    let mut state = engine();
    for by in [3, 4, 5] {
        state.on_notice(&suspicion(by, 2, Evidence::Gone, 1), at(12_000));
    }
    let own = beacon(2, 3, 11_000);
    assert_eq!(
        state.on_own_word(&within(&own.encode()), at(20_000)),
        [changed(2, Liveness::Alive)]
    );
}
