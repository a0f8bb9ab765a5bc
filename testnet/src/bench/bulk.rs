//! A blob on the move, for benches that ask what it does to everything else.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crux_client::{Client, Got};
use crux_crdt::blob::BlobId;
use tokio::task::JoinHandle;

use super::calls::{self, broken};
use crate::Error;
use crate::process::Cluster;

/// How large the blob is: 1 GiB.
const BYTES: u64 = 1 << 30;
/// How long one call may take: hashing 1 GiB takes seconds.
const CALL_WITHIN: Duration = Duration::from_secs(120);

/// A blob that one node fetches from another, again and again, until this is dropped.
#[derive(Debug)]
pub(super) struct Bulk {
    task: JoinHandle<()>,
    since: Instant,
    bytes: Arc<AtomicU64>,
}

impl Bulk {
    /// Puts a file on the first node and has the second one fetch it without end. Returns when the
    /// first pieces are there.
    ///
    /// # Errors
    /// [`Error::Broken`] when a node refuses, [`Error::Io`].
    pub(super) async fn start(cluster: &Cluster) -> Result<Self, Error> {
        let path = cluster.home().path().join("bulk");
        let file = std::fs::File::create(&path).map_err(Error::io("make a file"))?;
        // Of zeros: they cost as much to hash and to send as any others, and no room here.
        file.set_len(BYTES).map_err(Error::io("make a file"))?;
        let from = connect(&cluster.nodes()[0].spec().data_dir).await?;
        let to = connect(&cluster.nodes()[1].spec().data_dir).await?;
        let blob = calls::register_file(&from, &path).await?;
        let bytes = Arc::new(AtomicU64::new(0));
        let (begun_in, begun) = tokio::sync::oneshot::channel();
        let counted = bytes.clone();
        let task = tokio::spawn(async move {
            let mut begun = Some(begun_in);
            while fetch(&to, blob, &counted, &mut begun).await.is_ok() {}
        });
        let stopped = |_| Error::Broken("the blob does not move".to_owned());
        tokio::time::timeout(CALL_WITHIN, begun)
            .await
            .map_err(|_| stopped(()))?
            .map_err(|_| stopped(()))?;
        Ok(Self { task, since: Instant::now(), bytes })
    }

    /// Stops it, and says how much moved.
    pub(super) fn stop(self) -> String {
        self.task.abort();
        let mib = self.bytes.load(Ordering::Relaxed) >> 20;
        let millis = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        let rate = mib * 1000 / millis;
        format!("meanwhile {mib} MiB of blobs moved from n1 to n2, {rate} MiB/s with their SHA-3")
    }
}

async fn connect(data_dir: &Path) -> Result<Client, Error> {
    Client::connect(data_dir, CALL_WITHIN).await.map_err(broken)
}

/// Fetches the blob once, to the seal, and throws it away.
async fn fetch(
    to: &Client,
    blob: BlobId,
    bytes: &AtomicU64,
    begun: &mut Option<tokio::sync::oneshot::Sender<()>>,
) -> Result<(), Error> {
    let mut get = to.get_blob(blob, CALL_WITHIN).await.map_err(broken)?;
    let mut held = 0;
    while let Some(Got::Progress(progress)) = get.next().await.map_err(broken)? {
        bytes.fetch_add(progress.held.saturating_sub(held), Ordering::Relaxed);
        held = progress.held;
        if let Some(begun) = begun.take() {
            // The caller may have given up.
            begun.send(()).ok();
        }
    }
    drop(get);
    calls::remove(to, blob).await
}
