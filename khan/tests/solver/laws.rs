//! Laws that hold of every program and world.

use crux_khan::checked::PickId;
use crux_khan::pass::{Action, Stages, pass};
use crux_khan::solve::{Problem, Reason, Solution, solve};
use crux_khan::world::{Amounts, Present, Room, Service, Usage, World};
use proptest::prelude::*;

use crate::case::{Case, Shape, applied, cases, config, present, service};
use crate::rules;

const SHAPE: Shape = Shape { nodes: 6, picks: 4, bound: true, places: None, usages: true };

fn any_case() -> impl Strategy<Value = Case> {
    prop_oneof![
        cases(SHAPE),
        cases(Shape { places: Some(2), ..SHAPE }),
        cases(Shape { places: Some(3), ..SHAPE }),
        cases(Shape { bound: false, places: Some(3), ..SHAPE }),
    ]
}

/// Weights and room that differ.
fn uneven() -> impl Strategy<Value = Case> {
    let weights = prop::collection::vec((0_u64..3, 1_u64..4), SHAPE.picks);
    (cases(Shape { places: Some(3), ..SHAPE }), weights).prop_map(|(mut case, weights)| {
        let nodes = case.world.nodes().iter().cloned();
        let nodes = nodes
            .map(|node| crux_khan::world::Node { room: Room([Some(3), Some(5), Some(3)]), ..node });
        let mut world = World::new(nodes.collect()).unwrap();
        for (pick, (cpu, memory)) in weights.into_iter().enumerate() {
            world
                .describe(service(pick), Service { weight: Amounts([cpu, memory, 1]), priority: 0 })
                .unwrap();
            for (node, present) in case.world.present_of(&service(pick)) {
                world.run(service(pick), &format!("n{node}"), present).unwrap();
            }
        }
        case.world = world;
        case
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn counts_caps_sets_and_room_hold(case in prop_oneof![3 => any_case(), 1 => uneven()]) {
        rules::check(&case.checked, &case.world, &solve(&case.checked, &case.world));
    }

    /// A solution is a fixed point, and a satisfied program changes nothing.
    #[test]
    fn a_satisfied_program_changes_nothing(case in prop_oneof![3 => any_case(), 1 => uneven()]) {
        let solution = solve(&case.checked, &case.world);
        let there = applied(&case, &solution);
        if has_room_later(&solution) {
            return settles(&case, there);
        }
        let again = solve(&case.checked, &there);
        prop_assert_eq!(&again.placements, &solution.placements);
        prop_assert_eq!(&again.problems, &solution.problems);
        prop_assert_eq!(again.cost.starts, 0);
        let plan = pass(&case.checked, &there, &Stages::default());
        prop_assert_eq!(plan.steps, vec![]);
    }

    /// A node is lost: what ran there starts elsewhere, and nothing else moves.
    #[test]
    fn loss_moves_only_what_was_lost(case in cases(Shape { nodes: 7, picks: 3, bound: false, places: None, usages: false }), lost in 0_usize..7) {
        let there = applied(&case, &solve(&case.checked, &case.world));
        let (world, gone) = lose(&there, lost);
        let solution = solve(&case.checked, &world);
        prop_assert!(solution.cost.starts <= gone);
        let case = Case { world, ..case };
        for (at, placement) in solution.placements.iter().enumerate() {
            let cap = placement.rules.as_ref().map_or(u32::MAX, |rules| rules.cap);
            for (node, wanted) in placement.wanted.iter().enumerate() {
                // A smaller set may bring the cap up, never down.
                prop_assert!(*wanted >= present(&case, PickId::new(at), node).min(cap));
            }
        }
    }

    /// The same with picks that rest on each other: what rests on nothing that was lost stays, unless the solver found
    /// no way that is proved the best. Then fewer instances missing count for more than one that moves.
    #[test]
    fn loss_moves_only_what_rests_on_it(case in cases(Shape { nodes: 7, places: None, usages: false, ..SHAPE }), lost in 0_usize..7) {
        let there = applied(&case, &solve(&case.checked, &case.world));
        let (world, _) = lose(&there, lost);
        let solution = solve(&case.checked, &world);
        if !solution.exact {
            return Ok(());
        }
        let mut touched = std::collections::BTreeSet::new();
        for (at, pick) in case.checked.picks().iter().enumerate() {
            let ran_there = there.present(&pick.service, lost).is_some();
            // `ALL` is smaller, and so may be a count or a set: a pick without an instance there keeps them all.
            if ran_there || pick.needs.iter().any(|on| touched.contains(&on.index())) {
                touched.insert(at);
                continue;
            }
            for (node, present) in world.present_of(&pick.service) {
                prop_assert!(solution.placements[at].wanted[node] >= present.count, "{} moves", pick.service);
            }
        }
    }

    #[test]
    fn the_order_of_arrival_does_not_matter(case in any_case(), turn in 0_usize..6) {
        let mut nodes = case.world.nodes().to_vec();
        nodes.rotate_left(turn);
        nodes.reverse();
        let mut world = World::new(nodes).unwrap();
        for pick in (0..SHAPE.picks).rev() {
            let present: Vec<(usize, Present)> = case.world.present_of(&service(pick)).collect();
            for (node, present) in present.into_iter().rev() {
                world.run(service(pick), &format!("n{node}"), present).unwrap();
            }
            world.describe(service(pick), case.world.service(&service(pick))).unwrap();
        }
        prop_assert_eq!(solve(&case.checked, &world), solve(&case.checked, &case.world));
    }

    /// Steps lead from what is present to what is wanted.
    #[test]
    fn steps_lead_to_what_is_wanted(case in any_case()) {
        let plan = pass(&case.checked, &case.world, &Stages::default());
        let mut there = case.world.clone();
        for step in &plan.steps {
            let service: crux_crdt::name::ServiceName = step.service.parse().unwrap();
            let node = there.index(&step.node).unwrap();
            let now = there.present(&service, node).map_or(0, |it| it.count);
            let count = if step.action == Action::Stop { now - step.count } else { now + step.count };
            there.run(service, &step.node, Present::of(count)).unwrap();
        }
        for pick in case.checked.picks() {
            let wanted = plan.wanted.get(pick.service.as_str());
            for (at, node) in there.nodes().iter().enumerate() {
                let count = wanted.and_then(|nodes| nodes.get(&node.name)).copied();
                prop_assert_eq!(there.present(&pick.service, at).map(|it| it.count), count);
            }
        }
        prop_assert_eq!(plan.explain.len(), plan.steps.len());
    }
}

/// Whether it says that there is room for something once it is carried out: then it may not stay.
fn has_room_later(solution: &Solution) -> bool {
    solution.problems.iter().any(|problem| match problem {
        Problem::Short { why, .. } => why.contains_key(&Reason::Later),
        Problem::Empty { .. } | Problem::Blocked { .. } | Problem::Arithmetic { .. } => false,
    })
}

/// The solution after the next stays.
fn settles(case: &Case, there: World) -> Result<(), TestCaseError> {
    let next = solve(&case.checked, &there);
    let there = applied(&Case { world: there, ..case.clone() }, &next);
    prop_assert!(!has_room_later(&next), "{:?}", next.problems);
    prop_assert_eq!(solve(&case.checked, &there).placements, next.placements);
    Ok(())
}

/// The world without a node: it is out, and nothing is present there. And how many instances were.
fn lose(world: &World, lost: usize) -> (World, u32) {
    let (mut after, mut gone) = (world.clone(), 0);
    let name = world.nodes()[lost].name.clone();
    after.set_usage(&name, Usage::Out).unwrap();
    let services: Vec<_> = world.services_present().cloned().collect();
    for service in services {
        gone += world.present(&service, lost).map_or(0, |it| it.count);
        after.run(service, &name, Present::of(0)).unwrap();
    }
    (after, gone)
}
