//! `register`

use std::time::Duration;

use crux_client::op::Register;
use crux_client::parse;
use serde_json::json;

use super::{Ui, Wait, duration};
use crate::error::Error;

/// Register a service of the node
///
/// Returns when the registration is durable. It stays until `deregister`, over crashes and restarts,
/// and is live while the node is alive; with `--lease` it goes by itself. The same service, revision
/// and horde again replaces the address and renews the lease.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name of the service: a letter, then letters, digits, `_`, `-`, `.`
    service: String,
    /// Revision, by the same rules
    rev: String,
    /// Where the service is reached
    #[arg(value_name = "HOST:PORT")]
    address: String,
    /// Horde it belongs to
    #[arg(long, value_name = "H", default_value = "main")]
    horde: String,
    /// Gone that long after the last register of the same
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    lease: Option<Duration>,
    /// How many other members must have stored it before this returns
    #[arg(long, value_name = "K", default_value_t = 0)]
    sync: u32,
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let register = Register {
        service: parse::service_name("the service name", &args.service)?,
        rev: parse::service_name("the revision", &args.rev)?,
        endpoint: parse::endpoint(&args.address)?,
        horde: parse::horde(&args.horde)?,
        lease: args.lease,
        sync: args.sync,
    };
    let registered = ui.call(&register, args.wait)?;
    let answer = json!({
        "path": registered.path.to_string(),
        "instance": registered.instance,
        "net_id": registered.net_id.to_string(),
    });
    ui.answer(&answer, || format!("Registered {} as {}", registered.path, registered.instance))
}
