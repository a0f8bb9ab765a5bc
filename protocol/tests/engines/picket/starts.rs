//! From a request to an instance that is up, step by step.

use std::time::Duration;

use crux_crdt::service::{PortName, Probe};
use crux_protocol::picket::{
    Command, Event, Fault, Happened, InstanceId, Kind, Outcome, Record, Registered, Request,
    RunState, Wait,
};

use super::rig::{Rig, add, blob, config, happened, image, millis, secs, with_port};

#[test]
fn a_service_is_saved_sealed_recorded_spawned_and_checked_in_this_order() {
    let mut rig = Rig::new();
    rig.tell(Event::FulcrumAttached { restarted: false });
    let web = config("web", 1, with_port);

    let (id, commands) = rig.request(add(&web, 1), Wait::Up);
    let [Command::Save(desired), Command::Pins(pins)] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert_eq!((desired.generation, desired.services.len()), (1, 1));
    assert_eq!(*pins, [blob(1)].into());

    let commands = rig.tell(Event::Saved { generation: 1 });
    let added = Command::Happened(Happened {
        kind: Kind::Added,
        service: Some(web.name.clone()),
        instance: None,
        reason: String::new(),
    });
    assert_eq!(commands, [added, Command::Seal(image(1))]);
    assert_eq!(rig.states("web"), [RunState::Pending]);

    let commands = rig.tell(Event::Sealed { blob: blob(1), sealed: true });
    let instance = rig.only(&"web").instance.unwrap();
    assert!(instance.as_str().starts_with("web-v1-1-"), "{instance}");
    assert_eq!(instance.as_str().len(), "web-v1-1-XXXXXXXX".len());
    let choose = Command::ChoosePorts {
        instance: instance.clone(),
        ports: web.ports.clone(),
        avoid: [].into(),
    };
    assert_eq!(commands, [choose]);

    let ports: [(PortName, u16); 1] = [("http".parse().unwrap(), 27_200)];
    let chosen = Event::PortsChosen { instance: instance.clone(), ports: ports.clone().into() };
    let record = Record {
        instance: instance.clone(),
        service: web.name.clone(),
        rev: web.rev.clone(),
        ordinal: 0,
        version: 1,
        blob: blob(1),
        ports: ports.into(),
        placed: None,
    };
    assert_eq!(rig.tell(chosen), [Command::Record(record.clone())]);

    let commands = rig.tell(Event::Recorded { instance: instance.clone() });
    let version = rig.state.wanted_of(&web.name).unwrap().current.clone();
    assert_eq!(commands, [Command::Spawn { record, version }]);

    let commands = rig.tell(Event::Spawned { instance: instance.clone(), pid: 7 });
    let check = Command::Check {
        instance: instance.clone(),
        check: 0,
        probe: Probe::Tcp { port: "http".parse().unwrap() },
        port: Some(27_200),
        timeout: secs(5),
    };
    let started = happened(Kind::Started, "web", &instance, "process 7");
    assert_eq!(commands, [started, check.clone()]);
    assert_eq!(rig.states("web"), [RunState::Starting]);

    let refused = Err("refused".to_owned());
    let checked = Event::Checked { instance: instance.clone(), check: 0, result: refused };
    assert_eq!(rig.tell(checked), []);
    assert_eq!(rig.state.deadline(), rig.now + millis(10), "tried again soon");
    assert_eq!(rig.wake(), [check]);

    let checked = Event::Checked { instance: instance.clone(), check: 0, result: Ok(()) };
    let commands = rig.tell(checked);
    let registered = Registered { instance: instance.clone(), port: 27_200, labels: [].into() };
    let key = web.registrations(0, &rig.only(&"web").ports)[0].0.clone();
    let rows = rig.rows("web");
    assert_eq!(
        commands,
        [
            Command::Note { instance: instance.clone(), up: true },
            happened(Kind::Up, "web", &instance, ""),
            Command::Publish { seq: 2, registrations: [(key, registered)].into() },
        ]
    );
    let commands = rig.tell(Event::Published { seq: 2 });
    assert_eq!(commands, [Command::Answer { request: id, outcome: Outcome::Done(rows) }]);
    assert_eq!(rig.states("web"), [RunState::Up]);
    assert_eq!(rig.only(&"web").pid, Some(7));
}

#[test]
fn without_ports_and_checks_it_is_up_after_a_second() {
    let mut rig = Rig::new();
    let id = rig.ask(add(&config("job", 1, |_| ()), 1), Wait::Up);
    rig.pass(millis(999));
    assert_eq!(rig.states("job"), [RunState::Starting]);
    assert!(rig.answers.is_empty());
    rig.pass(millis(1));
    assert_eq!(rig.states("job"), [RunState::Up]);
    assert!(matches!(rig.answers[&id], Outcome::Done(_)));
}

#[test]
fn a_caller_waits_as_long_as_it_says_and_the_wish_stays() {
    let mut rig = Rig::new();
    let slow = config("web", 1, |fields| {
        with_port(fields);
        (fields.start_period, fields.start_timeout) = (secs(100), secs(100));
    });
    let (id, commands) = rig.request(add(&slow, 1), Wait::Up);
    let refuse = |_: &InstanceId, _| Err("refused".to_owned());
    rig.obey_with(commands, refuse);
    let started = rig.ask(add(&slow, 1), Wait::Started);
    assert!(matches!(rig.answers[&started], Outcome::Done(_)), "the same content: nothing");
    rig.pass_with(secs(59), refuse);
    assert!(!rig.answers.contains_key(&id));
    rig.pass_with(secs(1), refuse);
    assert!(matches!(rig.answers[&id], Outcome::StillTrying(_)));
    rig.pass_with(secs(39), refuse);
    assert_eq!(rig.states("web"), [RunState::Starting]);
    assert_eq!(rig.spawned().len(), 1, "it was not started twice");
}

#[test]
fn callers_hear_at_once_that_an_image_cannot_be_used_or_started() {
    for (event, expected) in [(true, Fault::ImageUnusable), (false, Fault::StartFailed)] {
        let mut rig = Rig::new();
        let (id, commands) = rig.request(add(&config("job", 1, |_| ()), 1), Wait::Up);
        let generation = 1;
        assert_eq!(commands.len(), 2);
        rig.tell(Event::Saved { generation });
        let reason = "not a program".to_owned();
        let commands = if event {
            rig.tell(Event::SealFailed { blob: blob(1), reason })
        } else {
            rig.tell(Event::Sealed { blob: blob(1), sealed: true });
            let instance = rig.only(&"job").instance.unwrap();
            rig.tell(Event::Recorded { instance: instance.clone() });
            rig.tell(Event::SpawnFailed { instance, reason })
        };
        let Some(Command::Answer { request, outcome }) = commands.last() else {
            panic!("{commands:?}");
        };
        let Outcome::Failed { fault, reason, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!((*request, *fault, reason.as_str()), (id, expected, "not a program"));
        assert_eq!(rig.states("job"), [RunState::Backoff], "it is tried again");
        let is_forgotten = commands.iter().any(|it| matches!(it, Command::Forget { .. }));
        assert_eq!(is_forgotten, !event, "only what was recorded is forgotten");
    }
}

#[test]
fn what_is_stopped_while_its_record_is_written_is_never_spawned() {
    let mut rig = Rig::new();
    let job = config("job", 1, |_| ());
    rig.request(add(&job, 1), Wait::Nothing);
    rig.tell(Event::Saved { generation: 1 });
    rig.tell(Event::Sealed { blob: blob(1), sealed: true });
    let instance = rig.only(&"job").instance.unwrap();
    rig.request(Request::Stop(job.name.clone()), Wait::Nothing);
    rig.tell(Event::Saved { generation: 2 });
    let commands = rig.tell(Event::Recorded { instance: instance.clone() });
    let stopped = happened(Kind::Stopped, "job", &instance, "");
    assert_eq!(commands, [Command::Forget { instance }, stopped]);
    assert_eq!(rig.states("job"), [RunState::Stopped]);
}

#[test]
fn a_port_that_somebody_took_is_chosen_again_three_times() {
    let mut rig = Rig::new();
    let web = config("web", 1, with_port);
    let (_, commands) = rig.request(add(&web, 1), Wait::Nothing);
    let refuse = |_: &InstanceId, _| Err("refused".to_owned());
    rig.obey_with(commands, refuse);
    let http = || vec!["http".parse().unwrap()];
    for tries in 1..=4u16 {
        let instance = rig.only(&"web").instance.unwrap();
        let exit = crux_protocol::picket::Exit::Code(1);
        let commands = rig.tell(Event::Exited { instance: instance.clone(), exit });
        assert_eq!(commands.last(), Some(&Command::Kill { instance: instance.clone() }));
        let commands = rig.tell(Event::Gone { instance, taken: http() });
        if tries == 4 {
            assert_eq!(rig.states("web"), [RunState::Backoff], "now it is a failure");
            break;
        }
        let avoids = commands.iter().find_map(|command| match command {
            Command::ChoosePorts { avoid, .. } => Some(avoid.clone()),
            _ => None,
        });
        assert_eq!(avoids.map(|avoid| avoid.len()), Some(usize::from(tries)), "{commands:?}");
        rig.obey_with(commands, refuse);
    }
    assert_eq!(rig.only(&"web").restarts, 0);
}

#[test]
fn two_instances_never_get_one_port() {
    let mut rig = Rig::new();
    let two = config("web", 1, |fields| {
        with_port(fields);
        fields.count = 2;
    });
    rig.request(add(&two, 1), Wait::Nothing);
    rig.tell(Event::Saved { generation: 1 });
    let commands = rig.tell(Event::Sealed { blob: blob(1), sealed: true });
    let instances: Vec<_> = rig.rows("web").into_iter().filter_map(|row| row.instance).collect();
    assert_eq!((commands.len(), instances.len()), (2, 2));
    let chosen = |at: usize| Event::PortsChosen {
        instance: instances[at].clone(),
        ports: [("http".parse().unwrap(), 27_200)].into(),
    };
    assert!(matches!(&rig.tell(chosen(0))[..], [Command::Record(_)]));
    let again = Command::ChoosePorts {
        instance: instances[1].clone(),
        ports: two.ports.clone(),
        avoid: [27_200].into(),
    };
    assert_eq!(rig.tell(chosen(1)), [again]);
}

#[test]
fn the_image_of_two_services_is_sealed_once_and_kept_while_one_wants_it() {
    let mut rig = Rig::new();
    rig.up(&config("a", 1, |_| ()), 1);
    let id = rig.ask(add(&config("b", 1, |_| ()), 1), Wait::Up);
    rig.pass(Duration::from_secs(1));
    assert!(matches!(rig.answers[&id], Outcome::Done(_)));
    let seals = rig.log.iter().filter(|command| matches!(command, Command::Seal(_)));
    assert_eq!(seals.count(), 0);
    rig.log.clear();
    for name in ["a", "b"] {
        rig.ask(Request::Remove(name.parse().unwrap()), Wait::Nothing);
        rig.pass(secs(15));
    }
    let pins = rig.log.iter().filter_map(|command| match command {
        Command::Pins(pins) => Some(pins.len()),
        _ => None,
    });
    assert_eq!(pins.collect::<Vec<_>>(), [0], "let go with the last");
    assert!(rig.state.rows().is_empty());
}

#[test]
fn the_image_of_the_previous_content_is_kept_until_another_one_is() {
    let mut rig = Rig::new();
    rig.up(&config("a", 1, |_| ()), 1);
    for number in [2, 3] {
        rig.ask(super::rig::update(&config("a", number, |_| ()), number), Wait::Nothing);
        rig.pass(secs(100));
    }
    let pins = rig.log.iter().filter_map(|command| match command {
        Command::Pins(pins) => Some(pins.iter().map(|blob| blob.0[0]).collect()),
        _ => None,
    });
    // The rig obeys depth first, so that their order is not that of the engine.
    let pins: std::collections::BTreeSet<Vec<u8>> = pins.collect();
    assert_eq!(pins, [vec![1, 2], vec![1, 2, 3], vec![2, 3]].into());
}
