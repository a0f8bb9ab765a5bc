//! `crux-testnet bench`: figures, with those of the peers from the same run.

use std::path::PathBuf;
use std::time::Duration;

use crate::Error;
use crate::bench::{self, Bench, Report};
use crate::output::{say, say_json};

/// Measure, beside serf and etcd where they are installed
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// A registration on one node, until every node shows it
    Converge(Rounds),
    /// A document put on one node, until every node shows it, beside a registration
    Documents(Rounds),
    /// A fresh node joins a large registry, without and with documents
    Join(Join),
    /// A node killed, until every survivor shows it dead; the leader killed, until the next commands
    Detect(Rounds),
    /// A quarter of the nodes stopped and resumed at random: who is shown dead, and who wrongly
    Stall(Stall),
    /// What a node costs when nothing happens
    Idle(Idle),
    /// One file from one node to one other, beside iroh-blobs and rsync
    Blob(Blob),
    /// Many small files, put on one node and got by another, beside rsync
    Files(Files),
    /// One file from one seed to many nodes at once, each with an upload cap
    Swarm(Swarm),
    /// Programs started, killed and watched by a node, beside runit, s6 and supervisord
    Services(Services),
    /// Programs of targets parsed and solved, and plans made of them, on one core
    Khan(Khan),
    /// A target applied until its programs run, nodes and leaders killed under it, beside `make -j20`
    Proctor(Proctor),
}

/// How many programs
#[derive(Debug, clap::Args)]
pub(super) struct Services {
    #[command(flatten)]
    common: Common,
    /// How many programs are started, and killed, of each size
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(5..=50))]
    rounds: u16,
    /// How long to watch idle services
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(10..=3600))]
    seconds: u32,
    /// Where packages of the peers are unpacked, if they are not installed: `dpkg -x runit_*.deb DIR`
    #[arg(long, value_name = "DIR", conflicts_with = "no_peers")]
    peers: Option<PathBuf>,
}

/// How large a horde
#[derive(Debug, clap::Args)]
pub(super) struct Khan {
    /// How often each is timed
    #[arg(long, default_value_t = 21, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,
    /// Leave larger hordes out
    #[arg(long, value_name = "NODES", default_value_t = 3000, value_parser = clap::value_parser!(u16).range(100..))]
    largest: u16,
    /// Write one JSON document to standard output instead of tables
    #[arg(long)]
    json: bool,
}

/// How many nodes and rounds
#[derive(Debug, clap::Args)]
pub(super) struct Proctor {
    /// How many nodes a target is applied on
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(5..=100))]
    nodes: u16,
    /// How often a target is applied whose image is there, and how often make runs
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(5..=10_000))]
    rounds: u16,
    /// How often an image is fetched, a node is killed, and a leader
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    losses: u16,
    /// How many nodes are watched at rest
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u16).range(3..=100))]
    rest: u16,
    /// How long they are watched, without a target and with one
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(5..=3600))]
    seconds: u32,
    #[command(flatten)]
    how: How,
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

/// How large a registry
#[derive(Debug, clap::Args)]
pub(super) struct Join {
    #[command(flatten)]
    common: Common,
    /// How many registrations there are, in hundreds of members that do not run
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(250..=1_000_000))]
    registrations: u32,
    /// How many documents there are in the second half; 0 leaves it out
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(0..=16_000))]
    documents: u32,
    /// How often a node joins, in each half
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
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

/// What moves from one node to another
#[derive(Debug, clap::Args)]
pub(super) struct Blob {
    #[command(flatten)]
    how: How,
    /// How large the file is, as in 64MiB; with --limit-address-space the largest
    #[arg(long, value_parser = size)]
    size: Option<u64>,
    /// How often it moves
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,
    /// The program of bench/iroh, if it is not where its build command puts it
    #[arg(long, value_name = "PROGRAM")]
    iroh: Option<PathBuf>,
    /// Instead move files from 0 bytes to 5 GiB through nodes with 200 MB of address space to spare
    #[arg(long)]
    limit_address_space: bool,
}

/// How many small files
#[derive(Debug, clap::Args)]
pub(super) struct Files {
    #[command(flatten)]
    how: How,
    /// How many files of 4 KiB
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(10..=200_000))]
    files: u32,
    /// How often
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,
}

/// How large a swarm
#[derive(Debug, clap::Args)]
pub(super) struct Swarm {
    #[command(flatten)]
    how: How,
    /// How many nodes fetch
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=100))]
    nodes: u16,
    /// How large the file is
    #[arg(long, default_value = "64MiB", value_parser = size)]
    size: u64,
    /// What each node sends at most, in bytes a second
    #[arg(long, default_value = "5000000", value_parser = size)]
    cap: u64,
    /// How often
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
}

/// How a bench reports
#[derive(Debug, clap::Args)]
struct How {
    /// Write one JSON document to standard output instead of tables
    #[arg(long)]
    json: bool,
    /// Leave the peers out
    #[arg(long)]
    no_peers: bool,
}

impl How {
    const fn bench(&self, exe: PathBuf, nodes: usize) -> Bench {
        Bench { exe, nodes, peers: !self.no_peers, bulk: false }
    }
}

/// A number of bytes, or of KiB, MiB or GiB.
fn size(text: &str) -> Result<u64, String> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let shift = ["", "KiB", "MiB", "GiB"].iter().position(|known| *known == unit);
    let bytes = shift.zip(number.parse::<u64>().ok());
    let bytes = bytes.and_then(|(shift, number)| number.checked_mul(1 << (10 * shift)));
    bytes.filter(|bytes| *bytes > 0).ok_or_else(|| "as in 64MiB, 1GiB or 5000000".to_owned())
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
        Verb::Documents(args) => {
            (bench::documents(&args.common.bench(exe), args.rounds).await?, args.common.json)
        }
        Verb::Join(args) => {
            let joining = bench::Joining {
                bench: args.common.bench(exe),
                rounds: args.rounds.into(),
                registrations: usize::try_from(args.registrations).unwrap_or(usize::MAX),
                documents: args.documents,
            };
            (bench::join(&joining).await?, args.common.json)
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
        Verb::Blob(args) => (blob(&args, exe).await?, args.how.json),
        Verb::Files(args) => {
            let bench = args.how.bench(exe, 2);
            let files = usize::try_from(args.files).unwrap_or(usize::MAX);
            (bench::files(&bench, files, args.rounds.into()).await?, args.how.json)
        }
        Verb::Swarm(args) => {
            let bench = args.how.bench(exe, args.nodes.into());
            let Swarm { size: bytes, cap, rounds, how, .. } = args;
            let swarming = bench::Swarming { bench, bytes, cap, rounds: rounds.into() };
            (bench::swarm(&swarming).await?, how.json)
        }
        Verb::Services(args) => {
            let services = bench::Services {
                bench: args.common.bench(exe),
                rounds: args.rounds.into(),
                window: Duration::from_secs(args.seconds.into()),
                peers: args.peers,
            };
            (bench::services(&services).await?, args.common.json)
        }
        Verb::Khan(args) => {
            let solving =
                bench::Solving { rounds: args.rounds.into(), largest: args.largest.into() };
            (bench::khan(&solving)?, args.json)
        }
        Verb::Proctor(args) => (proctor(&args, exe).await?, args.how.json),
    };
    print(&report, json);
    Ok(())
}

async fn proctor(args: &Proctor, exe: PathBuf) -> Result<Report, Error> {
    let Proctor { nodes, rounds, losses, rest, seconds, how } = args;
    let proctor = bench::Proctor {
        bench: how.bench(exe, (*nodes).into()),
        rounds: (*rounds).into(),
        losses: (*losses).into(),
        rest: ((*rest).into(), Duration::from_secs((*seconds).into())),
    };
    bench::proctor(&proctor).await
}

async fn blob(args: &Blob, exe: PathBuf) -> Result<Report, Error> {
    let bench = args.how.bench(exe, 2);
    let usual = if args.limit_address_space { 5 << 30 } else { 1 << 30 };
    let (bytes, rounds) = (args.size.unwrap_or(usual), args.rounds.into());
    let moving = bench::Moving { bench, bytes, rounds, iroh: args.iroh.clone() };
    if args.limit_address_space {
        bench::limited(&moving).await
    } else {
        bench::blob(&moving).await
    }
}

fn print(report: &Report, json: bool) {
    if json {
        say_json(report);
    } else {
        say(report);
    }
}
