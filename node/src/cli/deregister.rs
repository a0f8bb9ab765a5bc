//! `deregister`

use crux_client::op::Deregister;
use crux_client::parse;

use super::{Ui, Wait};
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
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let deregister = Deregister {
        service: parse::service_name("the service name", &args.service)?,
        rev: parse::service_name("the revision", &args.rev)?,
        horde: parse::horde(&args.horde)?,
    };
    ui.call(&deregister, args.wait)?;
    ui.say(&format!("Deregistered {} {}", deregister.service, deregister.rev))
}
