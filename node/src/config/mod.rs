//! The configuration of a node: defaults < file < environment < flags, merged and checked once.
//!
//! [`ROWS`] has them, each with its flag, its variable and its key in the file; see `settings`.
//!
//! A higher layer replaces a lower one's value as a whole, lists too. A key that nobody knows is
//! refused in every layer, because a slip that is silently ignored is the worst of settings. Every
//! error names the key and the layer it came from.

mod defaults;
mod env;
mod file;
mod settings;
mod shape;
mod source;
mod validate;

pub use env::Env;
pub use settings::{Config, Layer, LogFormat, ROWS, Row};
pub use source::Source;

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::secret::FlockKeys;

/// Texts that were read once, so that another process of the same node need not read them again: a pipe gives
/// its text only once, and a file may be gone.
#[derive(Debug, Clone)]
pub struct Given {
    /// The text of the file of settings, if one was named.
    pub file: Option<String>,
    /// The keys that follow from the secret.
    pub keys: FlockKeys,
}

/// Merges and checks all layers: what the flags say, the environment, the file that either names,
/// and the defaults. Reads files and, at most once, the secret in the environment; changes nothing.
///
/// # Errors
/// [`crate::Kind::InvalidConfig`] with the key and its source, [`crate::Kind::InvalidSecret`], or
/// what the system says about a file.
pub fn load(flags: Layer, env: &Env) -> Result<(Config, Given), Error> {
    // First, because the process is replaced then, and what came through a pipe would be gone.
    env.hide_secret()?;
    let file = text(&flags, env)?;
    let layers = all(flags, env, file.as_deref())?;
    let keys = read_secret(&layers, env, |_| true)?.map_or_else(|| env.keys(), Ok)?;
    let config = Config::resolve(&layers, keys.clone())?;
    Ok((config, Given { file, keys }))
}

/// The same from what another process of the node has read. Reads nothing.
///
/// # Errors
/// [`crate::Kind::InvalidConfig`] with the key and its source.
pub(crate) fn load_given(flags: Layer, env: &Env, given: Given) -> Result<Config, Error> {
    let layers = all(flags, env, given.file.as_deref())?;
    Config::resolve(&layers, given.keys)
}

/// Reads and checks all layers again, without waiting for anybody. A secret in the environment is there no
/// longer, and neither is one that came through a pipe.
///
/// # Errors
/// See [`load`]; [`crate::Kind::InvalidConfig`] when the settings are not in a regular file.
pub(crate) fn reload(flags: &Layer, env: &Env, running: &FlockKeys) -> Result<Config, Error> {
    let file = text_again(flags, env)?;
    let layers = all(flags.clone(), env, file.as_deref())?;
    let keys = read_secret(&layers, env, is_read_again)?.unwrap_or_else(|| running.clone());
    Config::resolve(&layers, keys)
}

/// The settings, and the text of their file, if it can be read again and is right: what a process gets that is started
/// later. Does not read the secret.
///
/// # Errors
/// See [`reload`].
pub(crate) fn reread(
    flags: &Layer,
    env: &Env,
    running: &FlockKeys,
) -> Result<(Config, Option<String>), Error> {
    let file = text_again(flags, env)?;
    let layers = all(flags.clone(), env, file.as_deref())?;
    Config::resolve(&layers, running.clone()).map(|config| (config, file))
}

/// The path of the file of settings.
fn path(flags: &Layer, env: &Env) -> Result<Option<PathBuf>, Error> {
    Ok(flags.config.clone().or(env.layer()?.config))
}

/// The text of the file of settings.
fn text(flags: &Layer, env: &Env) -> Result<Option<String>, Error> {
    path(flags, env)?.map(|path| file::read(&path)).transpose()
}

/// The same, where it can be read again.
fn text_again(flags: &Layer, env: &Env) -> Result<Option<String>, Error> {
    match path(flags, env)? {
        Some(path) if !is_read_again(&path) => Err(file::once(&path)),
        Some(path) => file::read(&path).map(Some),
        None => Ok(None),
    }
}

/// All layers, highest first. `text`: that of the file of settings.
fn all(flags: Layer, env: &Env, text: Option<&str>) -> Result<Vec<Layer>, Error> {
    let path = path(&flags, env)?;
    let from_file = path.zip(text).map(|(path, text)| file::parse(text, &path)).transpose()?;
    let mut layers = vec![flags, env.layer()?];
    layers.extend(from_file);
    // As an unset variable of a script or a unit leaves it.
    for layer in &mut layers {
        layer.data_dir.take_if(|dir| dir.as_os_str().is_empty());
    }
    Ok(layers)
}

/// Whether a path gives the same again: a pipe, or a terminal, has one wait for what never comes. A file that
/// one process has open, another one of the node need not have. A path that leads nowhere counts: the error
/// of reading it says so.
fn is_read_again(path: &Path) -> bool {
    let is_open_file = OPEN_FILES.iter().any(|place| path.starts_with(place));
    !is_open_file && path.metadata().map_or(true, |meta| meta.is_file())
}

/// Where a process finds what it has open.
const OPEN_FILES: [&str; 3] = ["/dev/stdin", "/dev/fd", "/proc/self/fd"];

/// The keys of the highest layer that has a secret; none where that is in the environment, or in a file that
/// is not to be read.
fn read_secret(
    layers: &[Layer],
    env: &Env,
    is_read: impl Fn(&Path) -> bool,
) -> Result<Option<FlockKeys>, Error> {
    for layer in layers {
        let in_env = layer.source == Source::Env && env.has_secret();
        match &layer.secret_file {
            Some(_) if in_env => return Err(validate::two_secrets()),
            Some(path) if !is_read(path) => return Ok(None),
            Some(path) => {
                return FlockKeys::read(path)
                    .map(Some)
                    .map_err(|err| err.with_field("source", layer.source.key("secret_file")));
            }
            None if in_env => return Ok(None),
            None => {}
        }
    }
    Err(validate::no_secret())
}

#[cfg(test)]
mod tests;
