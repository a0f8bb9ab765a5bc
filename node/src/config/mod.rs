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

use std::path::Path;

use crate::error::Error;
use crate::secret::FlockKeys;

/// Merges and checks all layers: what the flags say, the environment, the file that either names,
/// and the defaults. Reads files and, at most once, the secret in the environment; changes nothing.
///
/// # Errors
/// [`crate::Kind::InvalidConfig`] with the key and its source, [`crate::Kind::InvalidSecret`], or
/// what the system says about a file.
pub fn load(flags: Layer, env: &Env) -> Result<Config, Error> {
    let layers = all(flags, env)?;
    let keys = read_secret(&layers, env, |_| true)?.map_or_else(|| env.keys(), Ok)?;
    Config::resolve(&layers, keys)
}

/// Reads and checks all layers again, without waiting for anybody. A secret in the environment is there no
/// longer, and neither is one that came through a pipe.
///
/// # Errors
/// See [`load`]; [`crate::Kind::InvalidConfig`] when the settings are no regular file.
pub(crate) fn reload(flags: &Layer, env: &Env, running: &FlockKeys) -> Result<Config, Error> {
    let env_layer = env.layer()?;
    let settings = flags.config.as_ref().or(env_layer.config.as_ref());
    if let Some(settings) = settings.filter(|path| !is_read_again(path)) {
        return Err(file::once(settings));
    }
    let layers = all(flags.clone(), env)?;
    let keys = read_secret(&layers, env, is_read_again)?.unwrap_or_else(|| running.clone());
    Config::resolve(&layers, keys)
}

/// All layers, highest first.
fn all(flags: Layer, env: &Env) -> Result<Vec<Layer>, Error> {
    let from_env = env.layer()?;
    let path = flags.config.clone().or_else(|| from_env.config.clone());
    let from_file = path.map(|path| file::read(&path)).transpose()?;
    let mut layers = vec![flags, from_env];
    layers.extend(from_file);
    // As an unset variable of a script or a unit leaves it.
    for layer in &mut layers {
        layer.data_dir.take_if(|dir| dir.as_os_str().is_empty());
    }
    Ok(layers)
}

/// Whether a path gives the same again: a pipe, or a terminal, has one wait for what never comes. Of what is
/// not there whoever reads it says so.
fn is_read_again(path: &Path) -> bool {
    path.metadata().map_or(true, |meta| meta.is_file())
}

/// What the secret of the highest layer that has one gives; none where that is in the environment, or in
/// a file that is not to be read.
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
