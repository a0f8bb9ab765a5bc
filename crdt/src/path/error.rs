//! Why a string is not a path, an endpoint or a host.

use crate::id::ParseIdError;
use crate::name::NameError;

/// Why a string is not a path. Texts quote at most 80 characters of the input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// A path starts with `/`.
    #[error("{found:?} does not start with `/`; the form is {form}")]
    NoSlash {
        /// What was given.
        found: String,
        /// How it should look.
        form: &'static str,
    },
    /// Too many or too few parts.
    #[error("{found} parts instead of {expected}; the form is {form}")]
    Parts {
        /// How many parts the form has.
        expected: usize,
        /// How many were given.
        found: usize,
        /// How it should look.
        form: &'static str,
    },
    /// A part is not a name.
    #[error("the {part} part: {source}")]
    Name {
        /// Which part.
        part: &'static str,
        /// What is wrong with it.
        source: NameError,
    },
    /// `*` together with other characters.
    #[error("the {part} part is {found:?}: `*` matches a whole part, not a piece of one")]
    Glob {
        /// Which part.
        part: &'static str,
        /// What was given.
        found: String,
    },
    /// A part is not a key or a hash.
    #[error("the {part} part: {source}")]
    Id {
        /// Which part.
        part: &'static str,
        /// What is wrong with it.
        source: ParseIdError,
    },
    /// The word that tells kinds of paths apart is another one.
    #[error("the third part is {found:?} instead of `{expected}`")]
    Word {
        /// The word expected there in this kind of path.
        expected: &'static str,
        /// What was given.
        found: String,
    },
    /// The last part is not `host:port`.
    #[error("the address part: {0}")]
    Endpoint(#[from] EndpointError),
}

/// Why a string is not `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// There is no colon.
    #[error("{found:?} has no port; the form is HOST:PORT")]
    NoPort {
        /// What was given.
        found: String,
    },
    /// The port is not a number from 1 to 65535.
    #[error("invalid port {found:?}: expected 1 to 65535")]
    Port {
        /// The text behind the last colon.
        found: String,
    },
    /// The host is none.
    #[error("the host: {0}")]
    Host(#[from] HostError),
}

/// Why a string is not a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// There is nothing.
    #[error("it is empty")]
    Empty,
    /// A colon outside of brackets.
    #[error("{found:?} has a colon; write an IPv6 address in brackets, as in [::1]:80")]
    Brackets {
        /// What was given.
        found: String,
    },
    /// No IPv6 address in the brackets.
    #[error("invalid IPv6 address {found:?}")]
    Ipv6 {
        /// What was given.
        found: String,
    },
    /// The last label is a number, so it is meant as an IPv4 address and is none.
    #[error("invalid IPv4 address {found:?}")]
    Ipv4 {
        /// What was given.
        found: String,
    },
    /// A DNS name over 253 bytes.
    #[error("it has {len} bytes, at most {max} are allowed")]
    TooLong {
        /// How many bytes were given.
        len: usize,
        /// How many are allowed.
        max: usize,
    },
    /// A label of a DNS name.
    #[error("the label {label:?} of the name: {source}")]
    Label {
        /// Which label.
        label: String,
        /// What is wrong with it.
        source: NameError,
    },
}
