//! What can go wrong with a testnet, told so that a person can act on it.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// Why a testnet, a story or a benchmark stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file, directory, socket or process could not be used. Nothing was started by this call.
    #[error("cannot {what}: {source}")]
    Io {
        /// The attempt, as an infinitive: `create /tmp/x`.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another testnet runs in this directory. Nothing was started.
    #[error(
        "a testnet runs in {path} already; stop that one, or give another directory with --dir",
        path = .0.display()
    )]
    HomeTaken(PathBuf),
    /// No block of free ports was found on the loopback address.
    #[error("found no {needed} free ports in a row between {first} and {last} on 127.0.0.1")]
    NoPorts {
        /// How many are needed.
        needed: u16,
        /// Lowest port tried.
        first: u16,
        /// Highest port tried.
        last: u16,
    },
    /// A process that should run has ended.
    #[error("{name} ended by itself ({status}); its log, {log}, ends with:\n{tail}", log = .log.display())]
    Died {
        /// The node or peer.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// Its log file.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// A process did not end when it was told to.
    #[error("{name} was told to stop and still ran after {within:?}")]
    WouldNotStop {
        /// The node or peer.
        name: String,
        /// How long it was given.
        within: Duration,
    },
    /// A condition did not come true in time.
    #[error("waited {within:?} in vain until {what}; last seen:\n{last}")]
    TimedOut {
        /// The condition, as a sentence: `all nodes agree`.
        what: String,
        /// The deadline.
        within: Duration,
        /// What was last seen instead.
        last: String,
    },
    /// A node answered a call with an error, or did not answer.
    #[error("{node} answered {call} with {kind}: {error}", kind = .error.kind())]
    Refused {
        /// The node asked.
        node: String,
        /// What it was asked.
        call: &'static str,
        /// Its answer, or why there was none.
        error: crux_client::Error,
    },
    /// A command of the node's command line failed.
    #[error("`crux-node {command}` ended with {status}: {stderr}")]
    Command {
        /// Its arguments.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to standard error.
        stderr: String,
    },
    /// Another program failed.
    #[error("`{command}` ended with {status}: {stderr}")]
    Tool {
        /// It and its arguments.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to standard error.
        stderr: String,
    },
    /// An operation was asked of a node that does not run.
    #[error("{0} does not run")]
    NotRunning(String),
    /// A peer program said something that is not its protocol.
    #[error("{peer}: {what}")]
    Peer {
        /// Which peer.
        peer: &'static str,
        /// What it said or failed to say.
        what: String,
    },
    /// The story or the benchmark found a promise broken.
    #[error("{0}")]
    Broken(String),
}

impl Error {
    /// Wraps an I/O error with the attempt that met it.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
