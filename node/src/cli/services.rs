//! `services`

use super::output::block_on;
use super::{Ui, Wait, table};
use crate::error::Error;
use crate::parse;
use crate::view::Service;

/// List services
///
/// A query is a path /flock/horde/node/service/rev with `*` in any part. The leading slash and
/// trailing `/*` parts may be left out; no query lists all.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which services, as in '/dev/main/*/ntp3'
    #[arg(default_value = "", hide_default_value = true)]
    query: String,
    /// Also those whose node is not alive
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let query = parse::query(&args.query)?;
    let talk = async { ui.connect(args.wait.timeout).await?.services(&query, args.all).await };
    let services = block_on(talk)?;
    ui.answer(&services, || text(&services, args.all))
}

pub(super) fn text(services: &[Service], all: bool) -> String {
    let row = |service: &Service| {
        let live = if service.live { "live" } else { "not live" };
        let status = match all {
            true => format!("{}, {live}", service.status),
            false => service.status.to_string(),
        };
        let endpoint = service.net_id.endpoint.to_string();
        [service.path.to_string(), endpoint, status, service.instance.clone()]
    };
    let header = ["PATH", "ADDRESS", "STATUS", "INSTANCE"];
    table::render(header, services.iter().map(row).collect())
}
