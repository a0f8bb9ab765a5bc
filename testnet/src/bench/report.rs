//! The results of a bench, as JSON and as tables.

use std::borrow::Cow;
use std::fmt;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, Table};
use serde::Serialize;

use super::{Cost, Figure, Machine, Spread, Transfer};

/// The results of a bench.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Which bench.
    pub bench: &'static str,
    /// The machine.
    pub machine: Machine,
    /// `release` or `debug`.
    pub build: &'static str,
    /// How many nodes.
    pub nodes: usize,
    /// Latencies, ours first.
    pub latencies: Vec<Latency>,
    /// Idle costs, ours first.
    pub idle: Vec<Idle>,
    /// The transfers and their speed, ours first.
    pub transfers: Vec<Transfer>,
    /// Other figures, ours first.
    pub values: Vec<Value>,
    /// Peers that were not measured.
    pub absent: Vec<Absent>,
    /// How it was measured, and ratios.
    pub notes: Vec<String>,
}

/// One set of latencies.
#[derive(Debug, Clone, Serialize)]
pub struct Latency {
    /// `crux`, or the peer.
    pub system: &'static str,
    /// The action that was timed.
    pub what: &'static str,
    /// The figures.
    #[serde(flatten)]
    pub figure: Figure,
    /// The cost of a round; `None` where processes come and go in it.
    pub cost_per_round: Option<Cost>,
}

/// The cost of an idle node.
#[derive(Debug, Clone, Serialize)]
pub struct Idle {
    /// `crux`, or the peer.
    pub system: &'static str,
    /// How many nodes.
    pub nodes: usize,
    /// How long they were watched.
    pub seconds: f64,
    /// Percent of one core, over the nodes.
    pub cpu_percent: Spread,
    /// Resident memory in MiB, over the nodes.
    pub rss_mib: Spread,
    /// Bytes per second and node over the loopback interface.
    pub loopback_bytes_per_s: f64,
}

/// A figure that is neither a latency nor a transfer.
#[derive(Debug, Clone, Serialize)]
pub struct Value {
    /// `crux`, or the peer.
    pub system: &'static str,
    /// The quantity that was measured.
    pub what: Cow<'static, str>,
    /// In which unit.
    pub unit: &'static str,
    /// How often.
    pub samples: usize,
    /// The figure.
    #[serde(flatten)]
    pub spread: Spread,
}

impl Value {
    /// The figure of several values; `None` of nothing.
    #[must_use]
    pub fn of(
        system: &'static str,
        what: impl Into<Cow<'static, str>>,
        unit: &'static str,
        values: Vec<f64>,
    ) -> Option<Self> {
        let (what, samples) = (what.into(), values.len());
        Some(Self { system, what, unit, samples, spread: Spread::of(values)? })
    }
}

/// A peer that was not measured.
#[derive(Debug, Clone, Serialize)]
pub struct Absent {
    /// Which peer.
    pub system: &'static str,
    /// Why.
    pub why: &'static str,
}

impl Report {
    /// An empty report of this machine and build.
    #[must_use]
    pub fn new(bench: &'static str, nodes: usize) -> Self {
        Self {
            bench,
            machine: Machine::this(),
            build: if cfg!(debug_assertions) { "debug" } else { "release" },
            nodes,
            latencies: Vec::new(),
            idle: Vec::new(),
            transfers: Vec::new(),
            values: Vec::new(),
            absent: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Records that a peer was left out.
    pub fn leave_out(&mut self, system: &'static str, asked: bool) {
        let why = if asked { "not installed" } else { "left out on request" };
        self.absent.push(Absent { system, why });
    }

    /// Notes how often one of ours fits into a peer's, by median, where both were measured.
    pub fn compare(&mut self, ours: &str, peer: &str, theirs: &str) {
        let median = |system: &str, what: &str| {
            let row = self.latencies.iter().find(|l| l.system == system && l.what == what)?;
            Some(row.figure.p50_ms)
        };
        if let (Some(ours_ms), Some(theirs_ms)) = (median("crux", ours), median(peer, theirs)) {
            let ratio = theirs_ms / ours_ms.max(0.001);
            self.notes.push(format!("{peer} / crux by median, \"{ours}\": {ratio:.1}"));
        }
    }

    /// Notes how often the median time of one transfer fits into that of another, where both were
    /// measured.
    pub(super) fn compare_rates(&mut self, name: &str, one: &str, other: &str) {
        let median = |what: &str| {
            let row = self.transfers.iter().find(|row| row.what == what)?;
            Some(row.seconds.median)
        };
        if let (Some(one), Some(other)) = (median(one), median(other)) {
            self.notes.push(format!("{name}: {:.2}", other / one.max(1e-9)));
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = match self.nodes {
            0 => "no nodes".to_owned(),
            nodes => format!("{nodes} nodes"),
        };
        writeln!(f, "bench {}: {nodes}, {} build", self.bench, self.build)?;
        writeln!(f, "{}", self.machine)?;
        if !self.latencies.is_empty() {
            writeln!(f, "{}", latency_table(&self.latencies))?;
        }
        if !self.idle.is_empty() {
            writeln!(f, "{}", idle_table(&self.idle))?;
        }
        if !self.transfers.is_empty() {
            writeln!(f, "{}", transfer_table(&self.transfers))?;
        }
        if !self.values.is_empty() {
            writeln!(f, "{}", value_table(&self.values))?;
        }
        for absent in &self.absent {
            writeln!(f, "{}: {}", absent.system, absent.why)?;
        }
        for note in &self.notes {
            writeln!(f, "{note}")?;
        }
        if self.build == "debug" {
            writeln!(f, "a debug build: quote no figure of it")?;
        }
        Ok(())
    }
}

fn latency_table(rows: &[Latency]) -> Table {
    let header = [
        "",
        "ms",
        "n",
        "p50",
        "p90",
        "p99",
        "max",
        "p50 of batches",
        "p99 of batches",
        "CPU/round",
        "bytes/round",
    ];
    let mut table = plain_table(&header, 2);
    for row in rows {
        let figure = &row.figure;
        let cost = |part: fn(&Cost) -> String| {
            row.cost_per_round.as_ref().map_or_else(|| "–".to_owned(), part)
        };
        table.add_row([
            row.system.to_owned(),
            row.what.to_owned(),
            figure.samples.to_string(),
            number(figure.p50_ms),
            number(figure.p90_ms),
            number(figure.p99_ms),
            number(figure.max_ms),
            spread(&figure.batch_p50_ms),
            spread(&figure.batch_p99_ms),
            cost(|cost| format!("{:.1} ms", cost.cpu_ms)),
            cost(|cost| format!("{:.1} kB", cost.loopback_bytes / 1000.0)),
        ]);
    }
    table
}

fn idle_table(rows: &[Idle]) -> Table {
    let header = ["", "nodes", "seconds", "CPU % of a core", "RSS MiB", "bytes/s per node"];
    let mut table = plain_table(&header, 1);
    for row in rows {
        table.add_row([
            row.system.to_owned(),
            row.nodes.to_string(),
            number(row.seconds),
            spread(&row.cpu_percent),
            spread(&row.rss_mib),
            number(row.loopback_bytes_per_s),
        ]);
    }
    table
}

fn transfer_table(rows: &[Transfer]) -> Table {
    let header = ["", "", "n", "seconds", "MiB/s", "files/s", "CPU of who gives", "of who takes"];
    let mut table = plain_table(&header, 2);
    let some = |of: &Option<Spread>| of.as_ref().map_or_else(|| "–".to_owned(), spread);
    for row in rows {
        table.add_row([
            row.system.to_owned(),
            row.what.clone(),
            row.rounds.to_string(),
            spread(&row.seconds),
            spread(&row.mib_per_s),
            some(&row.files_per_s),
            some(&row.cpu_from),
            some(&row.cpu_to),
        ]);
    }
    table
}

fn value_table(rows: &[Value]) -> Table {
    let mut table = plain_table(&["", "", "n", "median (min–max)", "unit"], 2);
    for row in rows {
        table.add_row([
            row.system.to_owned(),
            row.what.clone().into_owned(),
            row.samples.to_string(),
            spread(&row.spread),
            row.unit.to_owned(),
        ]);
    }
    table
}

/// A table whose first `texts` columns hold text and the others numbers.
fn plain_table(header: &[&str], texts: usize) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY);
    table.set_header(header.iter().copied());
    for column in table.column_iter_mut().skip(texts) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// `median (min–max)`.
fn spread(spread: &Spread) -> String {
    format!("{} ({}–{})", number(spread.median), number(spread.min), number(spread.max))
}

/// Three significant digits or so.
fn number(value: f64) -> String {
    match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bench::Samples;

    fn latency(system: &'static str, what: &'static str, ms: u64) -> Latency {
        let mut samples = Samples::new(1);
        samples.record(0, Duration::from_millis(ms));
        let figure = samples.figure().expect("one sample");
        Latency { system, what, figure, cost_per_round: None }
    }

    #[test]
    fn a_report_names_machine_build_peers_and_ratio() {
        let mut report = Report::new("converge", 25);
        report.latencies = vec![latency("crux", "a", 10), latency("serf", "b", 200)];
        report.leave_out("etcd", true);
        report.compare("a", "serf", "b");
        report.values.extend(Value::of("crux", "memory", "KiB", vec![300.0, 200.0, 400.0]));
        let shown = report.to_string();
        let value = "300 (200–400)";
        for part in ["converge", "25 nodes", "cores", "etcd: not installed", "20.0", value] {
            assert!(shown.contains(part), "{part} is missing in\n{shown}");
        }
    }

    #[test]
    fn numbers_keep_three_digits_or_so() {
        assert_eq!([number(1234.5), number(12.34), number(0.1234)], ["1234", "12.3", "0.12"]);
    }

    #[test]
    fn without_the_peers_figure_there_is_no_ratio() {
        let mut report = Report::new("converge", 25);
        report.latencies = vec![latency("crux", "a", 10)];
        report.compare("a", "serf", "b");
        assert!(report.notes.is_empty());
    }
}
