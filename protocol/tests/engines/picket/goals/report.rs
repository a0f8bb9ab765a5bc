//! The report of everything that the target placed.

use crux_crdt::record::Stage;
use crux_crdt::service::Restart;
use crux_protocol::picket::{Command, Event, Exit, Found, Placed, Record};

use super::super::rig::{Rig, config, millis, secs, with_port};
use super::*;

#[test]
fn every_fulcrum_that_attaches_is_told_the_list() {
    let mut rig = attached();
    accept(&mut rig, set(order(4, 1), vec![run(&config("web", 1, with_port), 1)]));
    rig.pass(secs(70));
    let last = report(&rig).unwrap();
    rig.tell(Event::FulcrumAway);
    let instance = rig.only(&"web").instance.unwrap();
    let out = rig.tell(Event::Exited { instance, exit: Exit::Code(1) });
    let is_list = |command: &&Command| matches!(command, Command::Owned(_));
    assert!(!out.iter().any(|it| is_list(&it)), "to nobody");
    rig.obey(out);
    rig.pass(secs(70));
    let out = rig.tell(Event::FulcrumAttached { restarted: true });
    assert_eq!(out.iter().find(is_list), Some(&Command::Owned(last)), "as it is by now");
    assert_eq!(rig.tell(Event::Wake), [], "once");
}

/// The record of an instance of which nothing else is known any more.
#[test]
fn what_an_earlier_picket_was_ending_is_in_the_list_until_it_is_gone() {
    let mut rig = attached();
    accept(&mut rig, set(order(4, 1), vec![run(&config("web", 1, with_port), 1)]));
    rig.pass(secs(70));
    let row = rig.only(&"web");
    let spec = config("web", 1, with_port).spec_tag();
    let record = Record {
        instance: row.instance.unwrap(),
        service: row.service,
        rev: row.rev,
        ordinal: 0,
        version: row.version,
        blob: row.image,
        ports: row.ports,
        placed: Some(Placed { spec, first: first(1) }),
    };
    accept(&mut rig, set(order(4, 2), Vec::new()));
    assert!(rig.disk.services.is_empty());
    rig.reborn(vec![(record.clone(), Found::Running { pid: 1, up: true })]);
    let out = rig.tell(Event::FulcrumAttached { restarted: false });
    rig.log.clear();
    rig.obey(out);
    assert_eq!(rows(&rig), [(String::from("web"), Stage::Stopping, 1, 1)]);
    assert_eq!(report(&rig).unwrap().rows[0].spec, spec);
    rig.pass(secs(60));
    assert_eq!(rows(&rig), []);
}

#[test]
fn tasks_are_done_and_crash_loops_are_failed() {
    let mut rig = attached();
    let job = config("job", 1, |fields| fields.restart = Restart::OnFailure);
    let bad = config("bad", 2, |_| ());
    accept(&mut rig, set(order(4, 1), vec![run(&bad, 2), run(&job, 1)]));
    let ends = |rig: &mut Rig, text: &str, code| {
        let instance = rig.only(&text).instance.unwrap();
        let out = rig.tell(Event::Exited { instance, exit: Exit::Code(code) });
        rig.obey(out);
    };
    ends(&mut rig, "job", 0);
    assert_eq!(rows(&rig), [row("bad", Stage::Starting, 1), row("job", Stage::Done, 1)]);
    for _ in 0..5 {
        ends(&mut rig, "bad", 1);
        rig.pass(millis(4800));
        rig.pass(millis(1));
    }
    assert_eq!(rows(&rig), [row("bad", Stage::Failed, 1), row("job", Stage::Done, 1)]);
    rig.log.clear();
    let before = rig.reports.len();
    rig.pass(secs(301));
    assert_eq!(rig.spawned().len(), 1, "it is tried again");
    let stage = |report: &Owned| report.rows[0].stage;
    let stages: Vec<_> = rig.reports[before..].iter().map(stage).collect();
    assert_eq!(stages, [Stage::Starting, Stage::Ready], "a process of it is there");
    assert_eq!(rows(&rig), [row("bad", Stage::Ready, 1), row("job", Stage::Done, 1)]);
    // A restart finds the task done.
    rig.reborn(Vec::new());
    let out = rig.tell(Event::FulcrumAttached { restarted: false });
    rig.obey(out);
    assert_eq!(rows(&rig)[1], row("job", Stage::Done, 1));
}
