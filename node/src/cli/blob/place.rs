//! `blob path`, `register`, `add-dir`, `scrub`: what is about places on the node's machine.

use std::path::PathBuf;

use crux_client::op::{self, BlobPath};
use crux_client::parse;
use serde_json::json;

use super::{Ui, Wait, find};
use crate::error::{Error, Kind};

/// Print where a blob lies on the node's machine
///
/// The file is only to be read, and gone once the blob is removed or evicted: pin it before.
#[derive(Debug, clap::Args)]
pub(super) struct Path {
    /// Its id, or the first digits of it
    id: String,
    #[command(flatten)]
    wait: Wait,
}

/// Make a file a blob where it is
///
/// It is never moved, changed, evicted or deleted. Once it changes it is no longer a blob.
#[derive(Debug, clap::Args)]
pub(super) struct Register {
    /// A file on the node's machine
    file: PathBuf,
    #[command(flatten)]
    wait: Wait,
}

/// Add a directory for blobs, made if there is none, and remember it
#[derive(Debug, clap::Args)]
pub(super) struct AddDir {
    /// A directory on the node's machine
    path: PathBuf,
    /// Hash every blob in it first; otherwise its records are trusted
    #[arg(long)]
    scan: bool,
    #[command(flatten)]
    wait: Wait,
}

/// Verify every byte of every blob of the node
///
/// Damaged blobs are kept as far as they are good, and `get` fetches the rest. Fails when something is
/// damaged.
#[derive(Debug, clap::Args)]
pub(super) struct Scrub {
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn path(args: &Path, ui: &mut Ui) -> Result<(), Error> {
    let id = find(&args.id, args.wait, ui)?;
    let path = ui.call(&BlobPath { id }, args.wait)?;
    ui.answer(&json!({ "path": path }), || path.display().to_string())
}

pub(super) fn register(args: &Register, ui: &mut Ui) -> Result<(), Error> {
    let path = absolute(&args.file)?;
    let op = op::RegisterFile { path: parse::path_text(&path)? };
    let op::Taken { id, size } = ui.call(&op, args.wait)?;
    let answer = json!({ "id": id.to_string(), "size": size });
    ui.answer(&answer, || format!("{id}  {}", path.display()))
}

pub(super) fn add_dir(args: &AddDir, ui: &mut Ui) -> Result<(), Error> {
    let path = absolute(&args.path)?;
    let op = op::AddBlobDir { path: parse::path_text(&path)?, scan: args.scan };
    let blobs = ui.call(&op, args.wait)?;
    ui.answer(&json!({ "blobs": blobs }), || {
        format!("Added {}, with {blobs} blobs in it", path.display())
    })
}

pub(super) fn scrub(args: &Scrub, ui: &mut Ui) -> Result<(), Error> {
    let found = ui.call(&op::Scrub, args.wait)?;
    let damaged = found.damaged.iter();
    let answer = json!({
        "blobs": found.blobs,
        "bytes": found.bytes,
        "damaged": damaged.map(|(id, n)| json!({ "id": id.to_string(), "pieces": n })).collect::<Vec<_>>(),
        "changed": found.changed.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    ui.answer(&answer, || {
        let mut text = format!("Verified {} blobs, {} bytes", found.blobs, found.bytes);
        for (id, pieces) in &found.damaged {
            text.push_str(&format!("\n{id} is damaged: {pieces} pieces have to be fetched again"));
        }
        for id in &found.changed {
            text.push_str(&format!("\n{id} was registered and changed: it is no longer a blob"));
        }
        text
    })?;
    match found.damaged.len() + found.changed.len() {
        0 => Ok(()),
        count => {
            Err(Error::new(Kind::BlobDamaged, format!("{count} blobs are not what they were")))
        }
    }
}

fn absolute(path: &std::path::Path) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(|err| Error::io("finding out the path", &err))
}
