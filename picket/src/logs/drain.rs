//! Drains the two pipes of an instance into the log of its service.
//!
//! Whatever the disk and the readers do, the pipes are read: no program blocks on its output. Programs that
//! write without end take turns.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::time::Duration;

use tokio::net::unix::pipe::Receiver;

use super::input::Input;
use super::line::Stream;
use crate::clock;

/// How many bytes are read at once: what a pipe holds by default.
const READ_BYTES: usize = 64 * 1024;
/// How many reads of one pipe follow each other before others get their turn: half a megabyte, some
/// milliseconds.
const READS_MAX: usize = 8;
/// How much is read of a pipe at the end although others still could write into it: all that it holds, if it
/// is not greater than the greatest that an unprivileged process may make.
const LAST_BYTES_MAX: usize = 1 << 20;

thread_local! {
    /// One for all pipes, which are read one after the other.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// One of the pipes, until it ends.
#[derive(Debug)]
struct Pipe {
    stream: Stream,
    receiver: Option<Receiver>,
}

/// How a turn of reading ended.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// There is nothing more for now.
    Empty,
    /// There may be more.
    More,
    /// All writers closed it.
    End,
}

impl Pipe {
    fn new(stream: Stream, fd: OwnedFd) -> io::Result<Self> {
        Ok(Self { stream, receiver: Some(Receiver::from_owned_fd(fd)?) })
    }

    /// Waits until there is something to read; for ever if the pipe ended.
    async fn readable(&self) {
        match &self.receiver {
            // An error is seen when it is read.
            Some(receiver) => drop(receiver.readable().await),
            None => std::future::pending().await,
        }
    }

    /// Reads what is there, for a turn.
    fn turn(&mut self, input: &mut Input) -> Turn {
        let Some(receiver) = &self.receiver else { return Turn::End };
        let most = READS_MAX * READ_BYTES;
        let turn = read(|buffer| receiver.try_read(buffer), self.stream, input, most);
        if turn == Turn::End {
            self.receiver = None;
        }
        turn
    }

    /// Reads what the pipe holds, whether or not the runtime has heard of it.
    fn last(self, input: &mut Input) {
        if let Some(fd) = self.receiver.and_then(|it| it.into_nonblocking_fd().ok()) {
            let from = |buffer: &mut [u8]| Ok(rustix::io::read(&fd, buffer)?);
            read(from, self.stream, input, LAST_BYTES_MAX);
        }
    }
}

/// Reads up to so many bytes.
fn read(
    mut from: impl FnMut(&mut [u8]) -> io::Result<usize>,
    stream: Stream,
    input: &mut Input,
    most: usize,
) -> Turn {
    BUFFER.with_borrow_mut(|buffer| {
        let mut sum = 0;
        while sum < most {
            match from(buffer) {
                Ok(0) => return Turn::End,
                Ok(n) => {
                    input.feed(stream, &buffer[..n], clock::now());
                    sum += n;
                }
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => return Turn::Empty,
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                // A pipe that cannot be read has nothing more for us.
                Err(_) => return Turn::End,
            }
        }
        Turn::More
    })
}

/// Drains an instance's pipes until both ended or `stop` is ready; then what they hold is read and
/// [`Input::finish`]ed. `kick` is called when there is something to write.
///
/// # Errors
/// Those of the system: a descriptor is not a pipe, or cannot be polled.
pub async fn drain(
    mut input: Input,
    stdout: OwnedFd,
    stderr: OwnedFd,
    stop: impl Future<Output = ()>,
    mut kick: impl FnMut(),
) -> io::Result<()> {
    let mut out = Pipe::new(Stream::Stdout, stdout)?;
    let mut err = Pipe::new(Stream::Stderr, stderr)?;
    let mut stop = pin!(stop);
    while out.receiver.is_some() || err.receiver.is_some() {
        let wait = input.deadline().map_or(Duration::MAX, |at| at.since(clock::now().at));
        let stops = tokio::select! {
            () = &mut stop => true,
            () = out.readable() => false,
            () = err.readable() => false,
            () = tokio::time::sleep(wait) => false,
        };
        if stops {
            break;
        }
        let turns = [out.turn(&mut input), err.turn(&mut input)];
        input.tick(clock::now());
        if input.log().wants_flush(clock::now().at) {
            kick();
        }
        if turns.contains(&Turn::More) {
            tokio::task::yield_now().await;
        }
    }
    out.last(&mut input);
    err.last(&mut input);
    input.finish(clock::now());
    kick();
    Ok(())
}
