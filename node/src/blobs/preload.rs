//! Files that are made blobs where they are, at the start of the node.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::BlobError;
use super::depot::Depot;
use super::error::Doing as _;
use super::handle::Blobs;
use super::record::Place;

/// How many files one directory may have, with those below it.
const FILES_MAX: usize = 65_536;
/// How often it is said how far it is.
const SAY_EVERY: Duration = Duration::from_secs(5);

/// What a look at a directory came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Preloaded {
    /// Files that are blobs now.
    pub files: usize,
    /// How many bytes they have.
    pub bytes: u64,
    /// Files that are not; the log says why.
    pub failed: usize,
}

/// Registers every file in a directory and below it, in the order of their names, without following
/// links. Those that are registered and did not change since are not read again. What fails is logged
/// and left out.
///
/// # Errors
/// The directory cannot be read, or has more than 65,536 files; then nothing was registered.
pub async fn preload(blobs: &Blobs, dir: &Path) -> Result<Preloaded, BlobError> {
    let (root, depot) = (dir.to_owned(), blobs.depot());
    let work = move || Ok::<_, BlobError>((files_of(&root)?, depot.places()));
    let looked = tokio::task::spawn_blocking(work).await;
    let (files, known) = looked.map_err(|_| BlobError::Closed)??;
    let (total, mut done, mut said) = (files.len(), Preloaded::default(), Instant::now());
    tracing::info!(dir = %dir.display(), files = total, "making files blobs where they are");
    for path in files {
        match register(blobs, &known, &path).await {
            Ok(bytes) => {
                done.files += 1;
                done.bytes += bytes;
            }
            Err(BlobError::Closed) => return Err(BlobError::Closed),
            Err(error) => {
                done.failed += 1;
                tracing::error!(path = %path.display(), %error, "a file was not made a blob");
            }
        }
        if said.elapsed() >= SAY_EVERY {
            said = Instant::now();
            let Preloaded { files, bytes, failed } = done;
            tracing::info!(files, bytes, failed, total, "making files blobs");
        }
    }
    let Preloaded { files, bytes, failed } = done;
    tracing::info!(dir = %dir.display(), files, bytes, failed, "made files blobs");
    Ok(done)
}

async fn register(
    blobs: &Blobs,
    known: &BTreeMap<PathBuf, (Place, u64)>,
    path: &Path,
) -> Result<u64, BlobError> {
    if let Some((place, size)) = known.get(path)
        && fs::symlink_metadata(path).is_ok_and(|now| Place::of(path, &now) == *place)
    {
        return Ok(*size);
    }
    blobs.register_in_place(path.to_owned()).await.map(|it| it.size)
}

/// Whatever is in a directory and below it but directories, by name.
fn files_of(dir: &Path) -> Result<Vec<PathBuf>, BlobError> {
    let (mut files, mut dirs) = (Vec::new(), vec![fs::canonicalize(dir).doing("reading", dir)?]);
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).doing("reading", &dir)? {
            let entry = entry.doing("reading", &dir)?;
            match entry.file_type().doing("reading", &dir)? {
                kind if kind.is_dir() => dirs.push(entry.path()),
                // Where it leads may be another one tomorrow.
                kind if kind.is_symlink() => {
                    tracing::warn!(path = %entry.path().display(), "left out: a link is not a regular file");
                }
                _ => files.push(entry.path()),
            }
            if files.len() + dirs.len() > FILES_MAX {
                return Err(BlobError::Limit { what: "files to preload", max: FILES_MAX });
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}

impl Depot {
    /// The files that are registered where they are, with their sizes.
    fn places(&self) -> BTreeMap<PathBuf, (Place, u64)> {
        let index = self.index();
        let placed = index.sealed.values().filter_map(|sealed| {
            sealed.place.clone().map(|place| (place.path.clone(), (place, sealed.size)))
        });
        placed.collect()
    }
}
