//! Taking over the keepers of an earlier picket.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

use super::start::address;
use super::{Keeper, Message};
use crate::fds;
use crate::keeper::Hello;
use crate::record::{Record, SOCKET};
use crate::tree::{self, Killed};

/// How long a keeper takes to end that has nothing to do.
const ENDS_WITHIN: Duration = Duration::from_millis(500);

/// Whether a keeper answers.
#[derive(Debug)]
pub enum Adoption {
    /// It does. The message is [`Message::Adopted`].
    Adopted(Keeper, Message),
    /// There is none, and nothing of the instance runs as a child of one.
    Nobody,
    /// The record is of another boot: its processes are gone, and their ids are others'. Nothing was
    /// tried.
    OtherBoot,
    /// There is one, and it does not accept the token, or ended while it was asked. It ends its tree by
    /// itself; until then, [`is_held`].
    Refused,
    /// There is one, and it did not answer in time: it is stopped, or the machine is very slow. Ask
    /// again, or [`end_by_force`].
    Silent,
    /// This process could not ask: it has no descriptor or no memory left. Ask again.
    NotAsked(io::Error),
}

/// Adopts the keepers of the records that a picket found, all at once, and waits for their answers:
/// `within` for all together. The adoptions are in the order of the records.
///
/// # Errors
/// If the system tells no boot.
pub fn adopt(records: &[(PathBuf, Record)], within: Duration) -> io::Result<Vec<Adoption>> {
    let end = Instant::now() + within;
    let mut asked = Vec::with_capacity(records.len());
    for (dir, record) in records {
        asked.push(match record.is_of_this_boot()? {
            true => ask(dir, record),
            false => Asked::Answer(Adoption::OtherBoot),
        });
    }
    loop {
        for one in &mut asked {
            one.look();
        }
        let waiting = asked.iter().filter_map(|one| match one {
            Asked::Waiting(keeper) => Some(PollFd::from_borrowed_fd(keeper.as_fd(), PollFlags::IN)),
            Asked::Answer(_) => None,
        });
        let mut waiting: Vec<PollFd<'_>> = waiting.collect();
        let left = end.saturating_duration_since(Instant::now());
        if waiting.is_empty() || left.is_zero() {
            break;
        }
        let timeout = Timespec::try_from(left).ok();
        let _ = poll(&mut waiting, timeout.as_ref());
    }
    Ok(asked.into_iter().map(Asked::answer).collect())
}

enum Asked {
    Waiting(Keeper),
    Answer(Adoption),
}

impl Asked {
    fn look(&mut self) {
        let Self::Waiting(keeper) = self else { return };
        match keeper.receive() {
            Ok(None) => {}
            Ok(Some(message @ Message::Adopted { .. })) => {
                let answered = std::mem::replace(self, Self::Answer(Adoption::Refused));
                if let Self::Waiting(keeper) = answered {
                    *self = Self::Answer(Adoption::Adopted(keeper, message));
                }
            }
            Ok(Some(_)) => *self = Self::Answer(Adoption::Refused),
            Err(err) => *self = Self::Answer(Adoption::NotAsked(err)),
        }
    }

    fn answer(self) -> Adoption {
        match self {
            Self::Waiting(_) => Adoption::Silent,
            Self::Answer(adoption) => adoption,
        }
    }
}

fn ask(dir: &Path, record: &Record) -> Asked {
    let socket = match dial(dir) {
        Ok(socket) => socket,
        // Somebody removed its socket, and it lives all the same.
        Err(Errno::NOENT | Errno::CONNREFUSED) if lives_on(record) => {
            return Asked::Answer(Adoption::Silent);
        }
        Err(Errno::NOENT | Errno::CONNREFUSED) => return Asked::Answer(Adoption::Nobody),
        // So many wait for it already that nobody is let in.
        Err(Errno::AGAIN) => return Asked::Answer(Adoption::Silent),
        Err(err) => return Asked::Answer(Adoption::NotAsked(err.into())),
    };
    let hello = serde_json::to_vec(&Hello { token: record.token.clone() });
    match hello.map_err(io::Error::other).and_then(|hello| fds::send(&socket, &hello, &[])) {
        Ok(()) => Asked::Waiting(Keeper::new(socket, record.keeper)),
        // It ended just now.
        Err(_) => Asked::Answer(Adoption::Refused),
    }
}

/// Whether the keeper of a record of this boot lives, and does not end just now, as one does whose picket died before it
/// had its order.
fn lives_on(record: &Record) -> bool {
    let end = Instant::now() + ENDS_WITHIN;
    while record.keeper.is_some_and(tree::Process::is_alive) {
        if Instant::now() >= end {
            return true;
        }
        std::thread::sleep(ENDS_WITHIN / 20);
    }
    false
}

fn dial(dir: &Path) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    let (_dir, address) = address(&dir.join(SOCKET))?;
    connect(&socket, &address)?;
    Ok(socket)
}

/// Whether a keeper holds the instance of a directory, also if its record cannot be read. Until it does
/// not, another instance of the service may find ports and files in use.
#[must_use]
pub fn is_held(dir: &Path) -> bool {
    match dial(dir) {
        Ok(_) => true,
        // It has one, as far as this process can tell.
        Err(err) => matches!(err, Errno::AGAIN | Errno::MFILE | Errno::NFILE | Errno::NOMEM),
    }
}

/// Ends a keeper that does not answer, and everything below it first, from outside. Only processes that
/// are below exactly the keeper of the record are touched: another with its id is not, and of a record
/// of another boot none is.
///
/// Waits until nothing is left, at most `within`.
///
/// # Errors
/// If the system tells no boot.
pub fn end_by_force(record: &Record, within: Duration) -> io::Result<Killed> {
    match record.keeper {
        Some(keeper) if record.is_of_this_boot()? => Ok(tree::kill_below(keeper, within)),
        _ => Ok(Killed::default()),
    }
}
