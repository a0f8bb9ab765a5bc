//! `user keygen`

use std::path::{Path, PathBuf};

use serde_json::json;

use super::Ui;
use crate::error::{Error, Kind};
use crate::outfile::is_stdout;
use crate::secret::{Signer, Takes, UserKey, UserPublic, begin};

/// Make the key of a user
///
/// Writes the key to a file of mode 0600 and prints its public line, which the operator passes to `user add`. The key
/// stays on the machine of the user; no node needs it. Existing files are never overwritten, unless they are empty.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// File to write the key to
    #[arg(long, value_name = "F")]
    out: PathBuf,
    /// If there is a user's key already, keep it and print its public line
    #[arg(long)]
    if_missing: bool,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    if is_stdout(&args.out) {
        return Err(Error::new(Kind::InvalidArgument, "the public line goes to standard output, and so would the key")
            .with_hint("Give the path of a file: it gets mode 0600."));
    }
    ui.keep_memory_private()?;
    if args.if_missing && args.out.metadata().is_ok_and(|meta| meta.len() > 0) {
        return keep(&args.out, ui);
    }
    ui.clean_up_on_signals()?;
    let key = UserKey::generate()?;
    begin(&args.out, &key.expose())?.finish()?;
    tell(key.public(), &args.out, ui)?;
    ui.note(&format!(
        "Wrote the key to {}. Keep it: the line above is its public half, for `crux-node user add`.",
        args.out.display()
    ));
    Ok(())
}

/// Leaves a key as it is, if it is one of a user.
fn keep(path: &Path, ui: &mut Ui) -> Result<(), Error> {
    let signer = Signer::read(path, Takes::AnyKey)?;
    if signer.is_operator() {
        let message = format!("{} is the key of an operator", path.display());
        return Err(Error::new(Kind::AlreadyExists, message)
            .with_hint("Keys are never overwritten. Give another path."));
    }
    tell(UserPublic(signer.principal()), path, ui)?;
    ui.note(&format!("Kept the key in {}", path.display()));
    Ok(())
}

fn tell(public: UserPublic, path: &Path, ui: &mut Ui) -> Result<(), Error> {
    let answer = json!({
        "key_file": path,
        "key": public.to_string(),
        "principal": public.0.to_string(),
    });
    ui.answer(&answer, || public.to_string())
}
