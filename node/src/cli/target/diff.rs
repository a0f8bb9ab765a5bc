//! `diff`

use std::collections::BTreeMap;
use std::path::PathBuf;

use crux_client::socket::Door;
use crux_crdt::name::ServiceName;
use crux_crdt::service::Config;
use serde::Serialize;
use serde_json::json;

use super::current::State;
use super::image::Images;
use super::lines;
use super::site::Site;
use super::{Ui, Wait, horde};
use crate::cli::output::block_on;
use crate::error::Error;
use crate::services;

/// Compare files with the target
///
/// Shows as lines what `apply` would change in the program and in the documents of services, and not which programs that
/// would start and stop.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Directories, and files that end in .khan or .toml, as `apply` takes them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    wait: Wait,
}

/// The difference of a service.
#[derive(Debug, Serialize)]
struct Changed {
    service: String,
    change: Change,
    /// The lines of its document.
    diff: String,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Change {
    Added,
    Removed,
    Changed,
}

type Services = BTreeMap<ServiceName, Config>;

pub(in crate::cli) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let site = Site::read(&args.paths, &horde(), ui)?;
    let (state, services) = block_on(async {
        let client = ui.connect_at(Door::Control, args.wait.timeout).await?;
        let services = Images::new(&client, args.wait).configs(&site, false, ui).await?;
        Ok((State::read(&client, &horde()).await?, services))
    })?;
    let new: Services = services.into_iter().map(|it| (it.name.clone(), it)).collect();
    let (none, current) = (Services::new(), state.current());
    let old = current.map_or(&none, |it| it.target.services());
    let before = match current {
        Some(current) => format!("generation {}", current.generation),
        None => "no target".to_owned(),
    };
    let old_program = current.map_or("", |it| it.target.program());
    let program = lines::diff("program", &before, (old_program, &site.program));
    let changed = changed(&before, old, &new)?;
    let unchanged: Vec<_> = new.keys().filter(|name| old.get(*name) == new.get(*name)).collect();
    let unchanged: Vec<_> = unchanged.iter().map(|name| name.as_str()).collect();
    let answer = json!({
        "generation": current.map(|it| it.generation),
        "program": program,
        "services": changed,
        "unchanged": unchanged,
    });
    ui.answer(&answer, || text(&program, &changed, &before))
}

fn changed(before: &str, old: &Services, new: &Services) -> Result<Vec<Changed>, Error> {
    let names: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let print = |config: Option<&Config>| config.map(services::print).transpose();
    let mut all = Vec::new();
    for name in names {
        let change = match (old.get(name), new.get(name)) {
            (old, new) if old == new => continue,
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
            _ => Change::Changed,
        };
        let [old, new] = [old, new].map(|all| print(all.get(name)));
        let (old, new) = (old?.unwrap_or_default(), new?.unwrap_or_default());
        let diff = lines::diff(name.as_str(), before, (&old, &new));
        all.push(Changed { service: name.to_string(), change, diff });
    }
    Ok(all)
}

fn text(program: &str, changed: &[Changed], before: &str) -> String {
    let parts = std::iter::once(program).chain(changed.iter().map(|it| it.diff.as_str()));
    let text = parts.filter(|part| !part.is_empty()).collect::<String>();
    if text.is_empty() { format!("No difference to {before}.") } else { text }
}
