//! Brings a node up, and down again.

use std::future::Future;

use crate::config::Config;
use crate::error::{Error, Kind};

/// Runs a node until `shutdown` resolves, and stops it without leaving the flock.
///
/// # Errors
/// [`Kind::Unsupported`]: it is not built yet.
pub async fn run(config: Config, shutdown: impl Future<Output = ()> + Send) -> Result<(), Error> {
    tracing::info!(flock = %config.secret.parts().flock, listen = %config.listen, "starting");
    drop(shutdown);
    Err(Error::new(Kind::Unsupported, "running a node is not built yet"))
}
