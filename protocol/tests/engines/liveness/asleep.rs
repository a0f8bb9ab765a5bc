//! Processes that were stopped for a while.

use std::collections::BTreeSet;

use crux_crdt::Principal;
use crux_protocol::liveness::{Config, Evidence, Liveness, Notice, Output, State};

use super::{beacon, changed, engine, is_suspicion, let_beat, suspicion};
use crate::fixture::{at, context, identity, principal, principals, rng};

#[test]
fn a_process_that_slept_suspects_nobody_and_beacons() {
    let mut state = engine();
    let before = state.beacon().to_vec();
    let out = state.on_wake(at(20_000), &mut rng());
    assert!(!out.iter().any(|output| matches!(output, Output::Changed { .. })), "{out:?}");
    assert_ne!(state.beacon(), before);
    assert_eq!(let_beat(&mut state, &[], 10_250), []);
}

/// The subject of a suspicion; asserts that the beacon it knew was the first.
fn asked_about(output: &Output) -> Principal {
    let Output::Publish(data) = output else { panic!("{output:?}") };
    let notice = Notice::decode(data, &context(2)).unwrap();
    let Notice::Suspicion(suspicion) = notice else { panic!("{notice:?}") };
    assert_eq!((suspicion.value().incarnation, suspicion.value().counter), (1, 1));
    suspicion.value().subject
}

/// Nobody speaks any more of a member that died while this node slept.
#[test]
fn who_slept_asks_about_those_whom_it_does_not_observe_and_does_not_hear() {
    let mut state = State::new(Config::default(), context(1), identity(1), 1, at(10_000));
    state.set_members(&principals(1..=20), at(10_000));
    for number in 2..=20 {
        state.on_notice(&beacon(number, 1, 10_000), at(10_000));
    }
    state.on_wake(at(10_000), &mut rng());
    let unobserved = |number: &u8| !state.observed().contains(&principal(*number));
    let others: Vec<_> = (2..=20).filter(unobserved).collect();
    assert!(others.len() > 5);

    // It sleeps for eight seconds. Then it reads what piled up, which one said who may be dead now, is
    // linked to another, and hears a third.
    let awake = state.on_wake(at(18_000), &mut rng());
    assert!(!awake.iter().any(|it| matches!(it, Output::Changed { .. })), "{awake:?}");
    state.on_beat(principal(others[2]), (1, 1), at(18_100));
    state.on_connected(principal(others[1]), at(18_100));
    state.on_notice(&beacon(others[0], 2, 18_600), at(18_600));
    let early = state.on_wake(at(19_899), &mut rng());
    assert_eq!(early.iter().find(is_suspicion), None, "it suspects nobody so soon");
    assert_eq!(state.deadline(), at(19_900));
    let observed = state.observed().clone();
    let out = state.on_wake(at(19_900), &mut rng());
    let asked = out.iter().filter(is_suspicion).map(asked_about);
    let asked: Vec<_> = asked.filter(|member| !observed.contains(member)).collect();
    let expected: BTreeSet<_> = others[2..].iter().map(|number| principal(*number)).collect();
    assert_eq!(asked.len(), expected.len());
    assert_eq!(asked.into_iter().collect::<BTreeSet<_>>(), expected);
    let unheard = others[2..].iter().map(|number| state.liveness(&principal(*number)));
    assert!(unheard.into_iter().all(|it| it == Liveness::Alive), "to ask is not to believe");

    state.on_wake(at(21_000), &mut rng());
    let later = state.on_wake(at(22_000), &mut rng());
    let again = later.iter().filter(is_suspicion).map(asked_about);
    assert_eq!(again.filter(|member| !observed.contains(member)).count(), 0, "it asks once");
}

#[test]
fn who_slept_asks_about_those_who_died_not_long_before() {
    let mut state = State::new(Config::default(), context(1), identity(1), 1, at(10_000));
    state.set_members(&principals(1..=6), at(10_000));
    for number in 2..=5 {
        state.on_notice(&beacon(number, 1, 10_000), at(10_000));
    }
    for by in [3, 4, 5] {
        state.on_notice(&suspicion(by, 2, Evidence::Gone, 1), at(12_000));
    }
    state.on_wake(at(12_000), &mut rng());
    state.on_wake(at(20_000), &mut rng());
    let asked = |out: &[Output], whom: u8| {
        let of = |output: &Output| match output {
            Output::Publish(data) => match Notice::decode(data, &context(2)) {
                Ok(Notice::Suspicion(it)) => it.value().subject == principal(whom),
                _ => false,
            },
            _ => false,
        };
        out.iter().any(of)
    };
    let out = state.on_wake(at(21_900), &mut rng());
    assert!(asked(&out, 2), "it may have come back: {out:?}");
    assert!(!asked(&out, 6), "it was never heard");
    // Half a minute later it sleeps again: whoever was dead all that time is asked about no more.
    state.on_wake(at(45_000), &mut rng());
    let out = state.on_wake(at(46_900), &mut rng());
    assert!(!asked(&out, 2), "{out:?}");
}

/// An old beacon, held up on its way, may come after its author died.
#[test]
fn who_slept_asks_about_those_who_come_back_to_life_just_then() {
    let mut asked_about_some = false;
    for late in 2..=20 {
        let mut state = State::new(Config::default(), context(1), identity(1), 1, at(10_000));
        state.set_members(&principals(1..=20), at(10_000));
        for number in (2..=20).filter(|number| *number != late) {
            state.on_notice(&beacon(number, 1, 10_000), at(10_000));
        }
        state.on_wake(at(10_000), &mut rng());
        state.on_wake(at(18_000), &mut rng());
        let (_, out) = state.on_notice(&beacon(late, 1, 18_100), at(18_100));
        assert!(out.contains(&changed(late, Liveness::Alive)), "{out:?}");
        let out = state.on_wake(at(19_900), &mut rng());
        let asked = out.iter().filter(is_suspicion).map(asked_about);
        let asked = asked.filter(|who| *who == principal(late)).count();
        if !state.observed().contains(&principal(late)) {
            assert_eq!(asked, 1);
            asked_about_some = true;
        }
    }
    assert!(asked_about_some);
}

/// In a large flock silence decides on the rest.
#[test]
fn who_slept_asks_about_64_members_at_most() {
    let mut state = State::new(Config::default(), context(1), identity(1), 1, at(10_000));
    state.set_members(&principals(1..=120), at(10_000));
    for number in 2..=120 {
        state.on_notice(&beacon(number, 1, 10_000), at(10_000));
    }
    state.on_wake(at(10_000), &mut rng());
    state.on_wake(at(18_000), &mut rng());
    let out = state.on_wake(at(19_900), &mut rng());
    let is_question = |output: &&Output| match output {
        Output::Publish(data) => match Notice::decode(data, &context(2)) {
            Ok(Notice::Suspicion(it)) => it.value().evidence == Evidence::Asked,
            _ => false,
        },
        _ => false,
    };
    assert_eq!(out.iter().filter(is_question).count(), 64);
}
