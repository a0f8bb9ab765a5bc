//! `crux-testnet liar …`: the testnet becomes a liar. Not for people: tests, chaos and demo run it.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use crux_crdt::sign::Identity;
use crux_node::secret::{SecretString, read_secret};
use futures::future::join_all;

use super::filter::Filter;
use super::lie::Lie;
use super::member::{Member, Start, flock_of};
use super::stranger::{guests, silent};
use super::tell::{Blob, Fence, Keys, Slow, Text};
use crate::Error;
use crate::output::note;

/// First argument with which this program is a liar.
pub const LIAR_VERB: &str = "liar";

/// How it is told what to do.
#[derive(Debug, Parser)]
#[command(name = "crux-testnet liar")]
struct Args {
    /// What it lies about
    #[arg(value_enum)]
    lie: Lie,
    /// The flock's secret; a stranger takes nothing from it but the flock id
    #[arg(long)]
    secret_file: PathBuf,
    /// Where a member listens; from where a stranger dials
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Nodes to join, or to pester
    #[arg(long)]
    join: Vec<SocketAddr>,
    /// How many keys lie at once, each a member or a stranger of its own
    #[arg(long, default_value_t = 1)]
    keys: usize,
    /// How many of what it lies with: connections of one target, keys admitted
    #[arg(long, default_value_t = 1)]
    count: usize,
    /// The size in bytes of what it claims
    #[arg(long, default_value_t = 0)]
    bytes: u64,
}

/// Becomes a liar; returns only if that fails.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let name = std::iter::once(OsString::from(LIAR_VERB));
    let args = match Args::try_parse_from(name.chain(args)) {
        Ok(args) => args,
        Err(error) => {
            error.print().ok();
            return ExitCode::from(2);
        }
    };
    match lie(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(format_args!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn lie(args: &Args) -> Result<(), Error> {
    let secret =
        read_secret(&args.secret_file).map_err(|error| Error::Broken(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::io("start the runtime"))?;
    runtime.block_on(async {
        match args.lie {
            Lie::Blob => members(args, &secret, || Blob::new(args.bytes)).await,
            Lie::Fence => members(args, &secret, Fence::default).await,
            Lie::Term => members(args, &secret, Fence::stated).await,
            Lie::Keys => members(args, &secret, || Keys::new(args.count)).await,
            Lie::Slow => members(args, &secret, Slow::default).await,
            Lie::Text => members(args, &secret, Text::default).await,
            Lie::Silent => {
                silent(args.listen.ip(), &args.join, args.count).await;
                Ok(())
            }
            Lie::Guests => {
                let flock = flock_of(&secret).1;
                guests(flock, args.listen.ip(), &args.join, args.keys).await
            }
        }
    })
}

/// Runs as many members as there are to be keys, until they are killed.
async fn members<F: Filter>(
    args: &Args,
    secret: &SecretString,
    filter: impl Fn() -> F,
) -> Result<(), Error> {
    let mut running = Vec::new();
    for number in 0..args.keys {
        let listen =
            SocketAddr::new(args.listen.ip(), if number == 0 { args.listen.port() } else { 0 });
        let start = Start {
            seed: great_key(),
            secret: secret.clone(),
            listen,
            join: args.join.iter().map(ToString::to_string).collect(),
        };
        running.push(Member::start(start, filter()).await?);
    }
    join_all(running.into_iter().map(Member::run)).await;
    Ok(())
}

/// The seed of a key that is greater than nearly every other one: it wins where bytes decide.
fn great_key() -> [u8; 32] {
    loop {
        let seed = rand::random();
        let principal = Identity::from_seed(&seed).principal();
        if principal.0[0] == u8::MAX && principal.0[1] >= 0xf0 {
            return seed;
        }
    }
}
