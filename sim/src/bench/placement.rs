//! How long it takes to say where instances run.
//!
//! A program places services on nodes of three zones, of which some carry `db` or `ssd`; each instance weighs something,
//! and no node is full. Timed are the text alone, the view alone (a [`World`] from what a leader sees), and then view and
//! solution together: from nothing; with all in place; and after a tenth of the nodes was lost. In a second program each
//! fourth service rests on two others. In a third each node has one place and every place is taken, so that services
//! which may be anywhere have to move.
//!
//! The clock is the caller's, because nothing here may name one.

use core::time::Duration;

use crux_khan::Checked;
use crux_khan::solve::{Cost, Solution, solve};
use crux_khan::world::{Amounts, Node, Present, Room, Service, Usage, World};

use super::Times;

/// A program and a horde to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// How many nodes.
    pub nodes: usize,
    /// How many instances in all, about.
    pub instances: usize,
    /// How many services.
    pub services: usize,
    /// How they relate.
    pub kind: Kind,
}

/// How services relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Each alone.
    Alone,
    /// Each fourth rests on two others.
    Resting,
    /// Each alone, and every place is taken.
    Full,
}

impl Shape {
    /// The shapes of the goals, and those around them.
    pub const ALL: [Self; 13] = [
        Self::of(100, 1_000, 20, Kind::Alone),
        Self::of(100, 1_000, 20, Kind::Resting),
        Self::of(1_000, 1_000, 20, Kind::Alone),
        Self::of(1_000, 1_000, 20, Kind::Resting),
        Self::of(3_000, 3_000, 20, Kind::Alone),
        Self::of(3_000, 3_000, 20, Kind::Resting),
        Self::of(1_000, 1_000, 200, Kind::Alone),
        Self::of(1_000, 1_000, 200, Kind::Resting),
        Self::of(3_000, 3_000, 200, Kind::Alone),
        Self::of(3_000, 3_000, 200, Kind::Resting),
        Self::of(100, 100, 20, Kind::Full),
        Self::of(1_000, 1_000, 20, Kind::Full),
        Self::of(3_000, 3_000, 20, Kind::Full),
    ];

    const fn of(nodes: usize, instances: usize, services: usize, kind: Kind) -> Self {
        Self { nodes, instances, services, kind }
    }

    /// The text of the program.
    pub fn program(self) -> String {
        (0..self.services).map(|at| self.statement(at)).collect()
    }

    fn statement(self, at: usize) -> String {
        let count = self.instances / self.services;
        let set = match (self.kind, at % 4) {
            (Kind::Full, _) if at < self.services / 2 => "ALL".to_owned(),
            (Kind::Full, _) => "LABEL(odd)".to_owned(),
            (_, 0) => "ALL".to_owned(),
            (_, 1) => "!LABEL(db)".to_owned(),
            (_, 2) => format!("LABEL(zone = z{})", at % 3),
            (Kind::Resting, _) => format!("p{} & !p{}", at - 3, at - 2),
            (Kind::Alone, _) => "LABEL(ssd) | LABEL(db)".to_owned(),
        };
        let spread =
            if at.is_multiple_of(5) && self.kind != Kind::Full { ", spread = zone" } else { "" };
        format!("p{at} := pick(s{at}, {count}, {set}{spread})\n")
    }

    fn node(self, at: usize) -> Node {
        let flags =
            [("db", at.is_multiple_of(7)), ("ssd", at.is_multiple_of(2)), ("odd", at % 2 == 1)];
        let flags = flags.into_iter().filter(|(_, has)| *has);
        let flags = flags.map(|(key, _)| (key.to_owned(), String::new()));
        let zone = ("zone".to_owned(), format!("z{}", at % 3));
        let room = match self.kind {
            Kind::Full => Room([None, None, Some(1)]),
            Kind::Alone | Kind::Resting => Room([Some(16_000), Some(65_536), Some(64)]),
        };
        let labels = flags.chain([zone]).collect();
        Node { name: format!("n{at:05}"), labels, usage: Usage::Open, room }
    }

    fn service(self, at: u64) -> Service {
        let weight = match self.kind {
            Kind::Full => Amounts([0, 0, 1]),
            Kind::Alone | Kind::Resting => Amounts([100 + 50 * (at % 5), 128 << (at % 4), 1]),
        };
        Service { weight, priority: 0 }
    }
}

/// What was measured of a shape.
#[derive(Debug, Clone)]
pub struct Placement {
    /// Of which.
    pub shape: Shape,
    /// The figures.
    pub figures: Vec<Figure>,
}

/// How long something took, several times.
#[derive(Debug, Clone)]
pub struct Figure {
    /// The work.
    pub what: &'static str,
    /// How long it took.
    pub times: Times,
    /// The cost of the solution, if one was made, and whether it is proved the least.
    pub cost: Option<(Cost, bool)>,
}

/// What a leader sees, as rows: the view is made from it each time.
struct Sight {
    nodes: Vec<Node>,
    services: Vec<Service>,
    present: Vec<(usize, String, u32)>,
}

impl Sight {
    fn of(shape: Shape) -> Self {
        let services = (0..shape.services).map(|at| shape.service(at as u64)).collect();
        let nodes = (0..shape.nodes).map(|at| shape.node(at)).collect();
        Self { nodes, services, present: Vec::new() }
    }

    fn view(&self) -> World {
        const WITHIN: &str = "a bench stays within the bounds of worlds";
        let mut world = World::new(self.nodes.clone()).expect(WITHIN);
        let name = |at: usize| format!("s{at}").parse().expect("a letter and digits");
        for (at, service) in self.services.iter().enumerate() {
            world.describe(name(at), *service).expect(WITHIN);
        }
        for (at, node, count) in &self.present {
            world.run(name(*at), node, Present::of(*count)).expect(WITHIN);
        }
        world
    }

    /// All runs where a solution has it.
    fn satisfy(&mut self, checked: &Checked, solution: &Solution) {
        self.present.clear();
        for (pick, placement) in checked.picks().iter().zip(&solution.placements) {
            let digits = pick.service.as_str().trim_start_matches('s');
            let service = digits.parse().expect("the program's own names");
            for (node, count) in self.nodes.iter().zip(&placement.wanted) {
                if *count > 0 {
                    self.present.push((service, node.name.clone(), *count));
                }
            }
        }
    }

    /// Each tenth node is lost, with all that runs there.
    fn lose_a_tenth(&mut self) {
        let lost = self.nodes.iter_mut().skip(3).step_by(10);
        lost.for_each(|node| node.usage = Usage::Out);
        let lost: Vec<&str> =
            self.nodes.iter().skip(3).step_by(10).map(|node| &*node.name).collect();
        self.present.retain(|(_, node, _)| lost.binary_search(&node.as_str()).is_err());
    }
}

/// Measures a shape, so many times each.
pub fn placement(shape: Shape, rounds: usize, clock: &dyn Fn() -> Duration) -> Placement {
    let text = shape.program();
    let compile = || crux_khan::compile(&text).checked.expect("the program of a bench is right");
    let checked = compile();
    let mut sight = Sight::of(shape);
    let (parsed, _) = timed(rounds, clock, compile);
    let (viewed, _) = timed(rounds, clock, || sight.view());
    let mut figures = vec![
        Figure { what: "parse and check", times: parsed, cost: None },
        Figure { what: "view alone", times: viewed, cost: None },
    ];
    let solved = |what: &'static str, sight: &Sight, figures: &mut Vec<Figure>| {
        let (times, solution) = timed(rounds, clock, || solve(&checked, &sight.view()));
        figures.push(Figure { what, times, cost: Some((solution.cost, solution.exact)) });
        solution
    };
    let solution = solved("from nothing", &sight, &mut figures);
    sight.satisfy(&checked, &solution);
    solved("satisfied", &sight, &mut figures);
    sight.lose_a_tenth();
    solved("a tenth lost", &sight, &mut figures);
    Placement { shape, figures }
}

fn timed<T>(
    rounds: usize,
    clock: &dyn Fn() -> Duration,
    mut work: impl FnMut() -> T,
) -> (Times, T) {
    let mut times = Vec::new();
    loop {
        let begun = clock();
        let result = work();
        times.push(clock().saturating_sub(begun));
        if times.len() >= rounds {
            return (Times::new(times), result);
        }
    }
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use super::*;

    #[test]
    fn figures_are_of_solutions_that_hold() {
        for kind in [Kind::Alone, Kind::Resting, Kind::Full] {
            let shape = Shape::of(60, 60, 20, kind);
            let ticks = Cell::new(0);
            let clock = || {
                ticks.set(ticks.get() + 1);
                Duration::from_millis(ticks.get())
            };
            let found = placement(shape, 3, &clock);
            let starts: Vec<_> = found
                .figures
                .iter()
                .filter_map(|it| it.cost)
                .map(|(cost, _)| cost.starts)
                .collect();
            assert_eq!((starts.len(), starts[0], starts[1]), (3, 60, 0), "{kind:?}");
            // Where every place is taken, nobody gives up one that it has.
            let again = if kind == Kind::Full { 0..1 } else { 1..60 };
            assert!(again.contains(&starts[2]), "{kind:?}: {starts:?}");
            for figure in &found.figures {
                let each = (figure.times.len(), figure.times.within(500));
                assert_eq!(each, (3, Duration::from_millis(1)), "{}", figure.what);
            }
        }
    }
}
