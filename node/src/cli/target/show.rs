//! `target show`

use std::collections::BTreeMap;

use crux_client::parse;
use crux_client::socket::Door;
use crux_crdt::service::{Config, Image};
use serde_json::json;

use super::current::{Current, State};
use super::{Ui, Wait, horde};
use crate::cli::output::block_on;
use crate::cli::table::{self, Cell};
use crate::error::{Error, Kind};
use crate::services;

/// Show the target: its program and its services
///
/// With --service the document of one service, as `apply` reads it back.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name of a service
    #[arg(long, value_name = "S")]
    service: Option<String>,
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let service = args.service.as_deref().map(|it| parse::service_name("the service", it));
    let service = service.transpose()?;
    let current = block_on(async {
        let client = ui.connect_at(Door::Control, args.wait.timeout).await?;
        State::read(&client, &horde()).await?.needed(&horde())
    })?;
    let Some(service) = service else {
        return ui.answer(&value(&current), || text(&current));
    };
    let config = current.target.services().get(&service).ok_or_else(|| {
        let message = format!("the target has no service {service}");
        Error::new(Kind::NotFound, message).with_hint("`target show` lists those that it has.")
    })?;
    let toml = services::print(config)?;
    ui.answer(config, || toml)
}

fn value(current: &Current) -> serde_json::Value {
    let Current { generation, by, in_conflict, target } = current;
    let services: BTreeMap<_, _> =
        target.services().iter().map(|(name, config)| (name.as_str(), config)).collect();
    json!({
        "generation": generation,
        "by": by,
        "note": target.note(),
        "conflict": in_conflict,
        "program": target.program(),
        "services": services,
    })
}

fn text(current: &Current) -> String {
    let Current { generation, by, in_conflict, target } = current;
    let conflict = if *in_conflict { ", in conflict with another one" } else { "" };
    let note =
        if target.note().is_empty() { String::new() } else { format!(": {}", target.note()) };
    let row = |config: &Config| {
        [Cell::from(config.name.as_str()), config.rev.as_str().into(), image(&config.image).into()]
    };
    let services = target.services().values().map(row).collect();
    let services = table::render(["SERVICE", "REV", "IMAGE"], services);
    let program = target.program().trim_end();
    format!("Generation {generation} by {by}{conflict}{note}\n\n{program}\n\n{services}")
}

fn image(image: &Image) -> String {
    match image {
        Image::Blob(blob) => blob.short(),
        Image::PerMachine(blobs) => {
            let one = |(machine, blob): (_, &crux_crdt::blob::BlobId)| {
                format!("{machine} {}", blob.short())
            };
            blobs.iter().map(one).collect::<Vec<_>>().join(", ")
        }
    }
}
