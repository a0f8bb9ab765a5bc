//! The two ends of a stream of beats.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{AsyncRead, AsyncWrite};

use super::codec::Frame;

/// The subject's end.
pub(super) struct Sender<S> {
    stream: S,
    /// The frame being written, and how much of it is.
    frame: Option<([u8; Frame::LENGTH], usize)>,
    flushed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sender<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, frame: None, flushed: true }
    }

    /// Takes a frame, unless the one before is still on its way.
    pub(super) fn offer(&mut self, frame: Frame) {
        if self.frame.is_none() && self.flushed {
            self.frame = Some((frame.encode(), 0));
            self.flushed = false;
        }
    }

    /// Writes what can be written. Ready when the stream is of no more use.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // The observer says nothing. Its end of stream and its garbage end the stream alike.
        if Pin::new(&mut self.stream).poll_read(cx, &mut [0]).is_ready() {
            return Poll::Ready(());
        }
        while let Some((bytes, written)) = &mut self.frame {
            match Pin::new(&mut self.stream).poll_write(cx, &bytes[*written..]) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(more)) => *written += more,
            }
            if *written == Frame::LENGTH {
                self.frame = None;
            }
        }
        if !self.flushed {
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.flushed = true,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }
}

/// The observer's end.
pub(super) struct Receiver<S> {
    stream: S,
    read: [u8; Frame::LENGTH],
    filled: usize,
}

impl<S: AsyncRead + Unpin> Receiver<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, read: [0; Frame::LENGTH], filled: 0 }
    }

    /// Ready with the next frame, or with nothing when the stream has ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Frame>> {
        while self.filled < Frame::LENGTH {
            match Pin::new(&mut self.stream).poll_read(cx, &mut self.read[self.filled..]) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(None),
                Poll::Ready(Ok(more)) => self.filled += more,
            }
        }
        self.filled = 0;
        Poll::Ready(Some(Frame::decode(self.read)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io;
    use std::task::Waker;

    use super::*;

    const FIRST: Frame = Frame { incarnation: 1, counter: 2 };
    const SECOND: Frame = Frame { incarnation: 1, counter: 3 };

    /// A stream that takes so many bytes, and gives what it is told to.
    #[derive(Default)]
    struct Scripted {
        room: usize,
        written: Vec<u8>,
        to_read: VecDeque<u8>,
        ended: bool,
    }

    impl AsyncRead for Scripted {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            match self.to_read.pop_front() {
                Some(byte) => {
                    buffer[0] = byte;
                    Poll::Ready(Ok(1))
                }
                None if self.ended => Poll::Ready(Ok(0)),
                None => Poll::Pending,
            }
        }
    }

    impl AsyncWrite for Scripted {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let count = bytes.len().min(self.room);
            if count == 0 {
                return Poll::Pending;
            }
            self.room -= count;
            self.written.extend(&bytes[..count]);
            Poll::Ready(Ok(count))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn poll<T>(poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_stream_that_is_full_misses_a_beat_and_finishes_the_one_before() {
        let mut sender = Sender::new(Scripted { room: 5, ..Scripted::default() });
        sender.offer(FIRST);
        assert_eq!(poll(|cx| sender.poll(cx)), Poll::Pending);
        sender.offer(SECOND);
        sender.stream.room = 100;
        assert_eq!(poll(|cx| sender.poll(cx)), Poll::Pending);
        assert_eq!(sender.stream.written, FIRST.encode());
        sender.offer(SECOND);
        assert_eq!(poll(|cx| sender.poll(cx)), Poll::Pending);
        assert_eq!(sender.stream.written[Frame::LENGTH..], SECOND.encode());
    }

    #[test]
    fn an_observer_that_says_anything_or_ends_is_left() {
        let babbling = Scripted { to_read: [0].into(), ..Scripted::default() };
        let ended = Scripted { ended: true, ..Scripted::default() };
        for stream in [babbling, ended] {
            let mut sender = Sender::new(stream);
            sender.offer(FIRST);
            assert_eq!(poll(|cx| sender.poll(cx)), Poll::Ready(()));
        }
    }

    #[test]
    fn frames_are_put_together_from_pieces() {
        let bytes = [FIRST.encode(), SECOND.encode()].concat();
        let (start, rest) = bytes.split_at(20);
        let stream = Scripted { to_read: start.to_vec().into(), ..Scripted::default() };
        let mut receiver = Receiver::new(stream);
        assert_eq!(poll(|cx| receiver.poll(cx)), Poll::Ready(Some(FIRST)));
        assert_eq!(poll(|cx| receiver.poll(cx)), Poll::Pending);
        receiver.stream.to_read.extend(rest);
        assert_eq!(poll(|cx| receiver.poll(cx)), Poll::Ready(Some(SECOND)));
        receiver.stream.ended = true;
        assert_eq!(poll(|cx| receiver.poll(cx)), Poll::Ready(None));
    }
}
