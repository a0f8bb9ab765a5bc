//! Checks, and what follows from them.

use crux_crdt::service::{Check, Fields, Image, Probe};
use crux_protocol::picket::{Command, Event, Fault, InstanceId, Outcome, RunState, Status, Wait};

use super::rig::{Rig, add, config, millis, secs, with_port};

fn checked(fields: &mut Fields<Image>) {
    with_port(fields);
    let (path, port) = ("/healthz".to_owned(), "http".parse().unwrap());
    fields.check = vec![Check::new(Probe::Http { path, port })];
}

fn fails(_: &InstanceId, _: usize) -> Result<(), String> {
    Err("status 500".to_owned())
}

fn unwell(commands: &[Command]) -> Vec<Vec<Status>> {
    let of = |command: &Command| match command {
        Command::Conditions(list) => Some(list.values().copied().collect()),
        _ => None,
    };
    commands.iter().filter_map(of).collect()
}

#[test]
fn one_failure_degrades_and_three_in_a_row_withdraw_quit_and_start_again() {
    let mut rig = Rig::new();
    rig.tell(Event::FulcrumAttached { restarted: false });
    let web = config("web", 1, checked);
    let instance = rig.up(&web, 1);
    rig.pass_with(secs(10), fails);
    assert_eq!(rig.states("web"), [RunState::Degraded]);
    assert_eq!(rig.only(&"web").reason, "status 500");
    assert_eq!(rig.kinds(), ["degraded"]);
    assert_eq!(unwell(&rig.log), [[Status::Degraded]]);
    rig.pass(secs(10));
    assert_eq!(rig.states("web"), [RunState::Up]);
    assert_eq!(unwell(&rig.log).last(), Some(&Vec::new()));
    rig.pass_with(secs(20), fails);
    assert_eq!(rig.states("web"), [RunState::Degraded], "two in a row");
    rig.log.clear();
    while rig.states("web") == [RunState::Degraded] {
        let commands = rig.wake();
        rig.log.clear();
        rig.obey_with(commands, fails);
    }
    let expected = |command: &Command| {
        matches!(command, Command::Note { .. } | Command::Publish { .. } | Command::Conditions(_))
    };
    let order: Vec<_> = rig.log.iter().filter(|it| !matches!(it, Command::Check { .. })).collect();
    assert!(order.iter().all(|command| expected(command)), "{order:?}");
    let last = order.iter().find_map(|command| match command {
        Command::Publish { registrations, .. } => Some(registrations.len()),
        _ => None,
    });
    assert_eq!(last, Some(0), "withdrawn before any signal");
    assert_eq!(rig.states("web"), [RunState::Draining]);
    rig.pass(secs(2));
    assert_eq!(
        rig.log.last(),
        Some(&Command::Terminate { instance: instance.clone(), tree: false })
    );
    rig.pass(secs(16));
    assert_eq!(rig.states("web"), [RunState::Up], "started again");
    assert_ne!(rig.only(&"web").instance, Some(instance));
    let inspect = rig.state.inspect(&web.name).unwrap();
    assert_eq!(inspect.exits[0].reason, "status 500");
}

#[test]
fn failures_do_not_count_in_the_start_period_and_not_up_in_time_is_a_failure() {
    let mut rig = Rig::new();
    let web = config("web", 1, |fields| {
        checked(fields);
        (fields.start_period, fields.start_timeout) = (secs(40), secs(45));
    });
    let (id, commands) = rig.request(add(&web, 1), Wait::Up);
    rig.obey_with(commands, fails);
    rig.pass_with(secs(44), fails);
    assert_eq!(rig.states("web"), [RunState::Starting]);
    rig.pass_with(secs(1), fails);
    let Outcome::Failed { fault, reason, .. } = &rig.answers[&id] else {
        panic!("{:?} {:?}", rig.answers, rig.rows("web"))
    };
    assert_eq!(*fault, Fault::Unhealthy);
    assert!(reason.ends_with("status 500"), "{reason}");
}

#[test]
fn after_the_start_period_three_failures_end_one_that_never_was_up() {
    let mut rig = Rig::new();
    let web = config("web", 1, |fields| {
        checked(fields);
        (fields.start_period, fields.start_timeout) = (secs(5), secs(600));
    });
    let (_, commands) = rig.request(add(&web, 1), Wait::Nothing);
    rig.obey_with(commands, fails);
    rig.pass_with(secs(24), fails);
    assert_eq!(rig.states("web"), [RunState::Starting]);
    rig.pass_with(secs(3), fails);
    assert_eq!(rig.states("web"), [RunState::Stopping]);
}

#[test]
fn the_time_of_a_paused_program_counts_for_nothing() {
    let mut rig = Rig::new();
    rig.tell(Event::FulcrumAttached { restarted: false });
    let instance = rig.up(&config("web", 1, checked), 1);
    rig.pass(secs(1));
    let commands = rig.tell(Event::Paused { instance: instance.clone(), paused: true });
    assert_eq!(unwell(&commands), [[Status::Unknown]]);
    assert_eq!(rig.states("web"), [RunState::Paused]);
    rig.log.clear();
    rig.now = rig.now + secs(3600);
    let result = Err("timed out".to_owned());
    rig.tell(Event::Checked { instance: instance.clone(), check: 0, result });
    let commands = rig.tell(Event::Paused { instance: instance.clone(), paused: false });
    assert_eq!(unwell(&commands), [Vec::<Status>::new()]);
    rig.obey(commands);
    assert_eq!(rig.states("web"), [RunState::Up]);
    assert_eq!(rig.only(&"web").instance, Some(instance));
}

#[test]
fn the_start_of_a_paused_program_takes_as_much_longer() {
    let mut rig = Rig::new();
    let web = config("web", 1, |fields| {
        checked(fields);
        fields.start_timeout = secs(20);
    });
    let (_, commands) = rig.request(add(&web, 1), Wait::Nothing);
    rig.obey_with(commands, fails);
    rig.pass_with(secs(10), fails);
    let instance = rig.only(&"web").instance.unwrap();
    rig.tell(Event::Paused { instance: instance.clone(), paused: true });
    rig.pass_with(secs(100), fails);
    assert_eq!(rig.states("web"), [RunState::Paused]);
    rig.tell(Event::Paused { instance, paused: false });
    rig.pass_with(secs(9), fails);
    assert_eq!(rig.states("web"), [RunState::Starting]);
    rig.pass_with(secs(1), fails);
    assert_eq!(rig.states("web"), [RunState::Stopping]);
}

#[test]
fn failures_after_the_machine_slept_do_not_count() {
    let mut rig = Rig::new();
    let instance = rig.up(&config("web", 1, checked), 1);
    let failed = |rig: &mut Rig| {
        let result = Err("timed out".to_owned());
        let instance = instance.clone();
        rig.tell(Event::Checked { instance, check: 0, result })
    };
    rig.wake();
    rig.now = rig.now + secs(1);
    failed(&mut rig);
    assert_eq!(rig.states("web"), [RunState::Degraded]);
    // The check is due in 10 s, and the next call comes 3 s late.
    rig.now = rig.now + secs(13);
    rig.tell(Event::Wake);
    failed(&mut rig);
    rig.wake();
    failed(&mut rig);
    let inspect = rig.state.inspect(&"web".parse().unwrap()).unwrap();
    assert_eq!(inspect.checks[0].failures, 2, "one fell into the period after the gap");
}

#[test]
fn the_others_hear_of_it_once_a_second_and_of_a_flapping_one_as_degraded() {
    let mut rig = Rig::new();
    rig.tell(Event::FulcrumAttached { restarted: false });
    let web = config("web", 1, |fields| {
        checked(fields);
        fields.period = millis(100);
    });
    rig.up(&web, 1);
    for round in 0..40 {
        let fail = round % 2 == 0;
        rig.pass_with(millis(100), |_, _| if fail { Err("flaps".to_owned()) } else { Ok(()) });
    }
    let said = unwell(&rig.log);
    assert!(said.len() <= 5, "in four seconds: {said:?}");
    rig.log.clear();
    rig.pass(secs(55));
    assert_eq!(rig.states("web"), [RunState::Up], "as this node sees it");
    assert_eq!(unwell(&rig.log), Vec::<Vec<Status>>::new(), "held");
    rig.pass(secs(10));
    assert_eq!(unwell(&rig.log), [Vec::<Status>::new()], "a minute later it is up for all");
}

#[test]
fn one_check_that_never_passes_is_enough() {
    let mut rig = Rig::new();
    let web = config("web", 1, |fields| {
        checked(fields);
        fields.check.push(Check::new(Probe::Exec { command: vec!["true".to_owned()] }));
        fields.start_timeout = secs(20);
    });
    let second_fails =
        |instance: &InstanceId, at| if at == 1 { fails(instance, at) } else { Ok(()) };
    let (id, commands) = rig.request(add(&web, 1), Wait::Up);
    rig.obey_with(commands, second_fails);
    rig.pass_with(secs(20), second_fails);
    assert!(!rig.kinds().contains(&"up"));
    assert!(matches!(&rig.answers[&id], Outcome::Failed { fault: Fault::Unhealthy, .. }));
}
