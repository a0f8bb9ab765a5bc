//! Texts that are read, and those that are refused: each with its place.

mod fuzz;
mod page;
mod printed;
mod reading;
mod refused;
mod words;

use super::*;
use crate::error::{Error, Kind};

/// The id of a blob, as text.
const BLOB: &str = "0707070707070707070707070707070707070707070707070707070707070707";

/// A name and an image; keys go behind.
fn with(keys: &str) -> String {
    format!("name = \"web\"\nimage = \"{BLOB}\"\n{keys}\n")
}

/// As a target has it, which may say all that a config can.
fn read(text: impl AsRef<[u8]>) -> Result<Draft, ConfigError> {
    super::read(text, Owner::Target)
}

/// The mistakes in a text, one line each.
fn wrong(text: &str) -> Vec<String> {
    read(text)
        .map_or_else(|err| err.mistakes.iter().map(ToString::to_string).collect(), |_| Vec::new())
}

/// The config of a text whose image is a blob.
fn config(text: &str) -> crux_crdt::service::Config {
    let draft = read(text).unwrap();
    let Source::One(Place::Blob(blob)) = draft.image else { panic!("{:?}", draft.image) };
    draft.with_image(crux_crdt::service::Image::Blob(blob)).unwrap()
}
