//! `doc ls`

use crux_client::model::{DocumentEntry, DocumentState};
use crux_client::parse;

use super::{ListDocuments, Ui, Wait};
use crate::cli::live::{self, Live};
use crate::cli::output::to_json;
use crate::cli::table::{self, Cell};
use crate::error::Error;

/// List documents, deleted ones included
///
/// The state says whether a document has effect: `current` has; the signer of a `void` one may not write the key, or
/// no longer; one in `conflict` has effect, and another one was written without knowledge of it, which the next write
/// ends. A `*` after the key marks a kind that this version of Crux does not know: it is kept without effect.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A kind, as in target, or the beginning of keys, as in secret/main/
    #[arg(value_name = "KIND|PREFIX", default_value = "", hide_default_value = true)]
    prefix: String,
    #[command(flatten)]
    live: Live,
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let op = ListDocuments { prefix: parse::document_prefix(&args.prefix)? };
    let shown = (
        |documents: &Vec<DocumentEntry>| to_json(documents),
        |documents: &Vec<DocumentEntry>| text(documents),
    );
    live::list(&op, (args.wait, args.live), ui, &shown).map(drop)
}

fn text(documents: &[DocumentEntry]) -> String {
    let row = |entry: &DocumentEntry| {
        let mark = if entry.known_kind { "" } else { " *" };
        [
            Cell::from(format!("{}{mark}", entry.key)),
            state(entry.state),
            entry.generation.to_string().into(),
            entry.grants_version.to_string().into(),
            table::size(entry.bytes).into(),
            entry.signer.to_string().into(),
        ]
    };
    let header = ["KEY", "STATE", "GENERATION", "GRANTS", "SIZE", "SIGNER"];
    table::render(header, documents.iter().map(row).collect())
}

fn state(state: DocumentState) -> Cell {
    Cell::painted(state, state.as_str())
}
