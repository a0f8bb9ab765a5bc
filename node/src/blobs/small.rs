//! Small blobs on their way in: in batches, each with one flush; see the journal.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::mpsc::{Receiver as Ends, SyncSender};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use crux_crdt::blob::{BlobHasher, BlobId, Descriptor, Root};
use tokio::sync::{mpsc, oneshot};

use super::BlobError;
use super::age::stamp;
use super::depot::Depot;
use super::error::Doing as _;
use super::flush;
use super::index::{BLOBS_MAX, Lack, Sealed};
use super::journal::{self, Found};
use super::layout::Layout;
use super::put::Claim;
use super::record::{self, Meta};
use crate::parts::{Part, Pulse, Supervisor};

/// The largest blob that goes through the journal, in bytes. It is in memory as a whole.
pub(super) const SMALL_BYTES_MAX: u64 = 64 * 1024;
/// How many wait for the next batch; more wait outside.
const WAITING_MAX: usize = 256;
/// How many are flushed together at most: half of what may wait, so that one batch is made while the
/// other is flushed.
const BATCH_MAX: usize = 128;

/// How many files a small blob takes at most: its bytes, its record and a directory. The journal has its
/// own.
const SMALL_FILES: u64 = 3;

/// A small blob that comes in, and who waits for it.
#[derive(Debug)]
struct Job {
    bytes: Bytes,
    /// What it has to be; none: whatever it is.
    wanted: Option<BlobId>,
    done: oneshot::Sender<Result<Descriptor, BlobError>>,
}

/// The way to the thread that takes small blobs in. It ends with the last of these.
#[derive(Debug, Clone)]
pub(super) struct Intake {
    jobs: mpsc::Sender<Job>,
}

impl Intake {
    /// Starts the thread, and one for the flushes that nobody waits for.
    pub(super) fn start(depot: Arc<Depot>, parts: &Supervisor) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::channel(WAITING_MAX);
        let (ended_in, ended) = std::sync::mpsc::sync_channel(1);
        let of = Arc::downgrade(&depot);
        parts.thread(Part::BlobFlush, move |pulse| flush(&of, &ended, pulse))?;
        let work = move |pulse: &Pulse| take_in(&depot, waiting, &ended_in, pulse);
        parts.thread(Part::BlobIntake, work)?;
        Ok(Self { jobs })
    }

    /// Takes in a blob; it is durable when this returns. With `wanted` it has to be that one.
    pub(super) async fn take(
        &self,
        bytes: Bytes,
        wanted: Option<BlobId>,
    ) -> Result<Descriptor, BlobError> {
        let (done, ended) = oneshot::channel();
        let job = Job { bytes, wanted, done };
        self.jobs.send(job).await.map_err(|_| BlobError::Closed)?;
        ended.await.map_err(|_| BlobError::Closed)?
    }
}

/// Takes in what waits, a batch at a time.
fn take_in(
    depot: &Arc<Depot>,
    mut waiting: mpsc::Receiver<Job>,
    ended: &SyncSender<u64>,
    pulse: &Pulse,
) {
    let mut jobs = Vec::with_capacity(BATCH_MAX);
    while waiting.blocking_recv_many(&mut jobs, BATCH_MAX) > 0 {
        pulse.beat();
        let batch = jobs.drain(..).map(|job| (Coming::new(job.bytes, job.wanted), job.done));
        let (coming, done): (Vec<_>, Vec<_>) = batch.unzip();
        for (done, result) in done.into_iter().zip(depot.take_small(&coming)) {
            // Nobody may be waiting any more.
            done.send(result).ok();
        }
        // Not in the condition below, which would keep the journal locked all the while.
        let full = depot.journal().end_segment(false);
        if let Some(segment) = full {
            // Waits when the one before is not durable yet, so that there are never three.
            ended.send(segment).ok();
        }
    }
}

/// Makes the blobs of segments that ended durable as files, and deletes the segments.
fn flush(depot: &Weak<Depot>, ended: &Ends<u64>, pulse: &Pulse) {
    while let Ok(segment) = ended.recv() {
        pulse.beat();
        let Some(depot) = depot.upgrade() else { return };
        if let Err(error) = depot.flush_small(segment) {
            tracing::warn!(%error, "the journal of small blobs stays until the next flush");
        }
    }
}

/// A small blob that comes in.
struct Coming {
    it: Descriptor,
    bytes: Bytes,
    wanted: Option<BlobId>,
}

impl Coming {
    fn new(bytes: Bytes, wanted: Option<BlobId>) -> Self {
        let mut hasher = BlobHasher::default();
        hasher.update(&bytes);
        let root = Root(*blake3::hash(&bytes).as_bytes());
        let it = Descriptor { blob: hasher.finish(), root, size: bytes.len() as u64 };
        Self { it, bytes, wanted }
    }
}

/// What becomes of one of a batch.
enum Way {
    /// Through the journal; room was made for it.
    Journal(Claim),
    /// It is here already, or is refused.
    Done(Result<(), BlobError>),
}

impl Depot {
    /// Takes in small blobs; each is durable when this returns, or refused.
    fn take_small(self: &Arc<Self>, batch: &[Coming]) -> Vec<Result<Descriptor, BlobError>> {
        let mut ways: Vec<_> = batch.iter().map(|coming| self.way(coming)).collect();
        let through = || {
            let all = batch.iter().zip(&ways);
            all.filter(|(_, way)| matches!(way, Way::Journal(_))).map(|(coming, _)| coming)
        };
        let written = through().next().map_or(Ok(()), |_| {
            let blobs = through().map(|coming| (coming.it.blob, &coming.bytes[..]));
            let file = self.journal().put(blobs)?;
            self.step("journal written");
            let root = self.journal().dir().clone();
            flush::file(&file, root.root())
        });
        for (coming, way) in batch.iter().zip(&mut ways) {
            if let Way::Journal(claim) = way {
                claim.written(coming.it.size);
            }
        }
        let show = |(coming, way): (&Coming, Way)| match (way, &written) {
            (Way::Done(result), _) => result.map(|()| coming.it),
            (Way::Journal(_), Err(err)) => Err(err.clone()),
            (Way::Journal(claim), Ok(())) => self.show_small(coming, claim).map(|()| coming.it),
        };
        batch.iter().zip(ways).map(show).collect()
    }

    fn way(self: &Arc<Self>, coming: &Coming) -> Way {
        let Coming { it, wanted, .. } = coming;
        if let Some(id) = wanted.filter(|id| *id != it.blob) {
            return Way::Done(Err(BlobError::Mismatch { id, found: it.blob, root: it.root }));
        }
        // A file that is somebody else's may change: what is only registered is copied.
        if self.touch_if(&it.blob, |sealed| sealed.place.is_none()) {
            let settled = self.settle(&it.blob);
            let _committing = self.committing();
            return Way::Done(settled.and_then(|()| self.drop_partial(&it.blob)));
        }
        if self.index().sealed.contains_key(&it.blob) {
            return Way::Done(self.put_bytes(&coming.bytes).map(drop));
        }
        match self.claim_small(it.size) {
            Ok(Some(claim)) => Way::Journal(claim),
            Ok(None) => Way::Done(self.put_bytes(&coming.bytes).map(drop)),
            Err(err) => Way::Done(Err(err)),
        }
    }

    /// Makes room for a small blob. `None`: it has to go to a directory that has no journal.
    fn claim_small(self: &Arc<Self>, size: u64) -> Result<Option<Claim>, BlobError> {
        let home = self.journal().dir().clone();
        let mut index = self.index();
        if index.sealed.len() >= BLOBS_MAX {
            return Err(BlobError::Limit { what: "blobs", max: BLOBS_MAX });
        }
        let dir = self.make_room(&mut index, size)?;
        if !Arc::ptr_eq(&dir, &home) {
            return Ok(None);
        }
        // Once in the journal, and once as files.
        let ahead = Lack { bytes: 2 * size, files: SMALL_FILES };
        let claim = Claim::make(self, &mut index, &home, size, ahead);
        drop(index);
        home.check().map(|()| Some(claim))
    }

    /// Writes the files of a blob that is in the journal, and shows it.
    fn show_small(self: &Arc<Self>, coming: &Coming, mut claim: Claim) -> Result<(), BlobError> {
        let Coming { it, bytes, .. } = coming;
        let dir = self.journal().dir().clone();
        let committing = self.committing();
        // Twice in one batch.
        if self.touch_if(&it.blob, |sealed| sealed.place.is_none()) {
            return self.drop_partial(&it.blob);
        }
        // Registered in place meanwhile.
        if self.index().sealed.contains_key(&it.blob) {
            drop((committing, claim));
            return self.put_bytes(bytes).map(drop);
        }
        let used = self.now();
        write_files(&dir, it, bytes, used)?;
        self.step("small blob written");
        let Descriptor { blob, root, size } = *it;
        let sealed = Sealed { root, size, dir, place: None, used, written: used };
        let mut index = self.index();
        claim.end(&mut index);
        index.insert(blob, sealed);
        drop(index);
        self.step("small blob shown");
        self.drop_partial(&blob)
    }

    /// Makes the blobs of the segments up to this one durable as files, and deletes those.
    fn flush_small(&self, segment: u64) -> Result<(), BlobError> {
        let dir = self.journal().dir().clone();
        flush::file_system(dir.root())?;
        self.journal().drop_to(segment)
    }

    /// Ends the journal: a start after this has nothing to look for.
    pub(super) fn end_journal(&self) -> Result<(), BlobError> {
        let ended = self.journal().end_segment(true);
        ended.map_or(Ok(()), |segment| self.flush_small(segment))
    }

    /// Writes what a directory's journal has and its files may lack, after a crash. Where that fails the
    /// journal stays, for the next start.
    pub(super) fn replay(&self, dir: &Arc<Layout>) -> Result<(), BlobError> {
        let found = journal::read(dir)?;
        if dir.journals().doing("reading", dir.root())?.is_empty() {
            return Ok(());
        }
        let puts = found.iter().filter_map(|(id, found)| match found {
            Found::Put(bytes) => Some((id, bytes)),
            Found::Gone => None,
        });
        let written =
            puts.clone().try_for_each(|(id, bytes)| write_again(dir, id, bytes, self.now()));
        let flushed = written.and_then(|()| flush::file_system(dir.root()));
        let mut own = self.journal();
        let is_own = Arc::ptr_eq(own.dir(), dir);
        match flushed {
            Ok(()) if is_own => own.drop_to(u64::MAX),
            Ok(()) => journal::Journal::open(dir.clone())?.drop_to(u64::MAX),
            Err(error) => {
                tracing::warn!(%error, "some small blobs are not here until the next start");
                puts.filter(|_| is_own).for_each(|(id, _)| own.remember(*id));
                Ok(())
            }
        }
    }
}

/// Writes a blob and what is known of it, without a flush. Nobody looks at the files before they are
/// shown, and a start writes them again.
fn write_files(
    dir: &Layout,
    it: &Descriptor,
    bytes: &[u8],
    used: Duration,
) -> Result<(), BlobError> {
    dir.make_shard(&it.blob)?;
    let write = |path: &Path, bytes: &[u8]| {
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(true).write(true).mode(0o600).open(path);
        let written = file.and_then(|mut file| file.write_all(bytes).map(|()| file));
        written.doing("writing", path)
    };
    let Descriptor { blob: id, root, size } = *it;
    write(&dir.data(&id), bytes)?;
    let meta = write(&dir.meta(&id), &record::encode(&Meta { id, root, size, place: None }))?;
    stamp(&meta, used);
    Ok(())
}

/// Writes a blob of the journal, unless its files are as they should be: then they keep their times.
fn write_again(dir: &Layout, id: &BlobId, bytes: &Bytes, used: Duration) -> Result<(), BlobError> {
    let it = Coming::new(bytes.clone(), None).it;
    if it.blob != *id {
        return Ok(());
    }
    let Descriptor { blob: id, root, size } = it;
    let meta = Meta { id, root, size, place: None };
    let is_there = fs::read(dir.data(&id)).is_ok_and(|found| found == *bytes)
        && record::read::<Meta>(&dir.meta(&id)).is_some_and(|found| found == meta);
    if is_there { Ok(()) } else { write_files(dir, &it, bytes, used) }
}
