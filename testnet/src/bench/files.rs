//! `bench files`: many small files, put on one node and fetched by another.
//!
//! The bench times the whole lot: until the last is durable on the first node, and until the last is
//! sealed on the second one. Some are under way at a time, as with `blob put FILE…`. rsync copies the
//! same tree, in one go.
//!
//! Each round has a tree of its own and nothing is deleted before the end: ext4 takes no inode again that
//! was deleted within a minute or so, and looks at each of those whenever a file is made. A directory for
//! temporary files where much was just deleted makes everybody slow, us and rsync alike.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crux_client::Client;
use crux_crdt::blob::BlobId;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::transfer::Rounds;
use super::{Bench, Report, calls, noise, rig};
use crate::Error;
use crate::peer::rsync::Rsync;
use crate::process::{Cluster, Home};

/// How many are under way at a time: as many calls as a node takes on one connection, and some less.
const AT_ONCE: usize = 48;
/// How large each is, in bytes.
const SIZE: u64 = 4096;
/// How many files there are in a directory of the tree.
const PER_DIR: usize = 500;
/// How long one call may take.
const WITHIN: Duration = Duration::from_secs(120);

/// Measures how fast many small files get from one node to another, beside rsync.
///
/// # Errors
///
/// Those of running a flock or a peer.
pub async fn files(bench: &Bench, count: usize, rounds: usize) -> Result<Report, Error> {
    let mut report = Report::new("files", bench.nodes);
    report.notes.push(format!(
        "{count} files of {SIZE} bytes, {AT_ONCE} at a time; median (min–max) of the rounds; \
         CPU seconds per 1,000 files"
    ));
    let home = Home::temporary()?;
    let mut trees = Vec::new();
    for round in 0..rounds {
        trees.push(make(home.path(), round, count)?);
    }
    ours(bench, home.path(), &trees, &mut report).await?;
    if !bench.peers || !rsyncs(bench, home.path(), &trees, &mut report).await? {
        report.leave_out("rsync", bench.peers);
    }
    Ok(report)
}

/// Makes the tree of a round; returns the paths in it.
fn make(home: &Path, round: usize, count: usize) -> Result<Vec<String>, Error> {
    let names = (0..count).map(|at| format!("{round}/{}/{at}", at / PER_DIR));
    let names: Vec<String> = names.collect();
    for name in &names {
        let path = home.join(name);
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(Error::io("make a directory"))?;
        }
        noise::write_unsynced(&path, SIZE)?;
    }
    Ok(names)
}

async fn ours(
    bench: &Bench,
    home: &Path,
    trees: &[Vec<String>],
    report: &mut Report,
) -> Result<(), Error> {
    let count = trees.first().map_or(0, Vec::len);
    let mut cluster = rig::formed(bench).await?;
    let from = calls::client(&cluster, 0, WITHIN).await?;
    let to = calls::client(&cluster, 1, WITHIN).await?;
    let bytes = SIZE * count as u64;
    let [mut puts, mut gets] = [0; 2].map(|_| Rounds::of_files(count, bytes));
    let bar = rig::progress("crux files", trees.len());
    for names in trees {
        let before = accounts(&cluster);
        let since = Instant::now();
        let blobs = put_all(&from, home, names).await?;
        puts.took(since.elapsed());
        let between = accounts(&cluster);
        puts.cost(between.0.saturating_sub(before.0), Duration::ZERO);
        let since = Instant::now();
        get_all(&to, &blobs).await?;
        gets.took(since.elapsed());
        let after = accounts(&cluster);
        gets.cost(after.0.saturating_sub(between.0), after.1.saturating_sub(between.1));
        bar.inc(1);
    }
    bar.finish_and_clear();
    report.transfers.extend(puts.figure("crux", "put, durable"));
    report.transfers.extend(gets.figure("crux", "got by another node, sealed"));
    cluster.stop_all().await
}

async fn put_all(from: &Client, home: &Path, names: &[String]) -> Result<Vec<BlobId>, Error> {
    let put = async |name: &String| {
        let bytes = std::fs::read(home.join(name)).map_err(Error::io("read a file"))?;
        let parts = stream::iter([Some(Bytes::from(bytes)), None]);
        from.put_blob(SIZE, parts).await.map(|put| put.id).map_err(calls::broken)
    };
    stream::iter(names).map(put).buffered(AT_ONCE).try_collect().await
}

async fn get_all(to: &Client, blobs: &[BlobId]) -> Result<(), Error> {
    let get = async |blob: &BlobId| calls::fetch(to, *blob, WITHIN).await.map(drop);
    stream::iter(blobs).map(get).buffer_unordered(AT_ONCE).try_collect().await
}

fn accounts(cluster: &Cluster) -> (Duration, Duration) {
    let of = |at: usize| cluster.nodes()[at].cpu_time().unwrap_or_default();
    (of(0), of(1))
}

/// Measures rsync on the same tree; `false` when it is not installed.
async fn rsyncs(
    bench: &Bench,
    home: &Path,
    trees: &[Vec<String>],
    report: &mut Report,
) -> Result<bool, Error> {
    let own = Home::temporary()?;
    let count = trees.first().map_or(0, Vec::len);
    let Some(rsync) = Rsync::start(&bench.exe, home, own.path()).await? else { return Ok(false) };
    for (what, flags) in [
        ("copied to another directory, in clear", &["-a"][..]),
        ("copied to another directory, in clear, durable", &["-a", "--fsync"]),
    ] {
        let mut copies = Rounds::of_files(count, SIZE * count as u64);
        for round in 0..trees.len() {
            let to = own.path().join(format!("{round}-{}", flags.len()));
            let copied = rsync.copy(&format!("{round}/"), &to, flags).await?;
            copies.took(copied.took);
            copies.cost(copied.cpu_from, copied.cpu_to);
        }
        report.transfers.extend(copies.figure("rsync", what));
    }
    Ok(true)
}
