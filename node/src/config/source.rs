//! Where a layer of settings comes from.

use std::fmt;
use std::path::PathBuf;

use super::ROWS;

/// Where a layer comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Source {
    /// Flags of the command line.
    #[default]
    Flags,
    /// `CRUX_*`.
    Env,
    /// A file.
    File(PathBuf),
}

impl Source {
    /// How a key is spelled there, for errors: `--listen`, `CRUX_LISTEN`, `listen in F`.
    pub fn key(&self, key: &str) -> String {
        match self {
            Self::Flags => {
                let row = ROWS.iter().find(|row| row.key == key);
                format!("--{}", row.map_or(key, |row| row.flag))
            }
            Self::Env => super::env::variable(key),
            Self::File(path) => format!("`{key}` in {}", path.display()),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flags => f.write_str("the flags"),
            Self::Env => f.write_str("the environment"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}
