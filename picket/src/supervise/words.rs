//! The end of what a command prints, read while it runs: a command never waits for a reader.

use std::future::poll_fn;
use std::os::fd::OwnedFd;
use std::task::Poll;

use rustix::io::{Errno, read};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::exec::PRINTED_MAX;
use crate::handle::Output;

/// How much is kept: the last line is shown.
const KEPT: usize = 512;
/// How much is read at once.
const CHUNK: usize = 16 << 10;

/// The output of a command.
#[derive(Debug, Default)]
pub(super) struct LastWords {
    pipes: Vec<AsyncFd<OwnedFd>>,
    read: usize,
    end: Vec<u8>,
}

impl LastWords {
    /// Of these pipes. One that the runtime cannot wait for is not read, and its command may wait for that; it is given
    /// up when its time is over.
    #[expect(
        deprecated,
        reason = "the descriptor is owned; the way that is not deprecated is unsafe code"
    )]
    pub(super) fn of(output: Output) -> Self {
        let pipes = [output.stdout, output.stderr].into_iter();
        let pipes = pipes.filter_map(|pipe| AsyncFd::with_interest(pipe, Interest::READABLE).ok());
        Self { pipes: pipes.collect(), ..Self::default() }
    }

    /// Reads some, or waits for it; for ever once all is read. Whether that is more than a command may print. May be
    /// dropped and called again.
    pub(super) async fn read(&mut self) -> bool {
        poll_fn(|cx| {
            let mut at = 0;
            while at < self.pipes.len() {
                match self.pipes[at].poll_read_ready(cx) {
                    Poll::Pending => at += 1,
                    Poll::Ready(Err(_)) => drop(self.pipes.swap_remove(at)),
                    Poll::Ready(Ok(mut guard)) => match take(guard.get_inner()) {
                        Taken::Some(bytes) => {
                            self.keep(&bytes);
                            return Poll::Ready(self.read > PRINTED_MAX);
                        }
                        Taken::Nothing => guard.clear_ready(),
                        Taken::End => drop(self.pipes.swap_remove(at)),
                    },
                }
            }
            Poll::Pending
        })
        .await
    }

    /// The end of it, with what the pipes still hold. Of a command that has ended.
    pub(super) fn rest(mut self) -> Vec<u8> {
        for pipe in std::mem::take(&mut self.pipes) {
            while let Taken::Some(bytes) = take(pipe.get_ref()) {
                self.keep(&bytes);
            }
        }
        self.end
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.read += bytes.len();
        self.end.extend_from_slice(bytes);
        self.end.drain(..self.end.len().saturating_sub(KEPT));
    }
}

enum Taken {
    Some(Vec<u8>),
    Nothing,
    End,
}

fn take(pipe: &OwnedFd) -> Taken {
    let mut buffer = vec![0; CHUNK];
    loop {
        return match read(pipe, &mut buffer[..]) {
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) => Taken::Nothing,
            Ok(0) | Err(_) => Taken::End,
            Ok(length) => {
                buffer.truncate(length);
                Taken::Some(buffer)
            }
        };
    }
}
