//! From what the documents of a target say as image to blobs that members hold.
//!
//! ```text
//!   the id of a blob ─────────────────────────────────────┐
//!   its first digits, and no file has that name ─ find ───┴─▶ a blob ── held? ──▶ else refused
//!   a path ─ hashed here ───────────────────────────────────▶ a blob ── put ────▶ once all is checked
//! ```
//!
//! **Invariant**: finding puts nothing, so that a target that is refused, or only compared, leaves no blob of the caller
//! behind. A file that changes between the two is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crux_client::model::Prefix;
use crux_client::op::{FindBlob, HELD_BLOBS_MAX, HeldBlobs};
use crux_client::{Client, Got};
use crux_crdt::blob::{BlobHasher, BlobId};
use crux_crdt::service::{Config, Image};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time::{Instant, timeout_at};

use super::site::{Document, IMAGE_UNKNOWN, Mistakes, Site};
use super::{Ui, Wait};
use crate::cli::blob::put_one;
use crate::error::{Error, Exit, Kind};
use crate::services::{Place, Source};

/// How much of a file is hashed at a time, in bytes.
const HASHED_AT_ONCE: usize = 256 * 1024;
/// How many blobs are looked for at a time: fewer than a node fetches.
const FETCHED_AT_ONCE: usize = 4;

/// Finds the blobs of images.
pub(super) struct Images<'a> {
    client: &'a Client,
    /// How long to look for a member that has a blob.
    patience: Duration,
    /// The files that have to be put, with the blobs that they are.
    files: BTreeMap<PathBuf, BlobId>,
}

/// A place in a document where an image is named, and the blob that it is.
type Named<'a> = (&'a Document, String, BlobId);

impl<'a> Images<'a> {
    pub(super) const fn new(client: &'a Client, wait: Wait) -> Self {
        Self { client, patience: wait.timeout, files: BTreeMap::new() }
    }

    /// The configs of a site. With `held` every image has to be a file, or a blob that a live member holds.
    ///
    /// # Errors
    /// The place of the first image that is not found; [`Kind::BlobUnknown`] of the first that nobody holds; those of
    /// the calls.
    pub(super) async fn configs(
        &mut self,
        site: &Site,
        held: bool,
        ui: &mut Ui,
    ) -> Result<Vec<Config>, Error> {
        let (mut configs, mut wrong, mut named) = (Vec::new(), Mistakes::default(), Vec::new());
        for document in &site.documents {
            configs.extend(self.config(document, &mut named, &mut wrong).await?);
        }
        wrong.settle(ui)?;
        if held {
            self.missing(&named).await?.settle(ui)?;
        }
        Ok(configs)
    }

    async fn config<'s>(
        &mut self,
        document: &'s Document,
        named: &mut Vec<Named<'s>>,
        wrong: &mut Mistakes,
    ) -> Result<Option<Config>, Error> {
        let image = match &document.draft.image {
            Source::One(place) => {
                let blob = self.named(document, "image", place, wrong).await?;
                named.extend(blob.map(|blob| (document, "image".to_owned(), blob)));
                blob.map(Image::Blob)
            }
            Source::PerMachine(places) => {
                let mut blobs = BTreeMap::new();
                for (machine, place) in places {
                    let key = format!("image.{machine}");
                    if let Some(blob) = self.named(document, &key, place, wrong).await? {
                        named.push((document, key, blob));
                        blobs.insert(*machine, blob);
                    }
                }
                (blobs.len() == places.len()).then_some(Image::PerMachine(blobs))
            }
            // No text says that.
            Source::Command(_) => None,
        };
        let Some(image) = image else { return Ok(None) };
        match document.draft.clone().with_image(image) {
            Ok(config) => Ok(Some(config)),
            Err(err) => {
                wrong.push(document.mistake("image", "config", err.to_string()));
                Ok(None)
            }
        }
    }

    /// The blob of an image; none: the mistake was noted.
    async fn named(
        &mut self,
        document: &Document,
        key: &str,
        place: &Place,
        wrong: &mut Mistakes,
    ) -> Result<Option<BlobId>, Error> {
        let err = match self.blob(place).await {
            Ok(blob) => return Ok(Some(blob)),
            Err(err) if matches!(err.exit(), Exit::NoNode | Exit::TimedOut) => return Err(err),
            Err(err) => err,
        };
        let mistake = document.mistake(key, "image", format!("`{key}`: {err}"));
        wrong.push(match err.hint() {
            Some(hint) => mistake.with_help(hint),
            None => mistake,
        });
        Ok(None)
    }

    /// The blob of a place. A file is noted, to be put.
    ///
    /// # Errors
    /// [`Kind::NotFound`] and others of files; [`Kind::BlobUnknown`]; those of the call.
    pub(super) async fn blob(&mut self, place: &Place) -> Result<BlobId, Error> {
        let path = match place {
            Place::Blob(id) => return Ok(*id),
            Place::Path(path) => path,
        };
        let prefix = path.to_str().and_then(|text| Prefix::parse(text).ok());
        if let Some(prefix) = prefix.filter(|_| !path.exists()) {
            let elsewhere = prefix.is_safe();
            return self.client.call(&FindBlob { prefix, elsewhere }).await;
        }
        if let Some(blob) = self.files.get(path) {
            return Ok(*blob);
        }
        let blob = hash(path)?;
        self.files.insert(path.clone(), blob);
        Ok(blob)
    }

    /// The images that are neither a file here nor held by a live member.
    async fn missing(&self, named: &[Named<'_>]) -> Result<Mistakes, Error> {
        let here: BTreeSet<_> = self.files.values().copied().collect();
        let ids: BTreeSet<_> = named.iter().map(|(_, _, blob)| *blob).collect();
        let ids: Vec<_> = ids.difference(&here).copied().collect();
        let mut held = here;
        for ids in ids.chunks(HELD_BLOBS_MAX) {
            held.extend(self.client.call(&HeldBlobs { ids: ids.to_vec() }).await?);
        }
        let left: Vec<_> = ids.iter().filter(|id| !held.contains(*id)).copied().collect();
        held.extend(self.provided(left).await?);
        let mut wrong = Mistakes::default();
        for (document, key, blob) in named.iter().filter(|(_, _, blob)| !held.contains(blob)) {
            let message = format!("`{key}`: no live member holds the blob {blob}");
            let help = "put it on a node with `blob put`, start a node that has it, or add --allow-missing";
            wrong.push(document.mistake(key, IMAGE_UNKNOWN, message).with_help(help));
        }
        Ok(wrong)
    }

    /// Of blobs that nobody offers in the registry those that some member has. Only the node can ask all members, by a
    /// fetch, which is left as soon as it has a provider.
    async fn provided(&self, ids: Vec<BlobId>) -> Result<Vec<BlobId>, Error> {
        let deadline = Instant::now() + self.patience;
        let ask = async |id| {
            let asked = timeout_at(deadline, is_provided(self.client, id, self.patience)).await;
            Ok::<_, Error>(asked.unwrap_or(Ok(false))?.then_some(id))
        };
        let asked = stream::iter(ids).map(ask).buffered(FETCHED_AT_ONCE);
        asked.try_filter_map(async |id| Ok(id)).try_collect().await
    }

    /// Puts the files on the node.
    ///
    /// # Errors
    /// [`Kind::ChangedWhileRead`]; those of a put.
    pub(super) async fn put(&self, ui: &mut Ui) -> Result<(), Error> {
        for (path, blob) in &self.files {
            if put_one(self.client, path, ui).await?.id != *blob {
                let message = "the file changed since it was read";
                let error = Error::new(Kind::ChangedWhileRead, message);
                return Err(error.augment(path.display().to_string()));
            }
        }
        Ok(())
    }
}

/// Whether some member has a blob.
async fn is_provided(client: &Client, id: BlobId, patience: Duration) -> Result<bool, Error> {
    let begun = async {
        let mut get = client.get_blob(id, patience).await?;
        while let Some(part) = get.next().await? {
            match part {
                Got::Progress(progress) if progress.size == 0 => {}
                Got::Progress(_) | Got::Size(_) | Got::Chunk(_) => return Ok(true),
            }
        }
        Ok::<_, Error>(false)
    };
    match begun.await {
        Err(err) if matches!(err.kind(), Kind::BlobUnknown | Kind::TimedOut) => Ok(false),
        // There is a provider, and no room here.
        Err(err) if matches!(err.kind(), Kind::DiskFull | Kind::Quota) => Ok(true),
        begun => begun,
    }
}

/// The blob that a file is.
fn hash(path: &Path) -> Result<BlobId, Error> {
    let name = || path.display().to_string();
    let io = |err: io::Error| match err.kind() {
        io::ErrorKind::NotFound => {
            Error::new(Kind::NotFound, "there is no such file").augment(name())
        }
        _ => Error::io(name(), &err),
    };
    if !path.metadata().map_err(io)?.is_file() {
        return Err(Error::new(Kind::InvalidArgument, "not a regular file").augment(name()));
    }
    let mut file = File::open(path).map_err(io)?;
    let (mut hasher, mut buffer) = (BlobHasher::default(), vec![0; HASHED_AT_ONCE]);
    loop {
        match file.read(&mut buffer).map_err(io)? {
            0 => return Ok(hasher.finish()),
            count => hasher.update(&buffer[..count]),
        }
    }
}
