//! Settings from the environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::shape::Shape;
use super::{Layer, ROWS, Row};
use crate::error::{Error, Kind};
use crate::secret::{FlockKeys, SECRET_FD, SECRET_VAR, SecretString, take_from_process};

/// The prefix of the variable of every setting.
const PREFIX: &str = "CRUX_";

/// The variable of a setting.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase())
}

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

    /// The data directory, which every command needs. An empty one is none.
    pub fn data_dir(&self) -> Option<PathBuf> {
        self.vars.get("CRUX_DATA_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from)
    }

    /// Takes the secret out of this process's environment, if it is there: see [`take_from_process`].
    pub(super) fn hide_secret(&self) -> Result<(), Error> {
        if self.own && self.vars.contains_key(SECRET_VAR) {
            take_from_process(&self.vars)?;
        }
        Ok(())
    }

    /// Whether there is a secret.
    pub(super) fn has_secret(&self) -> bool {
        self.vars.contains_key(SECRET_VAR) || self.vars.contains_key(SECRET_FD)
    }

    /// The keys that follow from the secret. Of this process it can be taken once; see [`take_from_process`].
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
        Layer::of_env(self)
    }

    fn refuse_unknown(&self) -> Result<(), Error> {
        let settings: Vec<String> = ROWS.iter().map(Row::variable).collect();
        let known =
            |name: &String| [SECRET_VAR, SECRET_FD].contains(&&**name) || settings.contains(name);
        let unknown = self.vars.keys().find(|name| !known(name) && !is_service_link(name));
        match unknown {
            Some(name) => {
                let message = format!("unknown setting {name} in the environment");
                let settings = settings.join(", ");
                let err = Error::new(Kind::InvalidConfig, message).with_field("key", name);
                Err(err.with_hint(format!("The settings are {SECRET_VAR}, {settings}.")))
            }
            None => Ok(()),
        }
    }

    /// The value of a setting's variable.
    pub(super) fn read<S: Shape>(&self, key: &str) -> Result<Option<S::Written>, Error> {
        let name = variable(key);
        let value = self.vars.get(&name);
        value.map(|value| S::of_variable(&name, value)).transpose()
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
