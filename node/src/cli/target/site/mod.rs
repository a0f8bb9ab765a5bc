//! The files of a target: a program, and a document for each service that it picks.
//!
//! Reading continues after every mistake, so all of them show at once. **Invariant**: a [`Site`] keeps every rule that
//! needs no node: the program is checked, each service that it picks has exactly one document, and no other document is
//! in it.

mod check;
mod files;
mod mistake;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use crux_crdt::name::Label;

use self::files::Files;
pub(super) use self::mistake::{IMAGE_UNKNOWN, Mistake, Mistakes};
use super::{Ui, read_file};
use crate::error::{Error, Kind};
use crate::services::{self, Draft};

/// A target as its author wrote it.
#[derive(Debug)]
pub(super) struct Site {
    /// The program, each line ended by a line feed.
    pub(super) program: String,
    /// The documents of the services that it picks, by the name of the service.
    pub(super) documents: Vec<Document>,
}

/// The document of a service.
#[derive(Debug)]
pub(super) struct Document {
    /// The file, as the caller named it.
    pub(super) file: String,
    text: String,
    /// The config, but for its image.
    pub(super) draft: Draft,
}

/// A file as it was read.
#[derive(Debug)]
struct Source {
    /// As the caller named it.
    name: String,
    /// At most one byte more than such a file may have.
    bytes: Vec<u8>,
}

impl Site {
    /// Reads the files that the paths name, for the target of a horde. Shows warnings, and all mistakes.
    ///
    /// # Errors
    /// Which file is missing or cannot be read; [`Kind::InvalidConfig`] with the
    /// place of the first mistake.
    pub(super) fn read(paths: &[PathBuf], horde: &Label, ui: &mut Ui) -> Result<Self, Error> {
        let Files { program, documents } = Files::find(paths)?;
        let program = Source::read(&program, crux_khan::syntax::BYTES_MAX)?;
        let max = crux_crdt::service::CONFIG_BYTES_MAX;
        let documents = documents.iter().map(|path| Source::read(path, max));
        let documents = documents.collect::<Result<Vec<_>, _>>()?;
        let (site, mistakes) = check::check(&program, documents, horde);
        mistakes.settle(ui)?;
        site.ok_or_else(|| {
            Error::new(Kind::Internal, "no mistake was found in files that are refused")
        })
    }
}

impl Document {
    /// A mistake at a key of it, or around it.
    pub(super) fn mistake(&self, key: &str, kind: &'static str, message: String) -> Mistake {
        let place = services::place(&self.text, key);
        Mistake::at((&self.file, &self.text), place, kind, message)
    }
}

impl Source {
    fn read(path: &Path, max: usize) -> Result<Self, Error> {
        Ok(Self { name: path.display().to_string(), bytes: read_file(path, max)? })
    }
}
