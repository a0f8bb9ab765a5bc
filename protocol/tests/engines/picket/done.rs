//! Programs that end well and are not started again: also not by the next picket.

use crux_crdt::service::{Config, Restart};
use crux_protocol::picket::{
    Command, Desired, Event, Exit, Found, InstanceId, Kind, Outcome, Record, Request, RunState,
    Wait,
};

use super::rig::{Rig, add, blob, config, happened, kind, millis, secs, update};

const WELL: Exit = Exit::Code(0);

fn job() -> Config {
    config("job", 1, |fields| fields.restart = Restart::Never)
}

/// A job that runs, and its record.
fn running() -> (Rig, Record) {
    let mut rig = Rig::new();
    rig.ask(add(&job(), 1), Wait::Started);
    let record = rig.spawned()[0].clone();
    rig.log.clear();
    (rig, record)
}

/// The same after its end, when everything is done.
fn finished() -> (Rig, Record) {
    let (mut rig, record) = running();
    let commands = rig.tell(exited(&record));
    rig.obey(commands);
    assert_eq!(rig.states("job"), [RunState::Done]);
    rig.log.clear();
    (rig, record)
}

fn exited(record: &Record) -> Event {
    Event::Exited { instance: record.instance.clone(), exit: WELL }
}

fn gone(instance: &InstanceId) -> Event {
    Event::Gone { instance: instance.clone(), taken: Vec::new() }
}

fn name<T: core::str::FromStr>(name: &str) -> T
where
    T::Err: core::fmt::Debug,
{
    name.parse().unwrap()
}

/// The ordinals of the job that are done, in what is to be written.
fn done_in(desired: &Desired) -> Vec<u16> {
    desired.services[&name("job")].done.iter().copied().collect()
}

fn saved(commands: &[Command]) -> Option<Desired> {
    commands.iter().find_map(|command| match command {
        Command::Save(desired) => Some(desired.clone()),
        _ => None,
    })
}

fn kills(commands: &[Command]) -> bool {
    commands.iter().any(|command| matches!(command, Command::Kill { .. }))
}

#[test]
fn that_it_is_done_is_written_before_its_keeper_goes() {
    let (mut rig, Record { instance, .. }) = running();
    let wanted = rig.disk.services[&name("job")].clone();
    let commands = rig.tell(Event::Exited { instance: instance.clone(), exit: WELL });
    let done = crux_protocol::picket::Wanted { done: [0].into(), ..wanted };
    let desired = Desired { generation: 2, services: [(name("job"), done)].into() };
    let ended = happened(Kind::Exited, "job", &instance, "exit code 0");
    assert_eq!(commands, [ended, Command::Save(desired)]);
    assert_eq!(rig.states("job"), [RunState::Stopping]);
    let commands = rig.tell(Event::Saved { generation: 2 });
    assert_eq!(commands, [Command::Kill { instance: instance.clone() }]);
    let commands = rig.tell(gone(&instance));
    assert_eq!(commands, [Command::Forget { instance }]);
    assert_eq!(rig.states("job"), [RunState::Done]);
    assert_eq!(rig.only(&"job").reason, "exit code 0");
}

#[test]
fn the_next_picket_does_not_start_it_again() {
    let (mut rig, record) = finished();
    // Its record may be there still: the picket died before it deleted it.
    for found in [Vec::new(), vec![(record.clone(), Found::Gone)]] {
        let forget = Command::Forget { instance: record.instance.clone() };
        let mut expected: Vec<_> = found.iter().map(|_| forget.clone()).collect();
        expected.push(Command::Pins([blob(1)].into()));
        assert_eq!(rig.reborn(found), expected);
        rig.pass(secs(3600));
        assert_eq!(rig.states("job"), [RunState::Done]);
        assert_eq!(rig.only(&"job").reason, "exit code 0");
        assert!(rig.spawned().is_empty());
        let same = rig.ask(add(&job(), 1), Wait::Up);
        assert!(matches!(rig.answers.remove(&same), Some(Outcome::Done(_))), "nothing to do");
    }
}

/// The picket dies at any step between the end of the program and the deletion of its record.
#[test]
fn a_picket_that_dies_meanwhile_leaves_it_to_the_next() {
    let (mut rig, record) = running();
    rig.tell(exited(&record));
    // Before the disk had it: the keeper has it.
    let commands = rig.reborn(vec![(record.clone(), Found::Ended { exit: WELL })]);
    assert_eq!(saved(&commands).map(|desired| done_in(&desired)), Some(vec![0]));
    assert!(!kills(&commands));
    // After that, and before it was acted upon.
    let (commands, desired) = (Vec::new(), saved(&commands).unwrap());
    rig.disk = desired;
    rig.obey(commands);
    let commands = rig.reborn(vec![(record.clone(), Found::Ended { exit: WELL })]);
    assert!(saved(&commands).is_none() && kills(&commands), "{commands:?}");
    rig.obey(commands);
    rig.pass(secs(3600));
    assert_eq!(rig.states("job"), [RunState::Done]);
    assert!(rig.spawned().is_empty());
}

#[test]
fn a_disk_that_refuses_holds_nothing_up_and_has_it_later() {
    let (mut rig, record) = running();
    let generation = saved(&rig.tell(exited(&record))).unwrap().generation;
    let reason = "no space".to_owned();
    let commands = rig.tell(Event::SaveFailed { generation, reason });
    assert_eq!(commands, [Command::Kill { instance: record.instance.clone() }]);
    rig.tell(gone(&record.instance));
    assert_eq!(rig.states("job"), [RunState::Done]);
    let desired = saved(&rig.wake()).unwrap();
    assert_eq!((done_in(&desired), desired.generation), (vec![0], generation + 1));
}

#[test]
fn a_person_may_start_it_again() {
    let requests: [fn() -> Vec<Request>; 3] = [
        || vec![Request::Start(name("job"))],
        || vec![Request::Restart(name("job"))],
        || vec![Request::Stop(name("job")), Request::Start(name("job"))],
    ];
    for requests in requests {
        let (mut rig, _) = finished();
        for request in requests() {
            let (_, commands) = rig.request(request, Wait::Started);
            let desired = saved(&commands).expect("it is written first");
            assert_eq!(done_in(&desired), [] as [u16; 0]);
            assert!(rig.spawned().is_empty());
            rig.obey(commands);
        }
        assert_eq!(rig.spawned().len(), 1);
        assert_eq!(rig.only(&"job").restarts, 0, "it did not fail");
        // And the next picket starts it, if it has not ended.
        let commands = rig.reborn(Vec::new());
        rig.obey(commands);
        assert_eq!(rig.spawned().len(), 2);
    }
}

#[test]
fn another_content_is_not_done() {
    let (mut rig, _) = finished();
    let other = config("job", 2, |fields| fields.restart = Restart::Never);
    let (_, commands) = rig.request(update(&other, 2), Wait::Nothing);
    assert_eq!(saved(&commands).map(|desired| done_in(&desired)), Some(Vec::new()));
    rig.obey(commands);
    assert_eq!(rig.spawned().len(), 1);
    // Other settings of the same content are: its program has ended.
    let (mut rig, _) = finished();
    let patient = config("job", 1, |fields| {
        (fields.restart, fields.quit_timeout) = (Restart::Never, secs(3));
    });
    let (_, commands) = rig.request(update(&patient, 1), Wait::Nothing);
    assert_eq!(saved(&commands).map(|desired| done_in(&desired)), Some(vec![0]));
    rig.obey(commands);
    rig.pass(secs(100));
    assert!(rig.spawned().is_empty());
}

#[test]
fn of_several_each_is_done_by_itself_and_a_smaller_count_forgets() {
    let count = |count| {
        config("job", 1, |fields| (fields.restart, fields.count) = (Restart::OnFailure, count))
    };
    let mut rig = Rig::new();
    rig.ask(add(&count(2), 1), Wait::Started);
    let second = rig.spawned()[1].clone();
    assert_eq!(second.ordinal, 1);
    let commands = rig.tell(exited(&second));
    rig.obey(commands);
    rig.pass(secs(2));
    assert_eq!(rig.states("job"), [RunState::Up, RunState::Done]);
    assert_eq!(done_in(&rig.disk), [1]);
    for (number, done) in [(1, Vec::<u16>::new()), (2, vec![])] {
        rig.log.clear();
        rig.ask(add(&count(number), 1), Wait::Nothing);
        assert_eq!(done_in(&rig.disk), done);
        assert_eq!(rig.spawned().len(), usize::from(number) - 1, "count {number}");
    }
}

#[test]
fn a_start_that_comes_between_the_end_and_the_disk_counts() {
    let (mut rig, record) = running();
    let commands = rig.tell(exited(&record));
    let (_, none) = rig.request(Request::Start(name("job")), Wait::Nothing);
    assert_eq!(none, [], "one at a time");
    rig.obey(commands);
    assert_eq!(done_in(&rig.disk), [] as [u16; 0]);
    assert_eq!(rig.spawned().len(), 1, "{:?}", rig.states("job"));
}

#[test]
fn a_stop_of_the_node_waits_a_second_for_the_disk() {
    let (mut rig, record) = running();
    let generation = saved(&rig.tell(exited(&record))).unwrap().generation;
    assert_eq!(rig.tell(Event::Stop { within: secs(10) }), []);
    let commands = rig.tell(Event::Saved { generation });
    assert_eq!(commands, [Command::Kill { instance: record.instance.clone() }]);
    let commands = rig.tell(gone(&record.instance));
    assert_eq!(commands.last(), Some(&Command::AllStopped));

    // A disk that does not answer.
    let (mut rig, record) = running();
    rig.tell(exited(&record));
    rig.tell(Event::Stop { within: secs(10) });
    let from = rig.now;
    assert!(kills(&rig.wake()));
    assert_eq!(rig.now.since(from), secs(1));

    // One that is told to end by the stop is not done, however it ends.
    let (mut rig, record) = running();
    rig.tell(Event::Stop { within: secs(10) });
    let commands = rig.tell(exited(&record));
    assert!(saved(&commands).is_none() && kills(&commands), "{commands:?}");
    assert!(commands.iter().filter_map(kind).next().is_none());
    rig.now = rig.now + millis(1);
}
