//! `crux-testnet bench`: figures, with those of the peers from the same run.

use std::path::PathBuf;

use crate::Error;
use crate::bench::{self, Bench, Report};
use crate::output::{say, say_json};

/// Measure, beside serf and etcd where they are installed
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// A registration on one node, until every node shows it
    Converge(Rounds),
    /// A node killed, until every survivor shows it dead; the leader killed, until the next commands
    Detect(Rounds),
    /// A quarter of the nodes stopped and resumed at random: who is shown dead, and who wrongly
    Stall(Stall),
    /// What a node costs when nothing happens
    Idle(Idle),
}

/// How much to measure
#[derive(Debug, clap::Args)]
pub(super) struct Rounds {
    #[command(flatten)]
    common: Common,
    /// How many rounds; each bench has a default of its own
    #[arg(long, value_parser = clap::value_parser!(u32).range(5..=100_000))]
    rounds: Option<u32>,
    /// Have a blob of 1 GiB move between two nodes all the while (converge only)
    #[arg(long)]
    bulk: bool,
}

/// How long to measure
#[derive(Debug, clap::Args)]
pub(super) struct Idle {
    #[command(flatten)]
    common: Common,
    /// How long to watch the idle flock
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(20..=3600))]
    seconds: u32,
}

/// How long to go on
#[derive(Debug, clap::Args)]
pub(super) struct Stall {
    #[command(flatten)]
    common: Common,
    /// For how long nodes are stopped and resumed
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=600))]
    minutes: u32,
}

/// What every bench takes
#[derive(Debug, clap::Args)]
struct Common {
    /// How many nodes
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u16).range(3..=200))]
    nodes: u16,
    /// Write one JSON document to standard output instead of tables
    #[arg(long)]
    json: bool,
    /// Leave the peers out
    #[arg(long)]
    no_peers: bool,
}

impl Common {
    fn bench(&self, exe: PathBuf) -> Bench {
        Bench { exe, nodes: usize::from(self.nodes), peers: !self.no_peers, bulk: false }
    }
}

/// Runs one bench and prints its report.
pub(super) async fn run(verb: Verb, exe: PathBuf) -> Result<(), Error> {
    let (report, json) = match verb {
        Verb::Converge(args) => {
            let bench = Bench { bulk: args.bulk, ..args.common.bench(exe) };
            (bench::converge(&bench, args.rounds).await?, args.common.json)
        }
        Verb::Detect(args) => {
            (bench::detect(&args.common.bench(exe), args.rounds).await?, args.common.json)
        }
        Verb::Stall(args) => {
            (bench::stall(&args.common.bench(exe), args.minutes).await?, args.common.json)
        }
        Verb::Idle(args) => {
            (bench::idle(&args.common.bench(exe), args.seconds).await?, args.common.json)
        }
    };
    print(&report, json);
    Ok(())
}

fn print(report: &Report, json: bool) {
    if json {
        say_json(report);
    } else {
        say(report);
    }
}
