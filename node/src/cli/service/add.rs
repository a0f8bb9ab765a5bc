//! `service add`

use std::path::Path;

use crux_client::op::AddService;

use super::image::Images;
use super::until::{Waiting, answer};
use super::{Ui, config};
use crate::cli::output::block_on;
use crate::error::Error;
use crate::services::{Draft, Words};

/// Run a program from now on
///
/// Reads the config of a service from a file, or takes a name and what to run. A command is a path or is found in
/// PATH; it becomes a blob, and the node runs exactly those bytes, also after the file changed. A service without
/// a file is registered under its name with its first port, if it has one. Adding the same again does nothing;
/// adding something else under the name of a service is an update.
///
/// Where the node is not root, a program runs as the node's user, and can read the node's key.
///
/// Fails with exit code 1 where the service does not get up: `image_unusable`, `start_failed`, `unhealthy` or
/// `rolled_back`, with the last 20 lines of its output.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "crux-node service add [OPTIONS] <FILE|->\n       crux-node service add [OPTIONS] \
                            <NAME> [--image <ID|PATH>] [-- <CMD> [ARG]...]"
)]
pub(super) struct Args {
    /// A file with a config, `-` for standard input, or the name of the service
    #[arg(value_name = "FILE|NAME")]
    target: String,
    /// Revision; v1 by default
    #[arg(long, value_name = "R")]
    rev: Option<String>,
    /// The program: a blob's id or the first digits of it, or a file
    #[arg(long, value_name = "ID|PATH")]
    image: Option<String>,
    /// A port by its name, as in http=8080 or http=auto; may be given up to 32 times
    #[arg(long, value_name = "N=P")]
    port: Vec<String>,
    /// A variable of the program's environment; may be given several times
    #[arg(long, value_name = "K=V")]
    env: Vec<String>,
    /// A check: tcp:PORT, http:/PATH[:PORT], grpc[:PORT] or exec:COMMAND; may be given up to 16 times
    #[arg(long, value_name = "CHECK")]
    check: Vec<String>,
    /// The command to run, and its arguments; with --image only the arguments
    #[arg(last = true, value_name = "CMD")]
    command: Vec<String>,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let draft = draft(args)?;
    let is_command = !is_file(args) && args.image.is_none();
    let (until, wait) = (args.waiting.until(), args.waiting.wait());
    let config = block_on(async { Images::new(ui, wait).config(draft, is_command).await })?;
    let settled = ui.call(&AddService { config, until }, wait)?;
    answer(&settled, ui)
}

/// Whether the first word is a file: nothing else says what to run.
fn is_file(args: &Args) -> bool {
    let has_words = !(args.port.is_empty() && args.env.is_empty() && args.check.is_empty());
    args.image.is_none() && args.command.is_empty() && args.rev.is_none() && !has_words
}

fn draft(args: &Args) -> Result<Draft, Error> {
    if is_file(args) {
        return config::read(Path::new(&args.target));
    }
    let words = Words {
        name: args.target.clone(),
        rev: args.rev.clone(),
        image: args.image.clone(),
        ports: args.port.clone(),
        env: args.env.clone(),
        checks: args.check.clone(),
        command: args.command.clone(),
    };
    words.draft()
}
