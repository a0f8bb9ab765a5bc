//! Settings from the environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::{Layer, Source};
use crate::error::{Error, Kind};
use crate::secret::{FlockKeys, SECRET_FD, SECRET_VAR, SecretString, take_from_process};

/// What the names of all settings start with.
const PREFIX: &str = "CRUX_";

/// The variables that are settings, without the prefix.
const KEYS: [&str; 18] = [
    "ADVERTISE",
    "BLOB_DIRS",
    "BLOB_DOWN_RATE",
    "BLOB_QUOTA",
    "BLOB_UP_RATE",
    "CONFIG",
    "DATA_DIR",
    "JOIN",
    "LABELS",
    "LISTEN",
    "LOG",
    "LOG_FORMAT",
    "MDNS",
    "NAME",
    "PRELOAD",
    "REPLICA_MAX",
    "SECRET_FILE",
    "STOP_WITH_STDIN",
];

/// The `CRUX_*` variables, of this process or made up by a test.
#[derive(Clone)]
pub struct Env {
    vars: BTreeMap<String, OsString>,
    /// Whether these are this process's: then a secret among them has to go.
    own: bool,
}

/// Shows names only: a value may be a secret.
impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.vars.keys()).finish()
    }
}

impl Env {
    /// This process's.
    pub fn of_process() -> Self {
        let vars = std::env::vars_os();
        let vars = vars.filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let vars = vars.filter(|(name, _)| name.starts_with(PREFIX)).collect();
        Self { vars, own: true }
    }

    /// Made up.
    pub fn of(vars: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), OsString::from(value));
        Self { vars: vars.iter().map(own).collect(), own: false }
    }

    /// Whether it is this process's.
    pub(crate) const fn is_own(&self) -> bool {
        self.own
    }

    /// The data directory, which every command needs.
    pub fn data_dir(&self) -> Option<PathBuf> {
        self.vars.get("CRUX_DATA_DIR").map(PathBuf::from)
    }

    /// Whether there is a secret.
    pub(super) fn has_secret(&self) -> bool {
        self.vars.contains_key(SECRET_VAR) || self.vars.contains_key(SECRET_FD)
    }

    /// What the secret gives. Of this process it can be taken once; see [`take_from_process`].
    pub(super) fn keys(&self) -> Result<FlockKeys, Error> {
        FlockKeys::take(|| self.secret())
    }

    fn secret(&self) -> Result<SecretString, Error> {
        let line = if self.own {
            take_from_process(&self.vars)?
        } else {
            let line = self.vars.get(SECRET_VAR).and_then(|line| line.to_str());
            line.map(|line| Zeroizing::new(line.to_owned()))
        };
        let line = line.unwrap_or_default();
        line.parse().map_err(|err| Error::from(err).augment(SECRET_VAR))
    }

    /// The settings among the variables.
    pub(super) fn layer(&self) -> Result<Layer, Error> {
        self.refuse_unknown()?;
        Ok(Layer {
            source: Source::Env,
            config: self.path("CONFIG"),
            secret_file: self.path("SECRET_FILE"),
            listen: self.text("LISTEN")?,
            data_dir: self.path("DATA_DIR"),
            advertise: self.list("ADVERTISE")?,
            name: self.text("NAME")?,
            join: self.list("JOIN")?,
            labels: self.labels()?,
            stop_with_stdin: self.switch("STOP_WITH_STDIN")?,
            mdns: self.switch("MDNS")?,
            blob_dirs: self
                .list("BLOB_DIRS")?
                .map(|dirs| dirs.into_iter().map(Into::into).collect()),
            preload: self.path("PRELOAD"),
            blob_quota: self.text("BLOB_QUOTA")?,
            blob_up_rate: self.text("BLOB_UP_RATE")?,
            blob_down_rate: self.text("BLOB_DOWN_RATE")?,
            replica_max: self.text("REPLICA_MAX")?,
            log: self.text("LOG")?,
            log_format: self.text("LOG_FORMAT")?,
        })
    }

    fn refuse_unknown(&self) -> Result<(), Error> {
        let known = |name: &str| {
            [SECRET_VAR, SECRET_FD].contains(&name)
                || name.strip_prefix(PREFIX).is_some_and(|key| KEYS.contains(&key))
        };
        let unknown = self.vars.keys().find(|name| !known(name) && !is_service_link(name));
        match unknown {
            Some(name) => {
                let message = format!("{name} in the environment is no setting");
                let keys = KEYS.map(|key| format!("{PREFIX}{key}")).join(", ");
                let err = Error::new(Kind::InvalidConfig, message).with_field("key", name);
                Err(err.with_hint(format!("The settings are {SECRET_VAR}, {keys}.")))
            }
            None => Ok(()),
        }
    }

    fn path(&self, key: &str) -> Option<PathBuf> {
        self.vars.get(&format!("{PREFIX}{key}")).map(PathBuf::from)
    }

    fn text(&self, key: &str) -> Result<Option<String>, Error> {
        let name = format!("{PREFIX}{key}");
        let Some(value) = self.vars.get(&name) else { return Ok(None) };
        match value.to_str() {
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(wrong(&name, "is no text")),
        }
    }

    /// Entries are separated by commas; an empty variable is an empty list.
    fn list(&self, key: &str) -> Result<Option<Vec<String>>, Error> {
        let split = |text: String| -> Vec<String> {
            let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
            entries.map(str::to_owned).collect()
        };
        Ok(self.text(key)?.map(split))
    }

    fn labels(&self) -> Result<Option<BTreeMap<String, String>>, Error> {
        let Some(entries) = self.list("LABELS")? else { return Ok(None) };
        let pair = |entry: String| match entry.split_once('=') {
            Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
            None => Err(wrong("CRUX_LABELS", "is no list of k=v with commas between")),
        };
        entries.into_iter().map(pair).collect::<Result<_, _>>().map(Some)
    }

    fn switch(&self, key: &str) -> Result<Option<bool>, Error> {
        match self.text(key)?.as_deref() {
            None => Ok(None),
            Some("1" | "true" | "on" | "yes") => Ok(Some(true)),
            Some("0" | "false" | "off" | "no") => Ok(Some(false)),
            Some(_) => Err(wrong(&format!("{PREFIX}{key}"), "is neither on nor off")),
        }
    }
}

/// Whether a container runtime made the variable up: for a service called `crux` there are
/// `CRUX_SERVICE_HOST`, `CRUX_PORT_7117_TCP` and the like.
fn is_service_link(name: &str) -> bool {
    name.contains("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.contains("_PORT_")
        || name.ends_with("_PORT")
}

fn wrong(name: &str, what: &str) -> Error {
    Error::new(Kind::InvalidConfig, format!("{name} {what}")).with_field("key", name)
}
