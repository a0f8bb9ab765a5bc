//! `register`

use std::collections::BTreeMap;
use std::time::Duration;

use crux_client::op::Register;
use crux_client::parse;
use serde_json::json;

use super::{Ui, Wait, duration, table};
use crate::error::Error;

/// Register a service of the node
///
/// Returns when the registration is durable. It stays until `deregister`, over crashes and restarts,
/// and is live while the node is alive; with `--lease` it expires. Registering the same service,
/// revision, horde and ordinal again replaces address and labels and renews the lease. A node has at
/// most 256 registrations.
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
    /// Instance, where several of this service and revision run on the node
    #[arg(long, value_name = "N", default_value_t = 0)]
    ordinal: u16,
    /// Label of the registration; may be given up to 16 times
    #[arg(long, value_name = "K=V")]
    label: Vec<String>,
    /// Expire the registration after this long unless it is renewed
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    lease: Option<Duration>,
    /// How many other members must have stored it before this returns. If fewer did within --timeout, the
    /// error says how many, and the registration stays
    #[arg(long, value_name = "K", default_value_t = 0)]
    sync: u32,
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let register = Register {
        key: parse::service_key(&args.horde, &args.service, &args.rev, args.ordinal.into())?,
        endpoint: parse::endpoint(&args.address)?,
        labels: labels(&args.label)?,
        lease: args.lease,
        sync: args.sync,
        sync_within: Some(args.wait.patience()),
    };
    let registered = ui.call(&register, args.wait)?;
    let answer = json!({
        "path": registered.path.to_string(),
        "ordinal": args.ordinal,
        "instance": registered.instance,
        "net_id": registered.net_id.to_string(),
    });
    let place = table::place(&registered.path, args.ordinal);
    ui.answer(&answer, || format!("Registered {place} as {}", registered.instance))
}

fn labels(all: &[String]) -> Result<BTreeMap<String, String>, Error> {
    let pairs = all.iter().map(|label| parse::label_pair(label));
    parse::labels(pairs.collect::<Result<Vec<_>, _>>()?)
}
