//! What a node makes of plans: one event in, exactly these commands out.

use crux_crdt::blob::BlobId;
use crux_crdt::document::Target;
use crux_crdt::record::{PlanHead, Stage};
use crux_crdt::service::{self, Fields, Machine};
use crux_crdt::{Digest, Principal};
use crux_protocol::proctor::enactor::{Command, Event};
use crux_protocol::proctor::{Assignment, Content, Goal, GoalsError, Held, Order, Owned, OwnedRow};
use crux_protocol::time::Instant;

use super::rig::*;
use crate::fixture::{at, principal, set_record};

/// The target `web` with its first image, generation 4.
fn web() -> Held {
    held(4, target(vec![config("web", 1)], &[]))
}

fn hand(order: Order, all: Vec<(crux_crdt::name::ServiceName, Goal)>) -> Command {
    Command::Hand(goals(order, all))
}

#[test]
fn it_does_nothing_before_it_knows_what_the_picket_has() {
    let mut rig = Rig::new();
    assert_eq!(rig.see(&web(), &[plan(order(4, 1), &[("web", 1, 1, 2, 2)])]), []);
    assert_eq!(rig.state.deadline(), Instant::NEVER);
    let out = rig.tell(Event::Owned(Owned::default()));
    let had = hand(order(4, 1), vec![had("web", 1, &[(1, 2)])]);
    assert_eq!(out, [Command::Fetch(blob(1)), had, say(&[])]);
}

#[test]
fn a_service_runs_once_its_image_is_here_and_then_nothing_is_said_twice() {
    let mut rig = Rig::attached();
    let plans = [plan(order(4, 1), &[("web", 1, 1, 2, 2)])];
    let kept = hand(order(4, 1), vec![had("web", 1, &[(1, 2)])]);
    assert_eq!(rig.see(&web(), &plans), [Command::Fetch(blob(1)), kept]);
    assert_eq!(rig.tell(Event::Fetched(image(1))), [], "one set at a time");
    let runs = hand(order(4, 1), vec![run("web", 1, &[(1, 2)])]);
    assert_eq!(rig.tell(Event::Answered(true)), [runs]);
    assert_eq!(rig.tell(Event::Answered(true)), []);
    assert_eq!(rig.see(&web(), &plans), []);
    let starting = [row("web", 1, Stage::Starting, 2)];
    assert_eq!(rig.owned(order(4, 1), &starting), [say(&starting)]);
    assert_eq!(rig.tell(Event::Said(true)), []);
    assert_eq!(rig.owned(order(4, 1), &starting), []);
    assert_eq!(rig.state.deadline(), Instant::NEVER);
}

#[test]
fn a_later_pass_is_handed_in_where_it_changes_something_here() {
    let mut rig = Rig::attached();
    let out = rig.see(&web(), &[plan(order(4, 1), &[("web", 1, 1, 1, 1)])]);
    rig.settle(out);
    assert_eq!(rig.see(&web(), &[plan(order(4, 2), &[("web", 1, 1, 1, 1)])]), []);
    assert_eq!(rig.state.assignment().unwrap().order, order(4, 2), "it is enacted all the same");
    let more = rig.see(&web(), &[plan(order(4, 3), &[("web", 1, 1, 1, 1), ("web", 1, 3, 2, 2)])]);
    assert_eq!(more, [hand(order(4, 3), vec![run("web", 1, &[(1, 1), (3, 2)])])]);
    rig.settle(more);
    let other_leader =
        Order { target: marker(4), pass: crux_crdt::record::Pass { term: 4, ..pass(1) } };
    let entries = [("web", 1, 1, 1, 1), ("web", 1, 3, 2, 2)];
    let out = rig.see(&web(), &[plan(other_leader, &entries)]);
    assert_eq!(out, [hand(other_leader, vec![run("web", 1, &[(1, 1), (3, 2)])])]);
}

#[test]
fn of_two_leaders_the_greater_wins_and_an_older_order_is_never_enacted() {
    let mut rig = Rig::attached();
    let of = |term, number| {
        let pass = crux_crdt::record::Pass { term, leader: principal(number), pass: 1 };
        Order { target: marker(4), pass }
    };
    let (less, greater) = (plan(of(3, 1), &[]), plan(of(3, 2), &[("web", 1, 1, 1, 1)]));
    let (less, greater) = if less.order < greater.order {
        (less, greater)
    } else {
        (plan(of(3, 2), &[]), plan(of(3, 1), &[("web", 1, 1, 1, 1)]))
    };
    let out = rig.see(&web(), &[less.clone(), greater.clone()]);
    let done = rig.settle(out);
    assert_eq!(done.last(), Some(&hand(greater.order, vec![run("web", 1, &[(1, 1)])])));
    assert_eq!(rig.see(&web(), &[greater.clone(), less.clone()]), [], "in whatever order");
    assert_eq!(rig.see(&web(), std::slice::from_ref(&less)), [], "the record of the other is gone");
    assert_eq!(rig.state.assignment(), Some(&greater));
    assert_eq!(rig.see(&web(), &[]), []);
    // After a start it knows only what the picket says.
    let mut rig = Rig::new();
    assert_eq!(rig.see(&web(), &[less]), []);
    assert_eq!(rig.owned(greater.order, &[]), [say(&[])]);
    assert_eq!(rig.state.assignment(), None);
}

#[test]
fn it_goes_back_to_no_older_target_and_trusts_no_marker_that_it_has_not_seen() {
    let mut rig = Rig::attached();
    let out = rig.see(&web(), &[plan(order(4, 1), &[("web", 1, 1, 1, 1)])]);
    rig.settle(out);
    assert_eq!(rig.see(&web(), &[plan(order(3, 2), &[])]), [], "a later pass of an older target");
    assert_eq!(rig.see(&web(), &[plan(order(5, 3), &[])]), [], "the document is not here");
    let none = Event::Seen { target: None, plans: vec![plan(order(5, 3), &[])] };
    assert_eq!(rig.tell(none), []);
    assert_eq!(rig.state.assignment().unwrap().order, order(4, 1));
    let fifth = held(5, target(vec![config("web", 1)], &[]));
    let out = rig.see(&fifth, &[plan(order(5, 3), &[])]);
    assert_eq!(out, [hand(order(5, 3), vec![])]);
}

#[test]
fn a_deleted_target_ends_everything_by_a_plan_alone() {
    let mut rig = Rig::attached();
    let out = rig.see(&web(), &[plan(order(4, 1), &[("web", 1, 1, 1, 1)])]);
    rig.settle(out);
    for content in [Content::Deleted, Content::Unreadable] {
        let gone = Held { marker: marker(5), content };
        assert_eq!(rig.see(&gone, &[]), [], "nobody planned it yet");
    }
    let gone = Held { marker: marker(5), content: Content::Deleted };
    let out = rig.see(&gone, &[plan(order(5, 2), &[])]);
    assert_eq!(out, [hand(order(5, 2), vec![])]);
}

#[test]
fn what_nobody_signed_is_not_run() {
    let mut rig = Rig::attached();
    let out = rig.see(&web(), &[plan(order(4, 1), &[("web", 2, 1, 1, 1), ("evil", 3, 1, 1, 1)])]);
    let names = vec![had("web", 2, &[(1, 1)]), had("evil", 3, &[(1, 1)])];
    assert_eq!(out, [hand(order(4, 1), names)], "no image is fetched for it");
    // A tag of another service's config is not that service.
    let mut plan = plan(order(4, 2), &[("web", 1, 1, 1, 1)]);
    let (mut key, amount) = plan.entries.pop_first().unwrap();
    key.service = name("evil");
    plan.entries.insert(key, amount);
    rig.tell(Event::Answered(true));
    let out = rig.see(&web(), &[plan]);
    assert!(matches!(&out[..], [Command::Hand(_)]), "{out:?}");
}

#[test]
fn a_version_to_go_back_to_is_read_from_the_newest_generation_that_has_it() {
    let mut rig = Rig::attached();
    let (one, two) = (target(vec![config("web", 1)], &[]), target(vec![config("api", 7)], &[]));
    let third = held(4, target(vec![config("web", 3)], &[&two, &one]));
    let plans = [plan(order(4, 1), &[("web", 1, 1, 1, 1)])];
    let kept = hand(order(4, 1), vec![had("web", 1, &[(1, 1)])]);
    assert_eq!(rig.see(&third, &plans), [Command::Read(two.blob()), kept]);
    assert_eq!(rig.tell(Event::Answered(true)), []);
    // It is verified: these are bytes of something else.
    assert_eq!(
        rig.read(two.blob(), &target(vec![config("web", 1)], &[&two])),
        [Command::Read(one.blob())]
    );
    assert_eq!(rig.tell(Event::Read { blob: one.blob(), content: None }), []);
    assert_eq!(rig.state.deadline(), at(rig.now + 5_000));
    assert_eq!(rig.wake(), [Command::Read(one.blob())]);
    assert_eq!(rig.read(one.blob(), &one), [Command::Fetch(blob(1))]);
    let out = rig.tell(Event::Fetched(image(1)));
    assert_eq!(out, [hand(order(4, 1), vec![run("web", 1, &[(1, 1)])])]);
    rig.settle(out);
    assert_eq!(rig.state.footprint().earlier, 0, "no version is missing");
    let fifth = held(5, target(vec![config("web", 5)], &[]));
    assert_eq!(rig.see(&fifth, &plans), [], "nor when it is in no document any more");
}

#[test]
fn what_the_picket_has_needs_no_document() {
    let mut rig = Rig::new();
    let one = target(vec![config("web", 1)], &[]);
    let second = held(4, target(vec![config("web", 2)], &[&one]));
    rig.see(&second, &[plan(order(4, 1), &[("web", 1, 1, 2, 2)])]);
    let rows = [row("web", 1, Stage::Ready, 1)];
    let out = rig.owned(order(3, 1), &rows);
    assert_eq!(out, [hand(order(4, 1), vec![had("web", 1, &[(1, 2)])]), say(&rows)]);
    rig.settle(out);
    let failed = [row("web", 1, Stage::Failed, 1)];
    let out = rig.owned(order(4, 1), &failed);
    assert_eq!(out, [Command::Read(one.blob())], "it may have refused that one for good");
}

#[test]
fn fetches_and_sets_that_fail_are_tried_again() {
    let mut rig = Rig::attached();
    let kept = hand(order(4, 1), vec![had("web", 1, &[(1, 1)])]);
    let out = rig.see(&web(), &[plan(order(4, 1), &[("web", 1, 1, 1, 1)])]);
    assert_eq!(out, [Command::Fetch(blob(1)), kept.clone()]);
    assert_eq!(rig.tell(Event::FetchFailed(blob(1))), []);
    assert_eq!(rig.state.deadline(), at(rig.now + 5_000));
    rig.now += 100;
    assert_eq!(rig.tell(Event::Answered(false)), []);
    assert_eq!(rig.wake(), [Command::Fetch(blob(1))]);
    assert_eq!(rig.wake(), [kept]);
    assert_eq!(rig.tell(Event::Answered(true)), []);
    let runs = hand(order(4, 1), vec![run("web", 1, &[(1, 1)])]);
    assert_eq!(rig.tell(Event::Fetched(image(1))), [runs]);
}

#[test]
fn a_picket_that_lost_its_disk_is_handed_the_set_again() {
    let mut rig = Rig::attached();
    let out = rig.see(&web(), &[plan(order(4, 1), &[("web", 1, 1, 1, 1)])]);
    rig.settle(out);
    let again = rig.tell(Event::Owned(Owned::default()));
    assert_eq!(again, [hand(order(4, 1), vec![run("web", 1, &[(1, 1)])])]);
    assert_eq!(rig.tell(Event::Owned(Owned::default())), [], "it is on its way");
}

#[test]
fn what_may_not_start_is_not_in_the_set_but_its_image_is_fetched() {
    let mut rig = Rig::attached();
    let out = rig.see(&web(), &[plan(order(4, 1), &[("web", 1, 1, 2, 0)])]);
    let keep = hand(order(4, 1), vec![(name("web"), Goal::Keep)]);
    assert_eq!(out, [Command::Fetch(blob(1)), keep]);
    rig.settle(out);
    let out = rig.see(&web(), &[plan(order(4, 2), &[("web", 1, 1, 2, 1)])]);
    assert_eq!(out, [hand(order(4, 2), vec![run("web", 1, &[(1, 1)])])]);
}

#[test]
fn what_this_machine_cannot_run_is_said_to_have_failed() {
    let mut rig = Rig::attached();
    let image = service::Image::PerMachine([(Machine::Aarch64, blob(1))].into());
    let config: service::Config = Fields::new(name("web"), image).try_into().unwrap();
    let mut plan = plan(order(4, 1), &[("web", 1, 1, 2, 2)]);
    let (mut key, amount) = plan.entries.pop_first().unwrap();
    key.spec = config.spec_tag();
    plan.entries.insert(key, amount);
    let out = rig.see(&held(4, target(vec![config.clone()], &[])), &[plan]);
    let failed = OwnedRow { spec: config.spec_tag(), ..row("web", 1, Stage::Failed, 2) };
    assert!(matches!(&out[..], [Command::Hand(_), it] if *it == say(&[failed])), "{out:?}");
}

#[test]
fn it_says_what_there_is_at_most_once_a_second() {
    let mut rig = Rig::attached();
    let rows = |stage| [row("web", 1, stage, 1)];
    let starting = rig.owned(order(4, 1), &rows(Stage::Starting));
    assert_eq!(starting, [say(&rows(Stage::Starting))]);
    assert_eq!(rig.tell(Event::Said(true)), []);
    rig.now += 1;
    assert_eq!(rig.owned(order(4, 1), &rows(Stage::Ready)), []);
    assert_eq!(rig.state.deadline(), at(rig.now + 999));
    assert_eq!(rig.wake(), [say(&rows(Stage::Ready))]);
    assert_eq!(rig.tell(Event::Said(false)), []);
    assert_eq!(rig.state.deadline(), at(rig.now + 5_000));
    assert_eq!(rig.wake(), [say(&rows(Stage::Ready))]);
    assert_eq!(rig.tell(Event::Said(true)), []);
    rig.now += 2_000;
    assert_eq!(rig.tell(Event::Owned(Owned::default())), [say(&[])]);
}

#[test]
fn more_than_a_node_can_run_or_say_is_told_once_and_changes_nothing() {
    let mut rig = Rig::attached();
    let names: Vec<String> = (0..129).map(|number| format!("s{number}")).collect();
    let entries: Vec<_> = names.iter().map(|name| (name.as_str(), 1, 1, 1, 1)).collect();
    let plans = [plan(order(4, 1), &entries)];
    assert_eq!(rig.see(&web(), &plans), [Command::Unfit(GoalsError::TooMany(129))]);
    assert_eq!(rig.see(&web(), &plans), []);
    let fits = [plan(order(4, 2), &entries[..128])];
    assert!(matches!(&rig.see(&web(), &fits)[..], [Command::Hand(_)]));
    let rows: Vec<_> = (0..=255)
        .flat_map(|number| {
            [row("web", number, Stage::Ready, 1), row("api", number, Stage::Ready, 1)]
        })
        .collect();
    let out = rig.owned(order(4, 2), &rows[..257]);
    assert!(matches!(&out[..], [Command::Full(full)] if full.most == 256), "{out:?}");
    assert_eq!(rig.owned(order(4, 2), &rows[..257]), []);
}

#[test]
fn many_passes_that_assigned_one_service_are_put_together() {
    let mut rig = Rig::attached();
    let entries: Vec<_> = (1..=20).map(|assigned| ("web", 1, assigned, 1, 1)).collect();
    let out = rig.see(&web(), &[plan(order(4, 20), &entries)]);
    let mut all: Vec<_> = (6..=20).map(|assigned| (assigned, 1)).collect();
    all.insert(0, (5, 5));
    assert_eq!(rig.settle(out).last(), Some(&hand(order(4, 20), vec![run("web", 1, &all)])));
}

#[test]
fn of_two_versions_on_one_node_the_one_of_the_document_counts() {
    for other in [2, 3, 4] {
        let mut rig = Rig::attached();
        let out =
            rig.see(&web(), &[plan(order(4, 1), &[("web", 1, 1, 1, 1), ("web", other, 1, 1, 1)])]);
        let done = rig.settle(out);
        assert_eq!(done.last(), Some(&hand(order(4, 1), vec![run("web", 1, &[(1, 1)])])));
    }
}

#[test]
fn parts_are_read_from_whole_plans_of_the_horde() {
    let me = principal(5);
    let part = plan(order(4, 2), &[("web", 1, 1, 2, 1)]);
    let entries = [(me, part.entries.clone()), (Principal([3; 32]), part.entries.clone())].into();
    let head = |pass| PlanHead::new("main".parse().unwrap(), 3, pass, marker(4), Digest::default());
    let record = set_record(1, &head(2).slots(&entries).unwrap());
    let horde = "main".parse().unwrap();
    assert_eq!(Assignment::all([&*record], &horde, &me), std::slice::from_ref(&part));
    let nothing = Assignment { entries: [].into(), ..part };
    assert_eq!(Assignment::all([&*record], &horde, &principal(6)), [nothing]);
    assert_eq!(Assignment::all([&*record], &"other".parse().unwrap(), &me), []);
    let mixed = head(3).slots(&[].into()).unwrap();
    let head = mixed.slots().next().unwrap();
    let parts = head_replaced(&record, head);
    assert_eq!(Assignment::all([&*parts], &horde, &me), [], "a mixed plan counts for nothing");
    let more = crate::fixture::record(2, 1);
    assert_eq!(Assignment::all([&*more], &horde, &me), []);
}

fn head_replaced(
    record: &crux_crdt::record::Record,
    head: &crux_crdt::record::Slot,
) -> std::sync::Arc<crux_crdt::record::Record> {
    let slots = record.slots().values().filter(|slot| slot.key() != head.key());
    let slots = slots.map(|slot| crux_crdt::record::Slot::clone(slot)).chain([head.clone()]);
    crate::fixture::slots_record(1, slots)
}

#[test]
fn a_thousand_plans_leave_no_trace() {
    let mut rig = Rig::attached();
    for number in 1..=1_000 {
        let id = u8::try_from(number % 7 + 1).unwrap();
        let target = held(number, target(vec![config("web", id)], &[]));
        let out = rig.see(&target, &[plan(order(number, number), &[("web", id, 1, 1, 1)])]);
        rig.settle(out);
    }
    let footprint = rig.state.footprint();
    assert_eq!((footprint.entries, footprint.images, footprint.earlier), (1, 1, 0));
}

/// Bytes that are neither wanted nor those of the blob.
#[test]
fn answers_that_nobody_asked_for_change_nothing() {
    let mut rig = Rig::attached();
    let target: Target = target(vec![config("web", 1)], &[]);
    assert_eq!(rig.read(target.blob(), &target), []);
    assert_eq!(rig.tell(Event::Fetched(image(1))), []);
    assert_eq!(rig.tell(Event::FetchFailed(BlobId([1; 32]))), []);
    assert_eq!(rig.tell(Event::Read { blob: blob(1), content: Some(vec![0; 10]) }), []);
    assert_eq!(rig.state.deadline(), Instant::NEVER);
}
