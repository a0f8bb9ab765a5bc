//! `doc rm`

use crux_client::parse;

use super::{AnySigner, Content, Session, Ui, Writing, write};
use crate::error::{Error, Kind};

/// Sign that there is no document under a key any longer
///
/// The deletion is a document itself: it wins over what it deletes wherever the two meet, and it counts against the
/// number of documents that a user may have.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Key of the document: KIND/NAME, as in target/main
    key: String,
    #[command(flatten)]
    signer: AnySigner,
    #[command(flatten)]
    how: Writing,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let key = parse::document_key(&args.key)?;
    let signer = args.signer.read(None, ui)?;
    let (session, basis) = Session::begin_one(signer, &key, args.how.wait, ui)?;
    if !basis.present {
        return Err(Error::new(Kind::NotFound, format!("there is no document {}", basis.key))
            .with_hint("`doc ls` lists those that there are."));
    }
    write(&session, session.draft(basis, Content::Deleted), args.how, "Deleted", ui)
}
