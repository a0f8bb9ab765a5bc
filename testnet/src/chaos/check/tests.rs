//! Histories made by hand: what must pass, and what must not.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::history::{Asked, Call, Claim, Fate, History, KeyId, Outcome, Put, Value};
use super::{Finale, Violation, check};

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn unknown() -> Outcome {
    Outcome::Unknown("no answer".to_owned())
}

fn failed() -> Outcome {
    Outcome::Failed("refused".to_owned())
}

/// A history of two nodes, with a key `a` of node 0.
struct Story {
    history: History,
    a: KeyId,
}

impl Story {
    fn new() -> Self {
        let mut history = History::new(vec!["n0".to_owned(), "n1".to_owned()]);
        let a = history.key(0, "a");
        Self { history, a }
    }

    fn call(&mut self, host: usize, from: u64, asked: Asked, outcome: Outcome) {
        let call = Call { client: 0, host, from: at(from), to: at(from + 1), asked, outcome };
        self.history.calls.push(call);
    }

    fn register(&mut self, from: u64, value: u32, outcome: Outcome) {
        self.call(0, from, Asked::Register(self.a, Value(value)), outcome);
    }

    fn deregister(&mut self, from: u64, outcome: Outcome) {
        self.call(0, from, Asked::Deregister(self.a), outcome);
    }

    fn query(&mut self, host: usize, from: u64, value: Option<u32>) {
        let shown = value.map(|value| (self.a, Value(value))).into_iter().collect();
        self.call(host, from, Asked::Query(shown), Outcome::Done);
    }

    fn ping(&mut self, from: u64, term: u64, accepted: &[&str]) {
        let claim = Claim { term, principal: "p0".to_owned() };
        let accepted = accepted.iter().map(|&name| name.to_owned()).collect();
        self.call(1, from, Asked::Ping(Some((claim, accepted))), Outcome::Done);
    }

    fn fate(&mut self, seconds: u64, host: usize, fate: Fate) {
        self.history.fates.push((at(seconds), host, fate));
    }

    /// An end at which both nodes agree and show this.
    fn finale(&self, value: Option<u32>) -> Finale {
        let shown: BTreeMap<_, _> = value.map(|value| (self.a, Value(value))).into_iter().collect();
        let both = |text: &str| vec![Some(text.to_owned()); 2];
        let principals = vec![Some("p0".to_owned()), Some("p1".to_owned())];
        Finale {
            hosts: vec![0, 1],
            shown: vec![Some(shown); 2],
            digests: [both("d"), both("d")],
            leaders: both("n0 1"),
            accepted: principals.iter().flatten().cloned().collect(),
            principals,
            ..Finale::default()
        }
    }

    fn found(&self, value: Option<u32>) -> Vec<Violation> {
        check(&self.history, &self.finale(value))
    }

    #[track_caller]
    fn holds(&self, value: Option<u32>) {
        assert_eq!(self.found(value), [], "at the end: {value:?}");
    }
}

#[test]
fn what_was_acknowledged_is_there_and_nothing_else() {
    let mut story = Story::new();
    story.register(1, 7, Outcome::Done);
    story.holds(Some(7));
    let lost = story.found(None);
    assert!(matches!(&lost[..], [Violation::Lost { .. }, Violation::Lost { .. }]), "{lost:?}");
    story.register(3, 8, Outcome::Done);
    story.holds(Some(8));
    assert!(matches!(story.found(Some(7))[0], Violation::Resurrected { .. }));
}

#[test]
fn what_was_removed_stays_away_and_a_crash_changes_nothing() {
    let mut story = Story::new();
    story.register(1, 7, Outcome::Done);
    story.fate(3, 0, Fate::Killed);
    story.fate(4, 0, Fate::Started);
    assert!(matches!(story.found(None)[0], Violation::Lost { .. }));
    story.deregister(5, Outcome::Done);
    story.fate(7, 0, Fate::Killed);
    story.holds(None);
    assert!(matches!(story.found(Some(7))[0], Violation::Resurrected { .. }));
}

#[test]
fn what_failed_is_not_carried_out() {
    let mut story = Story::new();
    story.register(1, 7, failed());
    story.holds(None);
    assert!(story.found(Some(7)).iter().any(|it| matches!(it, Violation::Resurrected { .. })));
    story.register(3, 8, Outcome::Done);
    story.deregister(5, failed());
    story.holds(Some(8));
    assert!(matches!(story.found(None)[0], Violation::Lost { .. }));
}

#[test]
fn what_is_unknown_may_be_either_and_late() {
    let mut story = Story::new();
    story.register(1, 7, unknown());
    story.holds(None);
    story.holds(Some(7));
    // The process that was asked still lives: it may do it after this.
    story.register(3, 8, Outcome::Done);
    story.holds(Some(8));
    story.holds(Some(7));
    assert!(matches!(story.found(None)[0], Violation::Lost { .. }));
    // Of a process that is gone nothing comes any more.
    story.fate(5, 0, Fate::Killed);
    story.register(6, 9, Outcome::Done);
    story.holds(Some(9));
    assert!(matches!(story.found(Some(7))[0], Violation::Resurrected { .. }));
}

#[test]
fn a_lost_disk_takes_only_the_newest_along() {
    let mut story = Story::new();
    story.register(1, 7, Outcome::Done);
    story.register(20, 8, Outcome::Done);
    story.fate(22, 0, Fate::Killed);
    story.fate(22, 0, Fate::Wiped);
    story.holds(Some(8));
    story.holds(Some(7));
    assert!(matches!(story.found(None)[0], Violation::Lost { .. }));
}

#[test]
fn a_lost_disk_takes_nothing_along_that_another_one_has() {
    let mut story = Story::new();
    story.register(1, 7, Outcome::Done);
    story.call(0, 20, Asked::RegisterSynced(story.a, Value(8)), Outcome::Done);
    story.fate(22, 0, Fate::Wiped);
    story.holds(Some(8));
    assert!(matches!(story.found(Some(7))[0], Violation::Resurrected { .. }));
}

#[test]
fn a_node_has_what_it_acknowledged_unless_it_lost_its_disk() {
    let mut story = Story::new();
    story.register(1, 7, Outcome::Done);
    story.deregister(3, Outcome::Absent);
    assert!(matches!(story.found(Some(7))[..], [Violation::Denied { .. }]));

    let mut story = Story::new();
    story.register(1, 7, Outcome::Done);
    story.fate(20, 0, Fate::Wiped);
    story.deregister(21, Outcome::Absent);
    story.holds(None);
    story.holds(Some(7));
}

#[test]
fn a_node_made_anew_has_nothing() {
    let mut story = Story::new();
    story.register(1, 7, Outcome::Done);
    story.fate(3, 0, Fate::Rekeyed);
    story.holds(None);
    assert!(matches!(story.found(Some(7))[0], Violation::Resurrected { .. }));
}

#[test]
fn nobody_shows_what_nobody_registered() {
    let mut story = Story::new();
    story.query(1, 1, Some(7));
    story.register(5, 7, Outcome::Done);
    let found = story.found(Some(7));
    assert!(matches!(&found[..], [Violation::Invented { .. }]), "{found:?}");

    let mut story = Story::new();
    story.register(1, 7, failed());
    story.query(1, 3, Some(7));
    assert!(matches!(story.found(None)[..], [Violation::Invented { .. }]));

    let mut story = Story::new();
    story.register(1, 7, unknown());
    story.query(1, 1, Some(7));
    story.holds(None);
}

#[test]
fn a_node_shows_its_own_at_once_and_after_a_crash() {
    let mut story = Story::new();
    story.register(1, 7, Outcome::Done);
    story.query(0, 3, Some(7));
    // The other one may be behind.
    story.query(1, 3, None);
    story.holds(Some(7));
    story.fate(5, 0, Fate::Killed);
    story.fate(6, 0, Fate::Started);
    story.query(0, 7, None);
    assert!(matches!(story.found(Some(7))[..], [Violation::Denied { .. }]));
}

#[test]
fn a_query_may_see_what_happens_meanwhile() {
    let mut story = Story::new();
    story.register(1, 7, Outcome::Done);
    story.register(4, 8, Outcome::Done);
    story.query(0, 4, Some(7));
    story.query(0, 4, Some(8));
    story.holds(Some(8));
    story.query(0, 6, Some(7));
    assert!(matches!(story.found(Some(8))[..], [Violation::Denied { .. }]));
}

#[test]
fn a_fence_never_goes_back() {
    let mut story = Story::new();
    story.ping(1, 1, &["p0", "p1"]);
    story.ping(3, 2, &["p0"]);
    story.ping(3, 1, &["p1"]);
    // At the same time as the greater one: it may have been first.
    story.ping(3, 1, &["p0"]);
    story.holds(None);
    story.ping(6, 1, &["p1"]);
    story.holds(None);
    story.ping(8, 1, &["p0"]);
    assert!(matches!(story.found(None)[..], [Violation::FenceWentBack { .. }]));
}

#[test]
fn a_fence_may_be_lost_with_a_disk() {
    let mut story = Story::new();
    story.ping(1, 2, &["p0"]);
    story.fate(3, 0, Fate::Wiped);
    story.ping(4, 1, &["p0"]);
    story.holds(None);
}

#[test]
fn all_agree_at_the_end() {
    let story = Story::new();
    let bad = |change: fn(&mut Finale)| {
        let mut finale = story.finale(None);
        change(&mut finale);
        let found = check(&story.history, &finale);
        assert!(matches!(&found[..], [Violation::Disagreed(_)]), "{found:?}");
    };
    bad(|finale| finale.digests[0][1] = Some("e".to_owned()));
    bad(|finale| finale.digests[1] = vec![Some("e".to_owned()); 2]);
    bad(|finale| finale.digests[1][0] = None);
    bad(|finale| finale.leaders[1] = None);
    bad(|finale| finale.leaders[1] = Some("n1 1".to_owned()));
    bad(|finale| finale.accepted = vec!["p1".to_owned()]);
}

#[test]
fn nobody_is_called_by_a_name_that_nobody_has() {
    let mut story = Story::new();
    story.history.strangers.insert("n1-x-0a1b2c".to_owned());
    assert!(matches!(&story.found(None)[..], [Violation::Stranger(_)]));
}

#[test]
fn a_process_that_ends_by_itself_is_a_violation() {
    let mut story = Story::new();
    story.history.crashes.push((at(3), 1, "exit status: 101".to_owned()));
    let found = story.found(None);
    assert!(matches!(&found[..], [Violation::Crashed { .. }]));
    assert!(found[0].to_string().contains("n1 ended by itself before 3.000s: exit status: 101"));
}

#[test]
fn a_blob_stays_where_it_was_acknowledged_until_the_node_is_made_anew() {
    let mut story = Story::new();
    let put = Put { host: 0, at: at(10), blob: "b".to_owned() };
    story.history.puts.push(put);
    let lacking = Finale { blobs_lacking: vec![(0, "b".to_owned())], ..Finale::default() };
    let lost = |story: &Story| {
        let found = check(&story.history, &lacking);
        found.iter().any(|it| matches!(it, Violation::BlobLost { .. }))
    };
    assert!(lost(&story));
    story.fate(5, 0, Fate::Rekeyed);
    story.fate(20, 0, Fate::Wiped);
    story.fate(20, 1, Fate::Rekeyed);
    assert!(lost(&story), "neither of these takes a blob from it");
    story.fate(20, 0, Fate::Rekeyed);
    assert!(!lost(&story));
}
