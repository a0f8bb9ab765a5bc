//! `setting ls`

use std::collections::BTreeMap;

use crux_client::model::{DocumentState, ShownDocument};
use crux_client::op::{GetMembers, ListDocuments, ShowDocument};
use crux_client::socket::Door;
use crux_crdt::Principal;
use crux_crdt::document::KeyKind;
use crux_crdt::name::Label;
use serde_json::{Value, json};

use super::{Setting, Ui, Wait};
use crate::cli::output::block_on;
use crate::cli::table::{self, Cell};
use crate::error::{Error, Kind};

/// List the settings of the whole flock
///
/// Those that are not listed are as each node is configured. A value that this version of Crux does not understand has no
/// effect and is `unknown`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    wait: Wait,
}

/// A setting as it is listed.
#[derive(Debug)]
struct Row {
    /// The name that `setting set` takes.
    name: String,
    /// The name in the key, which has a principal where a person writes a node.
    key: String,
    value: Option<String>,
    state: DocumentState,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let (shown, names) = ask(args.wait, ui)?;
    let rows: Vec<_> = shown.iter().map(|shown| row(shown, &names)).collect();
    let values: Vec<_> = rows.iter().map(value).collect();
    ui.answer(&values, || text(&rows))
}

/// The settings that are not deleted, and the names of nodes.
fn ask(wait: Wait, ui: &Ui) -> Result<(Vec<ShownDocument>, BTreeMap<Principal, Label>), Error> {
    block_on(async {
        let client = ui.connect_at(Door::Control, wait.timeout).await?;
        let members = client.call(&GetMembers).await?;
        let names = members.into_iter().map(|it| (it.principal, it.node)).collect();
        let list = ListDocuments { prefix: KeyKind::SETTING.to_owned() };
        let mut all = Vec::new();
        for entry in client.call(&list).await? {
            match client.call(&ShowDocument { key: entry.key }).await {
                // It was there a moment ago.
                Err(err) if err.kind() == Kind::NotFound => {}
                shown => all.extend(Some(shown?).filter(|shown| shown.content.is_some())),
            }
        }
        Ok((all, names))
    })
}

fn row(shown: &ShownDocument, names: &BTreeMap<Principal, Label>) -> Row {
    let (key, content) = (&shown.entry.key, shown.content.as_deref().unwrap_or_default());
    let setting = Setting::read(key, content).ok();
    let name = match &setting {
        Some(Setting::Labels(node, _)) => {
            let node = names.get(node).map_or_else(|| node.to_string(), ToString::to_string);
            format!("{}/{node}", Setting::LABELS)
        }
        _ => key.name().to_owned(),
    };
    let value = setting.map(|setting| match setting {
        Setting::Labels(_, labels) => {
            let pairs: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            pairs.join(",")
        }
        other => other.content(),
    });
    Row { name, key: key.to_string(), value, state: shown.entry.state }
}

fn value(row: &Row) -> Value {
    let state = if row.value.is_some() { row.state.as_str() } else { "unknown" };
    json!({ "name": row.name, "value": row.value, "key": row.key, "state": state })
}

fn text(rows: &[Row]) -> String {
    let cells = |row: &Row| {
        let state = match row.value {
            Some(_) => Cell::painted(row.state, row.state.as_str()),
            None => "unknown".into(),
        };
        let value = row.value.as_deref().unwrap_or("-");
        [Cell::from(row.name.as_str()), value.into(), state]
    };
    table::render(["NAME", "VALUE", "STATE"], rows.iter().map(cells).collect())
}
