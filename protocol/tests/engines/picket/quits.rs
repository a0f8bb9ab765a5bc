//! The end of an instance: withdrawn, drained, SIGTERM, SIGTERM to the tree, killed.

use crux_protocol::picket::{
    Command, Event, Exit, InstanceId, Kind, Outcome, Request, RequestId, RunState, Wait,
};

use super::rig::{Rig, config, happened, kind, millis, secs, with_port};

fn attached() -> Rig {
    let mut rig = Rig::new();
    let commands = rig.tell(Event::FulcrumAttached { restarted: false });
    rig.obey(commands);
    rig
}

fn stop(rig: &mut Rig, name: &str) -> (RequestId, Vec<Command>) {
    let (id, commands) = rig.request(Request::Stop(name.parse().unwrap()), Wait::Up);
    let [Command::Save(desired)] = &commands[..] else { panic!("{commands:?}") };
    let generation = desired.generation;
    rig.disk = desired.clone();
    (id, rig.tell(Event::Saved { generation }))
}

fn terminate(instance: &InstanceId, tree: bool) -> Command {
    Command::Terminate { instance: instance.clone(), tree }
}

#[test]
fn the_whole_way() {
    let mut rig = attached();
    let instance = rig.up(&config("web", 1, with_port), 1);
    let (id, commands) = stop(&mut rig, "web");
    let note = Command::Note { instance: instance.clone(), up: false };
    let publish = Command::Publish { seq: 3, registrations: [].into() };
    assert_eq!(commands, [note, publish]);
    assert_eq!(rig.states("web"), [RunState::Draining]);

    let from = rig.now;
    rig.now = rig.now + millis(300);
    assert_eq!(rig.tell(Event::Published { seq: 2 }), [], "an earlier word");
    assert_eq!(rig.state.deadline(), from + secs(2), "2 s at most");
    assert_eq!(rig.tell(Event::Published { seq: 3 }), []);
    assert_eq!(rig.state.deadline(), rig.now + secs(2), "drain");
    assert_eq!(rig.wake(), [terminate(&instance, false)]);
    assert_eq!(rig.states("web"), [RunState::Stopping]);
    assert_eq!(rig.state.deadline(), rig.now + secs(10), "quit_timeout");
    assert_eq!(rig.wake(), [terminate(&instance, true)]);
    assert_eq!(rig.state.deadline(), rig.now + secs(5));
    let kill = Command::Kill { instance: instance.clone() };
    assert_eq!(rig.wake(), std::slice::from_ref(&kill));
    assert_eq!(rig.wake(), [kill], "said again");

    let commands = rig.tell(Event::Gone { instance: instance.clone(), taken: Vec::new() });
    let rows = rig.rows("web");
    assert_eq!(rows[0].state, RunState::Stopped);
    let outcome = Outcome::Done(rows);
    assert_eq!(
        commands,
        [
            Command::Forget { instance: instance.clone() },
            happened(Kind::Stopped, "web", &instance, ""),
            Command::Answer { request: id, outcome },
        ]
    );
    rig.tell(Event::Forgotten { instance });
    assert_eq!(rig.state.deadline(), crux_protocol::time::Instant::NEVER);
}

#[test]
fn one_that_ends_in_time_is_not_signalled_again() {
    let mut rig = attached();
    let instance = rig.up(&config("web", 1, with_port), 1);
    let (_, commands) = stop(&mut rig, "web");
    rig.obey(commands);
    let commands = rig.wake();
    assert_eq!(commands, [terminate(&instance, false)]);
    let exit = Exit::Signal(15);
    let commands = rig.tell(Event::Exited { instance: instance.clone(), exit });
    assert_eq!(commands, [Command::Kill { instance }], "only what it forked is killed");
    rig.obey(commands);
    assert_eq!(rig.kinds().last(), Some(&"stopped"));
    assert!(!rig.kinds().contains(&"exited"), "it was told to");
}

#[test]
fn nobody_waits_for_a_fulcrum_that_is_away_or_goes_away_or_says_nothing() {
    for case in ["away", "goes", "mute"] {
        let mut rig = attached();
        let instance = rig.up(&config("web", 1, with_port), 1);
        if case == "away" {
            rig.tell(Event::FulcrumAway);
        }
        let (_, commands) = stop(&mut rig, "web");
        let from = rig.now;
        if case == "goes" {
            rig.now = rig.now + millis(100);
            rig.tell(Event::FulcrumAway);
        }
        if case == "mute" {
            assert!(matches!(commands.last(), Some(Command::Publish { .. })));
            assert_eq!(rig.wake(), []);
            assert_eq!(rig.now, from + secs(2));
        }
        let before = rig.now;
        assert_eq!(rig.wake(), [terminate(&instance, false)], "{case}");
        assert_eq!(rig.now, before + secs(2), "{case}: drained");
    }
}

#[test]
fn what_is_not_registered_is_terminated_at_once() {
    let mut rig = attached();
    let instance = rig.up(&config("job", 1, |_| ()), 1);
    let (_, commands) = stop(&mut rig, "job");
    let note = Command::Note { instance: instance.clone(), up: false };
    assert_eq!(commands, [note, terminate(&instance, false)]);
}

#[test]
fn the_node_stops_within_its_time_and_starts_nothing() {
    let mut rig = attached();
    let web = rig.up(&config("web", 1, with_port), 1);
    let job = rig.up(&config("job", 2, |_| ()), 2);
    let from = rig.now;
    let commands = rig.tell(Event::Stop { within: secs(8) });
    assert!(commands.contains(&terminate(&job, false)), "all at once: {commands:?}");
    let (id, commands) = rig.request(Request::Start("job".parse().unwrap()), Wait::Nothing);
    let refused = Outcome::Refused(crux_protocol::picket::Refusal::Stopping);
    assert_eq!(commands, [Command::Answer { request: id, outcome: refused }]);
    let mut killed = Vec::new();
    while killed.len() < 2 {
        killed.extend(rig.wake().into_iter().filter_map(|command| match command {
            Command::Kill { instance } => Some((instance, rig.now.since(from))),
            _ => None,
        }));
    }
    assert!(killed.iter().all(|(_, at)| *at <= secs(8) + millis(1)), "{killed:?}");
    assert!(killed.iter().all(|(_, at)| *at >= secs(7)), "{killed:?}");
    rig.tell(Event::Gone { instance: web, taken: Vec::new() });
    let commands = rig.tell(Event::Gone { instance: job, taken: Vec::new() });
    assert_eq!(commands.last(), Some(&Command::AllStopped));
    assert!(rig.disk.services.values().all(|wanted| wanted.run), "they run again next time");
    assert_eq!(rig.tell(Event::Wake), []);
}

#[test]
fn a_second_stop_of_the_node_may_only_be_faster() {
    let mut rig = attached();
    rig.up(&config("web", 1, with_port), 1);
    let from = rig.now;
    rig.tell(Event::Stop { within: secs(60) });
    rig.now = rig.now + secs(1);
    rig.tell(Event::Stop { within: secs(100) });
    rig.tell(Event::Stop { within: secs(3) });
    loop {
        let commands = rig.wake();
        if commands.iter().any(|command| matches!(command, Command::Kill { .. })) {
            break;
        }
    }
    assert!(rig.now.since(from) <= secs(4) + millis(1), "{:?}", rig.now.since(from));
}

#[test]
fn a_node_without_services_stops_at_once() {
    let mut rig = Rig::new();
    assert_eq!(rig.tell(Event::Stop { within: secs(8) }), [Command::AllStopped]);
}

#[test]
fn a_removed_service_is_forgotten_once_nothing_is_left() {
    let mut rig = attached();
    let instance = rig.up(&config("web", 1, with_port), 1);
    let id = rig.ask(Request::Remove("web".parse().unwrap()), Wait::Up);
    assert!(rig.disk.services.is_empty());
    rig.pass(secs(3));
    assert!(!rig.answers.contains_key(&id));
    let again = rig.ask(super::rig::add(&config("web", 2, with_port), 2), Wait::Up);
    assert!(matches!(rig.answers[&id], Outcome::Overtaken(_)), "somebody wants it again");
    assert_eq!(rig.rows("web").len(), 1, "the old one has not ended yet");
    rig.tell(Event::Exited { instance: instance.clone(), exit: Exit::Code(0) });
    let commands = rig.tell(Event::Gone { instance, taken: Vec::new() });
    assert!(!commands.iter().filter_map(kind).any(|kind| kind == "removed"));
    rig.obey(commands);
    rig.pass(secs(1));
    assert!(matches!(rig.answers[&again], Outcome::Done(_)));
    let id = rig.ask(Request::Remove("web".parse().unwrap()), Wait::Up);
    rig.pass(secs(30));
    assert_eq!(rig.answers[&id], Outcome::Done(Vec::new()));
    assert_eq!(rig.kinds().last(), Some(&"removed"));
    assert_eq!(rig.state.footprint().services, 0);
}
