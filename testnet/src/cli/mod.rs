//! The command line: one file per verb.

mod bench;
mod chaos;
mod containers;
mod demo;
mod scale;
mod sim;
mod stop;
mod up;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::Error;
use crate::output::note;

/// A local Crux testnet: real nodes on this machine
#[derive(Debug, Parser)]
#[command(name = "crux-testnet", version, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const AFTER_HELP: &str =
    "`crux-testnet node …` is crux-node itself: try `crux-testnet node --help`.";

#[derive(Debug, Subcommand)]
enum Verb {
    Up(up::Args),
    Demo(demo::Args),
    Containers(containers::Args),
    Sim(sim::Args),
    Chaos(chaos::Args),
    #[command(subcommand)]
    Bench(bench::Verb),
}

/// Parses `args` and runs the verb. Exit codes: 0 done, 1 failed, 2 usage.
pub(crate) fn run(args: Vec<OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            error.print().ok();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match start(cli.verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(format_args!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs the verb on a runtime of one thread.
///
/// One thread is enough to ask a few dozen nodes, leaves the cores to them, and never ends before
/// the program does, which the death signal of tethered peers needs.
fn start(verb: Verb) -> Result<(), Error> {
    let exe: PathBuf = std::env::current_exe().map_err(Error::io("find this program"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::io("start the runtime"))?;
    runtime.block_on(async {
        match verb {
            Verb::Up(args) => up::run(args, exe).await,
            Verb::Demo(args) => stop::or_stopped(demo::run(args, exe)).await,
            Verb::Containers(args) => containers::run(args).await,
            Verb::Bench(verb) => stop::or_stopped(bench::run(verb, exe)).await,
            Verb::Sim(args) => sim::run(&args),
            Verb::Chaos(args) => stop::or_stopped(chaos::run(args, exe)).await,
        }
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_bench_takes_nodes_rounds_and_json() {
        for what in ["converge", "detect"] {
            let line = ["crux-testnet", "bench", what, "--nodes", "3", "--rounds", "7", "--json"];
            assert!(Cli::try_parse_from(line).is_ok(), "{what}");
        }
        for line in [
            &["blob", "--size", "1GiB", "--rounds", "3", "--iroh", "x", "--json"][..],
            &["blob", "--limit-address-space", "--size", "64MiB"],
            &["files", "--files", "100", "--rounds", "1", "--json"],
            &["services", "--nodes", "5", "--rounds", "5", "--peers", "/x", "--json"],
            &["services", "--seconds", "10", "--no-peers"],
            &["khan", "--rounds", "5", "--largest", "100", "--json"],
            &["proctor", "--nodes", "20", "--rounds", "5", "--no-peers"],
            &["swarm", "--nodes", "20", "--cap", "5000000", "--size", "64MiB", "--json"],
        ] {
            let line = ["crux-testnet", "bench"].iter().chain(line);
            assert!(Cli::try_parse_from(line).is_ok());
        }
        let idle = ["crux-testnet", "bench", "idle", "--nodes", "3", "--seconds", "20", "--json"];
        assert!(Cli::try_parse_from(idle).is_ok());
    }
}
