//! How long it takes to parse a program, and to say where its instances run: in this process, on one core, without a
//! node. The shapes and the work are [`crux_sim::bench::placement`]'s; the clock is this machine's.

use std::fmt;
use std::time::Instant;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, Table};
use crux_sim::bench::{Figure, Kind, Placement, Shape, placement};
use serde::Serialize;

use super::report::spread;
use super::{Machine, Spread};

/// The figures of all shapes.
#[derive(Debug, Clone, Serialize)]
pub struct Placements {
    /// Which bench.
    pub bench: &'static str,
    /// The machine.
    pub machine: Machine,
    /// `release` or `debug`.
    pub build: &'static str,
    /// The figures.
    pub rows: Vec<Row>,
}

/// How long one thing took.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// How many nodes,
    pub nodes: usize,
    /// instances in all, about,
    pub instances: usize,
    /// and services.
    pub services: usize,
    /// How the services relate.
    pub kind: &'static str,
    /// The work.
    pub what: &'static str,
    /// How often.
    pub rounds: usize,
    /// How long it took, in milliseconds.
    pub ms: Spread,
    /// How many instances start by the solution, if one was made,
    pub starts: Option<u32>,
    /// how many find no room,
    pub missing: Option<u32>,
    /// and whether the solution is proved to be a least change.
    pub exact: Option<bool>,
}

/// Measures each shape, so many times. `tell` is told what is done next.
#[must_use]
pub fn khan(rounds: usize, tell: &mut dyn FnMut(&str)) -> Placements {
    let begun = Instant::now();
    let mut rows = Vec::new();
    for shape in Shape::ALL {
        tell(&format!("{} nodes, {} services, {}", shape.nodes, shape.services, name(shape.kind)));
        let measured = placement(shape, rounds, &|| begun.elapsed());
        rows.extend(measured.figures.iter().filter_map(|figure| row(&measured, figure)));
    }
    Placements {
        bench: "khan",
        machine: Machine::this(),
        build: if cfg!(debug_assertions) { "debug" } else { "release" },
        rows,
    }
}

fn row(of: &Placement, figure: &Figure) -> Option<Row> {
    let Shape { nodes, instances, services, kind } = of.shape;
    let ms = figure.times.all().iter().map(|time| time.as_secs_f64() * 1_000.0).collect();
    Some(Row {
        nodes,
        instances,
        services,
        kind: name(kind),
        what: figure.what,
        rounds: figure.times.len(),
        ms: Spread::of(ms)?,
        starts: figure.cost.map(|(cost, _)| cost.starts),
        missing: figure.cost.map(|(cost, _)| cost.missing),
        exact: figure.cost.map(|(_, exact)| exact),
    })
}

const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Alone => "alone",
        Kind::Resting => "resting on each other",
        Kind::Full => "every place taken",
    }
}

impl fmt::Display for Placements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "bench khan: {} build", self.build)?;
        writeln!(f, "{}", self.machine)?;
        writeln!(f, "{}", table(&self.rows))?;
        if self.build == "debug" {
            writeln!(f, "a debug build: quote no figure of it")?;
        }
        Ok(())
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "services are",
        "what",
        "nodes",
        "instances",
        "services",
        "n",
        "ms, median (min–max)",
        "starts",
        "missing",
        "proved",
    ]);
    for row in rows {
        let count = |count: Option<u32>| count.map_or_else(|| "–".to_owned(), |it| it.to_string());
        table.add_row([
            row.kind.to_owned(),
            row.what.to_owned(),
            row.nodes.to_string(),
            row.instances.to_string(),
            row.services.to_string(),
            row.rounds.to_string(),
            spread(&row.ms),
            count(row.starts),
            count(row.missing),
            row.exact.map_or("–", |exact| if exact { "yes" } else { "no" }).to_owned(),
        ]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
