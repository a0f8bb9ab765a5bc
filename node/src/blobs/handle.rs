use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use crux_crdt::blob::{BlobId, Descriptor, PieceSet, Root};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::BlobError;
use super::config::Config;
use super::depot::{Depot, Have, Moved};
use super::gates::Gates;
use super::index::Listed;
use super::put::Incoming;
use super::read::Held;
use super::reader::Reader;
use super::scrub::{Scrubbed, Step};
use super::small::{Intake, SMALL_BYTES_MAX};

/// Up to which size a whole blob is read in a short operation, in bytes. Many small files then wait for
/// the disk together.
const SHORT_BYTES_MAX: u64 = 8 << 20;
/// How much of a stream is handed to the disk at once, in bytes.
const CHUNK_BYTES: usize = 1 << 20;

/// The store, as the rest of the node reaches it. Cheap to clone.
///
/// Nothing here blocks the caller's thread: work on files is done by a bounded number of threads, and
/// who comes later waits. Dropping a future that is returned here takes nothing back that has begun;
/// a stream or a piece that was not taken in whole leaves nothing behind.
#[derive(Debug, Clone)]
pub struct Blobs {
    depot: Arc<Depot>,
    gates: Arc<Gates>,
    intake: Intake,
}

impl Blobs {
    /// Opens the store: makes what is missing, clears what a crash left, finds what there is.
    ///
    /// # Errors
    /// A directory cannot be used. Blobs that are damaged are no error.
    pub async fn open(config: Config) -> Result<Self, BlobError> {
        let opened = tokio::task::spawn_blocking(|| Self::open_blocking(config)).await;
        opened.map_err(|_| BlobError::Closed)?
    }

    /// [`Blobs::open`] on the caller's thread, which waits for the disk.
    ///
    /// # Errors
    /// As [`Blobs::open`].
    pub fn open_blocking(config: Config) -> Result<Self, BlobError> {
        let parts = config.parts.clone();
        let depot = Depot::open(config)?;
        let intake = Intake::start(depot.clone(), &parts);
        let intake = intake.map_err(|err| BlobError::io("starting a thread", "".as_ref(), &err))?;
        Ok(Self { depot, gates: Arc::default(), intake })
    }

    /// How many sealed blobs there are.
    pub fn count(&self) -> usize {
        self.depot.count()
    }

    pub(super) fn depot(&self) -> Arc<Depot> {
        self.depot.clone()
    }

    /// The storage directories that are open.
    pub fn dirs(&self) -> Vec<PathBuf> {
        self.depot.index().dirs.iter().map(|dir| dir.root().to_owned()).collect()
    }

    /// Directories that were added by hand and were not there when the store was opened.
    pub fn missing_dirs(&self) -> Vec<PathBuf> {
        self.depot.index().missing.clone()
    }

    /// What went to other nodes and came from them since the store was opened.
    pub fn moved(&self) -> Moved {
        self.depot.moved()
    }

    /// What is here of a blob; none: nothing.
    pub fn have(&self, id: &BlobId) -> Option<Have> {
        self.depot.have(id)
    }

    /// Every blob that is here, sealed or under way, by id.
    pub fn list(&self) -> Vec<Listed> {
        self.depot.list()
    }

    /// What a node that sealed a blob signs.
    ///
    /// # Errors
    /// [`BlobError::Unknown`], [`BlobError::Unsealed`].
    pub fn describe(&self, id: &BlobId) -> Result<Descriptor, BlobError> {
        let sealed = self.depot.sealed(id)?;
        Ok(Descriptor { blob: *id, root: sealed.root, size: sealed.size })
    }

    /// Begins a stream of which at least `size` bytes will come.
    ///
    /// # Errors
    /// [`BlobError::Quota`], [`BlobError::DiskFull`], [`BlobError::TooLarge`].
    pub async fn begin_put(&self, size: u64) -> Result<Put, BlobError> {
        let mut put = Put { state: Coming::Small(BytesMut::new()), of: self.clone() };
        if size > SMALL_BYTES_MAX {
            put.become_large(size).await?;
        }
        Ok(put)
    }

    /// Takes in a small blob that is in memory, if it is the one that is wanted: at most 16 KiB.
    ///
    /// # Errors
    /// As [`Blobs::begin_put`]; [`BlobError::Mismatch`] when it is another one.
    pub async fn take(&self, id: BlobId, bytes: Bytes) -> Result<Descriptor, BlobError> {
        if bytes.len() as u64 > SMALL_BYTES_MAX {
            return Err(BlobError::TooLarge { max: SMALL_BYTES_MAX });
        }
        self.intake.take(bytes, Some(id)).await
    }

    /// Takes in everything that a reader gives.
    ///
    /// # Errors
    /// As [`Blobs::begin_put`] and [`Put::write`]; the reader's own.
    pub async fn put(&self, mut from: impl AsyncRead + Unpin) -> Result<Descriptor, BlobError> {
        let mut put = self.begin_put(0).await?;
        let mut buffer = BytesMut::with_capacity(CHUNK_BYTES);
        loop {
            let count = from.read_buf(&mut buffer).await;
            let count =
                count.map_err(|err| BlobError::io("reading", "the stream".as_ref(), &err))?;
            if count == 0 || buffer.len() >= CHUNK_BYTES {
                put.write(buffer.split().freeze()).await?;
                buffer.reserve(CHUNK_BYTES);
            }
            if count == 0 {
                return put.finish().await;
            }
        }
    }

    /// Copies a file in.
    ///
    /// # Errors
    /// As [`Blobs::begin_put`]; [`BlobError::Changed`] when somebody wrote to it meanwhile,
    /// [`BlobError::NotAFile`].
    pub async fn put_file(&self, path: PathBuf) -> Result<Descriptor, BlobError> {
        let depot = self.depot.clone();
        self.gates.long(move || depot.put_file(&path)).await
    }

    /// Takes a file as a blob where it is. It is never moved, changed, evicted or deleted; once it
    /// changes it is no longer a blob, and whoever reads it is told.
    ///
    /// # Errors
    /// As [`Blobs::put_file`].
    pub async fn register_in_place(&self, path: PathBuf) -> Result<Descriptor, BlobError> {
        let depot = self.depot.clone();
        self.gates.long(move || depot.register(&path)).await
    }

    /// Opens a sealed blob. It is not evicted while it is open, and can be read to its end when it is
    /// removed.
    ///
    /// # Errors
    /// [`BlobError::Unknown`], [`BlobError::Unsealed`], [`BlobError::Damaged`], [`BlobError::Changed`].
    pub async fn reader(&self, id: BlobId) -> Result<Reader, BlobError> {
        let depot = self.depot.clone();
        let opened = self.gates.short(move || Reader::open(&depot, id)).await?;
        Ok(opened.with(self.gates.clone()))
    }

    /// Where a sealed blob lies. Others MUST only read it; it is gone once it is evicted or removed.
    ///
    /// # Errors
    /// As [`Blobs::reader`].
    pub async fn path(&self, id: BlobId) -> Result<PathBuf, BlobError> {
        self.short(move |depot| depot.path(&id)).await
    }

    /// The ids between two of what is here, sealed or under way, in order; at most `most`.
    pub fn between(&self, ids: RangeInclusive<BlobId>, most: usize) -> Vec<BlobId> {
        self.depot.index().between(ids, most)
    }

    /// As [`Blobs::remove`], but not what is pinned, and no image of a service.
    ///
    /// # Errors
    /// [`BlobError::Unknown`], [`BlobError::Pinned`], [`BlobError::Image`].
    pub async fn remove_unpinned(&self, id: BlobId) -> Result<(), BlobError> {
        self.short(move |depot| depot.remove_unpinned(&id)).await
    }

    /// Removes a blob, sealed or under way, and whatever kept it. A registered file stays where it is.
    ///
    /// # Errors
    /// [`BlobError::Unknown`].
    pub async fn remove(&self, id: BlobId) -> Result<(), BlobError> {
        self.short(move |depot| depot.remove(&id)).await
    }

    /// Keeps a blob from eviction until it is unpinned.
    ///
    /// # Errors
    /// [`BlobError::Unknown`].
    pub async fn pin(&self, id: BlobId) -> Result<(), BlobError> {
        self.short(move |depot| depot.keep(&id, |keep| keep.pinned = true).map(drop)).await
    }

    /// Undoes [`Blobs::pin`].
    ///
    /// # Errors
    /// [`BlobError::Unknown`].
    pub async fn unpin(&self, id: BlobId) -> Result<(), BlobError> {
        self.short(move |depot| depot.keep(&id, |keep| keep.pinned = false).map(drop)).await
    }

    /// Keeps a blob from eviction for a while from now; a duration of zero ends that. Time in which the
    /// store is closed does not count.
    ///
    /// # Errors
    /// [`BlobError::Unknown`].
    pub async fn reserve(&self, id: BlobId, time: Duration) -> Result<(), BlobError> {
        self.short(move |depot| {
            depot.age.write()?;
            let now = depot.now();
            depot.keep(&id, |keep| keep.reserve(now, time)).map(drop)
        })
        .await
    }

    /// These are the images of this node's services from now on: a person is asked before one is removed.
    pub fn set_images(&self, images: BTreeSet<BlobId>) {
        self.depot.index().images = images;
    }

    /// Keeps a blob from eviction while what is returned lives: for what refers to it.
    ///
    /// # Errors
    /// [`BlobError::Unknown`].
    pub fn hold(&self, id: BlobId) -> Result<Hold, BlobError> {
        Held::new(&self.depot, id).map(|held| Hold { _held: held })
    }

    /// Adds a storage directory, made if there is none, and remembers it. Returns how many blobs came
    /// with it. With `scan`, each is hashed before it counts, also those without a record; otherwise
    /// records are believed, as at a start.
    ///
    /// # Errors
    /// It cannot be used; [`BlobError::Limit`].
    pub async fn add_dir(&self, path: PathBuf, scan: bool) -> Result<usize, BlobError> {
        let depot = self.depot.clone();
        self.gates.long(move || depot.add_dir(&path, scan)).await
    }

    /// Looks at every byte of every sealed blob, at most `rate` bytes a second; none: as fast as the
    /// disk allows.
    ///
    /// # Errors
    /// The system refused. What was found damaged is no error.
    pub async fn scrub(&self, rate: Option<u64>) -> Result<Scrubbed, BlobError> {
        let mut scrubbed = Scrubbed::default();
        for id in self.depot.to_scrub() {
            let done = self.scrub_one(id, rate).await;
            scrubbed.note(id, done)?;
        }
        Ok(scrubbed)
    }

    async fn scrub_one(&self, id: BlobId, rate: Option<u64>) -> Result<u64, BlobError> {
        let (mut total, mut from) = (0, 0);
        loop {
            let depot = self.depot.clone();
            let step = self.gates.long(move || depot.scrub_step(id, from)).await?;
            let (Step::More(bytes) | Step::Done(bytes)) = step;
            total += bytes;
            if let Some(rate) = rate.filter(|rate| *rate > 0) {
                // A disk at rest is the point of a rate.
                tokio::time::sleep(Duration::from_millis(bytes.saturating_mul(1000) / rate)).await;
            }
            if matches!(step, Step::Done(_)) {
                return Ok(total);
            }
            from = from.saturating_add(super::scrub::STEP_PIECES);
        }
    }

    /// Begins a blob that comes in pieces, or goes on with it; returns the pieces that are here. Takes no
    /// room: a piece does, when it checked. What is here under another root stays until then.
    ///
    /// # Errors
    /// [`BlobError::Quota`] and [`BlobError::DiskFull`] when so much would not fit whatever were evicted,
    /// [`BlobError::TooLarge`].
    pub async fn begin(&self, id: BlobId, root: Root, size: u64) -> Result<PieceSet, BlobError> {
        self.short(move |depot| depot.begin(id, root, size)).await
    }

    /// A piece as it travels: its proof and then its bytes, checked as they are read. Also of a blob
    /// under way, for those who ask for the root it is fetched by.
    ///
    /// # Errors
    /// [`BlobError::Unknown`], [`BlobError::NoPiece`], [`BlobError::OtherRoot`],
    /// [`BlobError::Damaged`], [`BlobError::Changed`].
    pub async fn read_piece(&self, id: BlobId, root: Root, index: u32) -> Result<Bytes, BlobError> {
        self.short(move |depot| depot.read_piece(id, root, index)).await
    }

    /// All of a sealed blob of at most one piece, for another node; checked as it is read.
    ///
    /// # Errors
    /// As [`Blobs::reader`]; [`BlobError::TooLarge`].
    pub async fn read_whole(&self, id: BlobId) -> Result<Bytes, BlobError> {
        self.short(move |depot| depot.read_whole(id)).await
    }

    /// Takes in a piece of a blob of that root and size, as it travels: checked, then given room, then
    /// written, then marked. The first of a third root takes the place of the one of which less is here.
    /// False: it was here already.
    ///
    /// # Errors
    /// [`BlobError::WrongPiece`]: whoever sent it is at fault, if it promised that root.
    /// [`BlobError::Quota`], [`BlobError::DiskFull`], [`BlobError::Limit`].
    pub async fn write_piece(
        &self,
        id: BlobId,
        of: (Root, u64),
        index: u32,
        encoded: Bytes,
    ) -> Result<bool, BlobError> {
        let is_new = self.short(move |depot| depot.write_piece(id, of, index, &encoded)).await?;
        if is_new && let Ok(pass) = self.gates.follow.clone().try_acquire_owned() {
            let depot = self.depot.clone();
            tokio::task::spawn_blocking(move || {
                depot.follow(&id);
                drop(pass);
            });
        }
        Ok(is_new)
    }

    /// Takes the SHA-3 of a blob of which all pieces are here, and makes it visible if it matches.
    /// Sealing what is sealed does nothing.
    ///
    /// # Errors
    /// [`BlobError::Mismatch`]: the root is another file's, and what was fetched by it is gone.
    /// [`BlobError::Damaged`]: pieces were lost on this disk and have to be fetched again.
    /// [`BlobError::Unsealed`]: pieces are missing.
    pub async fn seal(&self, id: BlobId, of: (Root, u64)) -> Result<Descriptor, BlobError> {
        let depot = self.depot.clone();
        self.gates.long(move || depot.seal(id, of)).await
    }

    /// Nobody goes on with a blob under way. What is here of it stays to go on from, and makes room for
    /// others before anything else does.
    pub fn rest(&self, id: &BlobId) {
        self.depot.rest(id);
    }

    /// Gives up a blob under way by one root: what was fetched by that is gone.
    ///
    /// # Errors
    /// The system refused.
    pub async fn abandon(&self, id: BlobId, of: (Root, u64)) -> Result<(), BlobError> {
        self.short(move |depot| depot.abandon(&id, of)).await
    }

    /// Takes in a blob that is said to be one piece, as that travels, if its SHA-3 is right.
    ///
    /// # Errors
    /// [`BlobError::WrongPiece`]: the piece is not of that root. [`BlobError::Mismatch`]: the root is
    /// another file's. As [`Blobs::put`].
    pub async fn try_piece(&self, id: BlobId, of: (Root, u64), it: Bytes) -> Result<(), BlobError> {
        let depot = self.depot.clone();
        self.gates.long(move || depot.try_piece(id, of, &it)).await
    }

    /// Writes what is not durable yet. A start after this has nothing to look for.
    ///
    /// # Errors
    /// The system refused. Nothing is lost by that: what is not marked is found again.
    pub async fn save(&self) -> Result<(), BlobError> {
        self.short(|depot| depot.save()).await
    }

    async fn short<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Depot>) -> Result<T, BlobError> + Send + 'static,
    ) -> Result<T, BlobError> {
        let depot = self.depot.clone();
        self.gates.short(move || work(&depot)).await
    }
}

/// Keeps a blob from being evicted while it lives.
#[derive(Debug)]
pub struct Hold {
    _held: Held,
}

/// A stream on its way in. Dropped before it is finished, nothing of it stays.
#[derive(Debug)]
pub struct Put {
    state: Coming,
    of: Blobs,
}

/// Where what came so far is.
#[derive(Debug)]
enum Coming {
    /// In memory, at most [`SMALL_BYTES_MAX`].
    Small(BytesMut),
    /// In a file.
    Large(Box<Incoming>),
    /// Elsewhere while a write is under way; gone when a write failed or its future was dropped.
    Gone,
}

impl Put {
    /// Takes in more of the stream.
    ///
    /// # Errors
    /// [`BlobError::Quota`], [`BlobError::DiskFull`], [`BlobError::TooLarge`], the system's. The stream
    /// is then over.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        if let Coming::Small(before) = &mut self.state {
            let size = (before.len() + bytes.len()) as u64;
            if size <= SMALL_BYTES_MAX {
                before.extend_from_slice(&bytes);
                return Ok(());
            }
            self.become_large(size).await?;
        }
        self.append(bytes).await
    }

    /// Goes on in a file, with room for that many bytes.
    async fn become_large(&mut self, size: u64) -> Result<(), BlobError> {
        let Coming::Small(before) = std::mem::replace(&mut self.state, Coming::Gone) else {
            return Err(BlobError::Truncated);
        };
        let depot = self.of.depot.clone();
        let incoming = self.of.gates.short(move || Incoming::begin(&depot, size)).await?;
        self.state = Coming::Large(Box::new(incoming));
        if before.is_empty() { Ok(()) } else { self.append(before.freeze()).await }
    }

    async fn append(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        let Coming::Large(mut incoming) = std::mem::replace(&mut self.state, Coming::Gone) else {
            return Err(BlobError::Truncated);
        };
        let work = move || incoming.write(&bytes).map(|()| incoming);
        self.state = Coming::Large(self.of.gates.short(work).await?);
        Ok(())
    }

    /// The stream is complete: the blob is visible, and durable, when this returns.
    ///
    /// # Errors
    /// As [`Put::write`].
    pub async fn finish(self) -> Result<Descriptor, BlobError> {
        let gates = &self.of.gates;
        match self.state {
            Coming::Small(bytes) => self.of.intake.take(bytes.freeze(), None).await,
            Coming::Large(incoming) if incoming.size() <= SHORT_BYTES_MAX => {
                gates.short(move || incoming.finish()).await
            }
            Coming::Large(incoming) => gates.long(move || incoming.finish()).await,
            Coming::Gone => Err(BlobError::Truncated),
        }
    }
}
