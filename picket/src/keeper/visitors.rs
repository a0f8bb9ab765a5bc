//! Connections to the keeper's socket that have not shown the token yet.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::net::sockopt::socket_peercred;
use rustix::net::{SocketFlags, accept_with};

use super::message::Hello;
use crate::fds;
use crate::record::Token;

/// How many wait at a time. One picket has one connection; a guess for what else of its user tries.
const VISITORS_MAX: usize = 4;
/// How long one may take to show the token: it sends it at once.
const HELLO_MAX: Duration = Duration::from_secs(2);
/// How long nobody is let in when the system has no descriptor for another: it is not asked at full
/// speed.
const DEAF: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Visitors {
    listener: OwnedFd,
    waiting: Vec<(OwnedFd, Instant)>,
    deaf_until: Option<Instant>,
}

impl Visitors {
    pub(super) const fn new(listener: OwnedFd) -> Self {
        Self { listener, waiting: Vec::new(), deaf_until: None }
    }

    /// The descriptors to wait for.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let open = self.waiting.len() < VISITORS_MAX && self.deaf_until.is_none();
        let listener = open.then(|| self.listener.as_fd());
        listener.into_iter().chain(self.waiting.iter().map(|(socket, _)| socket.as_fd()))
    }

    /// When to look again even if nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting.iter().map(|(_, since)| *since + HELLO_MAX).chain(self.deaf_until).min()
    }

    /// Lets in whom the system vouches for, and returns the last one that showed the token.
    pub(super) fn admit(&mut self, token: &Token, now: Instant) -> Option<OwnedFd> {
        self.deaf_until = self.deaf_until.filter(|until| now < *until);
        while self.waiting.len() < VISITORS_MAX && self.deaf_until.is_none() {
            match accept_with(&self.listener, SocketFlags::CLOEXEC) {
                Ok(socket) if is_own(&socket) => self.waiting.push((socket, now)),
                Ok(_) | Err(rustix::io::Errno::INTR | rustix::io::Errno::CONNABORTED) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => break,
                Err(_) => self.deaf_until = Some(now + DEAF),
            }
        }
        let mut admitted = None;
        for (socket, since) in std::mem::take(&mut self.waiting) {
            match fds::try_receive(&socket) {
                Ok(None) if now.duration_since(since) < HELLO_MAX => {
                    self.waiting.push((socket, since));
                }
                Ok(Some(hello)) if shows(&hello.bytes, token) => admitted = Some(socket),
                // Closed, too slow, or wrong: closed.
                Ok(_) | Err(_) => {}
            }
        }
        admitted
    }
}

fn shows(hello: &[u8], token: &Token) -> bool {
    serde_json::from_slice::<Hello>(hello).is_ok_and(|hello| hello.token == *token)
}

/// Whether the other side runs as this user, or as root.
fn is_own(socket: &OwnedFd) -> bool {
    let peer = socket_peercred(socket).map(|peer| peer.uid);
    peer.is_ok_and(|uid| uid.is_root() || uid == rustix::process::geteuid())
}
