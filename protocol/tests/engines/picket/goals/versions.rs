//! Versions of a service: on trial, taken back, with another period, more and fewer.

use core::time::Duration;
use std::collections::BTreeMap;

use crux_crdt::record::Stage;
use crux_crdt::service::{Check, Config, Fields, Image, Probe};
use crux_protocol::picket::{Command, Goal, Row, Wait};

use super::super::rig::{Rig, blob, config, millis, secs, with_port};
use super::*;

#[test]
fn an_update_that_is_taken_back_is_reported_as_failed_and_tried_again_by_a_later_target_alone() {
    let mut rig = attached();
    let (old, new) = (config("web", 1, with_port), config("web", 2, with_port));
    accept(&mut rig, set(order(4, 1), vec![run(&old, 1)]));
    rig.pass(secs(70));
    let (_, commands) = rig.request(set(order(5, 2), vec![run(&new, 2)]), Wait::Nothing);
    rig.obey_with(commands, refuse);
    let spec = Config::spec_tag;
    let found = report(&rig).unwrap().rows;
    let found: Vec<_> = found.iter().map(|row| (row.spec, row.stage)).collect();
    assert!(found.contains(&(spec(&old), Stage::Ready)), "{found:?}");
    assert!(found.contains(&(spec(&new), Stage::Starting)), "{found:?}");
    rig.pass_with(secs(90), refuse);
    let after = |rig: &Rig| {
        let found = report(rig).unwrap().rows;
        found.iter().map(|row| (row.spec, row.stage)).collect::<BTreeMap<_, _>>()
    };
    let taken_back = [(spec(&old), Stage::Ready), (spec(&new), Stage::Failed)].into();
    assert_eq!(after(&rig), taken_back);
    assert!(rig.kinds().contains(&"rolled_back"));

    rig.log.clear();
    accept(&mut rig, set(order(5, 3), vec![many(&new, 2, batches(&[(2, 1)]))]));
    rig.pass(secs(700));
    assert!(rig.spawned().is_empty(), "not tried again");
    assert_eq!(after(&rig), taken_back);
    rig.log.clear();
    accept(&mut rig, set(order(5, 4), vec![run(&old, 1)]));
    assert_eq!(
        after(&rig),
        [(spec(&old), Stage::Ready)].into(),
        "the way back of all is nothing here"
    );
    assert!(rig.spawned().is_empty());
    rig.log.clear();
    accept(&mut rig, set(order(5, 5), vec![run(&new, 2)]));
    assert!(rig.spawned().is_empty(), "nor then");
    accept(&mut rig, set(order(6, 6), vec![run(&new, 2)]));
    assert_eq!(rig.spawned().len(), 1, "another generation was applied");
}

/// Of a roll-out that is called off while it is on trial here.
#[test]
fn the_way_back_of_a_trial_starts_no_other_trial() {
    let mut rig = attached();
    let (old, new) = (config("web", 1, with_port), config("web", 2, with_port));
    accept(&mut rig, set(order(4, 1), vec![run(&old, 1)]));
    rig.pass(secs(70));
    let first = rig.disk.services[&name("web")].current.number;
    accept(&mut rig, set(order(5, 1), vec![run(&new, 2)]));
    rig.pass(secs(30));
    assert!(rig.disk.services[&name("web")].on_trial);
    accept(&mut rig, set(order(5, 2), vec![run(&old, 1)]));
    let wanted = &rig.disk.services[&name("web")];
    assert_eq!((wanted.current.number, wanted.on_trial), (first, false));
    assert!(wanted.owner.is_target());
    rig.pass(secs(30));
    assert_eq!(rows(&rig), [row("web", Stage::Ready, 1)]);
}

/// A minute has not passed since the roll-out before.
#[test]
fn of_two_updates_in_a_minute_the_second_goes_back_to_the_first_which_serves() {
    let mut rig = attached();
    let [first, second, third] = [1, 2, 3].map(|number| config("web", number, with_port));
    accept(&mut rig, set(order(4, 1), vec![run(&first, 1)]));
    rig.pass(secs(70));
    accept(&mut rig, set(order(5, 1), vec![run(&second, 2)]));
    rig.pass(secs(30));
    assert!(rig.disk.services[&name("web")].on_trial);
    let serves = rig.only(&"web").instance;
    rig.log.clear();
    let (_, commands) = rig.request(set(order(6, 1), vec![run(&third, 3)]), Wait::Nothing);
    rig.obey_with(commands, refuse);
    rig.pass_with(secs(90), refuse);
    assert!(rig.kinds().contains(&"rolled_back"), "{:?}", rig.kinds());
    assert_eq!(rig.only(&"web").instance, serves, "it never stopped");
    assert_eq!(rig.spawned().len(), 1, "the third, and nothing older");
    let found = report(&rig).unwrap().rows;
    let found: Vec<_> = found.iter().map(|row| (row.spec, row.stage)).collect();
    assert!(found.contains(&(second.spec_tag(), Stage::Ready)), "{found:?}");
}

/// One that did not serve either is not what comes back.
#[test]
fn of_two_updates_that_fail_the_second_goes_back_to_what_served() {
    let mut rig = attached();
    let [first, second, third] = [1, 2, 3].map(|number| config("web", number, with_port));
    accept(&mut rig, set(order(4, 1), vec![run(&first, 1)]));
    rig.pass(secs(70));
    let serves = rig.only(&"web").instance;
    accept(&mut rig, set(order(5, 1), vec![run(&second, 2)]));
    let (_, commands) = rig.request(set(order(6, 1), vec![run(&third, 3)]), Wait::Nothing);
    rig.obey_with(commands, refuse);
    rig.pass_with(secs(90), refuse);
    assert_eq!(rig.only(&"web").instance, serves, "it never stopped");
    let found = report(&rig).unwrap().rows;
    let found: Vec<_> = found.iter().map(|row| (row.spec, row.stage)).collect();
    assert!(found.contains(&(first.spec_tag(), Stage::Ready)), "{found:?}");
}

fn checked(fields: &mut Fields<Image>) {
    with_port(fields);
    fields.check = vec![Check::new(Probe::Tcp { port: "http".parse().unwrap() })];
}

/// When checks were made within that time.
fn checks(rig: &mut Rig, time: Duration) -> Vec<u64> {
    let (start, end) = (rig.now, rig.now + time);
    let mut at = Vec::new();
    while rig.state.deadline() <= end {
        let commands = rig.wake();
        let is_check = |command: &&Command| matches!(command, Command::Check { .. });
        let since = u64::try_from(rig.now.since(start).as_millis()).unwrap();
        at.extend(commands.iter().filter(is_check).map(|_| since));
        rig.obey(commands);
    }
    rig.now = end;
    at
}

#[test]
fn a_period_alone_restarts_nothing_and_checks_use_it_from_then_on() {
    let mut rig = attached();
    let web = |period| {
        config("web", 1, |fields| {
            checked(fields);
            fields.period = period;
        })
    };
    accept(&mut rig, set(order(4, 1), vec![run(&web(secs(10)), 1)]));
    rig.pass(secs(70));
    let before = rig.only(&"web");
    assert_eq!(checks(&mut rig, secs(20)).len(), 2);
    rig.log.clear();
    accept(&mut rig, set(order(5, 1), vec![run(&web(millis(500)), 1)]));
    assert_eq!(checks(&mut rig, millis(1600)), [500, 1000, 1500], "not only after the long one");
    accept(&mut rig, set(order(6, 1), vec![run(&web(secs(2)), 1)]));
    assert_eq!(checks(&mut rig, secs(5)), [400, 2400, 4400]);
    assert!(rig.spawned().is_empty());
    let after = rig.only(&"web");
    assert_eq!((after.instance, after.version), (before.instance, before.version));
    let last = report(&rig).unwrap();
    assert_eq!(last.rows.len(), 1);
    assert_eq!(last.rows[0].spec, web(secs(2)).spec_tag(), "it is another version all the same");
}

#[test]
fn what_runs_gets_the_settings_with_which_its_content_comes_back() {
    let mut rig = attached();
    let web = |period| {
        config("web", 1, |fields| {
            checked(fields);
            fields.period = period;
        })
    };
    accept(&mut rig, set(order(4, 1), vec![run(&web(secs(10)), 1)]));
    rig.pass(secs(70));
    let before = rig.only(&"web").instance;
    accept(&mut rig, set(order(5, 1), vec![run(&config("web", 2, checked), 2)]));
    assert_eq!(rig.rows("web").len(), 2, "the other content is on trial beside it");
    accept(&mut rig, set(order(6, 1), vec![run(&web(millis(500)), 1)]));
    rig.pass(secs(30));
    assert_eq!(rig.only(&"web").instance, before);
    assert_eq!(report(&rig).unwrap().rows[0].spec, web(millis(500)).spec_tag());
    assert_eq!(checks(&mut rig, millis(1600)).len(), 3);
}

#[test]
fn a_version_that_the_node_has_needs_no_config_and_what_is_kept_stays() {
    let mut rig = attached();
    let (old, new) = (config("web", 1, with_port), config("web", 2, with_port));
    let had = |config: &Config, batches| {
        ("web".to_owned(), Goal::Had { spec: config.spec_tag(), batches })
    };
    let keep = |text: &str| (text.to_owned(), Goal::Keep);
    accept(&mut rig, set(order(4, 1), vec![run(&old, 1)]));
    rig.pass(secs(70));
    accept(&mut rig, set(order(4, 2), vec![had(&old, batches(&[(1, 1), (2, 2)]))]));
    assert_eq!(rig.disk.services[&name("web")].current.config.count, 3);
    rig.pass(secs(70));
    let firsts =
        [(1, 1), (2, 2)].map(|(pass, count)| ("web".to_owned(), Stage::Ready, pass, count));
    assert_eq!(rows(&rig), firsts);
    let before = rig.disk.services.clone();
    for goal in [keep("web"), had(&new, one())] {
        accept(&mut rig, set(order(4, 3), vec![goal, keep("api")]));
        assert_eq!(rig.disk.services, before, "nor does a name that is not there begin anything");
    }
    accept(&mut rig, set(order(5, 1), vec![many(&new, 2, batches(&[(1, 1)]))]));
    rig.pass(secs(70));
    assert_eq!(rig.only(&"web").image, blob(2));
    accept(&mut rig, set(order(5, 2), vec![had(&old, one())]));
    rig.pass(secs(70));
    assert_eq!(rig.only(&"web").image, blob(1), "the one before is here as well");
}

#[test]
fn a_smaller_count_ends_the_youngest() {
    let mut rig = attached();
    let web = config("web", 1, with_port);
    accept(&mut rig, set(order(4, 1), vec![many(&web, 1, batches(&[(7, 1), (2, 1), (5, 1)]))]));
    rig.pass(secs(70));
    let before = rig.rows("web");
    let passes: Vec<u64> = rows(&rig).iter().map(|row| row.2).collect();
    assert_eq!(passes, [2, 5, 7]);
    accept(&mut rig, set(order(4, 8), vec![many(&web, 1, batches(&[(2, 1), (5, 1)]))]));
    let stages: Vec<_> = rows(&rig).iter().map(|row| (row.1, row.2)).collect();
    assert_eq!(stages, [(Stage::Ready, 2), (Stage::Ready, 5), (Stage::Stopping, 7)]);
    rig.pass(secs(70));
    let instances = |rows: &[Row]| rows.iter().map(|row| row.instance.clone()).collect::<Vec<_>>();
    assert_eq!(instances(&rig.rows("web")), instances(&before[..2]));
}
