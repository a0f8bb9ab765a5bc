//! `services`

use crux_client::model::Service;
use crux_client::op::GetServices;
use crux_client::parse;
use crux_crdt::path::Query;

use super::{Ui, Wait, table};
use crate::error::Error;

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
    let services = ui.call(&GetServices { query: query.clone(), all: args.all }, args.wait)?;
    ui.answer(&services, || text(&services, args.all))?;
    if services.is_empty()
        && let Some(hint) = hint(&query)
    {
        ui.note(&hint);
    }
    Ok(())
}

/// Who asks for one word mostly means a service, and a query begins with the flock.
fn hint(query: &Query) -> Option<String> {
    let word = query.flock.as_ref()?;
    (*query == Query { flock: Some(word.clone()), ..Query::default() }).then(|| {
        format!(
            "{word} is the flock in this query. For a service: `services '*/*/*/{word}'`, \
             or `resolve {word}`."
        )
    })
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
