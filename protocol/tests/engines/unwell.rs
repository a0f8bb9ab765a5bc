//! Health of services: what is stated of them, and what the record says.

use std::collections::BTreeMap;

use crux_crdt::record::{Condition, ServiceKey, SlotSet, Unwell};
use crux_protocol::time::Instant;
use crux_protocol::unwell::{Command, Event, State};

use crate::fixture::at;

fn key(service: &str) -> ServiceKey {
    ServiceKey {
        horde: "main".parse().unwrap(),
        service: service.parse().unwrap(),
        rev: "v1".parse().unwrap(),
        ordinal: 0,
    }
}

/// The command that has the record state these.
fn set(all: &[(&str, Condition)]) -> Command {
    let all = all.iter().map(|(service, condition)| (key(service).tag(), *condition));
    Command::Set(SlotSet::new(Unwell::new(all).unwrap()).unwrap())
}

/// Everything that it is asked to do from this event on.
fn give(state: &mut State, event: Event, now: u64) -> Vec<Command> {
    let mut out = Vec::new();
    state.handle(event, at(now), &mut out);
    out
}

/// The same, where a statement is durable at once.
fn stated(state: &mut State, all: &[(&str, Option<Condition>)], now: u64) -> Vec<Command> {
    let all: BTreeMap<_, _> = all.iter().map(|(name, it)| (key(name), *it)).collect();
    let out = give(state, Event::Stated(all), now);
    if !out.is_empty() {
        assert_eq!(give(state, Event::Answered(true), now), []);
    }
    out
}

const DOWN: Option<Condition> = Some(Condition::Down);
const DEGRADED: Option<Condition> = Some(Condition::Degraded);

#[test]
fn the_first_statement_goes_out_at_once_and_nothing_while_nothing_changes() {
    let mut state = State::new();
    assert_eq!(give(&mut state, Event::Wake, 0), [], "what the disk says holds");
    assert_eq!(state.deadline(), Instant::NEVER);
    // After a start the disk may say something else.
    assert_eq!(stated(&mut state, &[("web", None)], 10), [set(&[])]);
    assert_eq!(stated(&mut state, &[("web", None)], 5_000), []);
    assert_eq!(stated(&mut state, &[("web", DOWN)], 6_000), [set(&[("web", Condition::Down)])]);
    assert_eq!(stated(&mut state, &[("web", DOWN)], 9_000), []);
    assert_eq!(state.deadline(), Instant::NEVER);
    assert_eq!(stated(&mut state, &[], 12_000), [set(&[])], "it was deregistered");
    assert_eq!(state.footprint(), 0);
}

#[test]
fn further_changes_wait_for_a_second_and_go_out_together() {
    let mut state = State::new();
    assert_eq!(stated(&mut state, &[("a", DOWN)], 100), [set(&[("a", Condition::Down)])]);
    assert_eq!(stated(&mut state, &[("a", DOWN), ("b", DOWN)], 200), []);
    assert_eq!(stated(&mut state, &[("a", DEGRADED), ("b", DOWN)], 300), []);
    assert_eq!(state.deadline(), at(1_100));
    assert_eq!(give(&mut state, Event::Wake, 1_099), []);
    let both = set(&[("a", Condition::Degraded), ("b", Condition::Down)]);
    assert_eq!(give(&mut state, Event::Wake, 1_100), [both]);
    // Nothing goes out while that is being written.
    assert_eq!(stated(&mut state, &[], 3_000), []);
    assert_eq!(state.deadline(), Instant::NEVER);
    assert_eq!(give(&mut state, Event::Answered(true), 3_100), [set(&[])]);
}

#[test]
fn a_statement_that_was_refused_is_made_again() {
    let mut state = State::new();
    let all = Event::Stated([(key("a"), DOWN)].into());
    assert_eq!(give(&mut state, all, 100), [set(&[("a", Condition::Down)])]);
    assert_eq!(give(&mut state, Event::Answered(false), 200), []);
    assert_eq!(state.deadline(), at(5_200));
    assert_eq!(give(&mut state, Event::Wake, 5_200), [set(&[("a", Condition::Down)])]);
}

#[test]
fn four_flips_within_a_minute_are_held_at_degraded() {
    let mut state = State::new();
    let mut say = |it, now| stated(&mut state, &[("a", it), ("b", None)], now);
    say(None, 0);
    let down = set(&[("a", Condition::Down)]);
    assert_eq!(say(DOWN, 10_000), std::slice::from_ref(&down));
    assert_eq!(say(None, 20_000), [set(&[])]);
    assert_eq!(say(DOWN, 30_000), std::slice::from_ref(&down));
    let held = set(&[("a", Condition::Degraded)]);
    assert_eq!(say(None, 40_000), [held], "the fourth");
    assert_eq!(say(DOWN, 50_000), []);
    assert_eq!(say(None, 60_000), []);
    // Of the last four the first was at 30 s.
    assert_eq!(state.deadline(), at(90_000));
    assert_eq!(give(&mut state, Event::Wake, 89_999), []);
    assert_eq!(give(&mut state, Event::Wake, 90_000), [set(&[])]);
    give(&mut state, Event::Answered(true), 90_000);
    assert_eq!(state.deadline(), Instant::NEVER);
}

#[test]
fn more_than_a_record_can_say_is_told_and_changes_nothing() {
    let mut state = State::new();
    let names: Vec<_> = (0..257).map(|number| format!("s{number}")).collect();
    let all: Vec<_> = names.iter().map(|name| (name.as_str(), DOWN)).collect();
    let out = give(
        &mut state,
        Event::Stated(all.iter().map(|(name, it)| (key(name), *it)).collect()),
        100,
    );
    assert!(matches!(&out[..], [Command::Full(full)] if full.most == 256), "{out:?}");
    assert_eq!(state.deadline(), Instant::NEVER);
    let fits: Vec<_> = all[..256].iter().map(|(name, _)| (*name, Condition::Down)).collect();
    assert_eq!(stated(&mut state, &all[..256], 2_000), [set(&fits)]);
}
