use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::handshake::{Broken, Handshake};

/// The first bytes of every libp2p handshake, from either side: the length of a line, and the line.
const FIRST_LINE: &[u8] = b"\x13/multistream/1.0.0\n";

/// A stream that says how the handshake on it is getting on.
///
/// **Invariant**: a peer whose first bytes are not [`FIRST_LINE`] gets no answer to them.
#[derive(Debug)]
pub(crate) struct Watched<S> {
    inner: S,
    /// None once the handshake is done.
    handshake: Option<Arc<Handshake>>,
    /// What is still to come of the first line.
    expected: &'static [u8],
    /// Whether the peer sent something since this node did.
    asked: bool,
}

impl<S> Watched<S> {
    pub(crate) const fn new(inner: S, handshake: Option<Arc<Handshake>>) -> Self {
        Self { inner, handshake, expected: FIRST_LINE, asked: false }
    }

    /// The handshake, while it is not done.
    fn handshake(&mut self) -> Option<&Handshake> {
        self.handshake.take_if(|handshake| handshake.progress().done);
        self.handshake.as_deref()
    }

    fn on_read(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(handshake) = self.handshake() else { return Ok(()) };
        if bytes.is_empty() {
            return Err(Broken::Closed.into());
        }
        handshake.hear(Instant::now());
        self.asked = true;
        let (now, later) = self.expected.split_at(bytes.len().min(self.expected.len()));
        if !bytes.starts_with(now) {
            return Err(Broken::NotCrux.into());
        }
        self.expected = later;
        Ok(())
    }

    fn on_written(&mut self) {
        if std::mem::take(&mut self.asked)
            && let Some(handshake) = self.handshake()
        {
            handshake.step(Instant::now());
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        if !buffer.is_empty() {
            self.on_read(&buffer[..read])?;
        }
        Poll::Ready(Ok(read))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, bytes))?;
        self.on_written();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}
