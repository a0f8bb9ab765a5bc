use std::fmt;

use crux_crdt::name::ServiceName;
use crux_khan::Checked;
use crux_khan::solve::Solution;
use crux_khan::world::{Node, Present, Usage, World};

use crate::Error;
use crate::bench::rig::broken;

/// How many picks follow each other, of which all but the first rest on others.
const CHAIN: usize = 5;
/// How many values the label `zone` has.
const ZONES: usize = 3;

/// A program and a horde of that size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) nodes: usize,
    pub(super) services: usize,
    /// Whether picks rest on each other.
    pub(super) resting: bool,
}

impl Shape {
    pub(super) fn program(self) -> String {
        (0..self.services).map(|at| self.statement(at)).collect()
    }

    fn statement(self, at: usize) -> String {
        let count = (self.nodes / self.services).max(1);
        if !self.resting {
            let set = ["ALL", "LABEL(disk)", "!LABEL(db)", "ALL, spread = zone"][at % 4];
            return format!("pick(s{at}, {count}, {set})\n");
        }
        let bound = |back: usize| format!("p{}", at - back);
        let set = match at % CHAIN {
            0 => "ALL".to_owned(),
            1 => bound(1),
            2 => format!("{} | {}", bound(1), bound(2)),
            3 => format!("ALL & !{}", bound(1)),
            _ => format!("{} | LABEL(disk)", bound(1)),
        };
        // A name that nobody uses would be a warning.
        let is_last = at % CHAIN == CHAIN - 1 || at + 1 == self.services;
        let name = if is_last { String::new() } else { format!("p{at} := ") };
        format!("{name}pick(s{at}, {count}, {set})\n")
    }

    /// The horde, in which nothing runs.
    pub(super) fn world(self) -> Result<World, Error> {
        World::new((0..self.nodes).map(node).collect()).map_err(broken)
    }

    /// The horde, in which a solution runs but on the nodes that are out.
    pub(super) fn running(
        self,
        checked: &Checked,
        solution: &Solution,
        is_out: impl Fn(usize) -> bool,
    ) -> Result<World, Error> {
        let mut world = self.world()?;
        let names: Vec<String> = world.nodes().iter().map(|node| node.name.clone()).collect();
        for (at, name) in names.iter().enumerate().filter(|(at, _)| is_out(*at)) {
            world.set_usage(name, Usage::Out).map_err(|error| broken(format!("{at}: {error}")))?;
        }
        for (pick, placement) in checked.picks().iter().zip(&solution.placements) {
            let service: ServiceName = pick.service.as_str().parse().map_err(broken)?;
            let placed = placement.wanted.iter().enumerate();
            for (at, count) in placed.filter(|(at, count)| **count > 0 && !is_out(*at)) {
                let present = Present::of(*count);
                world.run(service.clone(), &names[at], present).map_err(broken)?;
            }
        }
        Ok(world)
    }
}

fn node(at: usize) -> Node {
    let mut node = Node { name: format!("n{at:05}"), ..Node::default() };
    node.labels.insert("zone".to_owned(), format!("z{}", at % ZONES));
    if at.is_multiple_of(2) {
        node.labels.insert("disk".to_owned(), String::new());
    }
    if at.is_multiple_of(5) {
        node.labels.insert("db".to_owned(), String::new());
    }
    node
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes, services, resting } = self;
        let how = if *resting { "resting" } else { "alone" };
        write!(f, "{nodes} nodes, {services} services {how}")
    }
}
