//! `crux-testnet sim bench`: how a flock grows, in virtual time.

use core::time::Duration;
use std::path::PathBuf;
use std::time::Instant;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, Table};
use crux_sim::Violation;
use crux_sim::bench::{Growth, growth, join, part, plot};
use crux_sim::scenario::Cut;

use crate::Error;
use crate::output::{note, say, write_file};

/// Measure in virtual time what flocks of several sizes cost and how fast they are
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many nodes, one flock each
    #[arg(long, value_delimiter = ',', default_values_t = [100, 300, 1000])]
    #[arg(value_parser = clap::value_parser!(u16).range(10..=10_000))]
    nodes: Vec<u16>,
    /// The seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Leave out the partition of ten minutes and the join into a large registry
    #[arg(long)]
    growth_only: bool,
    /// Write a picture there
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// How many nodes the partition and the join have.
const SOME: usize = 25;
/// How many documents there are in the second join.
const DOCUMENTS: usize = 1_000;

/// Measures and prints. Wall times go to standard error.
pub(super) fn run(args: &Args) -> Result<(), Error> {
    let mut rows = Vec::new();
    for nodes in &args.nodes {
        let begun = Instant::now();
        let mut tell = |what: &str| {
            note(format_args!("{nodes} nodes, after {:.0?}: {what}", begun.elapsed()));
        };
        let row = growth(args.seed, usize::from(*nodes), &mut tell);
        note(format_args!(
            "{nodes} nodes: {:.0?} for {:.0?} of virtual time, {} events",
            begun.elapsed(),
            row.virtual_time,
            row.events
        ));
        held(row.violation.as_ref())?;
        rows.push(row);
    }
    say(table(&rows));
    if !args.growth_only {
        rest(args.seed)?;
    }
    if let Some(path) = &args.svg {
        write_file(path, &plot(&rows))?;
    }
    Ok(())
}

/// Figures of a run in which something did not hold are none.
fn held(violation: Option<&Violation>) -> Result<(), Error> {
    violation.map_or(Ok(()), |it| Err(Error::Broken(it.0.clone())))
}

fn rest(seed: u64) -> Result<(), Error> {
    for documents in [0, DOCUMENTS] {
        let found = join(seed, SOME, documents);
        held(found.violation.as_ref())?;
        say(format_args!(
            "join of a fresh node into {} registrations of 400 authors and {documents} documents, \
             {SOME} nodes: {}, {:.1} MB",
            found.registrations,
            seconds(found.joined),
            Duration::from_micros(found.bytes).as_secs_f64()
        ));
    }
    for (how, nodes) in [(Cut::Refused, SOME), (Cut::Silent, SOME), (Cut::Refused, 4 * SOME)] {
        let found = part(seed, nodes, how);
        held(found.violation.as_ref())?;
        say(format_args!(
            "heal of ten minutes of a {how} cut, 1,000 writes on each side, {nodes} nodes: {}",
            seconds(found.healed)
        ));
    }
    Ok(())
}

fn seconds(time: Option<Duration>) -> String {
    time.map_or_else(
        || "not within two minutes".to_owned(),
        |it| format!("{:.2} s", it.as_secs_f64()),
    )
}

fn table(rows: &[Growth]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "nodes",
        "formed",
        "p50",
        "p99",
        "p99.9",
        "to all, p50",
        "to all, most",
        "lost",
        "copies",
        "idle B/s",
        "churn B/s",
    ]);
    for row in rows {
        let millis = |time: Duration| format!("{:.0} ms", time.as_secs_f64() * 1_000.0);
        let at = |part| millis(row.deliveries.within(part));
        let formed = row.formed.map_or_else(|| "–".to_owned(), |it| format!("{} s", it.as_secs()));
        table.add_row([
            row.nodes.to_string(),
            formed,
            at(500),
            at(990),
            at(999),
            millis(row.to_all.within(500)),
            millis(row.to_all.within(1_000)),
            row.lost.to_string(),
            format!("{:.2}", row.copies),
            format!("{:.0}", row.idle_bytes),
            format!("{:.0}", row.churn_bytes),
        ]);
    }
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
