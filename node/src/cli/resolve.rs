//! `resolve`

use crux_client::op::Resolve;
use crux_client::parse;

use super::{Ui, Wait, table};
use crate::error::Error;

/// Pick one live instance of a service and print its address
///
/// The name is an instance's, a service's, or a generic one: `ntp` also matches `ntp3`, `ntp_2.3`
/// and `ntp-edge`. A path with `*` in any part is a query. Services that are up come first; those that are
/// down are skipped.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name to resolve
    name: String,
    /// Only instances on this node: its name, its principal, or the first digits of that
    #[arg(long, value_name = "NODE")]
    on: Option<String>,
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let on = args.on.as_deref().map(parse::node).transpose()?;
    let service = ui.call(&Resolve { name: args.name.clone(), on }, args.wait)?;
    ui.answer(&service, || service.net_id.endpoint.to_string())?;
    if !ui.json() {
        let mut said = vec![table::place(&service.path, service.ordinal)];
        said.extend(Some(table::labels(&service.labels)).filter(|labels| !labels.is_empty()));
        ui.note(&format!("{} ({})", said.join("  "), service.status));
    }
    Ok(())
}
