//! The failure detector: what it hears, when it wakes, and what it says then.

mod asleep;
mod away;
mod beacon;
mod hearsay;
mod late;
mod silence;
mod vote;

use std::time::Duration;

use crux_crdt::Digest;
use crux_crdt::sign::Signed;
use crux_protocol::liveness::{
    Beacon, Config, Evidence, Liveness, Notice, Output, Run, State, Suspicion,
};

use crate::fixture::{FLOCK, at, context, identity, principal, principals, rng};

/// Node 1 in a flock of five, linked to all, at the time 10 s.
fn engine() -> State {
    let mut state = State::new(Config::default(), context(1), identity(1), 1, at(10_000));
    state.set_members(&principals(1..=5), at(10_000));
    for number in 2..=5 {
        state.on_connected(principal(number), at(10_000));
        state.on_notice(&beacon(number, 1, 10_000), at(10_000));
    }
    state.on_wake(at(10_000), &mut rng());
    state
}

/// A beacon that was sent when its sender had run for so many milliseconds.
fn beacon(by: u8, counter: u64, uptime: u64) -> Notice {
    let uptime = Duration::from_millis(uptime);
    let beacon = Beacon {
        incarnation: 1,
        counter,
        uptime,
        state_digest: Digest::default(),
        restart: None,
        run: Run::default(),
    };
    Notice::Beacon(Signed::sign(beacon, &FLOCK, &identity(by)))
}

fn suspicion(by: u8, of: u8, evidence: Evidence, number: u64) -> Notice {
    let suspicion =
        Suspicion { subject: principal(of), incarnation: 1, counter: 1, evidence, number };
    Notice::Suspicion(Signed::sign(suspicion, &FLOCK, &identity(by)))
}

fn changed(number: u8, liveness: Liveness) -> Output {
    Output::Changed { member: principal(number), liveness }
}

/// Beats of everyone but `silent` every second, up to the time `until`.
fn let_beat(state: &mut State, silent: &[u8], until: u64) -> Vec<Output> {
    let mut out = Vec::new();
    for now in (10_250..=until).step_by(250) {
        for number in (2..=5).filter(|number| !silent.contains(number)) {
            out.extend(state.on_beat(principal(number), (1, 1), at(now)));
        }
        out.extend(state.on_wake(at(now), &mut rng()));
    }
    out.retain(|output| matches!(output, Output::Changed { .. }));
    out
}

/// The beacon within a notice.
fn within(notice: &[u8]) -> Signed<Beacon> {
    match Notice::decode(notice, &context(1)) {
        Ok(Notice::Beacon(beacon)) => beacon,
        other => panic!("{other:?}"),
    }
}

fn is_suspicion(output: &&Output) -> bool {
    match output {
        Output::Publish(data) => {
            matches!(Notice::decode(data, &context(2)), Ok(Notice::Suspicion(_)))
        }
        _ => false,
    }
}

fn suspicions(out: &[Output]) -> usize {
    out.iter().filter(is_suspicion).count()
}
