//! Other contents: overlap, replacement, and the way back.

use std::num::NonZeroU16;

use crux_crdt::service::{Config, Fields, Image, Port, UpdateBy};
use crux_protocol::picket::{
    Command, Event, Exit, Fault, InstanceId, Outcome, Refusal, Request, RequestId, RunState, Wait,
};

use super::rig::{Rig, add, config, millis, secs, update, with_port};

fn attached() -> Rig {
    let mut rig = Rig::new();
    rig.tell(Event::FulcrumAttached { restarted: false });
    rig
}

fn fixed(fields: &mut Fields<Image>) {
    let port = Port::Number(NonZeroU16::new(8080).unwrap());
    fields.ports.push("http".parse().unwrap(), port).unwrap();
    fields.check.clear();
}

/// Which versions run, by ordinal.
fn versions(rig: &Rig) -> Vec<u8> {
    rig.rows("web").iter().filter(|row| row.instance.is_some()).map(|row| row.image.0[0]).collect()
}

fn registered(rig: &Rig) -> Vec<InstanceId> {
    let last = rig.log.iter().rev().find_map(|command| match command {
        Command::Publish { registrations, .. } => Some(registrations),
        _ => None,
    });
    last.unwrap().values().map(|registered| registered.instance.clone()).collect()
}

fn refuse(_: &InstanceId, _: usize) -> Result<(), String> {
    Err("refused".to_owned())
}

fn ask_with(rig: &mut Rig, request: Request) -> RequestId {
    let (id, commands) = rig.request(request, Wait::Up);
    rig.obey_with(commands, refuse);
    id
}

fn is_rolled_back(rig: &Rig, id: RequestId) -> bool {
    let fault = Fault::RolledBack;
    matches!(rig.answers.get(&id), Some(Outcome::Failed { fault: it, .. }) if *it == fault)
}

#[test]
fn an_overlap_announces_the_new_one_after_five_seconds_and_then_quits_the_old() {
    let mut rig = attached();
    let old = rig.up(&config("web", 1, with_port), 1);
    let id = rig.ask(update(&config("web", 2, with_port), 2), Wait::Up);
    let new = rig.spawned()[0].instance.clone();
    assert_eq!(versions(&rig), [1, 2]);
    rig.pass(millis(4999));
    assert!(rig.log.iter().all(|it| !matches!(it, Command::Publish { .. })), "the old one serves");
    assert!(!rig.answers.contains_key(&id));
    rig.pass(millis(1));
    assert_eq!(registered(&rig), [new]);
    assert!(matches!(rig.answers[&id], Outcome::Done(_)));
    assert_eq!(rig.kinds(), ["started", "up", "updated"]);
    assert!(!rig.log.iter().any(|it| matches!(it, Command::Terminate { .. })));
    rig.pass(secs(2));
    assert_eq!(rig.log.last(), Some(&Command::Terminate { instance: old, tree: false }));
    rig.pass(secs(15));
    assert_eq!(versions(&rig), [2]);
    let wanted = rig.state.wanted_of(&"web".parse().unwrap()).unwrap().clone();
    assert!(wanted.on_trial && wanted.previous.is_some());
    rig.pass(secs(37));
    assert!(rig.disk.services[&"web".parse().unwrap()].on_trial, "59 s");
    rig.pass(secs(60));
    let wanted = &rig.disk.services[&"web".parse().unwrap()];
    assert!(!wanted.on_trial && wanted.previous.is_some(), "proved; the last is kept");
}

#[test]
fn a_new_one_that_is_not_up_goes_and_the_old_one_never_stopped() {
    let mut rig = attached();
    let old = rig.up(&config("web", 1, with_port), 1);
    let bad = config("web", 2, with_port);
    ask_with(&mut rig, update(&bad, 2));
    rig.pass_with(secs(60), refuse);
    rig.pass_with(secs(20), refuse);
    assert_eq!(versions(&rig), [1]);
    assert_eq!(rig.only(&"web").instance, Some(old.clone()));
    let touched = rig.log.iter().any(|command| match command {
        Command::Terminate { instance, .. } | Command::Kill { instance } => *instance == old,
        Command::Publish { .. } => true,
        _ => false,
    });
    assert!(!touched);
    assert!(rig.kinds().contains(&"rolled_back"));
    let wanted = &rig.disk.services[&"web".parse().unwrap()];
    assert_eq!(wanted.current.image.blob().0[0], 1);
    assert_eq!(wanted.refused.as_ref().unwrap().image.blob().0[0], 2);

    rig.log.clear();
    let id = rig.ask(add(&bad, 2), Wait::Up);
    let refused = Outcome::Refused(Refusal::RolledBack("web".parse().unwrap()));
    assert_eq!(rig.answers[&id], refused);
    rig.pass(secs(1000));
    assert!(rig.spawned().is_empty(), "not tried again");
    rig.ask(update(&bad, 2), Wait::Nothing);
    assert_eq!(versions(&rig), [1, 2], "until told");
}

#[test]
fn callers_hear_of_the_way_back() {
    let mut rig = attached();
    rig.up(&config("web", 1, with_port), 1);
    let bad = config("web", 2, |fields| {
        with_port(fields);
        fields.start_timeout = secs(20);
    });
    let id = ask_with(&mut rig, update(&bad, 2));
    rig.pass_with(secs(40), refuse);
    assert!(is_rolled_back(&rig, id), "{:?}", rig.answers);
}

#[test]
fn one_crash_of_the_new_one_in_an_overlap_is_enough() {
    let mut rig = attached();
    rig.up(&config("web", 1, with_port), 1);
    let id = ask_with(&mut rig, update(&config("web", 2, with_port), 2));
    let new = rig.spawned()[0].instance.clone();
    rig.tell(Event::Exited { instance: new.clone(), exit: Exit::Code(1) });
    let commands = rig.tell(Event::Gone { instance: new, taken: Vec::new() });
    rig.obey(commands);
    assert!(is_rolled_back(&rig, id));
    assert_eq!(versions(&rig), [1]);
}

#[test]
fn a_fixed_port_is_replaced_and_comes_back_after_three_failures() {
    let mut rig = attached();
    let old = rig.up(&config("web", 1, fixed), 1);
    let id = rig.ask(update(&config("web", 2, fixed), 2), Wait::Up);
    assert_eq!(versions(&rig), [1], "the old one stops first");
    rig.pass(secs(2));
    rig.tell(Event::Exited { instance: old.clone(), exit: Exit::Code(0) });
    let commands = rig.tell(Event::Gone { instance: old, taken: Vec::new() });
    rig.obey(commands);
    assert_eq!(versions(&rig), [2]);
    assert!(matches!(rig.answers[&id], Outcome::Done(_)));
    for failure in 1..=3 {
        rig.pass(secs(3));
        let row = rig.only(&"web");
        assert_eq!(row.image.0[0], 2, "failure {failure}");
        let instance = row.instance.unwrap();
        rig.tell(Event::Exited { instance: instance.clone(), exit: Exit::Code(1) });
        let commands = rig.tell(Event::Gone { instance, taken: Vec::new() });
        rig.obey(commands);
    }
    assert_eq!(versions(&rig), [1], "within a minute it failed three times");
    assert!(rig.kinds().contains(&"rolled_back"));
    assert_eq!(rig.states("web"), [RunState::Up]);
}

#[test]
fn one_that_proved_itself_is_not_taken_back() {
    let mut rig = attached();
    rig.up(&config("web", 1, fixed), 1);
    rig.ask(update(&config("web", 2, fixed), 2), Wait::Nothing);
    rig.pass(secs(18));
    assert_eq!(versions(&rig), [2]);
    rig.pass(secs(60));
    for _ in 0..4 {
        let instance = rig.only(&"web").instance.unwrap();
        rig.tell(Event::Exited { instance: instance.clone(), exit: Exit::Code(1) });
        let commands = rig.tell(Event::Gone { instance, taken: Vec::new() });
        rig.obey(commands);
        rig.pass(secs(3));
    }
    assert_eq!(rig.only(&"web").image.0[0], 2);
    assert!(!rig.kinds().contains(&"rolled_back"));
    rig.ask(Request::Rollback("web".parse().unwrap()), Wait::Nothing);
    rig.pass(secs(20));
    assert_eq!(versions(&rig), [1], "a person can");
    rig.ask(Request::Rollback("web".parse().unwrap()), Wait::Nothing);
    rig.pass(secs(20));
    assert_eq!(versions(&rig), [2], "and forth");
}

#[test]
fn an_overlap_by_request_replaces_by_request_too() {
    let mut rig = attached();
    rig.up(&config("web", 1, with_port), 1);
    let replaced = config("web", 2, |fields| {
        with_port(fields);
        fields.update = Some(UpdateBy::Replace);
    });
    rig.ask(update(&replaced, 2), Wait::Nothing);
    assert_eq!(versions(&rig), [1]);
    assert_eq!(rig.states("web"), [RunState::Draining]);
}

#[test]
fn several_instances_are_updated_one_after_the_other() {
    let three = |number| {
        config("web", number, |fields| {
            with_port(fields);
            fields.count = 3;
        })
    };
    let mut rig = attached();
    rig.ask(add(&three(1), 1), Wait::Up);
    assert_eq!(versions(&rig), [1, 1, 1]);
    let id = rig.ask(update(&three(2), 2), Wait::Up);
    let mut most = 0;
    for _ in 0..200 {
        rig.pass(millis(500));
        most = most.max(versions(&rig).len());
        let up = rig.states("web").into_iter().filter(|state| *state == RunState::Up).count();
        assert!(up >= 3, "{:?}", rig.rows("web"));
    }
    assert_eq!((most, versions(&rig)), (4, vec![2, 2, 2]), "one more, no two");
    assert!(rig.answers.contains_key(&id));
    assert_eq!(rig.kinds().iter().filter(|kind| **kind == "updated").count(), 1);
}

#[test]
fn several_instances_are_replaced_one_after_the_other() {
    let three = |number| {
        config("web", number, |fields| {
            with_port(fields);
            (fields.count, fields.update) = (3, Some(UpdateBy::Replace));
        })
    };
    let mut rig = attached();
    rig.ask(add(&three(1), 1), Wait::Up);
    rig.ask(update(&three(2), 2), Wait::Nothing);
    for _ in 0..200 {
        let up = rig.states("web").into_iter().filter(|state| *state == RunState::Up).count();
        assert!(up >= 2, "one at a time: {:#?}", rig.rows("web"));
        rig.pass(millis(500));
    }
    assert_eq!(versions(&rig), [2, 2, 2]);
}

#[test]
fn a_bad_third_instance_takes_all_of_them_back() {
    let three = |number| {
        config("web", number, |fields| {
            with_port(fields);
            fields.count = 3;
        })
    };
    let mut rig = attached();
    rig.ask(add(&three(1), 1), Wait::Up);
    rig.ask(update(&three(2), 2), Wait::Nothing);
    let bad = |instance: &InstanceId, check: usize| {
        if instance.as_str().contains("-3-") { refuse(instance, check) } else { Ok(()) }
    };
    // The old third instance has no checks any more, and the new one never passes its own.
    rig.pass_with(secs(200), bad);
    assert!(rig.kinds().contains(&"rolled_back"), "{:?}", rig.kinds());
    rig.pass(secs(200));
    assert_eq!(versions(&rig), [1, 1, 1]);
    assert_eq!(rig.states("web"), [RunState::Up; 3]);
}

#[test]
fn a_count_and_other_settings_change_without_a_restart() {
    let of = |count, drain| {
        config("web", 1, |fields: &mut Fields<Image>| {
            with_port(fields);
            (fields.count, fields.drain) = (count, secs(drain));
        })
    };
    let mut rig = attached();
    let first = rig.up(&of(1, 2), 1);
    rig.ask(add(&of(3, 2), 1), Wait::Up);
    assert_eq!(rig.rows("web").len(), 3);
    assert_eq!(rig.rows("web")[0].instance, Some(first.clone()));
    assert_eq!(registered(&rig).len(), 3);
    rig.ask(add(&of(1, 7), 1), Wait::Nothing);
    rig.pass(secs(30));
    assert_eq!(rig.only(&"web").instance, Some(first));
    rig.ask(Request::Stop("web".parse().unwrap()), Wait::Nothing);
    assert_eq!(rig.state.deadline(), rig.now + secs(7), "the new drain");
}

#[test]
fn an_update_of_an_update_goes_back_to_what_proved_itself() {
    let mut rig = attached();
    rig.up(&config("web", 1, with_port), 1);
    rig.pass(secs(60));
    let id = ask_with(&mut rig, update(&config("web", 2, with_port), 2));
    ask_with(&mut rig, update(&config("web", 3, with_port), 3));
    assert!(matches!(rig.answers[&id], Outcome::Overtaken(_)));
    let wanted = &rig.disk.services[&"web".parse().unwrap()];
    assert_eq!(wanted.previous.as_ref().unwrap().image.blob().0[0], 1);
    rig.pass_with(secs(100), refuse);
    assert_eq!(versions(&rig), [1]);
    assert_eq!(rig.states("web"), [RunState::Up]);
}

#[test]
fn an_update_back_to_what_still_serves_is_the_way_back() {
    let mut rig = attached();
    let old = rig.up(&config("web", 1, with_port), 1);
    rig.ask(update(&config("web", 2, with_port), 2), Wait::Nothing);
    assert_eq!(versions(&rig), [1, 2]);
    rig.ask(add(&config("web", 1, with_port), 1), Wait::Up);
    rig.pass(secs(20));
    assert_eq!(rig.only(&"web").instance, Some(old), "it never stopped");
    assert_eq!(rig.spawned().len(), 1, "no other one was started");
    let wanted = &rig.disk.services[&"web".parse().unwrap()];
    assert!(!wanted.on_trial && wanted.refused.is_none());
    assert_eq!(wanted.previous.as_ref().unwrap().image.blob().0[0], 2);
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let mut rig = attached();
    rig.up(&config("web", 1, fixed), 1);
    let name = || "web".parse().unwrap();
    let nothing = || "nothing".parse().unwrap();
    let twice = |config: Config, number| add(&config, number);
    for (request, expected) in [
        (Request::Rollback(name()), Refusal::NoPrevious(name())),
        (Request::Stop(nothing()), Refusal::Unknown(nothing())),
        (update(&config("nothing", 1, |_| ()), 1), Refusal::Unknown(nothing())),
        (twice(config("other", 1, fixed), 1), Refusal::PortInUse { port: 8080, by: name() }),
        (
            twice(
                config("other", 1, |fields| {
                    with_port(fields);
                    fields.register = vec![crux_crdt::service::RegisterAs {
                        service: name(),
                        rev: "v1".parse().unwrap(),
                        port: "http".parse().unwrap(),
                        labels: [].into(),
                    }]
                    .into();
                }),
                1,
            ),
            Refusal::RegisteredTwice { service: name(), rev: "v1".parse().unwrap(), by: name() },
        ),
    ] {
        let (id, commands) = rig.request(request, Wait::Up);
        let outcome = Outcome::Refused(expected);
        assert_eq!(commands, [Command::Answer { request: id, outcome }]);
    }
}

#[test]
fn a_restart_ends_what_runs_and_starts_it_again_without_a_change() {
    let mut rig = attached();
    let old = rig.up(&config("web", 1, with_port), 1);
    let generation = rig.disk.generation;
    let id = rig.ask(Request::Restart("web".parse().unwrap()), Wait::Up);
    assert_eq!(rig.disk.generation, generation);
    assert_eq!(rig.states("web"), [RunState::Draining]);
    assert!(!rig.answers.contains_key(&id));
    rig.pass(secs(20));
    assert!(matches!(rig.answers[&id], Outcome::Done(_)));
    assert_ne!(rig.only(&"web").instance, Some(old));
    assert_eq!(rig.only(&"web").restarts, 0, "not by itself");
    rig.ask(Request::Stop("web".parse().unwrap()), Wait::Nothing);
    let id = rig.ask(Request::Restart("web".parse().unwrap()), Wait::Up);
    let refused = Outcome::Refused(Refusal::Stopped("web".parse().unwrap()));
    assert_eq!(rig.answers[&id], refused);
}
