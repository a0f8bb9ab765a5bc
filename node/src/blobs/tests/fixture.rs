//! A store in a directory of its own, with a clock and a disk that the test sets.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use bytes::Bytes;
use crux_crdt::blob::{BlobHasher, BlobId, Descriptor, Root};
use tempfile::TempDir;

use super::power::{Disk, LOSSES};
use crate::blobs::{BlobError, Blobs, Config, Files, Room, World};

pub(super) const MIB: usize = 1 << 20;
/// Around every border there is.
pub(super) const SIZES: [usize; 10] =
    [0, 1, 16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, MIB - 1, MIB, MIB + 1, 3 * MIB, 3 * MIB + 5];

/// Time and room as the test sets them; copies the directory at every step, as a crash would leave it.
#[derive(Debug)]
pub(super) struct Stage {
    /// Since the machine started.
    pub(super) seconds: AtomicU64,
    pub(super) free: AtomicU64,
    pub(super) files: Mutex<Option<Files>>,
    /// A directory on a disk of its own, without room.
    pub(super) full: Mutex<Option<PathBuf>>,
    pub(super) crashes: Mutex<Option<Crashes>>,
    pub(super) steps: Mutex<Vec<&'static str>>,
    pub(super) pause: Mutex<Option<Pause>>,
}

/// Stops whoever comes to a step first, once.
#[derive(Debug)]
pub(super) struct Pause {
    pub(super) at: &'static str,
    pub(super) reached: mpsc::SyncSender<()>,
    pub(super) goes_on: mpsc::Receiver<()>,
}

#[derive(Debug)]
pub(super) struct Crashes {
    pub(super) of: PathBuf,
    /// Set: the machine loses power, else the process ends.
    pub(super) disk: Option<Arc<Disk>>,
    pub(super) copies: Vec<(&'static str, TempDir)>,
}

impl Crashes {
    fn copy(&mut self, what: &'static str) {
        if let Some(disk) = &self.disk {
            let lost = LOSSES.map(|(names, bytes)| (what, disk.lose(names, bytes)));
            self.copies.extend(lost);
            return;
        }
        let copy = tempfile::tempdir().unwrap();
        copy_tree(&self.of, copy.path());
        self.copies.push((what, copy));
    }
}

impl World for Stage {
    fn since_boot(&self) -> Duration {
        Duration::from_secs(self.seconds.load(Ordering::Relaxed))
    }

    fn room(&self, dir: &Path) -> io::Result<Room> {
        let files = *self.files.lock().unwrap();
        let is_full = self.full.lock().unwrap().as_deref() == Some(dir);
        let free = if is_full { 0 } else { self.free.load(Ordering::Relaxed) };
        Ok(Room { free, total: 1 << 50, files })
    }

    fn step(&self, what: &'static str) {
        self.steps.lock().unwrap().push(what);
        let pause = self.pause.lock().unwrap().take_if(|pause| pause.at == what);
        if let Some(pause) = pause {
            pause.reached.send(()).unwrap();
            pause.goes_on.recv().unwrap();
        }
        if let Some(crashes) = &mut *self.crashes.lock().unwrap() {
            crashes.copy(what);
        }
    }
}

pub(super) struct Fixture {
    pub(super) dir: TempDir,
    pub(super) stage: Arc<Stage>,
    pub(super) config: Config,
    pub(super) blobs: Blobs,
}

impl Fixture {
    pub(super) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    pub(super) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::within(tempfile::tempdir().unwrap(), change).await
    }

    /// A store on a disk that may lose power, and has nothing on it before.
    pub(super) async fn on_disk() -> (Self, Arc<Disk>) {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::at(dir.path());
        (Self::within(dir, |_| ()).await, disk)
    }

    async fn within(dir: TempDir, change: impl FnOnce(&mut Config)) -> Self {
        let stage = Arc::new(Stage {
            seconds: AtomicU64::new(1_000_000),
            free: AtomicU64::new(1 << 40),
            files: Mutex::new(None),
            full: Mutex::new(None),
            crashes: Mutex::new(None),
            steps: Mutex::default(),
            pause: Mutex::new(None),
        });
        let mut config = Config::new(vec![dir.path().join("blobs")]);
        config.headroom = Some(0);
        config.world = stage.clone();
        change(&mut config);
        let blobs = Blobs::open(config.clone()).await.unwrap();
        Self { dir, stage, config, blobs }
    }

    /// Stops whoever comes to this step first, until what is returned is used.
    pub(super) fn pause(&self, at: &'static str) -> (mpsc::Receiver<()>, mpsc::SyncSender<()>) {
        let (reached, is_reached) = mpsc::sync_channel(1);
        let (go_on, goes_on) = mpsc::sync_channel(1);
        *self.stage.pause.lock().unwrap() = Some(Pause { at, reached, goes_on });
        (is_reached, go_on)
    }

    /// The same directory, opened again; what was open of it is not closed, as after a crash.
    pub(super) async fn again(&self) -> Blobs {
        Blobs::open(self.config.clone()).await.unwrap()
    }

    pub(super) fn root(&self) -> PathBuf {
        self.dir.path().join("blobs")
    }

    pub(super) fn pass(&self, seconds: u64) {
        self.stage.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    /// A file outside of the store.
    pub(super) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = fs::canonicalize(self.dir.path()).unwrap().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Where the store keeps a blob's bytes.
    pub(super) fn data(&self, id: &BlobId) -> PathBuf {
        self.root().join(&id.to_string()[..2]).join(id.to_string())
    }

    pub(super) fn beside(&self, id: &BlobId, ending: &str) -> PathBuf {
        self.data(id).with_added_extension(ending)
    }

    /// The machine starts again: its clock begins anew.
    pub(super) fn reboot(&self) {
        self.stage.seconds.store(5, Ordering::Relaxed);
    }

    /// Every file of the store, by its path in it, but for the journal and the age.
    pub(super) fn files(&self) -> Vec<String> {
        let mut files = files(&self.root());
        files.retain(|name| !name.contains("journal-") && name != "age");
        files
    }
}

/// Bytes without a pattern that repeats, the same in every run.
pub(super) fn noise(len: usize, seed: u8) -> Bytes {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
    bytes.into()
}

pub(super) fn id_of(bytes: &[u8]) -> BlobId {
    let mut hasher = BlobHasher::default();
    hasher.update(bytes);
    hasher.finish()
}

pub(super) fn describe(bytes: &[u8]) -> Descriptor {
    let root = Root(*blake3::hash(bytes).as_bytes());
    Descriptor { blob: id_of(bytes), root, size: bytes.len() as u64 }
}

/// Everything that a reader gives.
pub(super) async fn read_all(blobs: &Blobs, id: BlobId) -> Result<Vec<u8>, BlobError> {
    let mut reader = blobs.reader(id).await?;
    let mut all = Vec::new();
    while let Some(bytes) = reader.next().await? {
        all.extend(bytes);
    }
    Ok(all)
}

/// The pieces of some bytes as they travel, from a store that has them.
pub(super) async fn pieces(bytes: &Bytes) -> (Descriptor, Vec<Bytes>) {
    let seed = Fixture::new().await;
    let it = seed.blobs.put(&bytes[..]).await.unwrap();
    let mut pieces = Vec::new();
    for index in 0..crux_crdt::blob::piece_count(it.size) {
        pieces.push(seed.blobs.read_piece(it.blob, it.root, index).await.unwrap());
    }
    (it, pieces)
}

pub(super) fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut work = vec![root.to_owned()];
    while let Some(dir) = work.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                work.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(root).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

pub(super) fn copy_tree(from: &Path, to: &Path) {
    for name in files(from) {
        let to = to.join(&name);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from.join(&name), to).unwrap();
    }
}
