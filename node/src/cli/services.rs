//! `services`

use crux_client::model::Service;
use crux_client::op::GetServices;
use crux_client::parse;
use crux_crdt::name::{Label, ServiceName};
use crux_crdt::path::Query;

use super::live::{self, Live};
use super::output::to_json;
use super::table::Cell;
use super::{Ui, Wait, table};
use crate::error::Error;

/// List services
///
/// A query is the name of a service, or a path /flock/horde/node/service/rev with `*` in any part, of which
/// the leading slash and trailing `/*` parts may be left out. No query lists all.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which services, as in ntp3 or '/dev/main/*/ntp3'
    #[arg(default_value = "", hide_default_value = true)]
    query: String,
    /// Also those whose node is not alive
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    live: Live,
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let query = parse::query(&args.query)?;
    let op = GetServices { query: query.clone(), all: args.all };
    let shown = (|all: &Vec<Service>| to_json(all), |all: &Vec<Service>| text(all, args.all));
    let services = live::list(&op, (args.wait, args.live), ui, &shown)?;
    if services.is_empty()
        && let Some(hint) = hint(&query, args.all)
    {
        ui.note(&hint);
    }
    Ok(())
}

/// One word is a service, or the flock if it comes after a slash; the other one may have been meant.
fn hint(query: &Query, all: bool) -> Option<String> {
    let of_service = |name: &ServiceName| Query { service: Some(name.clone()), ..Query::default() };
    let of_flock = |name: &Label| Query { flock: Some(name.clone()), ..Query::default() };
    match (&query.service, &query.flock) {
        (Some(word), _) if *query == of_service(word) => {
            let none = match all {
                true => format!("No service is called {word}."),
                false => format!(
                    "No live service is called {word}. `--all` shows those whose node is not alive, too;"
                ),
            };
            Some(format!(
                "{none} `resolve {word}` also takes services that it is a generic name for; a flock is a path: \
                 `/{word}`."
            ))
        }
        (_, Some(word)) if *query == of_flock(word) => {
            Some(format!("{word} is the flock in this query. For a service: `services {word}`."))
        }
        _ => None,
    }
}

pub(super) fn text(services: &[Service], all: bool) -> String {
    let row = |service: &Service| {
        let live = if service.live { "live" } else { "not live" };
        let status = match all {
            true => format!("{}, {live}", service.status),
            false => service.status.to_string(),
        };
        [
            Cell::from(service.path.to_string()),
            service.ordinal.to_string().into(),
            Cell::painted(service.status, status),
            service.net_id.endpoint.to_string().into(),
            service.instance.as_str().into(),
            table::labels(&service.labels).into(),
        ]
    };
    let header = ["PATH", "ORDINAL", "STATUS", "ADDRESS", "INSTANCE", "LABELS"];
    table::render(header, services.iter().map(row).collect())
}
