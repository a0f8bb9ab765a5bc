//! Settings from a file.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::{Layer, Source};
use crate::error::{Error, Kind};

/// The longest configuration file read, in bytes: names and addresses are short.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Reads the text of a file.
///
/// # Errors
/// [`Kind::NotFound`], or [`Kind::InvalidConfig`] naming the file.
pub(super) fn read(path: &Path) -> Result<String, Error> {
    let doing = || doing(path);
    let mut text = String::new();
    let file = File::open(path).map_err(|err| match err.kind() {
        io::ErrorKind::NotFound => Error::new(Kind::NotFound, "there is no such file")
            .augment(doing())
            .with_hint("Give --config, or CRUX_CONFIG, the path of a file that is there."),
        _ => Error::io(doing(), &err),
    })?;
    let read = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|err| Error::io(doing(), &err))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        let message = format!("it has more than {FILE_BYTES_MAX} bytes");
        return Err(Error::new(Kind::InvalidConfig, message).augment(doing()));
    }
    Ok(text)
}

/// Reads the text of a TOML file that is at that path.
///
/// # Errors
/// [`Kind::InvalidConfig`] naming the file and the key or the line.
pub(super) fn parse(text: &str, path: &Path) -> Result<Layer, Error> {
    let mut layer: Layer = toml::from_str(text).map_err(|err| {
        Error::new(Kind::InvalidConfig, describe(&err, text))
            .augment(doing(path))
            .with_hint("`crux-node run --help` lists the keys.")
    })?;
    layer.source = Source::File(path.to_owned());
    Ok(layer)
}

/// The error that says that a file gave its settings once.
pub(super) fn once(path: &Path) -> Error {
    let message = "it is not a regular file, and cannot be read again";
    Error::new(Kind::InvalidConfig, message).augment(doing(path))
}

fn doing(path: &Path) -> String {
    format!("the configuration file {}", path.display())
}

/// The mistake, with its key and its line.
fn describe(err: &toml::de::Error, text: &str) -> String {
    let message = err.message().trim();
    let Some(span) = err.span() else { return message.to_owned() };
    let before = text.get(..span.start).unwrap_or(text);
    let line = before.matches('\n').count();
    let key = text.lines().nth(line).and_then(|line| line.split_once('='));
    let key = key.map(|(key, _)| format!("`{}`", key.trim()));
    let key = key.filter(|key| !message.contains(key.as_str()));
    let key = key.map_or(String::new(), |key| format!("{key}: "));
    format!("{key}{message} (line {})", line + 1)
}
