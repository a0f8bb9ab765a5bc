//! `bench khan`: the language and its solver on one core, without a flock.
//!
//! | what | from | to |
//! |---|---|---|
//! | parse | a text | a checked program |
//! | solve, from nothing | a horde in which nothing runs | a solution |
//! | solve, satisfied | everything runs as the program says | the same |
//! | solve, a tenth lost | every tenth node is out, with what it ran | a solution |
//! | plan, … | the records of all members | a pass: view, solution, versions, entries, reasons |
//!
//! Programs are *alone*, where each pick names its set by labels, or *resting*, where four of five picks rest on the one
//! before. There are about as many instances as nodes. Nothing is random, so each round does the same work.

mod horde;
mod shape;

use std::hint::black_box;
use std::time::Instant;

use crux_khan::solve::solve;

use super::report::{Report, Value};
use super::rig::{self, broken};
use crate::Error;
use horde::Horde;
use shape::Shape;

/// How many nodes, and how many services, a program is solved for.
const NODES: [usize; 3] = [100, 1_000, 3_000];
const SERVICES: [usize; 2] = [20, 200];
/// As many instances on as many nodes, and the most that a plan may take, view included, in milliseconds.
const GOALS: [(usize, f64); 2] = [(1_000, 10.0), (3_000, 30.0)];
/// How many services the instances of a goal are of.
const GOAL_SERVICES: usize = 20;

/// The options of the bench.
#[derive(Debug, Clone, Copy)]
pub struct Solving {
    /// How often each is timed.
    pub rounds: usize,
    /// Hordes with more nodes are left out.
    pub largest: usize,
}

/// Measures all of it.
///
/// # Errors
///
/// [`Error::Broken`] when a program or a horde of the bench is wrong.
pub fn khan(what: &Solving) -> Result<Report, Error> {
    let mut report = Report::new("khan", 0);
    let sizes: Vec<usize> = NODES.into_iter().filter(|nodes| *nodes <= what.largest).collect();
    let shapes = [false, true].into_iter().flat_map(|resting| {
        let of = |nodes: &usize| {
            let nodes = *nodes;
            SERVICES.map(move |services| Shape { nodes, services, resting })
        };
        sizes.iter().flat_map(of).collect::<Vec<_>>()
    });
    let shapes: Vec<_> = shapes.collect();
    let bar = rig::progress("khan", shapes.len());
    for shape in shapes {
        solving(shape, what.rounds, &mut report)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    for (size, goal) in GOALS.into_iter().filter(|(size, _)| *size <= what.largest) {
        planning(size, goal, what.rounds, &mut report)?;
    }
    report.notes.push("one core; median (min–max) of the rounds".to_owned());
    Ok(report)
}

fn solving(shape: Shape, rounds: usize, report: &mut Report) -> Result<(), Error> {
    let text = shape.program();
    let parse = timed(rounds, || crux_khan::compile(&text));
    let checked = crux_khan::compile(&text).checked.ok_or_else(|| broken(&text))?;
    let nothing = shape.world()?;
    let solution = solve(&checked, &nothing);
    let satisfied = shape.running(&checked, &solution, |_| false)?;
    let lost = shape.running(&checked, &solution, |node| node % 10 == 0)?;
    add(report, format!("parse, {shape}"), parse);
    for (name, world) in
        [("from nothing", nothing), ("satisfied", satisfied), ("a tenth lost", lost)]
    {
        let times = timed(rounds, || solve(&checked, &world));
        add(report, format!("solve, {name}, {shape}"), times);
    }
    Ok(())
}

/// Plans as a leader does, from the records of all members.
fn planning(size: usize, goal: f64, rounds: usize, report: &mut Report) -> Result<(), Error> {
    let mut horde = Horde::new(size, GOAL_SERVICES)?;
    let mut worst: f64 = 0.0;
    let mut measure = |name: &str, horde: &Horde| -> Result<(), Error> {
        let mut times = Vec::new();
        for _ in 0..rounds {
            let mut timers = horde.timers();
            let since = Instant::now();
            let planned = horde.plan(&mut timers)?;
            times.push(millis(since));
            drop(black_box(planned));
        }
        let name = format!("plan, {name}, {size} instances on {size} nodes");
        if let Some(value) = Value::of("crux", name, "ms", times) {
            worst = worst.max(value.spread.median);
            report.values.push(value);
        }
        Ok(())
    };
    measure("from nothing", &horde)?;
    horde.obey()?;
    measure("satisfied", &horde)?;
    horde.lose_a_tenth()?;
    measure("a tenth lost", &horde)?;
    let verdict = if worst <= goal { "met" } else { "missed" };
    report.notes.push(format!(
        "goal, {size} on {size}, view included: at most {goal} ms; the worst median is {worst:.2} ms: {verdict}"
    ));
    Ok(())
}

fn add(report: &mut Report, what: String, times: Vec<f64>) {
    report.values.extend(Value::of("crux", what, "ms", times));
}

/// How long it takes, in milliseconds, each of so many times.
fn timed<T>(rounds: usize, mut work: impl FnMut() -> T) -> Vec<f64> {
    let once = |_| {
        let since = Instant::now();
        let done = black_box(work());
        let took = millis(since);
        drop(done);
        took
    };
    (0..rounds).map(once).collect()
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_a_small_horde_is_there() {
        let report = khan(&Solving { rounds: 1, largest: 100 }).expect("its programs are right");
        // Two programs for each number of services; parse and three solutions of each.
        assert_eq!(report.values.len(), 2 * SERVICES.len() * 4, "{report}");
        assert!(report.values.iter().all(|value| value.spread.min > 0.0), "{report}");
    }

    #[test]
    fn a_plan_is_made_of_records_in_each_state() {
        let mut report = Report::new("khan", 0);
        planning(60, 1e9, 1, &mut report).expect("a horde");
        assert_eq!(report.values.len(), 3);
        assert!(report.notes[0].ends_with("met"), "{:?}", report.notes);
    }
}
