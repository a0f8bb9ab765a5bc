use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::Principal;
use crux_protocol::dial::{Facts, Outcome, Purpose, Request, State};
use crux_protocol::join::Refusal;
use crux_protocol::link::DialFailure;
use crux_protocol::time::Instant;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::fixture::{at, principal, principals, rng};

fn wake(
    state: &mut State,
    now: Instant,
    wanted: impl IntoIterator<Item = Principal>,
    dead: BTreeSet<Principal>,
) -> Vec<Request> {
    let wanted = wanted.into_iter().collect();
    let dead = dead.into_iter().map(|peer| (peer, at(0))).collect();
    let facts = Facts {
        is_linked: &|peer| *peer == principal(9),
        is_within_reach: &|peer| [principal(8), principal(9)].contains(peer),
        wanted: &wanted,
        dead: &dead,
        links: 0,
        live: 1,
        others: &Vec::new,
        addrs: &|_| vec!["192.0.2.7:7".to_owned()],
    };
    state.on_wake(now, &facts, &mut rng())
}

fn none() -> BTreeSet<Principal> {
    BTreeSet::new()
}

fn entry(place: usize, addr: &str) -> Request {
    Request { purpose: Purpose::Entry(place), addrs: vec![addr.to_owned()], expect: None }
}

fn to(purpose: Purpose, number: u8) -> Request {
    let addrs = vec!["192.0.2.7:7".to_owned()];
    Request { purpose, addrs, expect: Some(principal(number)) }
}

#[test]
fn entries_are_dialled_at_once_and_never_twice_at_a_time() {
    let mut state = State::new(&["a:1".to_owned(), "b:2".to_owned()], at(0));
    let first = wake(&mut state, at(0), none(), none());
    assert_eq!(first, [entry(0, "a:1"), entry(1, "b:2")]);
    assert_eq!(wake(&mut state, at(60_000), none(), none()), []);
}

#[test]
fn a_refused_entry_is_tried_again_after_a_back_off_for_ever() {
    let mut state = State::new(&["a:1".to_owned()], at(0));
    wake(&mut state, at(0), none(), none());
    let mut now = 0;
    for _ in 0..20 {
        state.on_failed(Purpose::Entry(0), DialFailure::Refused, at(now), &mut rng());
        assert_eq!(wake(&mut state, at(now), none(), none()), []);
        now += 5_000;
        assert_eq!(wake(&mut state, at(now), none(), none()), [entry(0, "a:1")]);
    }
}

#[test]
fn the_own_address_is_let_go_and_a_linked_one_is_left_alone() {
    let mut state = State::new(&["me:1".to_owned(), "b:2".to_owned()], at(0));
    wake(&mut state, at(0), none(), none());
    state.on_failed(Purpose::Entry(0), DialFailure::Myself, at(1), &mut rng());
    state.on_dialled(Purpose::Entry(1), principal(9), at(1));
    assert_eq!(wake(&mut state, at(60_000), none(), none()), []);
}

#[test]
fn wanted_members_are_dialled_unless_linked() {
    let mut state = State::new(&[], at(0));
    let dials = wake(&mut state, at(0), principals([2, 9]), none());
    assert_eq!(dials, [to(Purpose::Wanted(principal(2)), 2)]);
}

/// As of a process that was just killed: its listener had accepted, and refuses the next one.
#[test]
fn a_wanted_member_that_closes_is_dialled_again_soon_and_then_with_a_back_off() {
    let mut state = State::new(&[], at(0));
    let dial = [to(Purpose::Wanted(principal(2)), 2)];
    assert_eq!(wake(&mut state, at(0), principals([2]), none()), dial);
    state.on_failed(Purpose::Wanted(principal(2)), DialFailure::Closed, at(1), &mut rng());
    assert_eq!(wake(&mut state, at(15), principals([2]), none()), []);
    assert_eq!(wake(&mut state, at(16), principals([2]), none()), dial);
    state.on_failed(Purpose::Wanted(principal(2)), DialFailure::Closed, at(17), &mut rng());
    assert_eq!(wake(&mut state, at(266), principals([2]), none()), []);
    assert_eq!(wake(&mut state, at(517), principals([2]), none()), dial);
}

#[test]
fn the_dead_are_dialled_one_a_second_once_all_were_tried() {
    let mut state = State::new(&[], at(0));
    let start = wake(&mut state, at(0), none(), principals([2, 3]));
    let both: BTreeSet<_> = start.iter().filter_map(|it| it.expect).collect();
    assert_eq!((start.len(), both), (2, principals([2, 3])), "each once");
    assert_eq!(wake(&mut state, at(100), none(), principals([2])), []);
    let later = wake(&mut state, at(2_000), none(), principals([2]));
    assert_eq!(later, [to(Purpose::Dead(principal(2)), 2)]);
}

#[test]
fn who_starts_dials_a_member_that_states_another_place_than_that_of_an_entry() {
    let mut state = State::new(&["192.0.2.7:7".to_owned()], at(0));
    let dead = BTreeMap::from([(principal(2), at(0))]);
    let facts = Facts {
        is_linked: &|_| false,
        is_within_reach: &|_| false,
        wanted: &none(),
        dead: &dead,
        links: 0,
        live: 1,
        others: &Vec::new,
        addrs: &|_| vec!["192.0.2.7:7".to_owned(), "192.0.2.8:7".to_owned()],
    };
    let start = state.on_wake(at(0), &facts, &mut rng());
    assert_eq!(start.len(), 2);
    assert_eq!(start[1].purpose, Purpose::Dead(principal(2)));
}

/// Connections too many are closed again, and what is on them may be lost.
#[test]
fn who_starts_dials_a_member_once_that_is_an_entry_too() {
    let mut state = State::new(&["192.0.2.7:7".to_owned()], at(0));
    let start = wake(&mut state, at(0), none(), principals([2]));
    assert_eq!(start, [entry(0, "192.0.2.7:7")]);
    // Another may be there now, so it has its turn among the dead.
    assert_eq!(
        wake(&mut state, at(2_000), none(), principals([2])),
        [to(Purpose::Dead(principal(2)), 2)]
    );
}

/// The dials to others than those who are wanted, where so many are linked and so many live.
fn more(state: &mut State, millis: u64, links: usize, live: usize) -> Vec<Principal> {
    let facts = Facts {
        is_linked: &|_| false,
        is_within_reach: &|_| false,
        wanted: &principals([2, 3]),
        dead: &BTreeMap::new(),
        links,
        live,
        others: &|| (2..=5).map(principal).collect(),
        addrs: &|_| vec!["192.0.2.7:7".to_owned()],
    };
    let dials = state.on_wake(at(millis), &facts, &mut StdRng::from_seed([1; 32])).into_iter();
    dials.filter(|it| matches!(it.purpose, Purpose::More(_))).filter_map(|it| it.expect).collect()
}

#[test]
fn with_few_links_others_are_dialled_than_those_who_are_wanted() {
    let mut state = State::new(&[], at(0));
    for step in 0..20 {
        let dialled = more(&mut state, step * 200, 3, 5);
        assert_eq!(dialled.len(), 1);
        assert!([principal(4), principal(5)].contains(&dialled[0]));
        assert_eq!(more(&mut state, step * 200 + 100, 3, 5), [], "not so soon");
    }
    assert_eq!(more(&mut state, 9_000, 4, 5), [], "four links are enough");
    assert_eq!(more(&mut state, 9_000, 3, 3), [], "all who live are wanted");
}

/// A person is told once of what fails twice in a row for three seconds, however often it goes on.
#[test]
fn each_outcome_of_an_entry_is_told_once_in_ten_minutes() {
    let mut state = State::new(&["a:1".to_owned(), "b:2".to_owned()], at(0));
    let mut fails = |failure, now| {
        let told = state.on_failed(Purpose::Entry(0), failure, at(now), &mut rng());
        told.map(|seed| (seed.addr, seed.outcome))
    };
    let nobody = |failure| Some(("a:1".to_owned(), Outcome::Failed(failure)));
    assert_eq!(fails(DialFailure::Refused, 1), None, "it may start just now");
    assert_eq!(fails(DialFailure::Refused, 3_000), None, "and slowly");
    assert_eq!(fails(DialFailure::Refused, 3_001), nobody(DialFailure::Refused));
    for round in 4..100 {
        let now = round * 1_000;
        assert_eq!(fails(DialFailure::Refused, now), None);
        assert_eq!(fails(DialFailure::Unreachable, now + 1), None, "it is not the same again");
    }
    assert_eq!(fails(DialFailure::OtherFlock, 200_000), None);
    assert_eq!(fails(DialFailure::OtherFlock, 200_001), nobody(DialFailure::OtherFlock));
    assert_eq!(fails(DialFailure::Refused, 700_000), None);
    assert_eq!(fails(DialFailure::Refused, 700_001), nobody(DialFailure::Refused));
    let seeds = state.seeds(|_| false);
    assert_eq!(seeds[0].outcome, Outcome::Failed(DialFailure::Refused));
    assert_eq!(seeds[1].outcome, Outcome::Pending);
}

#[test]
fn an_entry_that_refused_this_node_is_shown_so_until_it_lets_it_in() {
    let mut state = State::new(&["a:1".to_owned()], at(0));
    let (sponsor, refusal) = (principal(9), Refusal::NameTaken(principal(3)));
    let outcome = |state: &State, member: bool| state.seeds(|_| member)[0].outcome;
    state.on_dialled(Purpose::Entry(0), sponsor, at(1));
    assert_eq!(outcome(&state, false), Outcome::Answered);
    assert_eq!(state.on_refused(sponsor, refusal, at(2)).len(), 1);
    assert_eq!(state.on_refused(principal(8), refusal, at(2)), [], "no entry leads there");
    for now in 1..10 {
        // It is dialled again after each refusal.
        state.on_dialled(Purpose::Entry(0), sponsor, at(now * 10_000));
        assert_eq!(outcome(&state, false), Outcome::Refused(refusal));
        assert_eq!(state.on_refused(sponsor, refusal, at(now * 10_000)), [], "told already");
    }
    assert!(outcome(&state, false).is_trouble() && outcome(&state, false).needs_a_person());
    assert_eq!(outcome(&state, true), Outcome::Answered);
}

#[test]
fn what_a_person_has_to_end_is_told_at_once_and_what_succeeded_meanwhile_later() {
    let mut state = State::new(&["a:1".to_owned()], at(0));
    let fails = |state: &mut State, failure, now| {
        state.on_failed(Purpose::Entry(0), failure, at(now), &mut rng()).is_some()
    };
    assert!(!fails(&mut state, DialFailure::OtherFlock, 1));
    assert!(fails(&mut state, DialFailure::OtherFlock, 2));
    assert!(!fails(&mut state, DialFailure::Refused, 2_000));
    state.on_dialled(Purpose::Entry(0), principal(9), at(2_500));
    assert!(!fails(&mut state, DialFailure::Refused, 3_000));
    assert!(!fails(&mut state, DialFailure::Refused, 5_999));
    assert!(fails(&mut state, DialFailure::Refused, 6_000));
}

/// A place that was found on the link is not one that a person gave.
#[test]
fn what_was_found_is_tried_and_not_told() {
    let mut state = State::new(&[], at(0));
    state.on_found("c:3", at(0));
    for now in 1..5 {
        let told = state.on_failed(Purpose::Entry(0), DialFailure::Refused, at(now), &mut rng());
        assert_eq!(told, None);
    }
    assert_eq!(state.seeds(|_| false), []);
}
