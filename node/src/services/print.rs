//! Prints a config as TOML.

use crux_crdt::service::{Config, Fields, Port, PortName};
use toml::{Table, Value};

use crate::error::{Error, Kind};

/// The keys, in the order in which people write them.
pub(super) const KEYS: [&str; 28] = [
    "name",
    "rev",
    "horde",
    "kind",
    "image",
    "argv0",
    "args",
    "ports",
    "register",
    "check",
    "env",
    "count",
    "period",
    "restart",
    "update",
    "start_period",
    "start_timeout",
    "drain",
    "quit_timeout",
    "backoff_max",
    "retry_failed",
    "user",
    "limits",
    "log_max",
    "nofile",
    "priority",
    "rollout",
    "move",
];

/// A config as TOML, which [`read`](super::read) reads to the same: a line for each key that differs from
/// its default.
///
/// # Errors
/// [`Kind::Internal`]: a config cannot be written, which no config is known to cause.
pub fn print(config: &Config) -> Result<String, Error> {
    let bare = Config::try_from(Fields::new(config.name.clone(), config.image.clone()))
        .map_err(|err| Error::new(Kind::Internal, format!("the defaults are refused: {err}")))?;
    let (values, defaults) = (table(config)?, table(&bare)?);
    let is_said = |key: &&str| match *key {
        "name" | "image" => true,
        key => values.get(key) != defaults.get(key),
    };
    let mut text = String::new();
    for key in KEYS.into_iter().filter(is_said) {
        let value = match key {
            // A table forgets the order, and the first port is special.
            "ports" => Some(ports(config)),
            key => values.get(key).map(ToString::to_string),
        };
        if let Some(value) = value {
            text.push_str(&format!("{key} = {value}\n"));
        }
    }
    Ok(text)
}

fn table(config: &Config) -> Result<Table, Error> {
    Table::try_from(config)
        .map_err(|err| Error::new(Kind::Internal, format!("writing a config: {err}")))
}

fn ports(config: &Config) -> String {
    let port = |(name, port): (&PortName, Port)| match port.number() {
        Some(number) => format!("{name} = {number}"),
        None => format!("{name} = {}", Value::from("auto")),
    };
    let ports: Vec<String> = config.ports.iter().map(port).collect();
    format!("{{ {} }}", ports.join(", "))
}
