//! How a command finds its node.
//!
//! 1. `--data-dir`, else `CRUX_DATA_DIR`.
//! 2. `/var/lib/crux`, where a node of this user answers; to root, a node of any user.
//! 3. The one node of this user that runs, of those that are listed (see [`nodes`](crate::nodes)). Of several
//!    none is taken: the error names them.
//!
//! A node binds its socket right after it has its data directory, and answers once it has read its database;
//! a command that connected waits for that within `--timeout`. That leaves the moment before the
//! socket is there, as in `crux-node run … & crux-node status`: for [`STARTING`] a command looks again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crux_client::Client;
use crux_client::socket::Door;
use tokio::time::Instant;

use crate::error::{Error, Kind};
use crate::nodes::Nodes;

/// How long a process takes from its start to its socket: some 20 ms, and more on a busy machine. Where no node
/// runs, a command says so after this long. Wild guess.
const STARTING: Duration = Duration::from_secs(1);
/// How long to wait before looking again.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How many nodes an error names.
const NAMED_MAX: usize = 8;

/// Connects to a socket of the node of a data directory, or of the one that is found where none is named.
///
/// # Errors
/// [`Kind::NoNode`] when no node runs there, or nowhere; [`Kind::PicketAway`] when the node runs no services;
/// [`Kind::InvalidArgument`] when several could be meant.
pub(super) async fn connect(
    named: Option<PathBuf>,
    nodes: &Nodes,
    door: Door,
    limit: Duration,
) -> Result<Client, Error> {
    let until = Instant::now() + limit.min(STARTING);
    loop {
        let place = named.clone().map_or_else(|| find(nodes), Ok);
        let connected = match place {
            Ok(dir) => Client::connect_at(&dir, door, limit).await,
            Err(err) => Err(err),
        };
        match connected {
            Err(err) if is_early(&err) && Instant::now() < until => {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            done => return done,
        }
    }
}

/// Whether the socket may be there in a moment.
fn is_early(err: &Error) -> bool {
    matches!(err.kind(), Kind::NoNode | Kind::PicketAway)
}

/// The data directory that a command means which names none.
pub(super) fn find(nodes: &Nodes) -> Result<PathBuf, Error> {
    if let Some(dir) = nodes.system_running() {
        return Ok(dir.to_owned());
    }
    let mut running = nodes.running();
    match running.len() {
        0 => nodes.system().filter(|dir| is_there(dir)).map(Path::to_owned).ok_or_else(none),
        1 => Ok(running.remove(0)),
        _ => Err(several(&running)),
    }
}

/// Whether the machine has a node of its own, which this user may not be allowed to see.
fn is_there(dir: &Path) -> bool {
    match dir.join(Door::Control.name()).symlink_metadata() {
        Ok(_) => true,
        Err(err) => err.kind() == std::io::ErrorKind::PermissionDenied,
    }
}

fn none() -> Error {
    Error::new(Kind::NoNode, "no data directory is given, and this user runs no node here").with_hint(
        "Start one with `crux-node run`, or name the data directory of one with --data-dir D or \
         CRUX_DATA_DIR.",
    )
}

fn several(running: &[PathBuf]) -> Error {
    let mut named: Vec<_> =
        running.iter().take(NAMED_MAX).map(|dir| dir.display().to_string()).collect();
    let more = running.len().saturating_sub(NAMED_MAX);
    if more > 0 {
        named.push(format!("and {more} more"));
    }
    let message = format!("{} nodes of this user run: {}", running.len(), named.join(", "));
    Error::new(Kind::InvalidArgument, message)
        .with_hint("Say which one is meant with --data-dir D, or set CRUX_DATA_DIR.")
}
