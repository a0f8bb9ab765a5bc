//! `watch`

use crux_client::WatchEvent;
use crux_client::model::Service;
use crux_client::parse;

use super::output::{block_on, to_json};
use super::{Ui, Wait, table};
use crate::error::Error;

/// Print services, then every change, until stopped
///
/// First a snapshot; then what was added, changed or removed; and again a snapshot when this command
/// fell behind. With `--json` each line is one document: {"event": "snapshot", "services": […]},
/// {"event": "added", "service": {…}} or {"event": "removed", "service": {…}}.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which services, as in ntp3 or '/dev/main/*/ntp3'
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
    block_on(async {
        let client = ui.connect(args.wait.timeout).await?;
        let mut watch = client.watch(&query, args.all).await?;
        while let Some(event) = watch.next().await? {
            match ui.json() {
                true => ui.print(&to_json(&event)?)?,
                false => ui.print_painted(&text(&event))?,
            }
        }
        Ok(())
    })
}

pub(super) fn text(event: &WatchEvent) -> String {
    let line = |mark: char, service: &Service| format!("{mark} {}", table::service(service));
    match event {
        WatchEvent::Added { service } => line('+', service),
        WatchEvent::Removed { service } => line('-', service),
        WatchEvent::Snapshot { services } => {
            let count = format!("# {} services", services.len());
            let lines = services.iter().map(|service| line('=', service));
            std::iter::once(count).chain(lines).collect::<Vec<_>>().join("\n")
        }
    }
}
