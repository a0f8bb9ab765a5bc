use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{AsyncRead, AsyncWrite};

/// How many bytes go one way at a turn: at the speed of encryption some tenths of a millisecond.
const TURN: usize = 128 * 1024;

/// A stream that lets others have their turn.
///
/// A connection that carries a blob always has something to read or room to write, and its task would
/// go on for as long as tokio lets it, megabytes at a time. A beat or a registration on another
/// connection of the same node waits meanwhile, as does who is reached only through this node.
///
/// **Invariant**: whoever was told to wait was woken, hence nothing is ever held back.
#[derive(Debug)]
pub(super) struct Fair<S> {
    inner: S,
    /// Of this turn.
    read: usize,
    written: usize,
}

impl<S> Fair<S> {
    pub(super) const fn new(inner: S) -> Self {
        Self { inner, read: 0, written: 0 }
    }
}

/// Whether it is others' turn. Then a new one begins for who asks, after theirs.
fn is_over(used: &mut usize, cx: &Context<'_>) -> bool {
    let over = *used >= TURN;
    if over {
        *used = 0;
        cx.waker().wake_by_ref();
    }
    over
}

fn count(used: &mut usize, moved: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
    match &moved {
        Poll::Ready(Ok(bytes)) => *used += bytes,
        // It waits for the other side anyway.
        Poll::Pending => *used = 0,
        Poll::Ready(Err(_)) => {}
    }
    moved
}

impl<S: AsyncRead + Unpin> AsyncRead for Fair<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if is_over(&mut self.read, cx) {
            return Poll::Pending;
        }
        let moved = Pin::new(&mut self.inner).poll_read(cx, buffer);
        count(&mut self.read, moved)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Fair<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if is_over(&mut self.written, cx) {
            return Poll::Pending;
        }
        let moved = Pin::new(&mut self.inner).poll_write(cx, bytes);
        count(&mut self.written, moved)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::task::{ArcWake, waker};

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl ArcWake for Woken {
        fn wake_by_ref(this: &Arc<Self>) {
            this.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_stream_that_never_runs_dry_stops_now_and_then_and_is_woken() {
        let woken = Arc::new(Woken::default());
        let waker = waker(woken.clone());
        let mut cx = Context::from_waker(&waker);
        let mut stream = Fair::new(futures::io::repeat(7));
        let (mut buffer, mut moved, mut stops) = ([0; 60_000], 0, 0);
        for _ in 0..100 {
            match Pin::new(&mut stream).poll_read(&mut cx, &mut buffer) {
                Poll::Ready(read) => moved += read.expect("bytes"),
                Poll::Pending => stops += 1,
            }
        }
        assert_eq!(moved, (100 - stops) * 60_000);
        assert_eq!(stops, 25, "after three reads each");
        assert_eq!(woken.0.load(Ordering::Relaxed), stops);
    }

    #[test]
    fn both_ways_have_turns_of_their_own() {
        let waker = futures::task::noop_waker();
        let mut cx = Context::from_waker(&waker);
        let mut stream = Fair::new(futures::io::sink());
        let bytes = [0; TURN];
        let mut write = || Pin::new(&mut stream).poll_write(&mut cx, &bytes).is_ready();
        assert!(write() && !write() && write());
    }
}
