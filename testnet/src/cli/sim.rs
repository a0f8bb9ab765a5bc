//! `crux-testnet sim`: the engines without sockets, from a seed.

use core::ops::Range;
use core::time::Duration;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Instant;

use crux_sim::scenario::{Scenario, library};
use crux_sim::{Options, Report, Writes, choose, run as run_one};

use super::scale;
use crate::Error;
use crate::output::{note, say};

/// How many reports may wait for an earlier one that is not done yet.
const REPORTS_MAX: usize = 64;

/// Run the engines in virtual time, without sockets: the same seed gives the same bytes
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<Verb>,
    /// The seed
    #[arg(long, default_value_t = 0, conflicts_with_all = ["seeds", "reproduce"])]
    seed: u64,
    /// Many seeds, the last one left out
    #[arg(long, value_name = "A..B", value_parser = parse_seeds, conflicts_with = "reproduce")]
    seeds: Option<Range<u64>>,
    /// Run this seed and print the whole history
    #[arg(long, value_name = "SEED")]
    reproduce: Option<u64>,
    /// How many nodes; without it the scenario says, or the seed where it chooses that, too
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=3000))]
    nodes: Option<u16>,
    /// What happens: a name (`--list` shows them), a file, or `all`; without it the seed chooses
    #[arg(long, value_name = "NAME|FILE")]
    scenario: Option<String>,
    /// Print the whole history of every run
    #[arg(long)]
    log: bool,
    /// Print the scenarios there are, and run nothing
    #[arg(long)]
    list: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Bench(scale::Args),
}

fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let wrong = || "expected two numbers like 0..100, the first one smaller".to_owned();
    let (first, end) = text.split_once("..").ok_or_else(wrong)?;
    let range = first.parse().map_err(|_| wrong())?..end.parse().map_err(|_| wrong())?;
    if range.is_empty() { Err(wrong()) } else { Ok(range) }
}

/// One run that is to be made.
type Run<'a> = (&'a Scenario, Options);

/// Runs what was asked for. Standard output holds no wall time, and is in the order of the seeds.
pub(super) fn run(args: &Args) -> Result<(), Error> {
    if let Some(Verb::Bench(args)) = &args.what {
        return scale::run(args);
    }
    let library = library();
    if args.list {
        for known in &library {
            say(format_args!("{:10} {}", known.name, known.about));
        }
        return Ok(());
    }
    let own = args.scenario.as_deref().map(|name| chosen(name, &library)).transpose()?;
    let seeds = match args.reproduce {
        Some(seed) => seed..seed + 1,
        None => args.seeds.clone().unwrap_or(args.seed..args.seed + 1),
    };
    let log = args.log || args.reproduce.is_some();
    let runs = runs(args, seeds, log, &library, own.as_deref());
    let mut totals = Totals { verbose: runs.len() == 1 || log, ..Totals::default() };
    run_all(&runs, |report, wall| totals.add(&report, wall));
    totals.end()
}

/// The named scenarios.
fn chosen(name: &str, library: &[Scenario]) -> Result<Vec<Scenario>, Error> {
    if Path::new(name).extension().is_some() || name.contains('/') {
        let text = fs::read_to_string(name).map_err(Error::io("read the scenario"))?;
        let stem = Path::new(name).file_stem().unwrap_or_default().to_string_lossy();
        let scenario = Scenario::parse(&stem, &text);
        let scenario = scenario.map(|it| Scenario { file: Some(name.to_owned()), ..it });
        return scenario.map(|it| vec![it]).map_err(|it| Error::Broken(format!("{name}: {it}")));
    }
    let known = |it: &&Scenario| if name == "all" { it.weight > 0 } else { it.name == name };
    let chosen: Vec<_> = library.iter().filter(known).cloned().collect();
    if chosen.is_empty() {
        let known: Vec<_> = library.iter().map(|known| &*known.name).collect();
        let known = known.join(", ");
        return Err(Error::Broken(format!("no scenario {name}; there are {known} and all")));
    }
    Ok(chosen)
}

fn runs<'a>(
    args: &Args,
    seeds: Range<u64>,
    log: bool,
    library: &'a [Scenario],
    own: Option<&'a [Scenario]>,
) -> Vec<Run<'a>> {
    let told = args.nodes.map(usize::from);
    seeds
        .flat_map(|seed| match own {
            Some(own) => {
                own.iter().map(|it| (it, Options { seed, nodes: told, log })).collect::<Vec<_>>()
            }
            None => {
                let (scenario, nodes) = choose(library, seed);
                vec![(scenario, Options { seed, nodes: told.or(Some(nodes)), log })]
            }
        })
        .collect()
}

/// Makes the runs on as many threads as there are cores, and hands over the reports in order.
fn run_all(runs: &[Run<'_>], mut each: impl FnMut(Report, Duration)) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(runs.len());
    let next = AtomicUsize::new(0);
    let (send, receive) = sync_channel(REPORTS_MAX);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (send, next) = (send.clone(), &next);
            scope.spawn(move || work(runs, next, &send));
        }
        drop(send);
        let (mut early, mut due) = (BTreeMap::new(), 0);
        for (at, report, wall) in receive {
            early.insert(at, (report, wall));
            while let Some((report, wall)) = early.remove(&due) {
                each(report, wall);
                due += 1;
            }
        }
    });
}

fn work(runs: &[Run<'_>], next: &AtomicUsize, send: &SyncSender<(usize, Report, Duration)>) {
    loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let Some((scenario, options)) = runs.get(at) else { return };
        let begun = Instant::now();
        let report = run_one(scenario, *options);
        if send.send((at, report, begun.elapsed())).is_err() {
            return;
        }
    }
}

/// What all runs come to.
#[derive(Debug, Default)]
struct Totals {
    verbose: bool,
    broken: usize,
    events: u64,
    writes: Writes,
    virtual_time: Duration,
    walls: Vec<Duration>,
}

impl Totals {
    fn add(&mut self, report: &Report, wall: Duration) {
        self.events += report.events;
        self.writes += report.writes;
        self.virtual_time += report.virtual_time;
        self.walls.push(wall);
        if self.verbose || report.violation.is_some() {
            if !report.log.is_empty() {
                say(report.log.trim_end());
            }
            say(format_args!("{report}"));
        }
        if report.violation.is_some() {
            self.broken += 1;
            say(format_args!("reproduce: {}", report.command()));
        }
    }

    /// The summary, and on standard error the time it took.
    fn end(mut self) -> Result<(), Error> {
        self.walls.sort_unstable();
        let (runs, broken) = (self.walls.len(), self.broken);
        let at = |part: usize| self.walls.get(runs * part / 100).copied().unwrap_or_default();
        note(format_args!("a run took {:.1?} (median), {:.1?} (p95)", at(50), at(95)));
        let (hours, events) = (self.virtual_time.as_secs() / 3600, self.events);
        let Writes { acknowledged, refused, unanswered, .. } = self.writes;
        say(format_args!(
            "{runs} runs, {broken} violations, {events} events in {hours} h {} min of virtual time; \
             {acknowledged} writes acknowledged, {refused} refused, {unanswered} unanswered",
            self.virtual_time.as_secs() / 60 % 60
        ));
        if broken == 0 { Ok(()) } else { Err(Error::Broken(format!("{broken} of {runs} runs"))) }
    }
}
