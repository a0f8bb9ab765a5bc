//! When what failed is started again.

use std::time::Duration;

use crux_crdt::service::Restart;
use crux_protocol::picket::{Command, Event, Exit, Fault, Kind, Outcome, Request, RunState, Wait};

use super::rig::{Rig, add, config, happened, kind, millis, secs};

/// Ends a program, and everything of its instance. The commands that follow, not obeyed.
fn end(rig: &mut Rig, exit: Exit) -> Vec<Command> {
    let instance = rig.only(&"job").instance.unwrap();
    let mut all = rig.tell(Event::Exited { instance: instance.clone(), exit });
    if let Some(Command::Save(desired)) = all.last() {
        // It is done.
        let generation = desired.generation;
        all.extend(rig.tell(Event::Saved { generation }));
    }
    assert_eq!(all.last(), Some(&Command::Kill { instance: instance.clone() }), "its tree");
    all.extend(rig.tell(Event::Gone { instance, taken: Vec::new() }));
    all
}

/// How long until the next one is spawned.
fn wait(rig: &mut Rig, commands: Vec<Command>) -> Duration {
    let (since, before) = (rig.now, rig.spawned().len());
    rig.obey(commands);
    while rig.spawned().len() == before {
        let commands = rig.wake();
        rig.obey(commands);
    }
    rig.now.since(since)
}

#[test]
fn at_once_after_ten_seconds_up_and_not_before_a_back_off_else() {
    let mut rig = Rig::new();
    let first = rig.up(&config("job", 1, |_| ()), 1);
    rig.pass(secs(8));
    let commands = end(&mut rig, Exit::Signal(9));
    let kinds: Vec<_> = commands.iter().filter_map(kind).collect();
    assert_eq!(kinds, ["exited"]);
    let waited = wait(&mut rig, commands);
    assert!((millis(200)..millis(300)).contains(&waited), "up for 9 s: {waited:?}");
    rig.pass(secs(11));
    let commands = end(&mut rig, Exit::Signal(9));
    assert_eq!(wait(&mut rig, commands), Duration::ZERO, "up for 10 s");
    let row = rig.only(&"job");
    assert_eq!(row.restarts, 2);
    assert_ne!(row.instance, Some(first), "a name is never used twice");
    assert_eq!(rig.kinds().last(), Some(&"restarted"));
}

#[test]
fn the_wait_doubles_and_five_failures_are_a_crash_loop() {
    let mut rig = Rig::new();
    let id = rig.ask(add(&config("job", 1, |_| ()), 1), Wait::Up);
    for nominal in [250, 500, 1000, 2000] {
        let commands = end(&mut rig, Exit::Code(1));
        assert_eq!(rig.states("job"), [RunState::Backoff]);
        let waited = wait(&mut rig, commands).as_secs_f64() * 1000.0;
        let nominal = f64::from(nominal);
        assert!((nominal * 0.8..nominal * 1.2).contains(&waited), "{waited}");
        assert!(!rig.answers.contains_key(&id), "it may still come up");
    }
    let commands = end(&mut rig, Exit::Code(1));
    let kinds: Vec<_> = commands.iter().filter_map(kind).collect();
    assert_eq!(kinds, ["exited", "crash_loop"]);
    assert_eq!(rig.states("job"), [RunState::Failed]);
    let waited = wait(&mut rig, commands);
    assert_eq!(waited, secs(300), "retry_failed");
    let Outcome::Failed { fault, reason, instance, .. } = &rig.answers[&id] else { panic!() };
    assert_eq!((*fault, reason.as_str()), (Fault::StartFailed, "exit code 1"));
    assert!(instance.is_some(), "for its last output");
    let commands = end(&mut rig, Exit::Code(1));
    assert!(!commands.iter().filter_map(kind).any(|kind| kind == "crash_loop"), "said once");
    assert_eq!(rig.states("job"), [RunState::Failed], "one failure is enough now");
    assert_eq!(wait(&mut rig, commands), secs(300));
    rig.pass(secs(61));
    let commands = end(&mut rig, Exit::Code(1));
    assert_eq!(wait(&mut rig, commands), Duration::ZERO, "it had proved itself");
}

#[test]
fn a_person_ends_any_wait() {
    let mut rig = Rig::new();
    rig.ask(add(&config("job", 1, |_| ()), 1), Wait::Nothing);
    for _ in 0..4 {
        let commands = end(&mut rig, Exit::Code(1));
        wait(&mut rig, commands);
    }
    let commands = end(&mut rig, Exit::Code(1));
    rig.obey(commands);
    assert_eq!(rig.states("job"), [RunState::Failed]);
    let id = rig.ask(Request::Start("job".parse().unwrap()), Wait::Started);
    assert_eq!(rig.states("job"), [RunState::Starting]);
    assert!(matches!(rig.answers[&id], Outcome::Done(_)));
    assert_eq!(rig.kinds().last(), Some(&"started"), "not by itself");
    let commands = end(&mut rig, Exit::Code(1));
    let waited = wait(&mut rig, commands);
    assert!(waited < millis(300), "from the beginning: {waited:?}");
}

#[test]
fn what_ended_well_is_done_if_the_config_says_so() {
    for (restart, exit, expected) in [
        (Restart::Always, Exit::Code(0), RunState::Backoff),
        (Restart::OnFailure, Exit::Code(0), RunState::Done),
        (Restart::OnFailure, Exit::Code(1), RunState::Backoff),
        (Restart::Never, Exit::Code(0), RunState::Done),
        (Restart::Never, Exit::Signal(9), RunState::Failed),
    ] {
        let mut rig = Rig::new();
        let job = config("job", 1, |fields| fields.restart = restart);
        let id = rig.ask(add(&job, 1), Wait::Up);
        let commands = end(&mut rig, exit);
        rig.obey(commands);
        assert_eq!(rig.states("job"), [expected], "{restart:?} {exit:?}");
        if expected == RunState::Done {
            assert!(matches!(rig.answers[&id], Outcome::Done(_)));
        }
        if expected != RunState::Backoff {
            rig.log.clear();
            rig.pass(secs(3600));
            assert!(rig.spawned().is_empty(), "{restart:?} {exit:?}");
            rig.ask(Request::Start("job".parse().unwrap()), Wait::Nothing);
            assert_eq!(rig.spawned().len(), 1, "a person may");
        }
    }
}

#[test]
fn out_of_memory_has_its_own_event_and_a_dead_keeper_is_a_failure() {
    let mut rig = Rig::new();
    rig.up(&config("job", 1, |_| ()), 1);
    let commands = end(&mut rig, Exit::OutOfMemory);
    assert_eq!(commands.iter().filter_map(kind).collect::<Vec<_>>(), ["oom_killed"]);
    wait(&mut rig, commands);
    let instance = rig.only(&"job").instance.unwrap();
    let commands = rig.tell(Event::Gone { instance: instance.clone(), taken: Vec::new() });
    let died = happened(Kind::Exited, "job", &instance, "its keeper died");
    assert_eq!(commands, [died, Command::Forget { instance }]);
    assert_eq!(rig.states("job"), [RunState::Backoff]);
    let inspect = rig.state.inspect(&"job".parse().unwrap()).unwrap();
    let exits: Vec<_> = inspect.exits.iter().map(|exit| (exit.exit, &*exit.reason)).collect();
    let oom = (Some(Exit::OutOfMemory), "out of memory");
    assert_eq!(exits, [oom, (None, "its keeper died")]);
}

#[test]
fn a_record_that_stays_is_deleted_later() {
    let mut rig = Rig::new();
    rig.up(&config("job", 1, |fields| fields.restart = Restart::Never), 1);
    let commands = end(&mut rig, Exit::Code(0));
    let forget = commands.last().cloned().unwrap();
    let Command::Forget { instance } = forget.clone() else { panic!("{forget:?}") };
    assert_eq!(rig.state.footprint().instances, 1);
    let reason = "read-only".to_owned();
    assert_eq!(rig.tell(Event::ForgetFailed { instance: instance.clone(), reason }), []);
    assert_eq!(rig.wake(), [forget]);
    rig.tell(Event::Forgotten { instance });
    assert_eq!(rig.state.footprint().instances, 0);
}
