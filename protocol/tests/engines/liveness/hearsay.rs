//! What others tell a node that starts.

use std::collections::BTreeSet;
use std::time::Duration;

use crux_protocol::liveness::{Config, Evidence, Liveness, State};

use super::{beacon, changed, engine, suspicion, within};
use crate::fixture::{at, context, identity, principal, principals, rng};

/// Forty members, so that few are observed; this one heard all of them at 10 s.
fn teller() -> State {
    let mut state = State::new(Config::default(), context(1), identity(1), 1, at(10_000));
    state.set_members(&principals(1..=40), at(10_000));
    for number in 2..=40 {
        state.on_notice(&beacon(number, 1, 10_000), at(10_000));
    }
    state
}

#[test]
fn who_starts_takes_a_word_for_whom_it_never_heard_and_for_as_long_as_it_holds() {
    let teller = teller();
    let mut state = State::new(Config::default(), context(1), identity(1), 2, at(50_000));
    state.set_members(&principals(1..=40), at(50_000));
    let unheard: BTreeSet<_> = state.unheard(100, &mut rng()).into_iter().collect();
    assert_eq!(unheard, principals(2..=40));
    assert_eq!(state.unheard(3, &mut rng()).len(), 3);
    for number in 2..=40 {
        let (age, notice) = teller.tell(&principal(number), at(14_000)).unwrap();
        assert_eq!(age, Duration::from_secs(4), "it was heard at 10 s");
        let out = state.on_told(&within(&notice), age, at(50_000));
        assert_eq!(out, [changed(number, Liveness::Alive)]);
    }
    state.on_wake(at(50_000), &mut rng());
    let is_observed = |number: &u8| state.observed().contains(&principal(*number));
    let number = (2..=40).find(|number| !is_observed(number)).expect("eight or so are");
    // Silence decides after 30 s, four of which had passed.
    for now in (50_500..=75_500).step_by(500) {
        state.on_wake(at(now), &mut rng());
        assert_eq!(state.liveness(&principal(number)), Liveness::Alive, "{now}");
    }
    state.on_wake(at(76_000), &mut rng());
    assert_eq!(state.liveness(&principal(number)), Liveness::Dead);
    // It was heard of once, so no hearsay brings it back.
    let (_, notice) = teller.tell(&principal(number), at(14_000)).unwrap();
    assert_eq!(state.on_told(&within(&notice), Duration::ZERO, at(76_500)), []);
}

#[test]
fn word_that_is_too_old_counts_for_nothing() {
    let teller = teller();
    let mut state = State::new(Config::default(), context(1), identity(1), 2, at(50_000));
    state.set_members(&principals(1..=40), at(50_000));
    let (_, notice) = teller.tell(&principal(4), at(14_000)).unwrap();
    for age in [Duration::from_secs(30), Duration::from_secs(3_000), Duration::MAX] {
        assert_eq!(state.on_told(&within(&notice), age, at(50_000)), []);
    }
    assert_eq!(state.liveness(&principal(4)), Liveness::Dead);
}

#[test]
fn nobody_tells_of_the_dead_or_of_strangers() {
    let mut state = engine();
    assert!(state.tell(&principal(9), at(10_000)).is_none());
    assert_eq!(
        state.on_told(&within(&beacon(9, 1, 10_000).encode()), Duration::ZERO, at(10_000)),
        []
    );
    state.on_disconnected(principal(2));
    state.on_refused(principal(2), at(10_100));
    state.on_notice(&suspicion(3, 2, Evidence::Gone, 1), at(10_110));
    state.on_notice(&suspicion(4, 2, Evidence::Gone, 1), at(10_120));
    assert_eq!(state.liveness(&principal(2)), Liveness::Dead);
    assert!(state.tell(&principal(2), at(10_200)).is_none());
    assert!(state.unheard(10, &mut rng()).is_empty(), "it was heard, and died");
}
