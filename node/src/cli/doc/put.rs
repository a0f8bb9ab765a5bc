//! `doc put`

use std::path::PathBuf;

use crux_client::parse;

use super::{AnySigner, Content, Session, Ui, Writing, read, write};
use crate::error::Error;

/// Sign a document and have every node hold it
///
/// Returns when the document is durable on the node; it spreads to all others. It replaces whatever is under the key.
/// `conflict` means that the node learnt of another write meanwhile: look with `doc show`, then run the command again.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Key of the document: KIND/NAME, as in target/main
    key: String,
    /// File with the content, at most 64 KiB, or `-` for standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    #[command(flatten)]
    signer: AnySigner,
    #[command(flatten)]
    how: Writing,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let key = parse::document_key(&args.key)?;
    let signer = args.signer.read(Some(&args.file), ui)?;
    let content = Content::Bytes(read(&args.file, ui)?);
    let (session, basis) = Session::begin_one(signer, &key, args.how.wait, ui)?;
    write(&session, session.draft(basis, content), args.how, "Wrote", ui)
}
