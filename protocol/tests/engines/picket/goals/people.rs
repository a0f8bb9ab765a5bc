//! Goals beside services of people, and beside each other.

use crux_crdt::record::Stage;
use crux_protocol::picket::{
    Command, Event, Exit, Goal, Happened, Kind, Outcome, Refusal, Request, RunState, Wait,
};

use super::super::rig::{add, blob, config, secs, update, with_port};
use super::*;

#[test]
fn what_a_set_does_not_name_ends_in_order_and_services_of_people_stay() {
    let mut rig = attached();
    let mine = rig.up(&config("mine", 7, with_port), 7);
    let (api, web) = (config("api", 1, with_port), config("web", 2, with_port));
    accept(&mut rig, set(order(4, 1), vec![run(&api, 1), run(&web, 2)]));
    rig.pass(secs(70));
    assert_eq!(rows(&rig), [row("api", Stage::Ready, 1), row("web", Stage::Ready, 1)]);
    let web = rig.only(&"web").instance.unwrap();
    rig.log.clear();
    accept(&mut rig, set(order(4, 2), vec![run(&api, 1)]));
    assert_eq!(
        rig.disk.services.keys().map(ToString::to_string).collect::<Vec<_>>(),
        ["api", "mine"]
    );
    assert_eq!(rows(&rig), [row("api", Stage::Ready, 1), row("web", Stage::Stopping, 1)]);
    rig.pass(secs(60));
    let ends = rig.log.iter().filter(|command| match command {
        Command::Terminate { instance, .. } | Command::Kill { instance } => {
            assert_eq!(*instance, web, "no other one");
            true
        }
        _ => false,
    });
    assert!(ends.count() >= 2);
    assert!(rig.kinds().contains(&"removed"));
    assert_eq!(rows(&rig), [row("api", Stage::Ready, 1)], "in the list until it is gone");
    assert_eq!(rig.only(&"mine").instance, Some(mine.clone()));
    accept(&mut rig, set(order(4, 3), Vec::new()));
    rig.pass(secs(60));
    assert_eq!(rows(&rig), []);
    assert_eq!(rig.only(&"mine").instance, Some(mine));
}

#[test]
fn a_name_that_a_person_has_is_not_touched_and_the_goal_waits_until_it_is_free() {
    let mut rig = attached();
    let mine = rig.up(&config("web", 7, with_port), 7);
    let theirs = config("web", 1, with_port);
    let (id, commands) = rig.request(set(order(4, 1), vec![run(&theirs, 1)]), Wait::Nothing);
    assert!(matches!(&commands[..], [Command::Save(_), Command::Pins(_)]), "{commands:#?}");
    let commands = rig.tell(Event::Saved { generation: 2 });
    let reason = "service web was added by a person".to_owned();
    let (service, instance) = (Some(name("web")), None);
    let blocked = Happened { kind: Kind::Blocked, service, instance, reason };
    let [Command::Happened(happened), Command::Answer { request, .. }, Command::Owned(owned)] =
        &commands[..]
    else {
        panic!("{commands:#?}")
    };
    assert_eq!((happened, *request), (&blocked, id));
    assert_eq!((owned.rows.len(), owned.rows[0].stage), (1, Stage::Blocked));
    rig.obey(commands);
    rig.log.clear();
    rig.pass(secs(70));
    assert_eq!(rig.only(&"web").instance, Some(mine.clone()));
    // The next pass says nothing new about it.
    accept(&mut rig, set(order(4, 2), vec![run(&theirs, 1)]));
    accept(&mut rig, set(order(4, 3), vec![("web".to_owned(), Goal::Keep)]));
    assert!(!rig.kinds().contains(&"blocked"), "once");
    assert_eq!(rows(&rig), [row("web", Stage::Blocked, 1)]);
    assert_eq!(rig.only(&"web").instance, Some(mine.clone()));

    let id = rig.ask(Request::Remove(name("web")), Wait::Up);
    rig.pass(secs(2));
    assert_eq!(rows(&rig), [row("web", Stage::Blocked, 1)], "it is still there");
    let after = rig.log.iter().any(|command| matches!(command, Command::Spawn { .. }));
    assert!(!after, "something of the other is left");
    rig.pass(secs(70));
    assert!(matches!(rig.answers[&id], Outcome::Done(_)), "its person was answered before");
    assert_eq!(rows(&rig), [row("web", Stage::Ready, 1)]);
    let kinds = rig.kinds();
    let at = |kind| kinds.iter().rposition(|it| *it == kind).unwrap();
    assert!(at("removed") < at("added"), "{kinds:?}");
    assert_eq!(rig.only(&"web").image, blob(1));
    assert!(rig.disk.accepted.blocked.is_empty());
}

#[test]
fn a_goal_that_waits_is_known_after_a_restart_and_its_image_is_kept() {
    let mut rig = attached();
    rig.up(&config("web", 7, with_port), 7);
    accept(&mut rig, set(order(4, 1), vec![run(&config("web", 1, with_port), 1)]));
    let commands = rig.reborn(Vec::new());
    let pins = Command::Pins([blob(1), blob(7)].into());
    assert!(commands.contains(&pins), "{commands:#?}");
    rig.obey(commands);
    rig.ask(Request::Remove(name("web")), Wait::Up);
    rig.pass(secs(70));
    assert_eq!(rig.only(&"web").image, blob(1), "alone, without a fulcrum");
}

/// Its own change may wait for the disk: nothing of the target begins before it is there.
#[test]
fn a_goal_that_waited_begins_once_a_full_disk_has_it() {
    let mut rig = attached();
    rig.up(&config("web", 7, |_| ()), 7);
    accept(&mut rig, set(order(4, 1), vec![run(&config("web", 1, |_| ()), 1)]));
    rig.ask(Request::Remove(name("web")), Wait::Nothing);
    rig.pass(secs(9));
    rig.log.clear();
    let instance = rig.only(&"web").instance.unwrap();
    rig.tell(Event::Exited { instance: instance.clone(), exit: Exit::Signal(15) });
    let commands = rig.tell(Event::Gone { instance, taken: Vec::new() });
    let saved = commands.iter().find_map(|command| match command {
        Command::Save(desired) => Some(desired.clone()),
        _ => None,
    });
    let desired = saved.unwrap();
    assert!(desired.accepted.blocked.is_empty());
    let generation = desired.generation;
    let commands = rig.tell(Event::SaveFailed { generation, reason: "full".to_owned() });
    assert_eq!(commands, [], "and it is not tried at once");
    assert!(rig.rows("web").is_empty());
    let commands = rig.wake();
    let [Command::Save(desired)] = &commands[..] else { panic!("{commands:#?}") };
    assert!(desired.services.contains_key(&name("web")));
    rig.obey(commands);
    rig.pass(secs(5));
    assert_eq!(rig.only(&"web").state, RunState::Up);
}

#[test]
fn a_person_has_a_service_of_the_target_started_again_and_no_more() {
    let mut rig = attached();
    let web = config("web", 1, with_port);
    accept(&mut rig, set(order(4, 1), vec![run(&web, 1)]));
    rig.pass(secs(70));
    let before = rig.only(&"web").instance;
    let web_name = || name("web");
    for request in [
        Request::Stop(web_name()),
        Request::Remove(web_name()),
        Request::Rollback(web_name()),
        add(&web, 1),
        update(&config("web", 2, with_port), 2),
    ] {
        let refusal = refused(&mut rig, request.clone());
        assert_eq!(refusal, Refusal::OfTarget(web_name()), "{request:?}");
    }
    assert_eq!(rig.only(&"web").instance, before);
    rig.ask(Request::Start(web_name()), Wait::Nothing);
    assert_eq!(rig.only(&"web").instance, before, "it runs");
    let id = rig.ask(Request::Restart(web_name()), Wait::Up);
    rig.pass(secs(70));
    assert!(matches!(rig.answers[&id], Outcome::Done(_)));
    assert_ne!(rig.only(&"web").instance, before);
    assert_eq!(rows(&rig), [row("web", Stage::Ready, 1)]);
}

#[test]
fn a_service_with_another_name_waits_for_the_port_of_the_one_that_goes() {
    let mut rig = attached();
    accept(&mut rig, set(order(4, 1), vec![run(&config("old", 1, on_port(80)), 1)]));
    rig.pass(secs(70));
    rig.log.clear();
    accept(&mut rig, set(order(5, 1), vec![run(&config("new", 1, on_port(80)), 1)]));
    rig.pass(secs(10));
    assert!(rig.spawned().is_empty(), "nor does it fail");
    assert_eq!(rows(&rig), [row("new", Stage::Starting, 1), row("old", Stage::Stopping, 1)]);
    rig.pass(secs(60));
    assert_eq!(rows(&rig), [row("new", Stage::Ready, 1)]);
    assert!(!rig.kinds().contains(&"crash_loop"));
}

#[test]
fn what_runs_makes_no_room_for_what_is_new() {
    let mut rig = attached();
    rig.up(&config("mine", 7, on_port(80)), 7);
    let all = vec![
        run(&config("a", 1, on_port(80)), 1),
        run(&config("b", 2, on_port(81)), 2),
        run(&config("c", 3, on_port(81)), 3),
    ];
    accept(&mut rig, set(order(4, 1), all));
    rig.pass(secs(70));
    let expected =
        [row("a", Stage::Blocked, 1), row("b", Stage::Ready, 1), row("c", Stage::Blocked, 1)];
    assert_eq!(rows(&rig), expected, "by name where all is new");
    // Now b is there, and a would come before it.
    let all = vec![run(&config("a", 1, on_port(81)), 1), run(&config("b", 2, on_port(81)), 2)];
    accept(&mut rig, set(order(4, 2), all));
    assert_eq!(rows(&rig), [row("a", Stage::Blocked, 1), row("b", Stage::Ready, 1)]);
    // A goal without room leaves all as it was, and is tried when there is some.
    let all = vec![run(&config("b", 2, on_port(80)), 2)];
    accept(&mut rig, set(order(4, 3), all));
    assert_eq!(rows(&rig), [row("b", Stage::Ready, 1), row("b", Stage::Blocked, 1)]);
    rig.pass(secs(70));
    rig.ask(Request::Remove(name("mine")), Wait::Nothing);
    rig.pass(secs(100));
    assert_eq!(rows(&rig), [row("b", Stage::Ready, 1)]);
    assert_eq!(rig.only(&"b").ports.values().collect::<Vec<_>>(), [&80]);
}
