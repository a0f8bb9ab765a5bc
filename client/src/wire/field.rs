//! The fields of answers, as a client reads them.

use std::fmt::Display;
use std::str::FromStr;

use crux_crdt::service::Config;

use crate::error::{Error, Kind};

/// Parses one field.
pub(crate) fn parse<T: FromStr<Err: Display>>(field: &str, s: &str) -> Result<T, Error> {
    s.parse().map_err(|err| odd(format!("{field}: {err}")))
}

/// A field that must be set.
pub(crate) fn present<T>(field: &str, wire: Option<T>) -> Result<T, Error> {
    wire.ok_or_else(|| odd(format!("{field}: not set")))
}

/// An answer that this version does not understand.
fn odd(what: impl Into<String>) -> Error {
    Error::new(Kind::Internal, what)
        .augment("the node's answer")
        .with_hint("The node and this command may be of different versions.")
}

/// A config as it travels: its JSON.
pub(crate) fn config_to_wire(config: &Config) -> Vec<u8> {
    // Texts, numbers and tables by text: nothing that JSON lacks. No bytes are refused on the other side.
    serde_json::to_vec(config).unwrap_or_default()
}

/// A config of an answer.
pub(crate) fn config_from_wire(wire: &[u8]) -> Result<Config, Error> {
    serde_json::from_slice(wire).map_err(|err| odd(format!("config: {err}")))
}
