//! Files on one side, streams on the other. A thread of its own reads and writes files; a few chunks are
//! between it and the node, and its end has to be said, so that a stream that broke is not taken for
//! one that is over.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use futures::Stream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// How many chunks are under way: enough that neither side waits for the other's every step.
const CHUNKS_MAX: usize = 4;
/// How large a chunk is, in bytes. The control API takes no larger ones.
const CHUNK_BYTES: usize = 1 << 20;

/// A chunk, or that there are no more.
pub(super) type Chunk = Option<Bytes>;

/// The two ends of a stream of chunks.
pub(super) fn channel() -> (mpsc::Sender<Chunk>, mpsc::Receiver<Chunk>) {
    mpsc::channel(CHUNKS_MAX)
}

/// The receiving end for a put.
pub(super) fn chunks(from: mpsc::Receiver<Chunk>) -> impl Stream<Item = Chunk> + Send + 'static {
    ReceiverStream::new(from)
}

/// Writes into a stream from a thread that may wait. The stream is over when [`Sink::finish`] says so.
#[derive(Debug)]
pub(super) struct Sink {
    to: mpsc::Sender<Chunk>,
    chunk: BytesMut,
    count: Arc<AtomicU64>,
}

impl Sink {
    /// `count` tells others how many bytes went through.
    pub(super) fn new(to: mpsc::Sender<Chunk>, count: Arc<AtomicU64>) -> Self {
        Self { to, chunk: BytesMut::new(), count }
    }

    /// That was all.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.to.blocking_send(None).map_err(|_| gone())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len().min(CHUNK_BYTES - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..len]);
        if self.chunk.len() == CHUNK_BYTES {
            self.flush()?;
        }
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = self.chunk.split().freeze();
        self.count.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        self.to.blocking_send(Some(chunk)).map_err(|_| gone())
    }
}

/// Reads from a stream on a thread that may wait.
#[derive(Debug)]
pub(super) struct Source {
    from: mpsc::Receiver<Chunk>,
    chunk: Bytes,
    is_over: bool,
}

impl Source {
    pub(super) const fn new(from: mpsc::Receiver<Chunk>) -> Self {
        Self { from, chunk: Bytes::new(), is_over: false }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() && !self.is_over {
            match self.from.blocking_recv() {
                Some(Some(chunk)) => self.chunk = chunk,
                Some(None) => self.is_over = true,
                None => return Err(gone()),
            }
        }
        let len = self.chunk.len().min(buffer.len());
        buffer[..len].copy_from_slice(&self.chunk.split_to(len));
        Ok(len)
    }
}

/// The other end gave up; its error says why.
fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the other end of the stream is gone")
}
