use std::collections::BTreeSet;
use std::time::Duration;

use crux_crdt::Digest;
use crux_crdt::sign::Signed;
use crux_protocol::link::Verdict;
use crux_protocol::liveness::{
    Beacon, Config, Evidence, Liveness, Notice, Output, State, Suspicion,
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
    let beacon = Beacon { incarnation: 1, counter, uptime, state_digest: Digest::default() };
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

#[test]
fn a_linked_member_lives_and_one_from_disk_is_dead_until_heard() {
    let mut state = State::new(Config::default(), context(1), identity(1), 1, at(0));
    state.set_members(&principals([1, 2]), at(0));
    assert_eq!(state.liveness(&principal(2)), Liveness::Dead);
    assert_eq!(state.on_connected(principal(2), at(5)), [changed(2, Liveness::Alive)]);
}

/// The beacon within a notice.
fn within(notice: &[u8]) -> Signed<Beacon> {
    match Notice::decode(notice, &context(1)) {
        Ok(Notice::Beacon(beacon)) => beacon,
        other => panic!("{other:?}"),
    }
}

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

#[test]
fn a_suspicion_of_this_node_is_answered_by_a_beacon_at_once() {
    let mut state = engine();
    let before = state.beacon().to_vec();
    state.on_notice(&suspicion(3, 1, Evidence::Silent, 1), at(10_500));
    let out = state.on_wake(at(10_500), &mut rng());
    assert!(out.contains(&Output::Publish(state.beacon().to_vec())));
    assert_ne!(state.beacon(), before);
}

#[test]
fn a_process_that_slept_suspects_nobody_and_beacons() {
    let mut state = engine();
    let before = state.beacon().to_vec();
    let out = state.on_wake(at(20_000), &mut rng());
    assert!(!out.iter().any(|output| matches!(output, Output::Changed { .. })), "{out:?}");
    assert_ne!(state.beacon(), before);
    assert_eq!(let_beat(&mut state, &[], 10_250), []);
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

#[test]
fn strangers_have_no_voice() {
    let mut state = engine();
    let (verdict, out) = state.on_notice(&suspicion(8, 2, Evidence::Gone, 1), at(10_100));
    assert_eq!((verdict, out), (Verdict::Ignore, vec![]));
    assert_eq!(state.on_notice(&beacon(8, 1, 10_100), at(10_100)), (Verdict::Ignore, vec![]));
}

#[test]
fn beats_go_out_every_second() {
    let mut state = engine();
    let due = at(10_000) + Duration::from_secs(1);
    let beat = Output::Beat { incarnation: 1, counter: 1 };
    assert!(!state.on_wake(at(10_900), &mut rng()).contains(&beat));
    assert!(state.on_wake(due, &mut rng()).contains(&beat));
}

fn suspicion_about(by: u8, counter: u64, number: u64) -> Notice {
    let (subject, evidence) = (principal(1), Evidence::Silent);
    let suspicion = Suspicion { subject, incarnation: 1, counter, evidence, number };
    Notice::Suspicion(Signed::sign(suspicion, &FLOCK, &identity(by)))
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

/// Who was stopped hears old suspicions at once, and new ones right after its beacon.
#[test]
fn a_suspicion_about_a_fresher_beacon_is_answered_though_another_came_just_before() {
    let mut state = engine();
    let beacons =
        |out: Vec<Output>| out.iter().filter(|output| matches!(output, Output::Publish(_))).count();
    // The first beacon was sent by then.
    assert_eq!(state.on_notice(&suspicion_about(2, 1, 1), at(10_500)).0, Verdict::Accept);
    assert_eq!(beacons(state.on_wake(at(10_500), &mut rng())), 1, "the second beacon");
    assert_eq!(state.on_notice(&suspicion_about(2, 1, 2), at(10_505)).0, Verdict::Ignore);
    assert_eq!(state.on_notice(&suspicion_about(2, 2, 3), at(10_510)).0, Verdict::Accept);
    assert_eq!(beacons(state.on_wake(at(10_699), &mut rng())), 0, "not so soon");
    assert_eq!(beacons(state.on_wake(at(10_700), &mut rng())), 1);
}

/// Gossip loses beacons, and who slept asks once.
#[test]
fn a_suspicion_about_an_older_beacon_is_answered_when_the_newest_had_its_time() {
    let mut state = engine();
    let beacons =
        |out: Vec<Output>| out.iter().filter(|output| matches!(output, Output::Publish(_))).count();
    state.on_notice(&suspicion_about(2, 1, 1), at(10_500));
    assert_eq!(beacons(state.on_wake(at(10_500), &mut rng())), 1, "the second beacon");
    assert_eq!(state.on_notice(&suspicion_about(3, 1, 1), at(10_600)).0, Verdict::Accept);
    assert_eq!(beacons(state.on_wake(at(11_499), &mut rng())), 0, "it may be on its way there");
    assert_eq!(beacons(state.on_wake(at(11_500), &mut rng())), 1, "it did not come there");
}

/// Whom a suspicion is about, and that the beacon it knew was the first.
fn asked_about(output: &Output) -> crux_crdt::Principal {
    let Output::Publish(data) = output else { panic!("{output:?}") };
    let notice = Notice::decode(data, &context(2)).unwrap();
    let Notice::Suspicion(suspicion) = notice else { panic!("{notice:?}") };
    assert_eq!((suspicion.value().incarnation, suspicion.value().counter), (1, 1));
    suspicion.value().subject
}

/// Whoever died while it slept is spoken of no more.
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
    let is_suspicion = |output: &&Output| match output {
        Output::Publish(data) => {
            matches!(Notice::decode(data, &context(2)), Ok(Notice::Suspicion(_)))
        }
        _ => false,
    };
    let early = state.on_wake(at(19_899), &mut rng());
    assert_eq!(early.iter().find(is_suspicion), None, "it suspects nobody so soon");
    assert_eq!(state.deadline(), at(19_900));
    let observed = state.observed().clone();
    let out = state.on_wake(at(19_900), &mut rng());
    let asked = out.iter().filter(is_suspicion).map(asked_about);
    let asked: Vec<_> = asked.filter(|member| !observed.contains(member)).collect();
    let expected: std::collections::BTreeSet<_> =
        others[2..].iter().map(|number| principal(*number)).collect();
    assert_eq!(asked.len(), expected.len());
    assert_eq!(asked.into_iter().collect::<std::collections::BTreeSet<_>>(), expected);
    let unheard = others[2..].iter().map(|number| state.liveness(&principal(*number)));
    assert!(unheard.into_iter().all(|it| it == Liveness::Alive), "to ask is not to believe");

    state.on_wake(at(21_000), &mut rng());
    let later = state.on_wake(at(22_000), &mut rng());
    let again = later.iter().filter(is_suspicion).map(asked_about);
    assert_eq!(again.filter(|member| !observed.contains(member)).count(), 0, "it asks once");
}

fn suspicions(out: &[Output]) -> usize {
    let is_suspicion = |output: &&Output| match output {
        Output::Publish(data) => {
            matches!(Notice::decode(data, &context(2)), Ok(Notice::Suspicion(_)))
        }
        _ => false,
    };
    out.iter().filter(is_suspicion).count()
}

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
        let asked = out.iter().filter(|output| match output {
            Output::Publish(data) => {
                matches!(Notice::decode(data, &context(2)), Ok(Notice::Suspicion(_)))
            }
            _ => false,
        });
        let asked = asked.map(asked_about).filter(|who| *who == principal(late)).count();
        if !state.observed().contains(&principal(late)) {
            assert_eq!(asked, 1);
            asked_about_some = true;
        }
    }
    assert!(asked_about_some);
}
