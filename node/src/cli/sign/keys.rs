//! The options that give a key, and how it is read.

use std::path::{Path, PathBuf};

use super::{Ui, is_stdin};
use crate::error::{Error, Kind};
use crate::secret::{Signer, Takes};

/// Says whose key signs, where a user's will do.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(in crate::cli) struct AnySigner {
    /// File with the key of the user who signs
    #[arg(long, value_name = "F")]
    identity: Option<PathBuf>,
    /// File with the operator's key, or `-`: standard input, so that the key lies on no disk of a node
    #[arg(long, value_name = "F|-")]
    operator_key: Option<PathBuf>,
}

/// Gives the operator's key, where nobody else's will do.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct OperatorSigner {
    /// File with the operator's key, or `-`: standard input, so that the key lies on no disk of a node
    #[arg(long, value_name = "F|-")]
    operator_key: PathBuf,
}

impl AnySigner {
    /// Reads the key. The content comes from `content`, which may not be standard input as well.
    ///
    /// # Errors
    /// Those of [`Signer::read`]; [`Kind::InvalidArgument`] when both are standard input.
    pub(in crate::cli) fn read(
        &self,
        content: Option<&Path>,
        ui: &mut Ui,
    ) -> Result<Signer, Error> {
        let (path, takes) = match (&self.identity, &self.operator_key) {
            (Some(path), _) => (path, Takes::AnyKey),
            (None, Some(path)) => (path, Takes::OperatorKey),
            (None, None) => return Err(Error::new(Kind::InvalidArgument, "no key is given")),
        };
        if is_stdin(path) && content.is_some_and(is_stdin) {
            let message = "both the key and the content are to be read from standard input";
            return Err(Error::new(Kind::InvalidArgument, message)
                .with_hint("Give the path of one of them."));
        }
        let signer = read(path, takes, ui)?;
        if self.identity.is_some() && signer.is_operator() {
            ui.note(
                "This is an operator's key. For what a user may write, make one with `user keygen` and `user add`, and \
                 keep the operator's key offline.",
            );
        }
        Ok(signer)
    }
}

impl OperatorSigner {
    /// Reads the key.
    ///
    /// # Errors
    /// Those of [`Signer::read`].
    pub(in crate::cli) fn read(&self, ui: &mut Ui) -> Result<Signer, Error> {
        read(&self.operator_key, Takes::OperatorKey, ui)
    }
}

fn read(path: &Path, takes: Takes, ui: &mut Ui) -> Result<Signer, Error> {
    ui.keep_memory_private()?;
    if !is_stdin(path) {
        return Signer::read(path, takes);
    }
    let read = Signer::read_from(ui.input(), takes);
    read.map_err(|err| err.augment("the key on standard input"))
}
