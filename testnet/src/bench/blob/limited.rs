//! `bench blob --limit-address-space`: files of every size through nodes that have no room for them.
//!
//! Two nodes form a flock, and are then left 200 MB of address space beyond what they had. Each file is
//! put on the first as a stream, fetched by the second, read from there as a stream, and is what was put.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crux_client::{Client, Got};
use crux_crdt::blob::{BlobHasher, BlobId};

use super::{Moving, WITHIN};
use crate::Error;
use crate::bench::transfer::Rounds;
use crate::bench::{Report, calls, noise, rig};
use crate::process::{Cluster, Home, procfs};

/// The memory that a node may take beyond what it had, in bytes.
const SPARE: u64 = 200_000_000;
/// How much of a file is handed over at once.
const CHUNK: usize = 1 << 20;

const KIB: u64 = 1 << 10;
const GIB: u64 = 1 << 30;
/// Nothing, a byte, around a chunk group of BLAKE3, around a piece, and more than memory.
const SIZES: [u64; 10] = [
    0,
    1,
    16 * KIB - 1,
    16 * KIB,
    16 * KIB + 1,
    KIB * KIB - 1,
    KIB * KIB + 1,
    GIB,
    2 * GIB,
    5 * GIB,
];

/// Moves files of every size up to [`Moving::bytes`] between nodes with little address space.
///
/// # Errors
///
/// Those of running a flock; [`Error::Broken`] when a file does not come out as it went in.
pub async fn limited(moving: &Moving) -> Result<Report, Error> {
    let mut report = Report::new("blob", moving.bench.nodes);
    let mut cluster = rig::formed(&moving.bench).await?;
    for node in cluster.nodes() {
        let limit = node.limit_address_space(SPARE)?;
        report.notes.push(format!(
            "{} may have {} MB of address space",
            node.name(),
            limit / 1_000_000
        ));
    }
    let clients =
        [calls::client(&cluster, 0, WITHIN).await?, calls::client(&cluster, 1, WITHIN).await?];
    let home = Home::temporary()?;
    for size in SIZES.into_iter().filter(|size| *size <= moving.bytes) {
        let file = home.path().join("file");
        noise::write(&file, size)?;
        for (what, took) in round(&clients, &file, size).await? {
            let mut rounds = Rounds::of_bytes(size);
            rounds.took(took);
            report.transfers.extend(rounds.figure("crux", &format!("{size} bytes, {what}")));
        }
        std::fs::remove_file(&file).map_err(Error::io("remove a file"))?;
    }
    report.notes.extend(peaks(&cluster));
    cluster.stop_all().await?;
    Ok(report)
}

/// Puts, fetches, reads and removes one file.
async fn round(
    [from, to]: &[Client; 2],
    file: &Path,
    size: u64,
) -> Result<[(&'static str, Duration); 3], Error> {
    let since = Instant::now();
    let taken = from.put_blob(size, chunks(file)?).await.map_err(calls::broken)?;
    let (blob, put_size) = (taken.id, taken.size);
    let put = since.elapsed();
    let since = Instant::now();
    let fetched_size = calls::fetch(to, blob, WITHIN).await?;
    let fetched = since.elapsed();
    let since = Instant::now();
    let (found, read_size) = read(to, blob).await?;
    let read = since.elapsed();
    if found != blob || [put_size, fetched_size, read_size] != [size; 3] {
        return Err(Error::Broken(format!("{blob} of {size} bytes came out as {found}")));
    }
    for node in [from, to] {
        calls::remove(node, blob).await?;
    }
    Ok([("put", put), ("fetched", fetched), ("read out", read)])
}

/// The file as it is put: read as it is taken.
fn chunks(file: &Path) -> Result<impl futures::Stream<Item = Option<Bytes>> + use<>, Error> {
    let file = File::open(file).map_err(Error::io("read a file"))?;
    Ok(futures::stream::unfold(Some(file), async |file| {
        let mut file = file?;
        let mut chunk = vec![0; CHUNK];
        // A stream that ends without `None` puts nothing.
        let count = file.read(&mut chunk).ok()?;
        chunk.truncate(count);
        Some(if count == 0 { (None, None) } else { (Some(chunk.into()), Some(file)) })
    }))
}

/// Reads a blob from the node that has it; returns what its SHA-3 is, and how many bytes came.
async fn read(from: &Client, blob: BlobId) -> Result<(BlobId, u64), Error> {
    let mut get = from.get_blob(blob, WITHIN).await.map_err(calls::broken)?;
    let (mut hasher, mut size) = (BlobHasher::default(), 0);
    while let Some(part) = get.next().await.map_err(calls::broken)? {
        if let Got::Chunk(chunk) = part {
            hasher.update(&chunk);
            size += chunk.len() as u64;
        }
    }
    Ok((hasher.finish(), size))
}

fn peaks(cluster: &Cluster) -> impl Iterator<Item = String> {
    cluster.nodes().iter().filter_map(|node| {
        let pid = node.fulcrum().or(node.pid())?;
        let ((_, peak), rss) = (procfs::address_space(pid)?, procfs::resident_bytes(pid)?);
        let [peak, rss] = [peak, rss].map(|bytes| bytes / 1_000_000);
        Some(format!(
            "{}: {peak} MB of address space at most, {rss} MB resident at the end",
            node.name()
        ))
    })
}
