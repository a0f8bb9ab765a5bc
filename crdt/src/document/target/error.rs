use core::fmt;

use super::{NOTE_BYTES_MAX, TARGET_SERVICES_MAX};
use crate::canon::DecodeError;
use crate::document::CONTENT_MAX;
use crate::name::{Label, ServiceName};
use crate::service::{Config, ConfigErrors};
use crate::text::is_plain;

/// Why something is not a target. Nothing was changed; the signer is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The document has another key than that of a target.
    #[error("the target of a horde is the document target/HORDE")]
    Key,
    /// `target_too_large`: more than a document holds.
    #[error(
        "the target has {bytes} bytes, {} more than the {CONTENT_MAX} that a document holds: \
         shorten the program, arguments and variables, or split it into two hordes",
        .bytes - CONTENT_MAX
    )]
    TooLarge {
        /// How many there are, with the one earlier generation that it keeps.
        bytes: usize,
    },
    /// More than [`TARGET_SERVICES_MAX`].
    #[error("the target has {0} services, at most {TARGET_SERVICES_MAX} are allowed")]
    Services(usize),
    /// Two services have one name.
    #[error("the service {0} is there twice")]
    Twice(ServiceName),
    /// The config of a service says how many instances a node runs.
    #[error("the config of {0} has a `count`: in a target the program says how many instances run")]
    Count(ServiceName),
    /// The config of a service names another horde.
    #[error("the config of {service} has the horde {found}, and this is the target of {horde}")]
    Horde {
        /// The service.
        service: ServiceName,
        /// The horde in its config.
        found: Label,
        /// The horde of the target.
        horde: Label,
    },
    /// A config breaks a rule.
    #[error(transparent)]
    Config(ConfigErrors),
    /// The program has a character that is not shown as itself.
    #[error("the program has a character that nobody sees, {0}: remove it")]
    Program(Hidden),
    /// The note is too long, or has a character that is not shown as itself.
    #[error(
        "the note has {len} bytes: expected at most {NOTE_BYTES_MAX}, in one line, of characters that are shown as \
         themselves"
    )]
    Note {
        /// How many bytes it has.
        len: usize,
    },
    /// The earlier generations are not newest first, or not before the document; or one of them breaks a bound.
    #[error(
        "the earlier generations of the target are not newest first, or one of them is invalid"
    )]
    Earlier,
    /// The bytes are not those of a target that this build knows.
    #[error("its content is not a target: {0}")]
    Content(#[from] DecodeError),
}

impl TargetError {
    /// The version that this build does not know, if that is why, and its number.
    pub const fn unknown(&self) -> Option<(&'static str, u8)> {
        match self {
            Self::Content(error) => error.unknown(),
            _ => None,
        }
    }

    pub(super) fn horde(config: &Config, horde: &Label) -> Self {
        let (service, found) = (config.name.clone(), config.horde.clone());
        Self::Horde { service, found, horde: horde.clone() }
    }
}

/// A character that is not shown as itself, and where; lines and columns from 1, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hidden {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
    /// The character.
    pub found: char,
}

impl fmt::Display for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} in line {}, column {}", self.found, self.line, self.column)
    }
}

/// The first character of a program that is neither shown as itself nor the end of a line or a tab.
pub(super) fn hidden(program: &str) -> Option<Hidden> {
    let lines = program.split('\n').zip(1..);
    let mut all = lines.flat_map(|(text, line)| {
        text.chars().zip(1..).map(move |(found, column)| Hidden { line, column, found })
    });
    all.find(|it| it.found != '\t' && !is_plain(it.found))
}
