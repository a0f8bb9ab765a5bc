//! `deregister`

use crux_client::op::Deregister;
use crux_client::parse;

use super::{Ui, Wait, table};
use crate::error::Error;

/// Remove a registration of the node
///
/// Returns when the removal is durable.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name of the service
    service: String,
    /// Revision
    rev: String,
    /// Horde it belongs to
    #[arg(long, value_name = "H", default_value = "main")]
    horde: String,
    /// Instance, as it was registered
    #[arg(long, value_name = "N", default_value_t = 0)]
    ordinal: u16,
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let key = parse::service_key(&args.horde, &args.service, &args.rev, args.ordinal.into())?;
    let deregister = Deregister { key };
    ui.call(&deregister, args.wait)?;
    let ordinal = table::ordinal(args.ordinal);
    ui.say(&format!("Deregistered {} {}{ordinal}", deregister.key.service, deregister.key.rev))
}
