//! A set is one generation, in its order.

use crux_crdt::Principal;
use crux_crdt::record::{Pass, Stage};
use crux_protocol::picket::{
    Accepted, Assigned, BATCHES_MAX, Batch, Batches, Command, Desired, Event, Goal, Goals,
    GoalsError, Happened, Kind, Order, Outcome, Owned, OwnedRow, Owner, Refusal, RunState, Wait,
};

use super::super::rig::{Rig, blob, config, image, secs, with_port};
use super::*;

#[test]
fn a_set_is_one_generation_and_nothing_of_it_begins_before_that_is_durable() {
    let mut rig = attached();
    let (api, web) = (config("api", 1, |_| ()), config("web", 2, |_| ()));
    let (id, commands) = rig
        .request(set(order(4, 1), vec![run(&api, 1), many(&web, 2, batches(&[(1, 2)]))]), Wait::Up);
    let [Command::Save(desired), Command::Pins(pins)] = &commands[..] else {
        panic!("{commands:#?}")
    };
    assert_eq!((desired.generation, pins), (1, &[blob(1), blob(2)].into()));
    let accepted = Accepted { order: Some(order(4, 1)), ..Accepted::default() };
    assert_eq!(desired.accepted, accepted);
    let of = |text: &str| &desired.services[&name(text)];
    let goal = assigned(&web, 2, batches(&[(1, 2)]));
    let owner = Owner::Target { spec: goal.spec(), batches: goal.batches().clone() };
    assert_eq!((&of("web").owner, of("web").current.config.count), (&owner, 2));
    assert_eq!((of("web").current.number, of("api").current.number), (1, 1));
    assert!(rig.state.rows().is_empty(), "nothing of it");

    let commands = rig.tell(Event::Saved { generation: 1 });
    let happened = |text: &str| {
        let (service, instance, reason) = (Some(name(text)), None, String::new());
        Command::Happened(Happened { kind: Kind::Added, service, instance, reason })
    };
    let outcome = Outcome::Done(Vec::new());
    let starting = |row: &Assigned, count| OwnedRow {
        service: row.config().name.clone(),
        spec: row.spec(),
        stage: Stage::Starting,
        first: first(1),
        count,
    };
    let all = vec![starting(&assigned(&api, 1, one()), 1), starting(&goal, 2)];
    let expected = [
        happened("api"),
        happened("web"),
        Command::Answer { request: id, outcome },
        Command::Seal(image(1)),
        Command::Seal(image(2)),
        Command::Owned(Owned { order: Some(order(4, 1)), rows: all }),
    ];
    assert_eq!(commands, expected);
}

#[test]
fn an_older_order_changes_nothing_whatever_its_pass() {
    let mut rig = attached();
    let web = |number| config("web", number, |_| ());
    accept(&mut rig, set(order(4, 5), vec![run(&web(1), 1)]));
    let held = Box::new(order(4, 5));
    for old in [order(3, 9), order(4, 4), order(0, 5)] {
        let refusal = refused(&mut rig, set(old, vec![run(&web(2), 2)]));
        assert_eq!(refusal, Refusal::OldOrder { held: held.clone() }, "{old:?}");
        let refusal = refused(&mut rig, set(old, Vec::new()));
        assert_eq!(refusal, Refusal::OldOrder { held: held.clone() }, "nor does it stop anything");
    }
    assert_eq!(rig.disk.accepted.order, Some(order(4, 5)));
    accept(&mut rig, set(order(5, 1), vec![run(&web(1), 1)]));
    assert_eq!(rig.disk.accepted.order, Some(order(5, 1)), "a later target, also of an early pass");
    assert_eq!(rig.disk.services[&name("web")].current.number, 1);
    rig.reborn(Vec::new());
    let refusal = refused(&mut rig, set(order(4, 9), Vec::new()));
    assert_eq!(refusal, Refusal::OldOrder { held: Box::new(order(5, 1)) }, "nor after a restart");
}

#[test]
fn orders_of_one_target_and_pass_number_are_told_apart_by_term_and_leader() {
    let of = |term, leader| {
        let pass = Pass { term, leader: Principal([leader; 32]), pass: 1 };
        Order { pass, ..order(4, 1) }
    };
    let mut rig = attached();
    accept(&mut rig, set(of(3, 5), Vec::new()));
    for old in [of(2, 9), of(3, 4)] {
        refused(&mut rig, set(old, Vec::new()));
    }
    accept(&mut rig, set(of(3, 6), Vec::new()));
    accept(&mut rig, set(of(4, 1), Vec::new()));
}

#[test]
fn the_same_set_again_changes_nothing() {
    let mut rig = attached();
    let all = || vec![run(&config("web", 1, with_port), 1)];
    accept(&mut rig, set(order(4, 5), all()));
    rig.pass(secs(70));
    let (id, commands) = rig.request(set(order(4, 5), all()), Wait::Nothing);
    let outcome = Outcome::Done(Vec::new());
    assert_eq!(commands, [Command::Answer { request: id, outcome }]);
    // The next pass for the same is written, because its order must not be forgotten.
    let (_, commands) = rig.request(set(order(4, 6), all()), Wait::Nothing);
    assert!(matches!(&commands[..], [Command::Save(_)]), "{commands:#?}");
    let commands = rig.tell(Event::Saved { generation: 2 });
    let [Command::Answer { .. }, Command::Owned(owned)] = &commands[..] else {
        panic!("{commands:#?}")
    };
    assert_eq!(owned.order, Some(order(4, 6)));
}

#[test]
fn a_disk_that_refuses_leaves_the_last_set() {
    let mut rig = attached();
    accept(&mut rig, set(order(4, 1), vec![run(&config("web", 1, with_port), 1)]));
    rig.pass(secs(70));
    let next = vec![run(&config("api", 2, with_port), 2)];
    let (id, _) = rig.request(set(order(5, 1), next.clone()), Wait::Nothing);
    let reason = "no space".to_owned();
    let commands = rig.tell(Event::SaveFailed { generation: 2, reason: reason.clone() });
    let outcome = Outcome::Refused(Refusal::Disk(reason));
    let pins = Command::Pins([blob(1)].into());
    assert_eq!(commands, [Command::Answer { request: id, outcome }, pins]);
    assert_eq!((rig.states("web"), rig.states("api")), (vec![RunState::Up], Vec::new()));
    accept(&mut rig, set(order(5, 1), next));
    assert_eq!(rig.disk.accepted.order, Some(order(5, 1)));
}

#[test]
fn goals_wait_for_adoption_and_are_refused_while_the_node_stops() {
    let mut rig = Rig::before_adoption(Desired::default());
    let goals = || set(order(4, 1), vec![run(&config("web", 1, with_port), 1)]);
    let (first, commands) = rig.request(goals(), Wait::Nothing);
    assert_eq!(commands, []);
    let commands = rig.tell(Event::AdoptionOver);
    assert!(matches!(&commands[..], [Command::Save(_), Command::Pins(_)]), "{commands:#?}");
    rig.tell(Event::Cancel { id: first });
    let commands = rig.tell(Event::Saved { generation: 1 });
    let answers = commands.iter().filter(|it| matches!(it, Command::Answer { .. })).count();
    assert_eq!(answers, 0, "its fulcrum ended");
    rig.obey(commands);
    assert_eq!(rig.states("web"), [RunState::Up], "and it holds");
    rig.tell(Event::Stop { within: secs(8) });
    assert_eq!(refused(&mut rig, goals()), Refusal::Stopping);
}

#[test]
fn sets_are_bounded_and_agree_with_themselves() {
    let all = |count: u16| {
        let name = |number| format!("s{number}").parse().unwrap();
        (0..count).map(|number| (name(number), Goal::Keep)).collect()
    };
    assert!(Goals::new(order(1, 1), all(128)).is_ok());
    assert_eq!(Goals::new(order(1, 1), all(129)), Err(GoalsError::TooMany(129)));
    let goal = Goal::Run(Box::new(assigned(&config("web", 1, with_port), 1, one())));
    let wrong = Goals::new(order(1, 1), [(name("api"), goal)].into());
    assert!(matches!(wrong, Err(GoalsError::OtherService { .. })));
    let batch = |of, count| Batch { first: first(of), count };
    assert_eq!(Batches::new(Vec::new()), None);
    assert_eq!(Batches::new(vec![batch(1, 0)]), None);
    assert_eq!(Batches::new(vec![batch(1, u16::MAX), batch(2, 1)]), None);
    let full: Vec<Batch> = (0..=BATCHES_MAX as u64).map(|first| batch(first, 1)).collect();
    assert!(Batches::new(full[1..].to_vec()).is_some());
    assert_eq!(Batches::new(full), None);
    let put = Batches::new(vec![batch(2, 1), batch(1, 1), batch(2, 3)]).unwrap();
    assert_eq!(put.as_slice(), [batch(1, 1), batch(2, 4)]);
    let firsts: Vec<u64> = (0..6).map(|at| put.first_of(at).unwrap().pass).collect();
    assert_eq!(firsts, [1, 2, 2, 2, 2, 2]);
    let fixed = config("web", 1, on_port(80));
    assert_eq!(
        Assigned::new(&fixed, image(1), batches(&[(1, 2)])),
        None,
        "one port, two instances"
    );
}

/// As many as a node takes, one by one: the footprint is that of the last set.
#[test]
fn a_thousand_sets_leave_no_trace() {
    let mut rig = attached();
    for pass in 1..=1000 {
        let text = format!("s{}", pass % 7);
        let all = vec![run(&config(&text, 1, with_port), 1)];
        accept(&mut rig, set(order(4, pass), all));
        rig.answers.clear();
        rig.log.clear();
        if pass % 100 == 0 {
            rig.pass(secs(60));
            let footprint = rig.state.footprint();
            assert!(footprint.services == 1 && footprint.instances == 1, "{footprint:?}");
            assert!(footprint.remembered < 20, "{footprint:?}");
        }
    }
    accept(&mut rig, set(order(4, 1001), Vec::new()));
    rig.pass(secs(60));
    let footprint = rig.state.footprint();
    assert_eq!((footprint.services, footprint.instances), (0, 0), "{footprint:?}");
}
