//! Exit codes.

use std::process::ExitCode;

/// How the process ends. Scripts rely on the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Tried and failed.
    Failed = 1,
    /// The command line, a name or the configuration is wrong.
    Usage = 2,
    /// The thing that the command names does not exist.
    NotFound = 3,
    /// No node answers.
    NoNode = 4,
    /// Refused: not now, or not by this caller.
    Refused = 5,
    /// The answer did not arrive in time.
    TimedOut = 6,
}

impl Exit {
    /// Every way to end.
    pub const ALL: [Self; 7] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::NotFound,
        Self::NoNode,
        Self::Refused,
        Self::TimedOut,
    ];

    /// Its meaning, as a sentence.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "Done.",
            Self::Failed => "Tried and failed.",
            Self::Usage => {
                "The command line, a name, a setting or the secret's line is wrong, or `--yes` is missing."
            }
            Self::NotFound => "The thing that the command names does not exist.",
            Self::NoNode => "No node answers.",
            Self::Refused => "Refused: not now, or not by this caller.",
            Self::TimedOut => "The answer did not arrive in time.",
        }
    }

    /// The number.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}
