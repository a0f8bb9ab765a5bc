use std::path::Path;
use std::time::{Duration, Instant};

use crux_client::{Client, Got};
use crux_crdt::blob::BlobId;

use super::{COMPLETE, Moving, SEALED, WITHIN};
use crate::Error;
use crate::bench::transfer::{Rounds, Transfer};
use crate::bench::{calls, rig};
use crate::process::Cluster;

/// Moves the file from the first node of a flock to the second one, again in each round.
pub(super) async fn measure(moving: &Moving, file: &Path) -> Result<Vec<Transfer>, Error> {
    let mut cluster = rig::formed(&moving.bench).await?;
    let from = calls::client(&cluster, 0, WITHIN).await?;
    let to = calls::client(&cluster, 1, WITHIN).await?;
    let blob = calls::register_file(&from, file).await?;
    let (mut complete, mut sealed) =
        (Rounds::of_bytes(moving.bytes), Rounds::of_bytes(moving.bytes));
    let bar = rig::progress("crux blob", moving.rounds);
    for _ in 0..moving.rounds {
        let before = [cpu(&cluster, 0), cpu(&cluster, 1)];
        let (whole, done) = fetch(&to, blob).await?;
        complete.took(whole);
        sealed.took(done);
        let after = [cpu(&cluster, 0), cpu(&cluster, 1)];
        sealed.cost(after[0].saturating_sub(before[0]), after[1].saturating_sub(before[1]));
        calls::remove(&to, blob).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    cluster.stop_all().await?;
    let figures = [complete.figure("crux", COMPLETE), sealed.figure("crux", SEALED)];
    Ok(figures.into_iter().flatten().collect())
}

/// Fetches a blob to the seal; returns when all pieces were here, and when it was sealed.
async fn fetch(to: &Client, blob: BlobId) -> Result<(Duration, Duration), Error> {
    let since = Instant::now();
    let mut get = to.get_blob(blob, WITHIN).await.map_err(calls::broken)?;
    let mut complete = None;
    loop {
        match get.next().await.map_err(calls::broken)? {
            Some(Got::Progress(now)) if now.size > 0 && now.held >= now.size => {
                complete.get_or_insert_with(|| since.elapsed());
            }
            Some(Got::Progress(_)) => {}
            Some(Got::Size(_)) => {
                let sealed = since.elapsed();
                return Ok((complete.unwrap_or(sealed), sealed));
            }
            Some(Got::Chunk(_)) | None => {
                return Err(Error::Broken("a get ended before the blob was there".to_owned()));
            }
        }
    }
}

fn cpu(cluster: &Cluster, at: usize) -> Duration {
    cluster.nodes()[at].cpu_time().unwrap_or_default()
}
