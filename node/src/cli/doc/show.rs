//! `doc show`

use crux_client::model::{DocumentEntry, ShownDocument};
use crux_client::parse;
use crux_crdt::canon::Canonical as _;
use crux_crdt::document::Grant;
use data_encoding::BASE64;
use serde_json::{Value, json};

use super::{ShowDocument, Ui, Wait};
use crate::cli::table::{self, Cell};
use crate::cli::user;
use crate::error::Error;

/// Show a document: its signer, its state and its content
///
/// With --json the content is a text, or `content_base64` where it is not one, and the field `rival` has the document
/// that it is in conflict with.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Key of the document: KIND/NAME, as in target/main
    key: String,
    /// Also show the content of the document that it is in conflict with
    #[arg(long)]
    rival: bool,
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let key = parse::document_key(&args.key)?;
    let shown = ui.call(&ShowDocument { key }, args.wait)?;
    let rival = shown.rival.as_ref().map(|rival| {
        let mut value = value(&rival.entry, rival.content.as_deref());
        value["counts"] = rival.counts.into();
        value
    });
    let mut answer = value(&shown.entry, shown.content.as_deref());
    answer["rival"] = rival.into();
    ui.answer(&answer, || text(&shown, args.rival))
}

/// A content that is a text. One with a zero in it is in some encoding, whatever else it is.
fn text_of(content: &[u8]) -> Option<&str> {
    str::from_utf8(content).ok().filter(|text| !text.contains('\0'))
}

/// A document with its content as JSON.
fn value(entry: &DocumentEntry, content: Option<&[u8]>) -> Value {
    let mut value = json!(entry);
    let text = content.and_then(text_of);
    let coded = content.filter(|_| text.is_none()).map(|content| BASE64.encode(content));
    value["content"] = text.into();
    value["content_base64"] = coded.into();
    value
}

fn text(shown: &ShownDocument, with_rival: bool) -> String {
    let mut parts = vec![table_of(&shown.entry), content(&shown.entry, shown.content.as_deref())];
    if let Some(rival) = &shown.rival {
        let effect = if rival.counts { "may" } else { "may not" };
        parts.push(format!(
            "In conflict with the document of {}, generation {}, who {effect} write the key. The next write ends it.",
            rival.entry.signer, rival.entry.generation
        ));
        match with_rival {
            true => parts.push(content(&rival.entry, rival.content.as_deref())),
            false => parts.push("--rival shows its content, too.".to_owned()),
        }
    }
    parts.join("\n\n")
}

fn table_of(entry: &DocumentEntry) -> String {
    let row = |name: &str, value: Cell| [Cell::from(name), value];
    let rows = vec![
        row("key", entry.key.to_string().into()),
        row("state", Cell::painted(entry.state, entry.state.as_str())),
        row("signer", entry.signer.to_string().into()),
        row("generation", entry.generation.to_string().into()),
        row("grants version", entry.grants_version.to_string().into()),
        row("size", table::size(entry.bytes).into()),
    ];
    // The header is empty: the names say it all.
    table::render(["", ""], rows).trim_start_matches('\n').to_owned()
}

/// The content for people. That of a grant has an encoding of its own.
fn content(entry: &DocumentEntry, content: Option<&[u8]>) -> String {
    let Some(content) = content else { return "Deleted.".to_owned() };
    if entry.key.is_grant()
        && let Ok(grant) = Grant::from_canonical(content)
    {
        return user::words(&grant);
    }
    match text_of(content) {
        Some(text) => text.trim_end_matches('\n').to_owned(),
        None => "The content is not a text; --json has it as base64.".to_owned(),
    }
}
