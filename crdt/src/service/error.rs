//! Why a config is refused.

use core::fmt;

use super::bounds::{CONFIG_BYTES_MAX, PLACEHOLDERS_MAX, PRIORITY};
use super::port::PortName;
use crate::units::duration_text;

/// One thing that is wrong in a config. The caller's input is at fault; nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}`: {why}")]
pub struct ConfigError {
    /// Where, as in `args[1]`, `ports.http` or `check[0].port`.
    pub key: String,
    /// Why.
    pub why: Why,
}

/// Why a value of a config is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// More entries than the bound.
    #[error("it has {len} entries, at most {max} are allowed")]
    TooMany {
        /// How many there are.
        len: usize,
        /// How many are allowed.
        max: usize,
    },
    /// More bytes than the bound.
    #[error("it has {len} bytes, at most {max} are allowed")]
    TooLong {
        /// How many there are.
        len: usize,
        /// How many are allowed.
        max: usize,
    },
    /// All texts together are longer than a config may be.
    #[error("all texts of the config have {0} bytes, at most {CONFIG_BYTES_MAX} are allowed")]
    AllTooLong(usize),
    /// There are more placeholders than allowed.
    #[error("the config has {0} placeholders, at most {PLACEHOLDERS_MAX} are allowed")]
    Placeholders(usize),
    /// A number out of its range.
    #[error("it is {value}; it must be from {least} to {most}")]
    Number {
        /// As written.
        value: u64,
        /// The least.
        least: u64,
        /// The greatest.
        most: u64,
    },
    /// A priority out of its range.
    #[error("it is {value}; it must be from {} to {}", PRIORITY.start(), PRIORITY.end())]
    Priority {
        /// As written.
        value: i32,
    },
    /// A duration out of its range.
    #[error("it is {}; it must be from {} to {}", Span(*.value), Span(*.least), Span(*.most))]
    Duration {
        /// As written.
        value: core::time::Duration,
        /// The shortest.
        least: core::time::Duration,
        /// The longest.
        most: core::time::Duration,
    },
    /// Part of a millisecond, which no text can have.
    #[error("it is not a whole number of milliseconds")]
    Fraction,
    /// Nothing where something has to be.
    #[error("it is empty")]
    Empty,
    /// A character that the system takes for the end.
    #[error("it has a NUL character, which no program can be given")]
    Nul,
    /// Another rule about texts, in words.
    #[error("{0}")]
    Form(&'static str),
    /// No port has that name.
    #[error("there is no port {0:?}; `ports` has the names")]
    NoPort(String),
    /// The number is there twice.
    #[error("the ports {0} and {1} have the same number")]
    SameNumber(PortName, PortName),
    /// Instances cannot share a port.
    #[error("{count} instances cannot share port {number}: write \"auto\", or count = 1")]
    Shared {
        /// How many instances there are.
        count: u16,
        /// The number.
        number: u16,
    },
    /// The old and the new instance cannot have the same port.
    #[error(
        "an update cannot overlap while a port has a fixed number: write \"auto\" for port {0}"
    )]
    CannotOverlap(PortName),
    /// The name and revision are registered twice.
    #[error("{0} is registered twice")]
    RegisteredTwice(String),
    /// The variable is one that the node sets.
    #[error("the node sets CRUX_* and PORT itself")]
    OwnVariable,
}

/// Several things that are wrong, in the order of the keys; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if at == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl core::error::Error for ConfigErrors {}

/// A duration as people write it.
struct Span(core::time::Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&duration_text(self.0))
    }
}
