//! The disk before anybody acts, and what a picket that comes back makes of it.

use crux_protocol::picket::{
    Command, Desired, Event, Exit, Found, InstanceId, Kind, Outcome, Owned, Record, Refusal,
    Request, RequestId, Requested, RunState, State, Wait,
};

use super::rig::{Rig, add, blob, config, happened, image, kind, secs, update, with_port};

fn record(rig: &Rig, name: &str) -> Record {
    let row = rig.only(&name);
    let version = rig.state.wanted_of(&row.service).unwrap().current.number;
    Record {
        instance: row.instance.unwrap(),
        service: row.service,
        rev: row.rev,
        ordinal: 0,
        version,
        blob: row.image,
        ports: row.ports,
        placed: None,
    }
}

#[test]
fn nothing_is_answered_or_begun_before_the_disk_has_it() {
    let mut rig = Rig::new();
    let (_, commands) = rig.request(add(&config("job", 1, |_| ()), 1), Wait::Nothing);
    assert!(matches!(commands[..], [Command::Save(_), Command::Pins(_)]), "{commands:?}");
    let (second, commands) = rig.request(Request::Stop("job".parse().unwrap()), Wait::Nothing);
    assert_eq!(commands, [], "one at a time");
    assert_eq!(rig.tell(Event::Saved { generation: 0 }), [], "an older one");
    assert!(rig.state.rows().is_empty());
    let commands = rig.tell(Event::Saved { generation: 1 });
    let saves = commands.iter().filter_map(|command| match command {
        Command::Save(desired) => Some(desired.generation),
        _ => None,
    });
    assert_eq!(saves.collect::<Vec<_>>(), [2], "now the next");
    let commands = rig.tell(Event::Saved { generation: 2 });
    assert!(matches!(&commands[0], Command::Answer { request, .. } if *request == second));
    assert_eq!(rig.states("job"), [RunState::Stopped]);
}

#[test]
fn a_disk_that_refuses_changes_nothing() {
    let mut rig = Rig::new();
    let (id, _) = rig.request(add(&config("job", 1, |_| ()), 1), Wait::Up);
    let reason = "no space".to_owned();
    let commands = rig.tell(Event::SaveFailed { generation: 1, reason: reason.clone() });
    let outcome = Outcome::Refused(Refusal::Disk(reason));
    assert_eq!(commands, [Command::Answer { request: id, outcome }, Command::Pins([].into())]);
    assert!(rig.state.rows().is_empty());
    let (_, commands) = rig.request(add(&config("job", 1, |_| ()), 1), Wait::Up);
    let Command::Save(desired) = &commands[0] else { panic!("{commands:?}") };
    assert_eq!(desired.generation, 2, "no generation is used twice");
}

#[test]
fn an_older_generation_is_refused() {
    let mut rig = Rig::new();
    rig.up(&config("job", 1, |_| ()), 1);
    let mut ask = |generation| {
        let id = RequestId(100 + generation);
        let request = Request::Stop("job".parse().unwrap());
        let generation = Some(generation);
        let (wait, timeout) = (Wait::Nothing, secs(1));
        rig.tell(Event::Request(Requested { id, request, generation, wait, timeout }))
    };
    let outcome = Outcome::Refused(Refusal::Generation { current: 1 });
    assert_eq!(ask(0), [Command::Answer { request: RequestId(100), outcome }]);
    assert!(matches!(ask(1)[..], [Command::Save(_)]));
}

#[test]
fn the_way_back_holds_also_on_a_full_disk_and_is_written_later() {
    let mut rig = Rig::new();
    rig.up(&config("web", 1, with_port), 1);
    let refuse = |_: &InstanceId, _| Err("refused".to_owned());
    let (_, commands) = rig.request(update(&config("web", 2, with_port), 2), Wait::Nothing);
    rig.obey_with(commands, refuse);
    let new = rig.spawned()[0].instance.clone();
    rig.tell(Event::Exited { instance: new.clone(), exit: Exit::Code(1) });
    let commands = rig.tell(Event::Gone { instance: new, taken: Vec::new() });
    let saved = commands.iter().find_map(|command| match command {
        Command::Save(desired) => Some(desired.clone()),
        _ => None,
    });
    let generation = saved.unwrap().generation;
    let reason = "no space".to_owned();
    let commands = rig.tell(Event::SaveFailed { generation, reason });
    assert!(commands.iter().filter_map(kind).any(|kind| kind == "rolled_back"));
    let lets_go =
        commands.iter().any(|it| matches!(it, Command::Pins(pins) if !pins.contains(&blob(2))));
    assert!(!lets_go, "the next picket would start from what is on the disk");
    let commands = rig.wake();
    let Some(Command::Save(desired)) = commands.first() else { panic!("{commands:?}") };
    assert!(desired.generation > generation);
    let web = &desired.services[&"web".parse().unwrap()];
    assert_eq!(web.current.image.blob(), blob(1));
    let commands = rig.tell(Event::Saved { generation: desired.generation });
    assert!(commands.contains(&Command::Pins([blob(1)].into())), "now it may: {commands:?}");
}

#[test]
fn another_boot_adopts_nothing_and_starts_all() {
    let mut rig = Rig::new();
    rig.up(&config("web", 1, with_port), 1);
    rig.up(&config("off", 2, |_| ()), 2);
    rig.ask(Request::Stop("off".parse().unwrap()), Wait::Nothing);
    let old = record(&rig, "web");
    let commands = rig.reborn(vec![(old.clone(), Found::Gone)]);
    assert_eq!(
        commands,
        [
            Command::Forget { instance: old.instance },
            Command::Seal(image(1)),
            Command::Pins([blob(1), blob(2)].into()),
        ]
    );
    rig.obey(commands);
    assert_eq!(rig.states("web"), [RunState::Up]);
    assert_eq!(rig.states("off"), [RunState::Stopped]);
}

#[test]
fn what_was_up_is_adopted_and_registered_with_all_the_others_at_once() {
    let mut rig = Rig::new();
    rig.up(&config("web", 1, with_port), 1);
    let old = record(&rig, "web");
    rig.state = State::new(rig.disk.clone(), [3; 32], rig.now);
    let mut commands = rig.tell(Event::FulcrumAttached { restarted: false });
    assert_eq!(commands, [], "it is told nothing before everything was found");
    let found = Found::Running { pid: 7, up: true };
    commands.extend(rig.tell(Event::Found { record: old.clone(), found }));
    let adopted = happened(Kind::Adopted, "web", &old.instance, "process 7");
    assert_eq!(commands, [adopted]);
    let commands = rig.tell(Event::AdoptionOver);
    let [Command::Publish { registrations, .. }, Command::Conditions(_), owned, Command::Pins(_)] =
        &commands[..]
    else {
        panic!("{commands:?}")
    };
    assert_eq!(*owned, Command::Owned(Owned::default()));
    assert_eq!(registrations.len(), 1);
    assert_eq!(rig.only(&"web").pid, Some(7));
    rig.obey(commands);
    rig.pass(secs(100));
    assert!(rig.spawned().is_empty());
}

#[test]
fn what_was_not_up_is_checked_first() {
    let mut rig = Rig::new();
    rig.up(&config("web", 1, with_port), 1);
    let old = record(&rig, "web");
    let commands = rig.reborn(vec![(old, Found::Running { pid: 7, up: false })]);
    assert!(commands.iter().any(|it| matches!(it, Command::Check { .. })), "{commands:?}");
    assert_eq!(rig.states("web"), [RunState::Starting]);
}

#[test]
fn what_ended_meanwhile_is_cleaned_up_and_started_again() {
    let mut rig = Rig::new();
    rig.up(&config("web", 1, with_port), 1);
    let old = record(&rig, "web");
    let exit = Exit::Signal(11);
    let commands = rig.reborn(vec![(old.clone(), Found::Ended { exit })]);
    assert!(commands.contains(&Command::Kill { instance: old.instance }), "what it forked");
    rig.obey(commands);
    rig.pass(secs(1));
    assert_eq!(rig.states("web"), [RunState::Up]);
    assert_eq!(rig.only(&"web").restarts, 1);
}

#[test]
fn what_nobody_wants_any_longer_is_quit() {
    let mut rig = Rig::new();
    rig.up(&config("gone", 1, |_| ()), 1);
    rig.up(&config("off", 2, |_| ()), 2);
    let (gone, off) = (record(&rig, "gone"), record(&rig, "off"));
    rig.ask(Request::Remove("gone".parse().unwrap()), Wait::Nothing);
    rig.ask(Request::Stop("off".parse().unwrap()), Wait::Nothing);
    let found = Found::Running { pid: 7, up: true };
    let commands = rig.reborn(vec![(gone.clone(), found), (off.clone(), found)]);
    for record in [gone, off] {
        let terminate = Command::Terminate { instance: record.instance, tree: false };
        assert!(commands.contains(&terminate), "{commands:?}");
    }
    rig.obey(commands);
    rig.pass(secs(20));
    assert_eq!(rig.states("off"), [RunState::Stopped]);
    assert!(rig.rows("gone").is_empty());
}

#[test]
fn an_overlap_is_taken_up_where_it_was() {
    let mut rig = Rig::new();
    rig.up(&config("web", 1, with_port), 1);
    let old = record(&rig, "web");
    rig.ask(update(&config("web", 2, with_port), 2), Wait::Nothing);
    let new = rig.spawned()[0].clone();
    let up = |pid, up| Found::Running { pid, up };
    let commands = rig.reborn(vec![(old.clone(), up(7, true)), (new.clone(), up(8, true))]);
    rig.obey(commands);
    assert_eq!(rig.rows("web").len(), 2);
    rig.log.clear();
    rig.pass(secs(30));
    assert_eq!(rig.only(&"web").instance, Some(new.instance));
    assert!(rig.spawned().is_empty());
    assert!(rig.kinds().contains(&"updated"));
}

#[test]
fn an_instance_of_a_content_that_is_not_known_any_more_is_replaced() {
    let mut rig = Rig::new();
    rig.up(&config("web", 1, with_port), 1);
    let old = Record { version: 99, ..record(&rig, "web") };
    let commands = rig.reborn(vec![(old.clone(), Found::Running { pid: 7, up: true })]);
    assert!(!commands.iter().any(|it| matches!(it, Command::Seal(_))), "not beside it");
    rig.obey(commands);
    rig.pass(secs(20));
    assert_eq!(rig.states("web"), [RunState::Up]);
    assert_ne!(rig.only(&"web").instance, Some(old.instance));
}

#[test]
fn requests_wait_until_everything_was_found() {
    let mut rig = Rig::before_adoption(Desired::default());
    let (_, commands) = rig.request(add(&config("job", 1, |_| ()), 1), Wait::Nothing);
    assert_eq!(commands, []);
    let commands = rig.tell(Event::AdoptionOver);
    assert!(matches!(commands[..], [Command::Save(_), Command::Pins(_)]), "{commands:?}");
}

#[test]
fn a_caller_that_went_away_gets_no_answer() {
    let mut rig = Rig::new();
    let (id, _) = rig.request(add(&config("job", 1, |_| ()), 1), Wait::Up);
    rig.tell(Event::Cancel { id });
    let commands = rig.tell(Event::Saved { generation: 1 });
    rig.obey(commands);
    rig.pass(secs(100));
    assert!(rig.answers.is_empty());
    assert_eq!(rig.states("job"), [RunState::Up], "what it began stays");
}

#[test]
fn a_fulcrum_that_comes_back_is_told_everything() {
    let mut rig = Rig::new();
    rig.tell(Event::FulcrumAttached { restarted: false });
    rig.up(&config("web", 1, with_port), 1);
    rig.tell(Event::FulcrumAway);
    assert_eq!(rig.states("web"), [RunState::Up]);
    let commands = rig.tell(Event::FulcrumAttached { restarted: true });
    assert_eq!(kind(&commands[0]), Some("fulcrum_restarted"));
    let Command::Publish { seq, registrations } = &commands[1] else { panic!("{commands:?}") };
    assert_eq!((*seq, registrations.len()), (3, 1));
    assert_eq!(commands[2], Command::Conditions([].into()));
    assert_eq!(commands[3..], [Command::Owned(Owned::default())]);
}
