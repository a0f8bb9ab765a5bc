//! The command line: one file per verb.
//!
//! A verb is an `Args` struct, whose doc comments are the help, and `run(args, ui)`. Verbs print
//! through [`Ui`] and talk to a node through [`crux_client`]; none prints by itself, none knows
//! gRPC.
//!
//! Scripts rely on this: with `--json` standard output holds exactly one JSON document (`watch`, `blob put`,
//! `logs`, `events` and lists with `-w`: one per line) or nothing; hints, progress and errors go to standard
//! error, each a line, an error as one object; exit codes are those of [`Exit`].

mod blob;
mod completions;
mod deregister;
mod doc;
mod doctor;
mod error;
mod events;
mod find;
mod forget;
mod fulcrum;
mod inspect;
mod keygen;
mod khan;
mod leader;
mod leave;
mod live;
mod logs;
mod man;
mod members;
mod named;
mod order;
mod output;
mod paint;
mod ps;
mod register;
mod resolve;
mod run;
mod service;
mod services;
mod setting;
mod sign;
mod status;
mod table;
mod target;
#[cfg(test)]
mod tests;
mod unknown;
mod user;
mod watch;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::{Args, CommandFactory as _, Parser, Subcommand};

pub use output::Ui;

use crate::duration;
use crate::error::{Error, Exit};

/// A gossip-first cluster fabric: one binary, no central server
///
/// A few nodes started with the same initial secret, in any order, become one flock in which every
/// node knows every member, every service and the leader.
#[derive(Debug, Parser)]
#[command(name = "crux-node", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 no node answers, \
                        5 refused, 6 timed out.")]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// The heading of [`Common`] in the help.
const COMMON: &str = "Common options";

/// Options of every command, in any position after its name.
#[derive(Debug, Clone, Args)]
struct Common {
    /// Data directory of the node, or CRUX_DATA_DIR; else /var/lib/crux or your only node
    #[arg(long, global = true, value_name = "D", help_heading = COMMON)]
    // An empty one counts as none.
    #[arg(value_parser = OsStringValueParser::new().map(PathBuf::from))]
    data_dir: Option<PathBuf>,
    /// Print one JSON document, and errors as one JSON object
    #[arg(long, global = true, help_heading = COMMON)]
    json: bool,
    /// Do not ask before doing what cannot be undone
    #[arg(long, global = true, help_heading = COMMON)]
    yes: bool,
    /// When to colour text: on a terminal without NO_COLOR (auto), always or never
    #[arg(long, global = true, value_name = "auto|always|never", default_value = "auto")]
    #[arg(hide_possible_values = true, hide_default_value = true, help_heading = COMMON)]
    color: paint::When,
}

/// How long to wait.
#[derive(Debug, Clone, Copy, Args)]
struct Wait {
    /// How long to wait for the answer
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration::parse)]
    timeout: Duration,
}

/// How much of `--timeout` is left for the disk of the node and for the answer. Wild guess.
const ANSWER_MARGIN: Duration = Duration::from_millis(500);

impl Wait {
    /// How long the node may wait for other members, so that its answer is here before the command gives up.
    fn patience(self) -> Duration {
        self.timeout.saturating_sub(ANSWER_MARGIN.min(self.timeout / 4))
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    Keygen(keygen::Args),
    Run(Box<run::Args>),
    #[command(hide = true)]
    Fulcrum(fulcrum::Args),
    Status(status::Args),
    Leader(leader::Args),
    Members(members::Args),
    Register(register::Args),
    Deregister(deregister::Args),
    Services(services::Args),
    Resolve(resolve::Args),
    Watch(watch::Args),
    Forget(forget::Args),
    Leave(leave::Args),
    Drain(order::Drain),
    Cordon(order::Cordon),
    Uncordon(order::Uncordon),
    Doctor(doctor::Args),
    Blob(blob::Args),
    Doc(doc::Args),
    User(user::Args),
    Setting(setting::Args),
    Service(Box<service::Args>),
    Apply(target::Apply),
    Diff(target::Diff),
    Target(target::Args),
    Khan(khan::Args),
    Ps(ps::Args),
    Inspect(inspect::Args),
    Logs(logs::Args),
    Events(events::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// The parser of the command line, for pages that show it.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command that this process's arguments name.
pub fn main() -> ExitCode {
    let word = std::env::args_os().nth(1);
    match word.and_then(|word| helper(&word)) {
        Some(helper) => helper(),
        None => main_from(std::env::args_os()),
    }
}

/// The main function of a process that only this program starts, by its word, which is its first argument. Such a
/// process has no command line, no settings and no runtime; it is there for one service.
///
/// For programs that run nodes by executing themselves: their first arguments may be these words.
pub fn helper(word: &OsStr) -> Option<fn() -> ExitCode> {
    match word.to_str() {
        Some(crux_picket::keeper::VERB) => Some(crux_picket::keeper::main),
        Some(crux_picket::launch::VERB) => Some(crux_picket::launch::main),
        _ => None,
    }
}

/// Runs the command that the arguments name; the first one is the program's name. For programs that
/// run nodes by executing themselves: they call this with what follows their own command.
pub fn main_from(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    run_with(args, Ui::of_process()).into()
}

/// Runs the command that the arguments name, with other places to print to.
pub fn run_with(args: impl IntoIterator<Item = OsString>, mut ui: Ui) -> Exit {
    let args: Vec<OsString> = args.into_iter().collect();
    let result = match Cli::try_parse_from(&args) {
        Ok(cli) => {
            ui.adopt(&cli.common);
            ui.set_words(args.get(1..).unwrap_or_default());
            dispatch(cli.command, &mut ui)
        }
        Err(err) => return error::usage(err, &args, &mut ui),
    };
    let result = result.and_then(|exit| ui.flush().map(|()| exit));
    result.unwrap_or_else(|err| error::report(&err, &mut ui))
}

/// Runs a command. How it ends is in the exit code where another process has printed why.
fn dispatch(command: Command, ui: &mut Ui) -> Result<Exit, Error> {
    let done = match command {
        Command::Keygen(args) => keygen::run(&args, ui),
        Command::Run(args) => return run::run(&args, ui),
        Command::Fulcrum(args) => fulcrum::run(&args, ui),
        Command::Status(args) => status::run(&args, ui),
        Command::Leader(args) => leader::run(&args, ui),
        Command::Members(args) => members::run(&args, ui),
        Command::Register(args) => register::run(&args, ui),
        Command::Deregister(args) => deregister::run(&args, ui),
        Command::Services(args) => services::run(&args, ui),
        Command::Resolve(args) => resolve::run(&args, ui),
        Command::Watch(args) => watch::run(&args, ui),
        Command::Forget(args) => forget::run(&args, ui),
        Command::Leave(args) => leave::run(&args, ui),
        Command::Drain(args) => order::drain(&args, ui),
        Command::Cordon(args) => order::cordon(&args, ui),
        Command::Uncordon(args) => order::uncordon(&args, ui),
        Command::Doctor(args) => doctor::run(&args, ui),
        Command::Blob(args) => blob::run(&args, ui),
        Command::Doc(args) => doc::run(&args, ui),
        Command::User(args) => user::run(&args, ui),
        Command::Setting(args) => setting::run(&args, ui),
        Command::Service(args) => service::run(&args, ui),
        Command::Apply(args) => target::apply(&args, ui),
        Command::Diff(args) => target::diff(&args, ui),
        Command::Target(args) => target::run(&args, ui),
        Command::Khan(args) => return khan::run(&args, ui),
        Command::Ps(args) => ps::run(&args, ui),
        Command::Inspect(args) => inspect::run(&args, ui),
        Command::Logs(args) => logs::run(&args, ui),
        Command::Events(args) => events::run(&args, ui),
        Command::Completions(args) => completions::run(&args, ui),
        Command::Man(args) => man::run(&args, ui),
    };
    done.map(|()| Exit::Done)
}
