//! Where a config is read from.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crux_crdt::service::CONFIG_BYTES_MAX;

use crate::error::{Error, Kind};
use crate::services::{self, Draft, Owner};

/// How much of a file is read to say how long it is, in bytes.
const READ_BYTES_MAX: usize = 16 * CONFIG_BYTES_MAX;

/// Reads the config in a file; `-` is standard input.
///
/// # Errors
/// [`Kind::NotFound`], and what is wrong in it, with line and column.
pub(super) fn read(file: &Path) -> Result<Draft, Error> {
    let (name, text) = match file.as_os_str() == "-" {
        true => ("standard input".to_owned(), text(io::stdin().lock())),
        false => {
            let text = File::open(file).and_then(text);
            (file.display().to_string(), text)
        }
    };
    let text = text.map_err(|err| unreadable(file, &err).augment(format!("reading {name}")))?;
    services::read(&text, Owner::Person).map_err(|err| Error::from(err).augment(name))
}

fn text(from: impl Read) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    from.take(READ_BYTES_MAX as u64).read_to_end(&mut text)?;
    Ok(text)
}

fn unreadable(file: &Path, err: &io::Error) -> Error {
    if err.kind() != io::ErrorKind::NotFound {
        return Error::io("reading", err);
    }
    let name = file.display();
    Error::new(Kind::NotFound, "there is no such file").with_hint(format!(
        "Give the path of a config, or a name with what to run: `crux-node service add {name} -- CMD ARG…`, \
         or with --image."
    ))
}
