use std::sync::Arc;

use crux_client::op::Goal;
use crux_protocol::picket::{Owner, Version};
use tokio::sync::oneshot;

use super::super::testing::{config, row, version};
use super::*;

const CONFIG: &str = r#"{"name": "web", "image": "IMAGE", "rev": "v2"}"#;

fn pending(rev: Option<&str>) -> Pending {
    let until = Until { goal: Goal::Up, within: Duration::from_secs(1), generation: None };
    let rev = rev.map(|rev| rev.parse().unwrap());
    let name = ("web".parse().unwrap(), rev);
    Pending::new(name, Change::Updated, until, Instant::ORIGIN, oneshot::channel().0)
}

/// Wanted is content 2 of revision `v2`.
fn wanted(run: bool) -> Wanted {
    let current = Arc::new(Version { number: 2, ..version(config(CONFIG)) });
    let (previous, on_trial, refused, done) = (None, false, None, [].into());
    let owner = Owner::Person;
    Wanted { owner, current, previous, on_trial, refused, run, done }
}

/// The instance of a content; that of the first content has a name before that of the second.
fn of(version: u64, rev: &str, state: RunState) -> Row {
    let instance = format!("web-{rev}-1-{version}");
    let (rev, pid) = (rev.parse().unwrap(), Some(u32::try_from(version).unwrap()));
    Row { version, rev, pid, ..row("web", &instance, state) }
}

fn answered(settled: &Settled) -> (&str, Option<&str>, InstanceState, Option<u32>) {
    (settled.rev.as_str(), settled.instance.as_deref(), settled.state, settled.pid)
}

#[test]
fn an_update_is_answered_with_what_replaces() {
    let (pending, wanted) = (pending(Some("v1")), wanted(true));
    let new = ("v2", Some("web-v2-1-2"), InstanceState::Up, Some(2));
    for rows in [
        // Announced, and the old one has not ended yet.
        [of(1, "v1", RunState::Draining), of(2, "v2", RunState::Up)],
        [of(1, "v1", RunState::Stopping), of(2, "v2", RunState::Up)],
        // The old one still serves, as where the caller waits for the start.
        [of(1, "v1", RunState::Up), of(2, "v2", RunState::Up)],
    ] {
        let settled = settled(&pending, Some(&wanted), &rows, 7);
        assert_eq!(answered(&settled), new, "{rows:?}");
    }
    // The same content again, as after a restart.
    let rows = [
        Row { instance: Some(InstanceId::new("a")), ..of(2, "v2", RunState::Draining) },
        of(2, "v2", RunState::Up),
    ];
    assert_eq!(answered(&settled(&pending, Some(&wanted), &rows, 7)), new);
}

#[test]
fn one_that_is_not_started_yet_is_pending_and_has_its_own_revision() {
    let none = ("v2", None, InstanceState::Pending, None);
    let settled_with = |before: Option<&str>, rows: &[Row]| {
        let settled = settled(&pending(before), Some(&wanted(true)), rows, 7);
        assert_eq!(answered(&settled), none, "{rows:?}");
    };
    settled_with(None, &[]);
    settled_with(Some("v1"), &[of(1, "v1", RunState::Up)]);
    settled_with(Some("v2"), &[of(2, "v2", RunState::Stopping)]);
}

#[test]
fn one_that_is_not_to_run_is_what_is_left_of_it() {
    let wanted = wanted(false);
    let settled_with = |wanted: Option<&Wanted>, rows: &[Row]| {
        let settled = settled(&pending(Some("v2")), wanted, rows, 7);
        (settled.rev.to_string(), settled.state, settled.pid)
    };
    let draining = [of(2, "v2", RunState::Draining)];
    let v2 = || "v2".to_owned();
    assert_eq!(settled_with(Some(&wanted), &draining), (v2(), InstanceState::Draining, Some(2)));
    // Removed.
    assert_eq!(settled_with(None, &draining), (v2(), InstanceState::Draining, Some(2)));
    assert_eq!(settled_with(None, &[]), (v2(), InstanceState::Stopped, None));
}

#[test]
fn refusals_have_a_kind_and_a_hint() {
    let name = || "web".parse().unwrap();
    let all = [
        (Refusal::Generation { current: 3 }, Kind::Generation),
        (Refusal::NoPrevious(name()), Kind::Refused),
        (Refusal::Stopped(name()), Kind::Refused),
        (Refusal::Disk("full".to_owned()), Kind::DiskFull),
        (Refusal::Busy, Kind::Busy),
        (Refusal::Stopping, Kind::ShuttingDown),
        (
            Refusal::RegisteredTwice { service: name(), rev: name(), by: name() },
            Kind::AlreadyExists,
        ),
    ];
    for (refusal, kind) in all {
        let error = refused(&refusal, Kind::DiskFull);
        assert_eq!(error.kind(), kind, "{refusal}");
        assert!(error.hint().is_some(), "{refusal}");
    }
}

#[test]
fn who_waits_in_vain_hears_why() {
    let name = "web".parse().unwrap();
    let rows = [of(2, "v2", RunState::Starting)];
    assert_eq!(late(&name, &rows, false).kind(), Kind::TimedOut);
    let stops = late(&name, &rows, true);
    assert_eq!((stops.kind(), stops.state_changed()), (Kind::ShuttingDown, StateChanged::Yes));
    assert!(!stops.to_string().contains("still tried"), "{stops}");
    assert_eq!(overtaken(&name).kind(), Kind::Generation);
}
