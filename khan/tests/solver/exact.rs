//! Picks that rest on no other: the solver finds what trying everything finds.

use std::collections::BTreeSet;

use crux_khan::checked::PickId;
use crux_khan::solve::{Problem, Solution, solve};
use crux_khan::world::{Service, Usage};
use proptest::prelude::*;

use crate::case::{Case, Shape, cases, config, present, service};
use crate::naive::{Demand, Placed, demand};
use crate::rules;

/// The cost of a solution: picks unsolved, instances missing, those of the most urgent picks missing first, starts.
pub(crate) type Price = (u32, u32, Vec<u32>, u32);

/// The least price of all solutions, found by trying every placement of each pick after the other.
pub(crate) fn least(case: &Case) -> Price {
    let mut search = Search { case, placed: Placed::new(), frozen: BTreeSet::new(), best: None };
    search.place(0, (0, 0, vec![0; urgencies(case).len()], 0));
    search.best.expect("to leave all as it runs is one")
}

/// The price of a solution.
pub(crate) fn price(case: &Case, solution: &Solution) -> Price {
    let mut missing = vec![0; urgencies(case).len()];
    for problem in &solution.problems {
        let pick = case.checked.pick_of(problem.service()).unwrap();
        missing[urgency(case, pick)] += problem.missing();
    }
    let cost = solution.cost;
    (cost.unsolved, cost.missing, missing, cost.starts)
}

/// The priorities that there are, the greatest first.
fn urgencies(case: &Case) -> Vec<i32> {
    let priority = |pick: &crux_khan::checked::Pick| case.world.service(&pick.service).priority;
    let all: BTreeSet<i32> = case.checked.picks().iter().map(priority).collect();
    all.into_iter().rev().collect()
}

fn urgency(case: &Case, pick: PickId) -> usize {
    let priority = case.world.service(&case.checked.pick(pick).service).priority;
    urgencies(case).iter().position(|it| *it == priority).unwrap()
}

struct Search<'a> {
    case: &'a Case,
    placed: Placed,
    frozen: BTreeSet<PickId>,
    best: Option<Price>,
}

impl Search<'_> {
    fn place(&mut self, at: usize, price: Price) {
        if self.best.as_ref().is_some_and(|best| price >= *best) {
            return;
        }
        if at == self.case.checked.picks().len() {
            self.best = Some(price);
            return;
        }
        let pick = PickId::new(at);
        let Case { checked, world, .. } = self.case;
        let blocked = checked.pick(pick).needs.iter().any(|on| self.frozen.contains(on));
        match demand(checked, world, &self.placed, pick).filter(|_| !blocked) {
            None => self.freeze(pick, price),
            Some(demand) => self.try_all(pick, &demand, &price),
        }
    }

    fn freeze(&mut self, pick: PickId, mut price: Price) {
        let nodes = 0..self.case.world.nodes().len();
        let runs: Vec<u32> = nodes.map(|node| present(self.case, pick, node)).collect();
        if (0..runs.len()).any(|node| self.room(pick, node) < u64::from(runs[node])) {
            return;
        }
        price.0 += 1;
        self.placed.insert(pick, runs);
        self.frozen.insert(pick);
        self.place(pick.index() + 1, price);
        self.frozen.remove(&pick);
        self.placed.remove(&pick);
    }

    fn try_all(&mut self, pick: PickId, demand: &Demand, price: &Price) {
        let mut all = Vec::new();
        let nodes = self.case.world.nodes().len();
        self.vectors(pick, demand, 0, &mut vec![0; nodes], demand.count, &mut all);
        for wanted in all {
            let mut price = price.clone();
            let placed: u32 = wanted.iter().sum();
            // Nobody is pushed out.
            if self.case.checked.pick(pick).needs.is_empty() && placed < self.kept(pick, demand) {
                continue;
            }
            price.1 += demand.count - placed;
            price.2[urgency(self.case, pick)] += demand.count - placed;
            let starts = wanted
                .iter()
                .enumerate()
                .map(|(node, count)| count.saturating_sub(present(self.case, pick, node)));
            price.3 += starts.sum::<u32>();
            self.placed.insert(pick, wanted);
            self.place(pick.index() + 1, price);
            self.placed.remove(&pick);
        }
    }

    fn kept(&self, pick: PickId, demand: &Demand) -> u32 {
        let stays = demand.set.iter().map(|node| present(self.case, pick, *node).min(demand.cap));
        stays.sum::<u32>().min(demand.count)
    }

    /// Every way to place at most so many.
    fn vectors(
        &self,
        pick: PickId,
        demand: &Demand,
        at: usize,
        now: &mut Vec<u32>,
        left: u32,
        all: &mut Vec<Vec<u32>>,
    ) {
        let Some(node) = demand.set.get(at).copied() else {
            all.push(now.clone());
            return;
        };
        let keep = self.case.world.nodes()[node].usage == Usage::Keep;
        let most =
            demand.cap.min(left).min(u32::try_from(self.room(pick, node)).unwrap_or(u32::MAX));
        let most = if keep { most.min(present(self.case, pick, node)) } else { most };
        for count in 0..=most {
            now[node] = count;
            self.vectors(pick, demand, at + 1, now, left - count, all);
        }
        now[node] = 0;
    }

    /// How many of a pick a node has room for beside what is placed.
    fn room(&self, pick: PickId, node: usize) -> u64 {
        let takes = |pick: PickId| {
            self.case.world.service(&self.case.checked.pick(pick).service).weight.0[2]
        };
        let Some(places) = self.case.world.nodes()[node].room.0[2].filter(|_| takes(pick) > 0)
        else {
            return u64::MAX;
        };
        let used: u64 =
            self.placed.iter().map(|(other, wanted)| takes(*other) * u64::from(wanted[node])).sum();
        places.saturating_sub(used)
    }
}

fn check(case: &Case) {
    let solution = solve(&case.checked, &case.world);
    rules::check(&case.checked, &case.world, &solution);
    assert_eq!(price(case, &solution), least(case));
    assert!(solution.exact);
}

const SHAPE: Shape = Shape { nodes: 4, picks: 3, bound: false, places: None, usages: true };

proptest! {
    #![proptest_config(config())]

    #[test]
    fn without_limits_the_least_change_is_found(case in cases(SHAPE)) {
        check(&case);
    }

    #[test]
    fn in_two_places_the_least_change_is_found(case in cases(Shape { places: Some(2), ..SHAPE })) {
        check(&case);
    }

    #[test]
    fn in_one_place_the_least_change_is_found(case in cases(Shape { nodes: 5, picks: 4, places: Some(1), ..SHAPE })) {
        check(&case);
    }

    #[test]
    fn the_most_urgent_are_placed_first(
        mut case in cases(Shape { places: Some(2), ..SHAPE }),
        priorities in prop::collection::vec(-1_i32..=1, SHAPE.picks),
    ) {
        for (pick, priority) in priorities.iter().enumerate() {
            let described = Service { priority: *priority, ..case.world.service(&service(pick)) };
            case.world.describe(service(pick), described).unwrap();
        }
        check(&case);
    }

    /// Some take nothing: they are beside the rest, which is exact still.
    #[test]
    fn those_that_take_nothing_are_in_nobodys_way(
        mut case in cases(Shape { places: Some(1), ..SHAPE }),
        takes in prop::collection::vec(any::<bool>(), SHAPE.picks),
    ) {
        for pick in takes.iter().enumerate().filter(|(_, takes)| !**takes).map(|(pick, _)| pick) {
            case.world.describe(service(pick), Service::default()).unwrap();
        }
        check(&case);
    }
}

#[test]
fn a_proof_is_claimed_only_where_there_is_one() {
    // A bin of 3 with 2 in it: what is missing weighs 2, and 1 and 1 would move.
    let problem = |solution: &Solution| solution.problems.iter().map(Problem::missing).sum::<u32>();
    let case = crate::examples::bins();
    let solution = solve(&case.checked, &case.world);
    assert!(solution.exact || problem(&solution) > 0 || solution.cost.starts > 0);
    let mut bound = case;
    bound.program = "a := pick(s0, 1, ALL)\npick(s1, 1, !a)\n".to_owned();
    bound.checked = crate::case::compile(&bound.program);
    let solution = solve(&bound.checked, &bound.world);
    assert_eq!((solution.problems.len(), solution.exact), (0, true), "{solution:?}");
}
