//! Merges the layers and checks every value, once.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::str::FromStr;

use crux_crdt::name::ServiceName;
use crux_crdt::path::{Endpoint, Host};
use crux_crdt::text::is_plain;
use crux_protocol::flock::{REPLICA_MAX, REPLICA_MAX_LEAST};

use super::{Config, Layer, LogFormat, defaults};
use crate::error::{Error, Kind};
use crate::secret::FlockKeys;

/// The greatest port to listen at: the next two are the node's too.
const PORT_MAX: u16 = u16::MAX - 2;

const ADVERTISE_MAX: usize = 8;
const JOIN_MAX: usize = 64;
const LABELS_MAX: usize = 32;
const BLOB_DIRS_MAX: usize = 16;
const LABEL_VALUE_BYTES_MAX: usize = 255;

/// A value with the key as its layer spells it.
struct Found<'a, T> {
    value: &'a T,
    key: String,
}

/// Takes each setting from the first layer that has it, and checks it. `layers`: highest first.
pub(super) fn resolve(layers: &[Layer], keys: FlockKeys) -> Result<Config, Error> {
    let secret_file = find(layers, "secret_file", |layer| layer.secret_file.as_ref());
    let data_dir = find(layers, "data_dir", |layer| layer.data_dir.as_ref());
    Ok(Config {
        keys,
        secret_file: secret_file.map(|found| found.value.clone()),
        listen: listen(layers)?,
        data_dir: data_dir.ok_or_else(no_data_dir)?.value.clone(),
        advertise: advertise(layers)?,
        name: name(layers)?,
        join: join(layers)?,
        labels: labels(layers)?,
        stop_with_stdin: layers.iter().find_map(|layer| layer.stop_with_stdin).unwrap_or(false),
        mdns: layers.iter().find_map(|layer| layer.mdns).unwrap_or(defaults::MDNS),
        blob_dirs: blob_dirs(layers)?,
        preload: layers.iter().find_map(|layer| layer.preload.clone()),
        blob_quota: bytes(find(layers, "blob_quota", |layer| layer.blob_quota.as_ref()))?,
        blob_up_rate: rate(find(layers, "blob_up_rate", |layer| layer.blob_up_rate.as_ref()))?,
        blob_down_rate: rate(find(layers, "blob_down_rate", |layer| {
            layer.blob_down_rate.as_ref()
        }))?,
        replica_max: replica_max(layers)?,
        log: log(layers)?,
        log_format: log_format(layers)?,
    })
}

fn find<'a, T>(
    layers: &'a [Layer],
    key: &str,
    get: impl Fn(&'a Layer) -> Option<&'a T>,
) -> Option<Found<'a, T>> {
    layers.iter().find_map(|layer| {
        let key = layer.source.key(key);
        get(layer).map(|value| Found { value, key })
    })
}

impl<T> Found<'_, T> {
    /// The value is wrong, and why.
    fn wrong(&self, why: impl Display) -> Error {
        Error::new(Kind::InvalidConfig, why.to_string())
            .augment(&self.key)
            .with_field("key", &self.key)
    }
}

fn parse<T: FromStr<Err: Display>, F>(found: &Found<'_, F>, text: &str) -> Result<T, Error> {
    text.parse().map_err(|err| found.wrong(err))
}

fn listen(layers: &[Layer]) -> Result<SocketAddr, Error> {
    let Some(found) = find(layers, "listen", |layer| layer.listen.as_ref()) else {
        return Ok(defaults::LISTEN);
    };
    let addr: SocketAddr = found.value.parse().map_err(|_| {
        found
            .wrong(format!("{:?} is no IP:PORT", found.value))
            .with_hint("As in 127.0.0.1:7117, 0.0.0.0:7117 or [::]:7117; port 0 picks one.")
    })?;
    if addr.port() > PORT_MAX {
        let why =
            format!("port {} leaves no room for the next two, which are also needed", addr.port());
        return Err(found.wrong(why));
    }
    Ok(addr)
}

fn advertise(layers: &[Layer]) -> Result<Vec<Endpoint>, Error> {
    let found = find(layers, "advertise", |layer| layer.advertise.as_ref());
    let Some(found) = found else {
        return Ok(Vec::new());
    };
    let all = endpoints(&found, ADVERTISE_MAX)?;
    let nowhere = |host: &Host| host.ip().is_some_and(|ip| ip.is_unspecified());
    match all.iter().find(|endpoint| nowhere(&endpoint.host)) {
        Some(endpoint) => Err(found.wrong(format!("nobody can reach {endpoint}"))),
        None => Ok(all),
    }
}

fn join(layers: &[Layer]) -> Result<Vec<Endpoint>, Error> {
    let found = find(layers, "join", |layer| layer.join.as_ref());
    found.map_or(Ok(Vec::new()), |found| endpoints(&found, JOIN_MAX))
}

fn endpoints(found: &Found<'_, Vec<String>>, max: usize) -> Result<Vec<Endpoint>, Error> {
    if found.value.len() > max {
        return Err(found.wrong(format!("{} entries, at most {max}", found.value.len())));
    }
    found.value.iter().map(|text| parse(found, text)).collect()
}

fn name(layers: &[Layer]) -> Result<Option<crux_crdt::name::NodeName>, Error> {
    let found = find(layers, "name", |layer| layer.name.as_ref());
    let parse = |found: Found<'_, String>| {
        parse(&found, found.value).map_err(|err: Error| {
            err.with_hint(
                "A node's name is at most 55 lower-case letters, digits and `-`, because it \
                 appears in DNS.",
            )
        })
    };
    found.map(parse).transpose()
}

fn labels(layers: &[Layer]) -> Result<BTreeMap<String, String>, Error> {
    let found = find(layers, "labels", |layer| layer.labels.as_ref());
    let Some(found) = found else { return Ok(BTreeMap::new()) };
    if found.value.len() > LABELS_MAX {
        return Err(found.wrong(format!("{} labels, at most {LABELS_MAX}", found.value.len())));
    }
    for (key, value) in found.value {
        let why = |err| found.wrong(format!("the label's key {key:?}: {err}"));
        key.parse::<ServiceName>().map_err(why)?;
        if value.len() > LABEL_VALUE_BYTES_MAX || !value.chars().all(is_plain) {
            let why = format!(
                "the value of {key} is longer than {LABEL_VALUE_BYTES_MAX} bytes or has characters that are \
                 not shown as themselves"
            );
            return Err(found.wrong(why));
        }
    }
    Ok(found.value.clone())
}

fn blob_dirs(layers: &[Layer]) -> Result<Vec<PathBuf>, Error> {
    let Some(found) = find(layers, "blob_dirs", |layer| layer.blob_dirs.as_ref()) else {
        return Ok(Vec::new());
    };
    if found.value.len() > BLOB_DIRS_MAX {
        return Err(found.wrong(format!("{} entries, at most {BLOB_DIRS_MAX}", found.value.len())));
    }
    match found.value.iter().find(|dir| !dir.is_absolute()) {
        // It is remembered, and the next start may be elsewhere.
        Some(dir) => Err(found.wrong(format!("{} is no absolute path", dir.display()))),
        None => Ok(found.value.clone()),
    }
}

fn replica_max(layers: &[Layer]) -> Result<usize, Error> {
    let Some(found) = find(layers, "replica_max", |layer| layer.replica_max.as_ref()) else {
        return Ok(REPLICA_MAX);
    };
    let key = found.key.clone();
    let least = REPLICA_MAX_LEAST >> 20;
    let size = bytes(Some(found))?.unwrap_or_default();
    let fits = usize::try_from(size).ok().filter(|size| *size >= REPLICA_MAX_LEAST);
    fits.ok_or_else(|| {
        Error::new(Kind::InvalidConfig, format!("{size} bytes are too few: at least {least}MiB"))
            .augment(&key)
            .with_field("key", &key)
    })
}

fn bytes(found: Option<Found<'_, String>>) -> Result<Option<u64>, Error> {
    let size = |found: Found<'_, String>| {
        size(found.value).ok_or_else(|| {
            found
                .wrong(format!("{:?} is no size", found.value))
                .with_hint("As in 500MiB, 20GiB or 1073741824.")
        })
    };
    found.map(size).transpose()
}

/// Bytes a second. None at all would be a way to say that nothing moves, which no setting means.
fn rate(found: Option<Found<'_, String>>) -> Result<Option<NonZeroU64>, Error> {
    let rate = |found: Found<'_, String>| {
        size(found.value).and_then(NonZeroU64::new).ok_or_else(|| {
            found
                .wrong(format!("{:?} is no rate", found.value))
                .with_hint("In bytes a second, as in 500KiB, 20MiB or 5000000.")
        })
    };
    found.map(rate).transpose()
}

/// A number of bytes, or of KiB, MiB, GiB or TiB.
fn size(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let shift = match unit {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

fn log(layers: &[Layer]) -> Result<String, Error> {
    let Some(found) = find(layers, "log", |layer| layer.log.as_ref()) else {
        return Ok(defaults::LOG.to_owned());
    };
    parse::<tracing_subscriber::EnvFilter, _>(&found, found.value)?;
    Ok(found.value.clone())
}

fn log_format(layers: &[Layer]) -> Result<LogFormat, Error> {
    let Some(found) = find(layers, "log_format", |layer| layer.log_format.as_ref()) else {
        return Ok(LogFormat::default());
    };
    match found.value.as_str() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        other => Err(found.wrong(format!("{other:?} is neither `text` nor `json`"))),
    }
}

/// No layer has a secret.
pub(super) fn no_secret() -> Error {
    Error::new(Kind::InvalidConfig, "no secret is given").with_hint(
        "Give --secret-file F, or set CRUX_SECRET_FILE or CRUX_SECRET. `crux-node keygen` makes one.",
    )
}

/// The environment has two.
pub(super) fn two_secrets() -> Error {
    Error::new(Kind::InvalidConfig, "both CRUX_SECRET and CRUX_SECRET_FILE are set")
        .with_hint("Unset one of them.")
}

fn no_data_dir() -> Error {
    Error::new(Kind::InvalidConfig, "no data directory is given")
        .with_hint("Give --data-dir D, or set CRUX_DATA_DIR.")
}
