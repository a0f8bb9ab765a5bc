//! Each number of the design at its bound, and one step beyond.

use std::time::Duration;

use crux_crdt::service::{Check, Fields, Image, Port, Probe, SERVICES_MAX};
use crux_protocol::picket::{
    Command, EXITS_MAX, Event, Exit, INSTANCES_MAX, InstanceId, Outcome, QUEUE_MAX,
    REGISTRATIONS_MAX, Refusal, Request, RunState, TEXT_BYTES_MAX, WAITERS_MAX, Wait,
};
use crux_protocol::time::Instant;

use super::rig::{Rig, add, config, millis, secs, update, with_port};

const STEP: Duration = millis(1);

fn with_check(fields: &mut Fields<Image>) {
    with_port(fields);
    let (path, port) = ("/healthz".to_owned(), "http".parse().unwrap());
    fields.check = vec![Check::new(Probe::Http { path, port })];
}

fn refuse(_: &InstanceId, _: usize) -> Result<(), String> {
    Err("refused".to_owned())
}

/// A service without ports and checks, up for exactly that long.
fn up_for(time: Duration) -> Rig {
    let mut rig = Rig::new();
    rig.up(&config("job", 1, |_| ()), 1);
    let up_since = rig.only(&"job").since;
    let rest = time - rig.now.since(up_since);
    rig.pass(rest);
    rig
}

/// Its program ends, and the machine obeys.
fn crash(rig: &mut Rig) {
    let instance = rig.only(&"job").instance.unwrap();
    let commands = rig.tell(Event::Exited { instance, exit: Exit::Code(1) });
    rig.obey(commands);
}

/// How long until the next one is spawned.
fn wait(rig: &mut Rig) -> Duration {
    let since = rig.now;
    while rig.only(&"job").pid.is_none() {
        let commands = rig.wake();
        rig.obey(commands);
    }
    rig.now.since(since)
}

fn about(nominal: Duration) -> std::ops::Range<Duration> {
    nominal.mul_f64(0.8)..nominal.mul_f64(1.2)
}

#[test]
fn ten_seconds_up_are_started_again_at_once() {
    let mut rig = up_for(secs(10) - STEP);
    crash(&mut rig);
    assert!(about(millis(250)).contains(&wait(&mut rig)));
    let mut rig = up_for(secs(10));
    crash(&mut rig);
    assert_eq!(wait(&mut rig), Duration::ZERO);
}

#[test]
fn a_minute_up_resets_the_back_off() {
    for (up, expected) in [(secs(60) - STEP, millis(1000)), (secs(60), millis(250))] {
        let mut rig = up_for(secs(2));
        for _ in 0..2 {
            crash(&mut rig);
            wait(&mut rig);
        }
        rig.pass(secs(1));
        assert_eq!(rig.states("job"), [RunState::Up]);
        rig.pass(up);
        crash(&mut rig);
        assert_eq!(wait(&mut rig), Duration::ZERO, "more than ten seconds");
        crash(&mut rig);
        let waited = wait(&mut rig);
        assert!(about(expected).contains(&waited), "up for {up:?}: {waited:?}");
    }
}

#[test]
fn five_failures_within_ten_minutes_are_a_crash_loop_and_a_failure_before_does_not_count() {
    for (fifth, expected) in [(secs(600) - STEP, RunState::Failed), (secs(600), RunState::Starting)]
    {
        let mut rig = up_for(secs(2));
        let first = rig.now;
        for _ in 0..4 {
            crash(&mut rig);
            wait(&mut rig);
        }
        let rest = (first + fifth).since(rig.now);
        rig.pass(rest);
        crash(&mut rig);
        assert_eq!(rig.states("job"), [expected], "the fifth after {fifth:?}");
    }
}

#[test]
fn ten_starts_in_a_minute_and_no_more() {
    let mut rig = Rig::new();
    let job = config("job", 1, |fields| fields.retry_failed = secs(1));
    rig.ask(add(&job, 1), Wait::Nothing);
    let mut starts = vec![rig.now];
    for _ in 0..40 {
        crash(&mut rig);
        wait(&mut rig);
        starts.push(rig.now);
    }
    let lasted = |from: usize, to: usize| starts[to].since(starts[from]);
    assert!(lasted(0, 9) < secs(20), "ten come soon: {starts:?}");
    for at in 0..starts.len() - 10 {
        assert!(lasted(at, at + 10) >= secs(60), "{at}: {starts:?}");
    }
    assert_eq!(lasted(0, 10), secs(60), "the eleventh as soon as it may");
}

#[test]
fn two_failures_of_a_new_content_are_borne_and_the_third_takes_it_back_until_a_minute_up() {
    for (third_up, back) in [(secs(60) - STEP, true), (secs(60), false)] {
        let fixed = |fields: &mut Fields<Image>| {
            fields.update = Some(crux_crdt::service::UpdateBy::Replace);
        };
        let mut rig = Rig::new();
        let old = rig.up(&config("job", 1, fixed), 1);
        rig.ask(update(&config("job", 2, fixed), 2), Wait::Nothing);
        rig.tell(Event::Exited { instance: old.clone(), exit: Exit::Code(0) });
        let commands = rig.tell(Event::Gone { instance: old, taken: Vec::new() });
        rig.obey(commands);
        for failure in 1..=2 {
            crash(&mut rig);
            wait(&mut rig);
            assert_eq!(rig.only(&"job").image.0[0], 2, "failure {failure}");
        }
        rig.pass(secs(1));
        assert_eq!(rig.states("job"), [RunState::Up]);
        rig.pass(third_up);
        crash(&mut rig);
        wait(&mut rig);
        assert_eq!(rig.only(&"job").image.0[0] == 1, back, "up for {third_up:?}");
    }
}

#[test]
fn a_new_one_takes_over_once_it_is_well() {
    let mut rig = Rig::new();
    rig.tell(Event::FulcrumAttached { restarted: false });
    let of = |number| {
        config("web", number, |fields| {
            with_check(fields);
            fields.period = secs(2);
        })
    };
    let old = rig.up(&of(1), 1);
    rig.ask(update(&of(2), 2), Wait::Nothing);
    let new = rig.spawned()[0].instance.clone();
    let is_new = new.clone();
    // Its check fails at 4 s, and passes again at 6 s.
    rig.pass(millis(3900));
    rig.pass_with(
        millis(1200),
        |it, _| if *it == is_new { Err("slow".to_owned()) } else { Ok(()) },
    );
    let states = |rig: &Rig| rig.rows("web").into_iter().map(|it| (it.instance.unwrap(), it.state));
    let now: Vec<_> = states(&rig).collect();
    assert!(now.contains(&(old.clone(), RunState::Up)), "{now:?}");
    assert!(now.contains(&(new.clone(), RunState::Degraded)), "up for 5 s, and not well: {now:?}");
    rig.pass(secs(1));
    let now: Vec<_> = states(&rig).collect();
    assert!(now.contains(&(old, RunState::Draining)), "{now:?}");
    assert!(now.contains(&(new, RunState::Up)), "{now:?}");
}

#[test]
fn an_update_of_an_update_begins_when_the_first_one_is_gone() {
    let of = |number, count| {
        config("web", number, |fields| {
            with_port(fields);
            fields.count = count;
        })
    };
    let mut rig = Rig::new();
    rig.up(&of(1, 1), 1);
    rig.ask(update(&of(2, 1), 2), Wait::Nothing);
    let second = rig.spawned()[0].instance.clone();
    rig.log.clear();
    rig.ask(update(&of(3, 2), 3), Wait::Nothing);
    let ordinals = |rig: &Rig| rig.spawned().iter().map(|it| it.ordinal).collect::<Vec<_>>();
    assert_eq!(ordinals(&rig), [1], "in the first place there are two already");
    let commands = rig.tell(Event::Gone { instance: second, taken: Vec::new() });
    rig.obey(commands);
    rig.pass(secs(10));
    assert!(ordinals(&rig).contains(&0));
}

/// When the program is told to end, its tree is, and it is killed.
fn ends(rig: &mut Rig, from: Instant) -> Vec<Duration> {
    let mut at = Vec::new();
    while at.len() < 3 {
        let commands = rig.wake();
        let is_end = |it: &Command| matches!(it, Command::Terminate { .. } | Command::Kill { .. });
        at.extend(commands.iter().filter(|it| is_end(it)).map(|_| rig.now.since(from)));
    }
    at
}

#[test]
fn a_stop_of_the_node_that_has_the_time_takes_it_and_else_every_step_is_scaled() {
    let whole = secs(2 + 2 + 10 + 5);
    for (within, expected) in [
        (whole, [secs(4), secs(14), whole]),
        (whole + secs(100), [secs(4), secs(14), whole]),
        (whole / 2, [secs(2), secs(7), whole / 2]),
    ] {
        let mut rig = Rig::new();
        rig.tell(Event::FulcrumAttached { restarted: false });
        rig.up(&config("web", 1, with_port), 1);
        let from = rig.now;
        let commands = rig.tell(Event::Stop { within });
        assert!(!commands.iter().any(|it| matches!(it, Command::Terminate { .. })));
        let ends = ends(&mut rig, from);
        let near = |(a, b): (&Duration, &Duration)| a.abs_diff(*b) < STEP;
        assert!(ends.iter().zip(&expected).all(near), "{within:?}: {ends:?}");
        assert!(ends[2] <= within + Duration::from_micros(1), "{within:?}: {ends:?}");
    }
}

#[test]
fn a_quit_under_way_is_hurried_too() {
    let mut rig = Rig::new();
    rig.up(&config("job", 1, |_| ()), 1);
    rig.ask(Request::Stop("job".parse().unwrap()), Wait::Nothing);
    rig.pass(secs(4));
    let from = rig.now;
    rig.tell(Event::Stop { within: millis(5500) });
    let tree = rig.wake();
    assert!(matches!(tree[..], [Command::Terminate { tree: true, .. }]), "{tree:?}");
    assert!(rig.now.since(from).abs_diff(secs(3)) < STEP, "half of 6 s");
    assert!(matches!(rig.wake()[..], [Command::Kill { .. }]));
    assert!(rig.now.since(from).abs_diff(millis(5500)) < STEP);
}

#[test]
fn failures_count_from_the_end_of_the_start_period_on() {
    for (at, expected) in [(secs(30) - STEP, 0), (secs(30), 1)] {
        let mut rig = Rig::new();
        let web = config("web", 1, with_check);
        let (_, commands) = rig.request(add(&web, 1), Wait::Nothing);
        let from = rig.now;
        rig.obey_with(commands, refuse);
        // Up to the last check before: then its answer comes at exactly that time.
        while rig.state.deadline() < from + secs(29) {
            let commands = rig.wake();
            rig.obey_with(commands, refuse);
        }
        let commands = rig.wake();
        let asked = commands.iter().find_map(|it| match it {
            Command::Check { instance, check, .. } => Some((instance.clone(), *check)),
            _ => None,
        });
        let (instance, check) = asked.unwrap();
        // The engine is called in time.
        let result = Err("status 500".to_owned());
        rig.now = from + at;
        rig.tell(Event::Checked { instance, check, result });
        let inspect = rig.state.inspect(&web.name).unwrap();
        assert_eq!(inspect.checks[0].failures, expected, "after {at:?}");
    }
}

/// One failure of its only check that arrives so late after the engine was to be called.
fn failures_late(late: Duration, later: Duration) -> (u32, u32) {
    let mut rig = Rig::new();
    let instance = rig.up(&config("web", 1, with_check), 1);
    let checked = |rig: &mut Rig| {
        let result = Err("timed out".to_owned());
        let instance = instance.clone();
        rig.tell(Event::Checked { instance, check: 0, result });
        rig.state.inspect(&"web".parse().unwrap()).unwrap().checks[0].failures
    };
    rig.now = rig.state.deadline() + late;
    rig.tell(Event::Wake);
    let first = checked(&mut rig);
    let due = rig.state.deadline();
    rig.now = due.min(rig.now + later);
    rig.tell(Event::Wake);
    (first, checked(&mut rig))
}

#[test]
fn an_engine_called_late_counts_no_failures_and_none_for_a_period_after_a_gap() {
    // The first answer comes in the next call, at the same instant, which is not late.
    assert_eq!(failures_late(secs(2) - STEP, secs(10)), (1, 2), "no gap");
    assert_eq!(failures_late(secs(2), secs(10)), (0, 1), "a gap, and a period later");
    // An answer that comes while another check was due for so long.
    for (late, expected) in [(millis(500), 1), (millis(501), 0)] {
        let mut rig = Rig::new();
        let instance = rig.up(&config("web", 1, with_check), 1);
        rig.up(&config("other", 2, with_check), 2);
        assert!(matches!(rig.wake()[..], [Command::Check { .. }]));
        rig.now = rig.state.deadline() + late;
        let result = Err("timed out".to_owned());
        rig.tell(Event::Checked { instance, check: 0, result });
        let inspect = rig.state.inspect(&"web".parse().unwrap()).unwrap();
        assert_eq!(inspect.checks[0].failures, expected, "{late:?}");
    }
}

/// The lists of those that are not well, each with when it went out.
fn told(commands: &[Command]) -> Vec<usize> {
    let of = |command: &Command| match command {
        Command::Conditions(list) => Some(list.len()),
        _ => None,
    };
    commands.iter().filter_map(of).collect()
}

#[test]
fn a_status_goes_out_once_a_second_and_four_changes_in_a_minute_hold_it() {
    for flips in [3, 4] {
        let mut rig = Rig::new();
        rig.tell(Event::FulcrumAttached { restarted: false });
        let web = config("web", 1, |fields| {
            with_check(fields);
            fields.period = secs(2);
        });
        rig.up(&web, 1);
        let first = rig.state.deadline();
        for flip in 0..flips {
            let fails = flip % 2 == 0;
            let commands = rig.wake();
            rig.obey_with(commands, |_, _| if fails { Err("slow".to_owned()) } else { Ok(()) });
        }
        if flips == 3 {
            let commands = rig.wake();
            rig.obey(commands);
            continue;
        }
        assert_eq!(rig.states("web"), [RunState::Up]);
        assert_eq!(told(&rig.log), [1, 0, 1], "the second recovery is not told");
        rig.log.clear();
        rig.pass((first + secs(60) - STEP).since(rig.now));
        assert_eq!(told(&rig.log), [0; 0], "held");
        rig.pass(STEP);
        assert_eq!(told(&rig.log), [0]);
    }
}

#[test]
fn a_second_change_waits_for_its_second() {
    let mut rig = Rig::new();
    rig.tell(Event::FulcrumAttached { restarted: false });
    let instance = rig.up(&config("web", 1, with_port), 1);
    let paused = |paused| Event::Paused { instance: instance.clone(), paused };
    let from = rig.now;
    assert_eq!(told(&rig.tell(paused(true))), [1]);
    rig.now = from + secs(1) - STEP;
    assert_eq!(told(&rig.tell(paused(false))), [0; 0]);
    assert_eq!(rig.state.deadline(), from + secs(1));
    assert_eq!(told(&rig.wake()), [0]);
}

fn done(rig: &Rig, id: crux_protocol::picket::RequestId) -> bool {
    matches!(rig.answers[&id], Outcome::Done(_))
}

fn refused(rig: &Rig, id: crux_protocol::picket::RequestId) -> Option<Refusal> {
    match &rig.answers[&id] {
        Outcome::Refused(refusal) => Some(refusal.clone()),
        _ => None,
    }
}

#[test]
fn services_instances_and_registrations_up_to_the_bound() {
    let mut rig = Rig::new();
    for number in 0..SERVICES_MAX {
        let name = format!("s{number}");
        let id = rig.ask(add(&config(&name, 1, |_| ()), 1), Wait::Nothing);
        assert!(done(&rig, id), "{name}");
    }
    let id = rig.ask(add(&config("more", 1, |_| ()), 1), Wait::Nothing);
    assert_eq!(refused(&rig, id), Some(Refusal::Services));
    assert_eq!(rig.disk.services.len(), SERVICES_MAX);

    let of = |name: &str, count: usize, ports: bool| {
        config(name, 1, |fields| {
            fields.count = u16::try_from(count).unwrap();
            if ports {
                with_port(fields);
            }
        })
    };
    let each = 64;
    for (most, ports, refusal) in [
        (INSTANCES_MAX, false, Refusal::Instances),
        (REGISTRATIONS_MAX, true, Refusal::Registrations),
    ] {
        let mut rig = Rig::new();
        for number in 0..most / each {
            let id = rig.ask(add(&of(&format!("s{number}"), each, ports), 1), Wait::Nothing);
            assert!(done(&rig, id));
        }
        let id = rig.ask(add(&of("more", 1, ports), 1), Wait::Nothing);
        assert_eq!(refused(&rig, id), Some(refusal));
        let id = rig.ask(add(&of("s0", each - 1, ports), 1), Wait::Nothing);
        assert!(done(&rig, id), "fewer");
        let id = rig.ask(add(&of("more", 1, ports), 1), Wait::Nothing);
        assert!(done(&rig, id), "there is room for it");
    }
}

#[test]
fn requests_that_wait_up_to_the_bound() {
    let mut rig = Rig::new();
    let job = config("job", 1, |_| ());
    rig.request(add(&job, 1), Wait::Nothing);
    for _ in 0..QUEUE_MAX {
        let (_, commands) = rig.request(Request::Stop(job.name.clone()), Wait::Nothing);
        assert_eq!(commands, [], "the disk has not answered");
    }
    let (id, commands) = rig.request(Request::Stop(job.name.clone()), Wait::Nothing);
    let outcome = Outcome::Refused(Refusal::Busy);
    assert_eq!(commands, [Command::Answer { request: id, outcome }]);
}

#[test]
fn callers_that_wait_up_to_the_bound() {
    let mut rig = Rig::new();
    let web = config("web", 1, with_port);
    let (_, commands) = rig.request(add(&web, 1), Wait::Nothing);
    rig.obey_with(commands, refuse);
    for _ in 0..WAITERS_MAX {
        let id = rig.ask(add(&web, 1), Wait::Up);
        assert!(!rig.answers.contains_key(&id));
    }
    let id = rig.ask(add(&web, 1), Wait::Up);
    assert!(matches!(rig.answers[&id], Outcome::StillTrying(_)), "at once");
}

#[test]
fn ends_and_texts_are_kept_up_to_the_bound() {
    let mut rig = Rig::new();
    rig.ask(add(&config("job", 1, |_| ()), 1), Wait::Nothing);
    let first = rig.only(&"job").instance.unwrap();
    let ends = |rig: &Rig| {
        let inspect = rig.state.inspect(&"job".parse().unwrap()).unwrap();
        inspect.exits.into_iter().map(|exit| exit.instance).collect::<Vec<_>>()
    };
    for number in 1..=EXITS_MAX + 1 {
        crash(&mut rig);
        wait(&mut rig);
        assert_eq!(ends(&rig).len(), number.min(EXITS_MAX));
        assert_eq!(ends(&rig).contains(&first), number <= EXITS_MAX);
    }
    let mut rig = Rig::new();
    let (_, commands) = rig.request(add(&config("web", 1, with_check), 1), Wait::Nothing);
    let long = |length: usize| move |_: &InstanceId, _| Err("é".repeat(length));
    rig.obey_with(commands, long(TEXT_BYTES_MAX));
    assert_eq!(rig.only(&"web").reason.len(), TEXT_BYTES_MAX, "100 letters of two bytes");
    let commands = rig.wake();
    rig.obey_with(commands, |_, _| Err(format!("x{}", "é".repeat(100))));
    assert_eq!(rig.only(&"web").reason.len(), TEXT_BYTES_MAX - 1, "no half letter");
    let commands = rig.wake();
    rig.obey(commands);
    let inspect = rig.state.inspect(&"web".parse().unwrap()).unwrap();
    let check = &inspect.checks[0];
    assert_eq!((check.passed, &*check.text), (Some(true), ""), "of a failure that is over");
}

#[test]
fn a_port_of_a_number_is_no_other_ones() {
    let fixed = |name, number: u16| {
        config(name, 1, |fields| {
            let port = Port::Number(number.try_into().unwrap());
            fields.ports.push("http".parse().unwrap(), port).unwrap();
        })
    };
    let mut rig = Rig::new();
    rig.up(&fixed("a", 8080), 1);
    let id = rig.ask(add(&fixed("b", 8080), 1), Wait::Nothing);
    let by = "a".parse().unwrap();
    assert_eq!(refused(&rig, id), Some(Refusal::PortInUse { port: 8080, by }));
    let id = rig.ask(add(&fixed("b", 8081), 1), Wait::Nothing);
    assert!(done(&rig, id));
}
