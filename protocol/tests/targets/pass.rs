//! Where instances are placed, what is counted, what moves and what may start.

use crux_crdt::document::Usage;
use crux_crdt::record::{ProblemKind, Stage};
use crux_crdt::service::{Fields, OnMinority, Port, ReplaceAfter};
use crux_khan::world::Room;
use crux_protocol::proctor::planner::{Action, Program};
use crux_protocol::proctor::{Content, Held};
use std::collections::BTreeMap;
use std::time::Duration;

use super::rig::*;

fn web(nodes: u8, count: u8) -> Site {
    Site::new(nodes, &format!("pick(web, {count}, ALL)"), vec![plain("web", 1)])
}

#[test]
fn what_is_wanted_is_placed_once_and_then_nothing_is_said() {
    let mut site = web(3, 2);
    assert_eq!(steps(&site.look()), ["start 1 of 'web' on n0", "start 1 of 'web' on n1"]);
    assert_eq!(site.plan(), "n0:web1@1 n1:web1@1");
    assert_eq!(site.plan(), "n0:web1@1 n1:web1@1", "assigned is present, before anybody said so");
    assert_eq!(steps(&site.look()), [""; 0]);
    site.obey();
    assert_eq!(site.plan(), "n0:web1@1 n1:web1@1");
    assert_eq!(site.said(), 1);
}

#[test]
fn more_go_beside_those_that_are_there_and_of_fewer_the_youngest_end() {
    let mut site = web(2, 2);
    site.settle();
    site.apply("pick(web, 6, ALL)", vec![plain("web", 1)]);
    assert_eq!(site.plan(), "n0:web1@1 n0:web1x2@2 n1:web1@1 n1:web1x2@2");
    site.obey();
    site.apply("pick(web, 3, ALL)", vec![plain("web", 1)]);
    assert_eq!(site.plan(), "n0:web1@1 n0:web1@2 n1:web1@1");
}

#[test]
fn a_leader_that_finds_no_plan_counts_what_runs() {
    let mut site = web(3, 2);
    site.node(1).runs = report(&[("web", 1, Stage::Ready, 1, 7)]);
    site.node(2).runs = report(&[("web", 1, Stage::Starting, 1, 8)]);
    assert_eq!(site.plan(), "n1:web1@7 n2:web1@8");
    // What ends, failed, or makes way for a person's service is nothing that runs.
    for stage in [Stage::Stopping, Stage::Failed, Stage::Blocked] {
        let mut site = web(3, 1);
        site.node(1).runs = report(&[("web", 1, stage, 1, 7)]);
        assert_eq!(site.plan(), "n0:web1@1", "{stage:?}");
    }
}

#[test]
fn while_a_node_replaces_a_version_both_are_in_one_place() {
    let mut site = web(2, 4);
    site.settle();
    let lines = [("web", 1, Stage::Ready, 2, 1), ("web", 2, Stage::Starting, 2, 1)];
    site.node(0).runs = report(&lines);
    assert_eq!(site.plan(), "n0:web1x2@1 n1:web1x2@1");
}

#[test]
fn no_statement_makes_a_leader_count_more_than_a_node_can_run() {
    let mut site = web(2, 2);
    let lines: Vec<_> = (1..=200).map(|it| ("web", 1, Stage::Ready, u16::MAX, it)).collect();
    site.node(1).runs = report(&lines);
    site.node(1).room = Room([Some(u64::MAX); 3]);
    assert_eq!(site.plan(), "n0:web1@1 n1:web1@1");
}

#[test]
fn of_what_is_too_much_stays_what_is_ready_then_what_was_first() {
    let mut site = web(4, 2);
    let lines =
        [(0, Stage::Ready, 9), (1, Stage::Starting, 3), (2, Stage::Ready, 5), (3, Stage::Ready, 7)];
    for (number, stage, first) in lines {
        site.node(number).runs = report(&[("web", 1, stage, 1, first)]);
    }
    let stops = ["stop 1 of 'web' on n0", "stop 1 of 'web' on n1"];
    assert_eq!(steps(&site.look()), stops);
    assert_eq!(site.plan(), "n2:web1@5 n3:web1@7");
    assert_eq!(site.plan(), "n2:web1@5 n3:web1@7", "both still run, and are as good as ended");
    assert_eq!(steps(&site.look()), [""; 0]);
    // What ended counts again once its node was away.
    site.node(2).is_alive = false;
    site.node(0).is_alive = false;
    site.plan();
    site.node(0).is_alive = true;
    assert_eq!(site.plan(), "n0:web1@9 n3:web1@7");
}

#[test]
fn a_dead_node_keeps_its_places_for_a_time_and_then_they_are_elsewhere() {
    let mut site = web(4, 2);
    site.settle();
    site.node(1).is_alive = false;
    assert_eq!(site.plan(), "n0:web1@1 n1:web1@1");
    assert_eq!(site.look().deadline, at(31_000));
    site.now = 30_999;
    assert_eq!(site.plan(), "n0:web1@1 n1:web1@1");
    site.now = 31_000;
    assert_eq!(steps(&site.look()), ["move 1 of 'web' from n1 to n2"]);
    // The lost node keeps its entry, so that nothing is stopped there before it is counted.
    assert_eq!(site.plan(), "n0:web1@1 n1:web1@1 n2:web1@2");
    site.obey();
    assert_eq!(site.plan(), "n0:web1@1 n1:web1@1 n2:web1@2");
    assert_eq!(site.said(), 2);
    // It is back: what is ready stays, the first one first.
    site.node(1).is_alive = true;
    assert_eq!(site.plan(), "n0:web1@1 n1:web1@1");
    let mut other = web(4, 2);
    other.settle();
    other.node(1).is_alive = false;
    other.plan();
    other.now = 31_000;
    other.plan();
    other.obey();
    other.node(1).is_alive = true;
    other.node(1).runs = report(&[("web", 1, Stage::Starting, 1, 1)]);
    assert_eq!(other.plan(), "n0:web1@1 n2:web1@2", "it was restarted and is not ready yet");
}

#[test]
fn each_service_says_when_its_places_are_lost() {
    let program = "pick(soon, 1, ALL) pick(late, 1, ALL) pick(never, 1, ALL)";
    let after = |name, after| config(name, 1, |it| it.moving.replace_after = after);
    let seconds = |seconds| ReplaceAfter::Time(Duration::from_secs(seconds));
    let configs = vec![
        after("soon", seconds(0)),
        after("late", seconds(40)),
        after("never", ReplaceAfter::Never),
    ];
    let mut site = Site::new(3, program, configs);
    site.settle();
    let on = |site: &mut Site| {
        let entries = site.look().entries;
        let of = |number| entries.get(&node(number)).map_or(0, BTreeMap::len);
        [of(0), of(1)]
    };
    assert_eq!(on(&mut site), [3, 0]);
    site.node(0).is_alive = false;
    assert_eq!(on(&mut site), [3, 1]);
    site.now = 40_999;
    assert_eq!(on(&mut site), [3, 1]);
    site.now = 41_000;
    assert_eq!(on(&mut site), [3, 2]);
    site.now = 1_000_000_000;
    assert_eq!(on(&mut site), [3, 2]);
}

#[test]
fn a_minority_replaces_nothing_and_says_so() {
    let (dies, program) = ([1, 2, 3], "n := SIZE(ALL) pick(web, n - 3, ALL)");
    let mut site = Site::new(5, program, vec![plain("web", 1)]);
    assert_eq!(site.settle(), "n0:web1@1 n1:web1@1");
    dies.iter().for_each(|number| site.node(*number).is_alive = false);
    site.plan();
    site.now = 1_000_000;
    assert_eq!(site.plan(), "n0:web1@1 n1:web1@1", "nor is a set smaller than before");
    assert_eq!(holds(&site.look()), ["web: 2 of 5 nodes in sight"]);
    site.node(3).is_alive = true;
    assert_eq!(site.plan(), "n1:web1@1", "3 of 5 nodes: the others are lost, and in no set");
    let minority = config("web", 1, |it| it.moving.on_minority = OnMinority::Replace);
    let mut site = Site::new(5, "pick(web, 2, ALL)", vec![minority]);
    site.settle();
    dies.iter().for_each(|number| site.node(*number).is_alive = false);
    site.plan();
    site.now = 31_000;
    assert_eq!(steps(&site.look()), ["move 1 of 'web' from n1 to n4"]);
}

#[test]
fn a_node_on_which_nothing_is_kept_leaves_the_sets_when_it_is_lost() {
    let mut site = Site::new(4, "pick(web, SIZE(ALL) / 2, ALL)", vec![plain("web", 1)]);
    assert_eq!(site.settle(), "n0:web1@1 n1:web1@1");
    site.node(3).is_alive = false;
    site.plan();
    assert_eq!(site.look().deadline, at(31_000));
    site.now = 31_000;
    site.node(2).is_alive = false;
    assert_eq!(site.plan(), "n0:web1@1 n1:web1@1", "3 of 4");
    site.now = 61_000;
    assert_eq!(site.plan(), "n0:web1@1", "2 of 4: no minority");
}

#[test]
fn a_cordoned_node_keeps_what_it_has_and_gets_nothing() {
    let mut site = web(3, 2);
    site.settle();
    site.node(1).usage = Usage::Cordoned;
    assert_eq!(site.plan(), "n0:web1@1 n1:web1@1");
    site.apply("pick(web, 6, ALL)", vec![plain("web", 1)]);
    assert_eq!(site.plan(), "n0:web1@1 n0:web1@2 n1:web1@1 n2:web1x2@2");
}

#[test]
fn a_drained_node_runs_until_the_replacement_is_ready() {
    let mut site = web(3, 2);
    site.settle();
    site.node(0).usage = draining(None);
    assert_eq!(site.plan(), "n0:web1@1 n1:web1@1 n2:web1@2");
    assert_eq!(holds(&site.look()), ["web: n0 is drained: 1 wait for a replacement that is ready"]);
    site.node(2).runs = report(&[("web", 1, Stage::Starting, 1, 2)]);
    assert_eq!(site.plan(), "n0:web1@1 n1:web1@1 n2:web1@2");
    site.node(2).runs = report(&[("web", 1, Stage::Ready, 1, 2)]);
    assert_eq!(site.plan(), "n1:web1@1 n2:web1@2");
    assert_eq!(site.node(0).running(), 1, "the drain is not over before its process ended");
}

#[test]
fn a_drain_without_room_elsewhere_waits_until_its_deadline() {
    let mut site = Site::new(2, r#"pick(web, 1, ("n0"))"#, vec![plain("web", 1)]);
    site.settle();
    site.node(0).usage = draining(Some(60_000));
    assert_eq!(site.plan(), "n0:web1@1", "the set is empty");
    assert_eq!(site.look().problems[0].kind, ProblemKind::Empty);
    assert_eq!(site.look().deadline, at(61_000));
    site.now = 61_000;
    assert_eq!(site.plan(), "");
    // Two that could only take from each other both wait.
    let mut site = web(2, 2);
    site.settle();
    (0..2).for_each(|number| site.node(number).usage = draining(None));
    assert_eq!(site.plan(), "n0:web1@1 n1:web1@1");
    site.node(1).usage = Usage::Open;
    site.node(1).room = Room([None, None, Some(1)]);
    assert_eq!(site.plan(), "n0:web1@1 n1:web1@1", "no room for a second one");
    assert_eq!(site.look().problems[0].kind, ProblemKind::Short);
}

#[test]
fn a_service_starts_when_its_conditions_hold_and_is_not_asked_again() {
    let program = "pick(db, 2, ALL) pick(app, 2, ALL) start app after 2 of db";
    let mut site = Site::new(2, program, vec![plain("db", 1), plain("app", 1)]);
    let held = "n0:app1/0@1 n0:db1@1 n1:app1/0@1 n1:db1@1";
    assert_eq!(site.plan(), held);
    let why = "app: bad[db.ready: actual(0) < target(2)]";
    assert_eq!(holds(&site.look()), [why]);
    site.node(0).runs = report(&[("db", 1, Stage::Ready, 1, 1)]);
    assert_eq!(site.plan(), held);
    site.node(1).runs = report(&[("db", 1, Stage::Ready, 1, 1)]);
    let open = "n0:app1@1 n0:db1@1 n1:app1@1 n1:db1@1";
    assert_eq!(site.plan(), open);
    site.obey();
    site.node(1).runs = None;
    assert_eq!(site.plan(), open, "what once may start, may");
    assert_eq!(holds(&site.look()), [""; 0]);
    site.apply("pick(db, 2, ALL) pick(app, 1, ALL) start app after 2 of db", {
        vec![plain("db", 1), plain("app", 1)]
    });
    assert_eq!(site.plan(), "n0:app1@1 n0:db1@1 n1:db1@1", "a stop waits for nothing");
}

#[test]
fn what_is_held_is_shown_as_such() {
    let program = "pick(db, 1, ALL) pick(app, 1, ALL) start app after db";
    let mut site = Site::new(1, program, vec![plain("db", 1), plain("app", 1)]);
    let planned = site.look();
    let of = |action| planned.steps.iter().filter(|it| it.action == action).count();
    assert_eq!([of(Action::Start), of(Action::Hold)], [1, 1]);
    // Those of a dead node are not ready, whatever it said last.
    let program = r#"pick(db, 1, ("n1")) pick(app, 1, ("n0")) start app after db"#;
    let mut site = Site::new(2, program, vec![plain("db", 1), plain("app", 1)]);
    site.node(1).runs = report(&[("db", 1, Stage::Ready, 1, 1)]);
    site.node(1).is_alive = false;
    assert_eq!(site.plan(), "n0:app1/0@1 n1:db1@1");
}

#[test]
fn a_service_without_a_solution_stays_as_it_is() {
    let mut site = Site::new(3, "pick(web, 2, LABEL(ssd))", vec![plain("web", 1)]);
    (1..3).for_each(|number| _ = site.node(number).labels.insert("ssd".into(), String::new()));
    assert_eq!(site.settle(), "n1:web1@1 n2:web1@1");
    (1..3).for_each(|number| site.node(number).labels.clear());
    assert_eq!(site.plan(), "n1:web1@1 n2:web1@1");
    assert_eq!(site.look().problems[0].kind, ProblemKind::Empty);
    assert_eq!(site.said(), 2, "that is said once");
    site.plan();
    assert_eq!(site.said(), 2);
}

#[test]
fn a_service_without_a_config_stays_as_it_is() {
    let mut site =
        Site::new(2, "pick(web, 1, ALL) pick(api, 1, ALL)", vec![plain("web", 1), plain("api", 1)]);
    assert_eq!(site.settle(), "n0:api1@1 n0:web1@1");
    site.apply("pick(web, 1, ALL) pick(api, 1, ALL)", vec![plain("web", 1)]);
    assert_eq!(site.plan(), "n0:api1@1 n0:web1@1");
    assert_eq!(site.look().problems[0].kind, ProblemKind::Blocked);
}

#[test]
fn what_is_no_longer_named_ends() {
    let both = || vec![plain("web", 1), plain("api", 1)];
    let mut site = Site::new(1, "pick(web, 1, ALL) pick(api, 1, ALL)", both());
    site.settle();
    site.apply("pick(web, 1, ALL)", both());
    assert_eq!(site.plan(), "n0:web1@1");
    site.obey();
    let gone = Held { marker: marker(9), content: Content::Deleted };
    site.program = Program::of(&gone).unwrap();
    assert_eq!(site.plan(), "");
    assert!(Program::of(&Held { content: Content::Unreadable, ..gone }).is_err());
}

#[test]
fn a_node_gets_no_more_than_it_can_run() {
    let fixed = |it: &mut Fields<_>| {
        let port = Port::Number(80.try_into().unwrap());
        it.ports.push("http".parse().unwrap(), port).unwrap();
    };
    let mut site = Site::new(2, "pick(web, 3, ALL)", vec![config("web", 1, fixed)]);
    let planned = site.look();
    assert_eq!(planned.entries.values().flatten().map(|(_, it)| it.count()).sum::<u16>(), 2);
    assert_eq!((planned.problems[0].kind, planned.problems[0].missing), (ProblemKind::Short, 1));
}

#[test]
fn equal_views_give_equal_plans() {
    let program = "pick(web, 3, ALL, spread = zone) pick(api, 2, !LABEL(zone=a))";
    let mut site = Site::new(5, program, vec![plain("web", 1), plain("api", 1)]);
    for (number, zone) in [(0, "a"), (1, "a"), (2, "b"), (3, "b"), (4, "c")] {
        site.node(number).labels.insert("zone".into(), zone.into());
    }
    let (one, other) = (site.look(), site.look());
    assert_eq!(one, other);
    assert_eq!(shown(&one), "n0:web1@1 n2:api1@1 n2:web1@1 n3:api1@1 n4:web1@1");
    let hash = site.view.hash();
    site.node(1).is_alive = false;
    assert_ne!(site.view.hash(), hash);
}
