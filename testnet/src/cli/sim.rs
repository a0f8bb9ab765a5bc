//! `crux-testnet sim`: the engines without sockets, from a seed.

use core::ops::Range;

use crate::Error;
use crate::output::say;
use crate::sim::{Options, SCENARIOS, Scenario, run as run_one};

/// Run the engines in virtual time, without sockets: the same seed gives the same bytes
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The seed
    #[arg(long, default_value_t = 0, conflicts_with = "seeds")]
    seed: u64,
    /// Many seeds, the last one left out
    #[arg(long, value_name = "A..B", value_parser = parse_seeds)]
    seeds: Option<Range<u64>>,
    /// How many nodes; the scenario says how many without it
    #[arg(long, value_parser = clap::value_parser!(u16).range(2..=1000))]
    nodes: Option<u16>,
    /// What happens: day, form, heal, restart, kill, …, or all of them
    #[arg(long, default_value = SCENARIOS[0].name)]
    scenario: String,
    /// Print the whole history
    #[arg(long, alias = "reproduce")]
    log: bool,
}

fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let wrong = || "expected two numbers like 0..100, the first one smaller".to_owned();
    let (first, end) = text.split_once("..").ok_or_else(wrong)?;
    let range = first.parse().map_err(|_| wrong())?..end.parse().map_err(|_| wrong())?;
    if range.is_empty() { Err(wrong()) } else { Ok(range) }
}

/// Runs every scenario asked for on every seed. Standard output holds no wall time.
pub(super) fn run(args: Args) -> Result<(), Error> {
    let seeds = args.seeds.unwrap_or(args.seed..args.seed + 1);
    let (mut runs, mut broken) = (0_u64, 0_u64);
    for scenario in chosen(&args.scenario)? {
        for seed in seeds.clone() {
            let nodes = args.nodes.map(usize::from);
            let report = run_one(scenario, Options { seed, nodes, log: args.log });
            runs += 1;
            if args.log {
                say(report.log.trim_end());
            }
            if report.violation.is_some() {
                broken += 1;
                say(format_args!("{report}"));
                say(format_args!("reproduce: {}", report.command()));
            } else if seeds.end - seeds.start == 1 {
                say(format_args!("{report}"));
            }
        }
    }
    say(format_args!("{runs} runs, {broken} violations"));
    if broken == 0 { Ok(()) } else { Err(Error::Broken(format!("{broken} of {runs} runs"))) }
}

fn chosen(name: &str) -> Result<Vec<&'static Scenario>, Error> {
    let chosen: Vec<_> =
        SCENARIOS.iter().filter(|known| name == "all" || known.name == name).collect();
    if chosen.is_empty() {
        let known: Vec<_> = SCENARIOS.iter().map(|known| known.name).collect();
        let known = known.join(", ");
        return Err(Error::Broken(format!("no scenario {name}; there are {known} and all")));
    }
    Ok(chosen)
}
