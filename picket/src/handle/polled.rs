//! A keeper within a runtime.

use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream as Std;

use std::task::{Context, Poll, ready};

use tokio::io::Interest;
use tokio::net::UnixStream;

use super::{Keeper, Message};

/// A keeper whose messages a task waits for.
#[derive(Debug)]
pub struct Polled {
    keeper: Keeper,
    /// A second descriptor of its socket, of which only the readiness is used: the runtime has no type
    /// for sockets of this kind.
    socket: UnixStream,
}

impl Polled {
    /// Has the runtime watch a keeper's socket.
    ///
    /// # Errors
    /// If the system has no descriptor left, with the keeper: it runs, and has to be ended.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub fn new(keeper: Keeper) -> Result<Self, (Keeper, io::Error)> {
        let socket = || {
            let socket = Std::from(keeper.as_fd().try_clone_to_owned()?);
            socket.set_nonblocking(true)?;
            UnixStream::from_std(socket)
        };
        match socket() {
            Ok(socket) => Ok(Self { keeper, socket }),
            Err(err) => Err((keeper, err)),
        }
    }

    /// The keeper, for requests.
    #[must_use]
    pub const fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// Waits for the next message; after [`Message::Gone`] for ever. It may be dropped and called again:
    /// no message is lost.
    ///
    /// # Errors
    /// As [`Keeper::receive`].
    pub async fn message(&mut self) -> io::Result<Message> {
        std::future::poll_fn(|cx| self.poll_message(cx)).await
    }

    /// The same for one who waits for many keepers at once.
    ///
    /// # Errors
    /// As [`Keeper::receive`].
    pub fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Message>> {
        loop {
            if self.keeper.ended {
                // The socket is readable from now on.
                return Poll::Pending;
            }
            ready!(self.socket.poll_read_ready(cx))?;
            let received = self.socket.try_io(Interest::READABLE, || {
                // So that the runtime waits for more.
                self.keeper.receive()?.ok_or_else(|| io::ErrorKind::WouldBlock.into())
            });
            match received {
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => {}
                other => return Poll::Ready(other),
            }
        }
    }
}
