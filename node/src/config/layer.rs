//! One layer of settings, as it was written.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

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

/// One layer of settings, as it was written: nothing is checked yet, `None` is not set. The field
/// names are the keys of the file; environment and flags are spelled after them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Where it comes from.
    #[serde(skip)]
    pub source: Source,
    /// The file with more settings; not in the file itself.
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// The file with the secret.
    pub secret_file: Option<PathBuf>,
    /// See [`Config::listen`](super::Config::listen).
    pub listen: Option<String>,
    /// See [`Config::data_dir`](super::Config::data_dir).
    pub data_dir: Option<PathBuf>,
    /// See [`Config::advertise`](super::Config::advertise).
    pub advertise: Option<Vec<String>>,
    /// See [`Config::name`](super::Config::name).
    pub name: Option<String>,
    /// See [`Config::join`](super::Config::join).
    pub join: Option<Vec<String>>,
    /// See [`Config::labels`](super::Config::labels).
    pub labels: Option<BTreeMap<String, String>>,
    /// See [`Config::stop_with_stdin`](super::Config::stop_with_stdin).
    pub stop_with_stdin: Option<bool>,
    /// See [`Config::mdns`](super::Config::mdns).
    pub mdns: Option<bool>,
    /// See [`Config::blob_dirs`](super::Config::blob_dirs).
    pub blob_dirs: Option<Vec<PathBuf>>,
    /// See [`Config::preload`](super::Config::preload).
    pub preload: Option<PathBuf>,
    /// See [`Config::blob_quota`](super::Config::blob_quota).
    pub blob_quota: Option<String>,
    /// See [`Config::blob_up_rate`](super::Config::blob_up_rate).
    pub blob_up_rate: Option<String>,
    /// See [`Config::blob_down_rate`](super::Config::blob_down_rate).
    pub blob_down_rate: Option<String>,
    /// See [`Config::replica_max`](super::Config::replica_max).
    pub replica_max: Option<String>,
    /// See [`Config::log`](super::Config::log).
    pub log: Option<String>,
    /// `text` or `json`; see [`Config::log_format`](super::Config::log_format).
    pub log_format: Option<String>,
}

impl Source {
    /// How a key is spelled there, for errors: `--listen`, `CRUX_LISTEN`, `listen in F`.
    pub fn key(&self, key: &str) -> String {
        match self {
            // Flags that repeat and are named for one of many.
            Self::Flags if key == "labels" => "--label".to_owned(),
            Self::Flags if key == "blob_dirs" => "--blob-dir".to_owned(),
            Self::Flags => format!("--{}", key.replace('_', "-")),
            Self::Env => format!("CRUX_{}", key.to_ascii_uppercase()),
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
