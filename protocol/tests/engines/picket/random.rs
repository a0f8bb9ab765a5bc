//! Anything that people do and anything that breaks, in any order: the invariants hold on every step, and
//! once nothing breaks any longer everything is as it is wanted.

use crux_protocol::picket::{Request, Wait};
use proptest::prelude::*;

use super::contents::{self, CONTENTS, SERVICES};
use super::rig::{millis, secs};
use super::world::World;

/// One thing that happens to the world.
#[derive(Debug, Clone)]
enum Act {
    Add(usize, u8, bool),
    Update(usize, u8, bool),
    Rollback(usize),
    Start(usize),
    Stop(usize, bool),
    Restart(usize),
    Remove(usize, bool),
    KillProgram(usize),
    KillKeeper(usize),
    KillPicket,
    PowerLoss,
    KillFulcrum,
    Disk(bool),
    Pause(usize, bool),
    Sick(usize, bool),
    Run(u64),
}

fn acts() -> impl Strategy<Value = Act> {
    let service = 0..SERVICES.len();
    let content = 0..CONTENTS;
    prop_oneof![
        6 => (service.clone(), content.clone(), any::<bool>()).prop_map(|(a, b, c)| Act::Add(a, b, c)),
        3 => (service.clone(), content, any::<bool>()).prop_map(|(a, b, c)| Act::Update(a, b, c)),
        1 => service.clone().prop_map(Act::Rollback),
        1 => service.clone().prop_map(Act::Start),
        1 => (service.clone(), any::<bool>()).prop_map(|(a, b)| Act::Stop(a, b)),
        1 => service.clone().prop_map(Act::Restart),
        1 => (service.clone(), any::<bool>()).prop_map(|(a, b)| Act::Remove(a, b)),
        2 => service.clone().prop_map(Act::KillProgram),
        1 => service.clone().prop_map(Act::KillKeeper),
        1 => Just(Act::KillPicket),
        1 => Just(Act::PowerLoss),
        1 => Just(Act::KillFulcrum),
        1 => any::<bool>().prop_map(Act::Disk),
        1 => (service.clone(), any::<bool>()).prop_map(|(a, b)| Act::Pause(a, b)),
        1 => (service, any::<bool>()).prop_map(|(a, b)| Act::Sick(a, b)),
        8 => prop_oneof![1..50u64, 50..3_000u64, 3_000..70_000u64].prop_map(Act::Run),
    ]
}

fn act(world: &mut World, act: &Act) {
    let wait = |waits: bool| if waits { Wait::Up } else { Wait::Nothing };
    let name = |service: usize| SERVICES[service].parse().unwrap();
    match *act {
        Act::Add(service, content, waits) => {
            world.ask(contents::add(service, content), wait(waits));
        }
        Act::Update(service, content, waits) => {
            world.ask(contents::update(service, content), wait(waits));
        }
        Act::Rollback(service) => world.ask(Request::Rollback(name(service)), Wait::Up),
        Act::Start(service) => world.ask(Request::Start(name(service)), Wait::Started),
        Act::Stop(service, waits) => world.ask(Request::Stop(name(service)), wait(waits)),
        Act::Restart(service) => world.ask(Request::Restart(name(service)), Wait::Up),
        Act::Remove(service, waits) => world.ask(Request::Remove(name(service)), wait(waits)),
        Act::KillProgram(service) => world.kill_program(SERVICES[service]),
        Act::KillKeeper(service) => world.kill_keeper(SERVICES[service]),
        Act::KillPicket => world.kill_picket(false),
        Act::PowerLoss => world.kill_picket(true),
        Act::KillFulcrum => world.kill_fulcrum(),
        Act::Disk(works) => world.disk(works),
        Act::Pause(service, paused) => world.pause(SERVICES[service], paused),
        Act::Sick(service, sick) => world.sicken(SERVICES[service], sick),
        Act::Run(time) => world.run(millis(time)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn whatever_happens_the_invariants_hold(
        seed in any::<u64>(),
        all in prop::collection::vec(acts(), 1..50),
    ) {
        let mut world = World::new(seed);
        all.iter().for_each(|it| act(&mut world, it));
        world.settle();
        world.stop(secs(8));
        world.run(secs(9));
        prop_assert!(world.stopped, "the node stops in time");
        prop_assert!(world.registered.is_empty());
    }
}

#[test]
fn a_world_without_faults_sees_every_kind_of_event_that_needs_none() {
    let mut world = World::new(1);
    world.run(secs(1));
    world.ask(contents::add(2, 0), Wait::Up);
    world.run(secs(70));
    world.ask(contents::update(2, 1), Wait::Up);
    world.run(secs(70));
    world.ask(contents::update(2, 3), Wait::Up);
    world.run(secs(70));
    world.ask(contents::add(0, 2), Wait::Nothing);
    world.run(secs(70));
    world.ask(Request::Remove(SERVICES[0].parse().unwrap()), Wait::Up);
    world.settle();
    let expected = [
        "added",
        "crash_loop",
        "exited",
        "fulcrum_restarted",
        "removed",
        "restarted",
        "rolled_back",
        "started",
        "up",
        "updated",
    ];
    assert_eq!(world.events.into_iter().collect::<Vec<_>>(), expected);
}
