//! The end of what the command of a check prints.
//!
//! **Invariants**: what it prints is read while it runs, so that it never waits for a reader; of each pipe only the last
//! [`KEPT_MAX`] bytes are kept; and one that prints more than [`PRINTED_MAX`] is given up, so that it costs the picket no
//! more.

use std::io;
use std::os::fd::OwnedFd;

use tokio::net::unix::pipe::Receiver;

use crate::handle::Output;

/// How many bytes a command may print.
pub(super) const PRINTED_MAX: usize = 1 << 20;
/// How many bytes of each pipe are kept: the last line is shown.
const KEPT_MAX: usize = 512;
/// How many bytes are read at once.
const READ_BYTES: usize = 16 << 10;
/// How many reads follow each other before others get their turn.
const READS_MAX: usize = 32;

/// Reads the two pipes of a command.
#[derive(Debug, Default)]
pub(super) struct Words {
    stdout: Pipe,
    stderr: Pipe,
}

#[derive(Debug, Default)]
struct Pipe {
    /// None: it ended.
    receiver: Option<Receiver>,
    /// How many bytes were read.
    printed: usize,
    kept: Vec<u8>,
}

impl Words {
    /// Of a command that was started. Must be called within a runtime.
    ///
    /// # Errors
    /// Those of the system: a descriptor cannot be polled.
    pub(super) fn new(output: Output) -> io::Result<Self> {
        let Output { stdout, stderr } = output;
        Ok(Self { stdout: Pipe::new(stdout)?, stderr: Pipe::new(stderr)? })
    }

    /// Reads on, until it is more than [`PRINTED_MAX`]; once both pipes ended, it only waits. May be dropped at any time
    /// and called again.
    pub(super) async fn too_many(&mut self) {
        while self.stdout.printed + self.stderr.printed <= PRINTED_MAX {
            let Self { stdout, stderr } = self;
            tokio::select! {
                () = stdout.readable() => stdout.turn(),
                () = stderr.readable() => stderr.turn(),
            }
            tokio::task::yield_now().await;
        }
    }

    /// The last words of standard output and then those of standard error, with those that the pipes still hold,
    /// whether or not the runtime has heard of them.
    pub(super) fn last(self) -> Vec<u8> {
        let (mut last, errors) = (self.stdout.last(), self.stderr.last());
        if !errors.is_empty() {
            last.push(b'\n');
            last.extend(errors);
        }
        last
    }
}

impl Pipe {
    fn new(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self { receiver: Some(Receiver::from_owned_fd(fd)?), ..Self::default() })
    }

    async fn readable(&self) {
        match &self.receiver {
            // An error is seen when it is read.
            Some(receiver) => drop(receiver.readable().await),
            None => std::future::pending().await,
        }
    }

    /// Reads what is there, for a turn.
    fn turn(&mut self) {
        let Self { receiver, printed, kept } = self;
        receiver.take_if(|pipe| !take(kept, printed, |buffer| pipe.try_read(buffer)));
    }

    fn last(mut self) -> Vec<u8> {
        if let Some(fd) = self.receiver.and_then(|pipe| pipe.into_nonblocking_fd().ok()) {
            take(&mut self.kept, &mut self.printed, |buffer| Ok(rustix::io::read(&fd, buffer)?));
        }
        self.kept
    }
}

/// Reads what is there, and keeps the end of it. Whether there may be more later.
fn take(
    kept: &mut Vec<u8>,
    printed: &mut usize,
    mut from: impl FnMut(&mut [u8]) -> io::Result<usize>,
) -> bool {
    let mut buffer = [0; READ_BYTES];
    for _ in 0..READS_MAX {
        match from(&mut buffer) {
            Ok(0) => return false,
            Ok(n) => {
                *printed += n;
                kept.extend_from_slice(&buffer[..n]);
                kept.drain(..kept.len().saturating_sub(KEPT_MAX));
            }
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => return true,
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            // It has nothing more for us.
            Err(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use super::*;

    /// The last words of a script when it ended; none: it was given up.
    async fn last_of(script: &str) -> Option<Vec<u8>> {
        let mut shell = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = OwnedFd::from(shell.stdout.take().unwrap());
        let stderr = OwnedFd::from(shell.stderr.take().unwrap());
        let mut words = Words::new(Output { stdout, stderr }).unwrap();
        // It ends in either case: its pipes are closed with the words.
        let ended = tokio::task::spawn_blocking(move || shell.wait().unwrap());
        let ended = tokio::time::timeout(Duration::from_secs(20), async {
            tokio::select! {
                ended = ended => Some(ended.unwrap()),
                () = words.too_many() => None,
            }
        });
        assert!(ended.await.expect("it does not wait for ever")?.success());
        Some(words.last())
    }

    #[tokio::test]
    async fn a_command_that_prints_more_than_a_pipe_holds_ends() {
        let script = "head -c 600000 /dev/zero; head -c 300000 /dev/zero >&2; echo; echo the end; echo no >&2";
        let last = last_of(script).await.unwrap();
        assert!(last[..KEPT_MAX].ends_with(b"\nthe end\n"), "{last:?}");
        assert!(last.ends_with(b"\0no\n") && last.len() == 2 * KEPT_MAX + 1, "{}", last.len());
    }

    #[tokio::test]
    async fn a_command_that_prints_more_than_is_allowed_is_given_up() {
        let script = "head -c 600000 /dev/zero; yes >&2";
        assert_eq!(last_of(script).await, None);
    }
}
