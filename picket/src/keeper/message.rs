//! The messages between picket and keeper: JSON, because a later build of the picket has to
//! understand an earlier keeper. Both ignore unknown messages.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;

use rustix::fs::{MemfdFlags, memfd_create};
use serde::{Deserialize, Serialize};

use crate::launch::Spec;
use crate::record::Token;
use crate::tree::Process;

/// The largest order: a service's config has 256 KiB, and each byte of it may need six as JSON.
const ORDER_MAX: u64 = 4 << 20;

/// All that a keeper is told, once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    /// The id of the instance.
    pub instance: String,
    /// The token that a picket has to show to adopt it.
    pub token: Token,
    /// How long the keeper waits for another picket, in milliseconds.
    pub orphan_ms: u64,
    /// How long a program may take to end then, in milliseconds, before it is killed.
    pub grace_ms: u64,
    /// Whether the image is a script.
    pub script: bool,
    /// The program.
    pub program: Spec,
}

impl Order {
    /// The order in an anonymous file. It may be larger than a message, and it holds the program's
    /// environment, which belongs on no disk.
    ///
    /// # Errors
    /// If it is too large, or there is no memory.
    pub(crate) fn write(&self) -> io::Result<OwnedFd> {
        let bytes = serde_json::to_vec(self)?;
        if bytes.len() as u64 > ORDER_MAX {
            return Err(io::Error::other("arguments and environment are too large"));
        }
        let mut file = File::from(memfd_create("order", MemfdFlags::CLOEXEC)?);
        file.write_all(&bytes)?;
        Ok(file.into())
    }

    /// Reads it; the descriptor is shared, and so is its position, which is left alone.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn read(file: &File) -> io::Result<Self> {
        let size = file.metadata()?.len().min(ORDER_MAX);
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(serde_json::from_slice(&bytes)?)
    }
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// By itself or by a signal.
    pub ended: Ended,
    /// Whether the system killed it because there was no memory, as far as its control group tells.
    /// Programs that share a group are taken for each other.
    pub oom: bool,
}

/// By itself or by a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// It returned this status.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

/// The first message to a keeper's socket.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) token: Token,
}

/// A picket's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Request {
    /// `SIGTERM` to the program.
    Term,
    /// `SIGTERM` to all processes below the keeper.
    TermTree,
    /// Kill them, then end.
    Kill,
    #[serde(other)]
    Unknown,
}

/// A keeper's report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(crate) enum Report {
    /// The program is executed. With its two pipes.
    Started { program: Process },
    /// It is not, and this is why.
    Failed { text: String },
    /// The program ended; others of its tree may not have.
    Exited { exit: Exit },
    /// The kernel does not let go of some processes; the keeper tries again.
    Stuck { left: u32 },
    /// No process is left. The keeper ends.
    Gone { killed: u32 },
    /// The answer to a picket with the right token. With the two pipes.
    Adopted {
        keeper: Process,
        program: Option<Process>,
        started: bool,
        ending: bool,
        exit: Option<Exit>,
    },
    #[serde(other)]
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_a_later_build_are_unknown_and_no_error() {
        let later = r#"{"is":"frozen","since":1}"#;
        assert_eq!(serde_json::from_str::<Report>(later).expect("read"), Report::Unknown);
        let later = r#"{"do":"freeze"}"#;
        assert_eq!(serde_json::from_str::<Request>(later).expect("read"), Request::Unknown);
        let more = r#"{"is":"stuck","left":3,"where":"disk"}"#;
        assert_eq!(serde_json::from_str::<Report>(more).expect("read"), Report::Stuck { left: 3 });
    }
}
