//! The indices against a walk over all members.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crux_crdt::sign::{Ed25519, Identity, Signed};
use crux_crdt::{Digest, Principal};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::message::{Beacon, Evidence, Notice, Suspicion};
use super::rings::Rings;
use super::state::OBSERVE_REST;
use super::{Config, Liveness, Run, State};
use crate::context::{Apart, Context};
use crate::time::Instant;

const FLOCK: Digest = Digest([7; 32]);

fn identity(number: u8) -> Arc<Identity> {
    Arc::new(Identity::from_seed(&[number; 32]))
}

/// When a wake is due, by looking at everyone.
fn naive_deadline(state: &State) -> Instant {
    let config = &state.config;
    let timeout = (config.beat_period + config.beat_grace) * state.health;
    let members = u32::try_from(state.subjects.len()).unwrap();
    let period = (Duration::from_secs(1) * members / 33)
        .clamp(config.beacon_period_min, config.beacon_period_max);
    let mut least = state.next_beat.min(state.next_beacon);
    if state.observed_stale {
        let rest = OBSERVE_REST * members;
        least = least.min(state.called_at.max(state.observed_at + rest));
    }
    if state.woke_at.is_some() {
        least = least.min(state.grace_until);
    } else if !state.doubtful.is_empty() && state.ask_at == Instant::NEVER {
        least = least.min(state.called_at);
    } else if !state.doubtful.is_empty() {
        least = least.min(state.ask_at.max(state.grace_until));
    }
    for (member, subject) in state.subjects.iter() {
        if subject.liveness == Liveness::Dead {
            continue;
        }
        least = least.min(subject.heard_at + period * config.beacon_periods);
        if state.observed.contains(member) {
            let silent_at = (subject.beat_at + timeout).max(state.grace_until);
            let again = subject.voted_at + config.repeat_suspicion;
            least = least.min(subject.my_vote.map_or(silent_at, |_| silent_at.max(again)));
        }
        if subject.liveness == Liveness::Suspect {
            let times = [config.suspect_for, config.suspect_for * state.health];
            let mut at = times.iter().map(|time| subject.suspect_since + *time);
            least = least.min(at.find(|at| *at > state.called_at).unwrap_or(Instant::NEVER));
        }
    }
    least
}

fn check(state: &mut State) {
    assert_eq!(state.deadline(), naive_deadline(state));
    let state = &*state;
    let of = |holds: &dyn Fn(&super::subject::Subject) -> bool| -> BTreeSet<Principal> {
        let all = state.subjects.iter();
        all.filter(|(_, subject)| holds(subject)).map(|(member, _)| *member).collect()
    };
    let live: BTreeSet<_> = state.subjects.live().iter().map(|(_, member)| *member).collect();
    assert_eq!(live, of(&|subject| subject.liveness != Liveness::Dead));
    assert_eq!(*state.subjects.suspects(), of(&|it| it.liveness == Liveness::Suspect));
    let mut rings = Rings::new(FLOCK);
    let me = state.context.me;
    for member in state.subjects.iter().map(|(member, _)| *member).chain([me]) {
        rings.know(member);
        rings.set_present(member, member == me || live.contains(&member));
    }
    let known = state.subjects.iter().map(|(member, _)| member).chain([&me]);
    known.for_each(|it| assert_eq!(state.observers(it), rings.observers(it)));
    assert_eq!(*state.subjects.accused(), of(&|subject| !subject.votes.is_empty()));
}

/// Something that happens to a node in a flock of fourteen.
fn happen(state: &mut State, all: &[Arc<Identity>], now: Instant, rng: &mut StdRng) {
    let some = |rng: &mut StdRng| all[rng.random_range(1..all.len())].clone();
    let (by, of) = (some(rng), some(rng));
    let peer = by.principal();
    let counter = now.since_origin().as_secs();
    match rng.random_range(0..12) {
        0..4 => _ = state.on_beat(peer, (1, counter), now),
        4 => {
            let uptime = now.since_origin();
            let beacon = Beacon {
                incarnation: 1,
                counter,
                uptime,
                state_digest: FLOCK,
                run: Run::default(),
                restart: None,
            };
            let beacon = Signed::sign(beacon, &FLOCK, &by);
            state.on_notice(&Notice::Beacon(beacon), now);
        }
        5..8 => {
            let evidence = if rng.random_bool(0.3) { Evidence::Gone } else { Evidence::Silent };
            let (subject, number) = (of.principal(), 1);
            let suspicion = Suspicion { subject, incarnation: 1, counter, evidence, number };
            let suspicion = Signed::sign(suspicion, &FLOCK, &by);
            state.on_notice(&Notice::Suspicion(suspicion), now);
        }
        8 => _ = state.on_connected(peer, now),
        9 => _ = state.on_disconnected(peer),
        10 => _ = state.on_refused(peer, now),
        _ => {
            let members = all.iter().map(|it| it.principal());
            let members = members.filter(|_| rng.random_bool(0.9)).collect();
            state.set_members(&members, now);
        }
    }
}

#[test]
fn the_indices_say_what_a_walk_over_all_members_says() {
    let all: Vec<_> = (1..=14).map(identity).collect();
    let me = all[0].principal();
    for seed in 0..20 {
        let mut rng = StdRng::from_seed([seed; 32]);
        let context = Context {
            flock: FLOCK,
            operator: None,
            me,
            verifier: Arc::new(Ed25519),
            sharing: Arc::new(Apart),
        };
        let mut now = Instant::after_origin(Duration::from_secs(10));
        let mut state = State::new(Config::default(), context, all[0].clone(), 1, now);
        state.set_members(&all.iter().map(|it| it.principal()).collect(), now);
        check(&mut state);
        for _ in 0..300 {
            let late = if rng.random_bool(0.02) { 40_000 } else { 300 };
            let late = now + Duration::from_millis(rng.random_range(0..late));
            if state.deadline() <= late && rng.random_bool(0.9) {
                now = now.max(state.deadline());
                state.on_wake(now, &mut rng);
            } else {
                now = late;
                happen(&mut state, &all, now, &mut rng);
            }
            check(&mut state);
        }
    }
}
