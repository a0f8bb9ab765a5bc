use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::Flow;
use super::links::Links;

/// Bytes read at once.
const CHUNK: usize = 8 << 10;
/// Chunks under way in one direction of a connection: 256 KiB, about what a kernel holds.
const CHUNKS_MAX: usize = 32;

/// A direction.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) links: &'a Links,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// Bytes, and when they are delivered at the earliest.
struct Chunk {
    bytes: Vec<u8>,
    due: Instant,
}

/// Carries bytes one way until their sender closes, and then closes behind them.
pub(super) async fn pump(from: ReadHalf<'_>, to: WriteHalf<'_>, way: Way<'_>) -> io::Result<()> {
    let (chunks_in, chunks) = mpsc::channel(CHUNKS_MAX);
    tokio::try_join!(take(from, chunks_in, way), deliver(chunks, to, way))?;
    Ok(())
}

async fn take(mut from: ReadHalf<'_>, out: mpsc::Sender<Chunk>, way: Way<'_>) -> io::Result<()> {
    let rules = way.links.watch(way.from, way.to);
    let mut last_due = Instant::now();
    loop {
        let mut bytes = vec![0; CHUNK];
        let read = from.read(&mut bytes).await?;
        bytes.truncate(read);
        if bytes.is_empty() {
            return Ok(());
        }
        let rule = rules.borrow().rule;
        let passed = way.links.pass(way.from, way.to, read, Instant::now());
        last_due = last_due.max(passed + rule.delay + up_to(rule.jitter));
        if out.send(Chunk { bytes, due: last_due }).await.is_err() {
            return Ok(());
        }
    }
}

async fn deliver(
    mut chunks: mpsc::Receiver<Chunk>,
    mut to: WriteHalf<'_>,
    way: Way<'_>,
) -> io::Result<()> {
    let mut rules = way.links.watch(way.from, way.to);
    loop {
        let next = chunks.recv().await;
        if let Some(chunk) = &next {
            sleep_until(chunk.due).await;
        }
        // The end of the stream is held back, too.
        let open = rules.wait_for(|seen| seen.rule.flow != Flow::Held).await;
        drop(open.map_err(io::Error::other)?);
        let Some(chunk) = next else { return to.shutdown().await };
        to.write_all(&chunk.bytes).await?;
        let length = u64::try_from(chunk.bytes.len()).unwrap_or(u64::MAX);
        way.links.counters.bytes.fetch_add(length, Ordering::Relaxed);
    }
}

/// Any time up to this.
fn up_to(most: Duration) -> Duration {
    if most.is_zero() { most } else { most.mul_f64(rand::random_range(0.0..1.0)) }
}
