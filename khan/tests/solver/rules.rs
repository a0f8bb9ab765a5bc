//! The rules that each solution keeps, checked from the outside.

use crux_khan::Checked;
use crux_khan::checked::PickId;
use crux_khan::solve::{Problem, Solution};
use crux_khan::world::{Amounts, Usage, World};

use crate::naive::{Placed, demand};

/// Checks that counts, caps, sets and room hold in a solution, and that it says what it leaves open.
pub(crate) fn check(checked: &Checked, world: &World, solution: &Solution) {
    let ids = (0..checked.picks().len()).map(PickId::new);
    let placed: Placed = ids.map(|pick| (pick, solution.of(pick).wanted.clone())).collect();
    let mut unsolved = Vec::new();
    for (pick, wanted) in &placed {
        let service = &checked.pick(*pick).service;
        let present = |node: usize| world.present(service, node).map_or(0, |it| it.count);
        let problem = solution.problems.iter().find(|it| it.service() == service.as_str());
        let blocked = checked.pick(*pick).needs.iter().any(|on| unsolved.contains(on));
        let demand = demand(checked, world, &placed, *pick).filter(|_| !blocked);
        let Some(demand) = demand else {
            unsolved.push(*pick);
            assert!(solution.of(*pick).rules.is_none(), "'{service}' has no solution");
            let kind = problem.unwrap_or_else(|| panic!("nothing is said about '{service}'"));
            assert_eq!(matches!(kind, Problem::Blocked { .. }), blocked, "{kind}");
            assert!(!matches!(kind, Problem::Short { .. }), "{kind}");
            (0..wanted.len())
                .for_each(|at| assert_eq!(wanted[at], present(at), "'{service}' is left alone"));
            continue;
        };
        let rules = solution
            .of(*pick)
            .rules
            .as_ref()
            .unwrap_or_else(|| panic!("'{service}' has a solution"));
        assert_eq!(
            (rules.set.iter().collect(), rules.cap, rules.count),
            (demand.set.clone(), demand.cap, demand.count)
        );
        let missing = problem.map_or(0, Problem::missing);
        assert_eq!(wanted.iter().sum::<u32>() + missing, demand.count, "'{service}': {problem:?}");
        assert!(problem.is_none() || missing > 0, "{problem:?}");
        for (node, count) in wanted.iter().enumerate() {
            assert!(*count <= demand.cap, "'{service}' has {count} on node {node}");
            assert!(*count == 0 || demand.set.contains(&node), "'{service}' is outside of its set");
            let open = world.nodes()[node].usage == Usage::Open;
            assert!(open || *count <= present(node), "'{service}' arrives on node {node}");
        }
    }
    room(checked, world, solution);
    cost(checked, world, solution, unsolved.len());
}

/// Where there is room, what is wanted has it; where more ran than there was, it is no more.
fn room(checked: &Checked, world: &World, solution: &Solution) {
    for (at, node) in world.nodes().iter().enumerate() {
        let (mut used, mut was) = (Amounts::default(), Amounts::default());
        for (pick, placement) in checked.picks().iter().zip(&solution.placements) {
            let weight = world.service(&pick.service).weight;
            used.add(weight, placement.wanted[at]);
            was.add(weight, world.present(&pick.service, at).map_or(0, |it| it.count));
        }
        for resource in 0..3 {
            let room = node.room.0[resource].unwrap_or(u64::MAX);
            assert!(
                used.0[resource] <= room.max(was.0[resource]),
                "{}: {used:?}, was {was:?}",
                node.name
            );
        }
    }
}

fn cost(checked: &Checked, world: &World, solution: &Solution, unsolved: usize) {
    let mut starts = 0;
    for (pick, placement) in checked.picks().iter().zip(&solution.placements) {
        for (at, wanted) in placement.wanted.iter().enumerate() {
            starts +=
                wanted.saturating_sub(world.present(&pick.service, at).map_or(0, |it| it.count));
        }
    }
    let missing: u32 = solution.problems.iter().map(Problem::missing).sum();
    let cost = solution.cost;
    assert_eq!((cost.unsolved as usize, cost.missing, cost.starts), (unsolved, missing, starts));
}
