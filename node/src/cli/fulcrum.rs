//! `fulcrum`

use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;

use clap::Parser as _;
use crux_picket::fulcrum::die_with_picket;
use crux_picket::link::{self, Hello};
use rustix::net::{AddressFamily, SocketType, getsockname, sockopt};

use super::run::{self, handed, node};
use super::{Cli, Command, Ui};
use crate::config;
use crate::error::{Error, Kind};

/// The kernel's name of the process, so that `killall crux-node` means the picket.
const NAME: &std::ffi::CStr = c"crux-fulcrum";

/// Run the node itself, as the child of `run`
///
/// For `run` only, which starts it with a socket as its standard input and hands over what it read of the
/// settings. Signals to stop and SIGHUP do nothing here: they are for `run`, which passes on what they mean. When
/// `run` ends, this process is killed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The words of the command line of `run`
    #[arg(last = true, value_name = "WORDS")]
    words: Vec<OsString>,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    run::begin()?;
    let stream = socket()?;
    let word = stream.try_clone().map_err(|err| Error::io("the link to the picket", &err))?;
    run_on(stream, args, ui).inspect_err(|error| link::last_words(&word, error))
}

/// Runs the node with this link to its picket.
fn run_on(stream: UnixStream, args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let Hello { picket, settings, .. } = link::receive(&stream).map_err(|err| {
        Error::new(Kind::Internal, err.to_string()).augment("the link to the picket")
    })?;
    die_with_picket(picket).map_err(|err| Error::io("being the child of a picket", &err))?;
    // Where it is refused, it is called as the program is.
    rustix::thread::set_name(NAME).ok();
    let words = [OsString::from("crux-node")].into_iter().chain(args.words.iter().cloned());
    let cli = Cli::try_parse_from(words).map_err(|err| not_of_run(&err.to_string()))?;
    let Command::Run(run) = cli.command else { return Err(not_of_run("another command")) };
    ui.adopt(&cli.common);
    let flags = run.flags(ui);
    let (given, rejoin) = handed::read(settings)?;
    let mut config = config::load_given(flags.clone(), ui.env(), given)?;
    config.rejoin = rejoin;
    node::run(config, flags, Some((stream, picket)), ui)
}

/// Standard input, if it is what `run` makes it.
fn socket() -> Result<UnixStream, Error> {
    let stdin = io::stdin();
    let is_stream = sockopt::socket_type(&stdin) == Ok(SocketType::STREAM)
        && getsockname(&stdin).is_ok_and(|name| name.address_family() == AddressFamily::UNIX);
    if !is_stream {
        return Err(Error::new(
            Kind::InvalidArgument,
            "`fulcrum` is started by `run`, and by nobody else",
        )
        .with_hint("`crux-node run` runs a node."));
    }
    let socket = stdin.as_fd().try_clone_to_owned();
    socket.map(UnixStream::from).map_err(|err| Error::io("the link to the picket", &err))
}

fn not_of_run(why: &str) -> Error {
    Error::new(Kind::InvalidArgument, why.to_owned()).augment("the words of `run`")
}
