//! Checks values. Each check gets the value of the highest layer that has one, or none.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crux_crdt::name::{NodeName, ServiceName};
use crux_crdt::path::{Endpoint, Host};
use crux_crdt::text::is_plain;
use crux_protocol::flock::{REPLICA_MAX, REPLICA_MAX_LEAST};

use super::{Layer, LogFormat, defaults};
use crate::duration;
use crate::error::{Error, Kind};

/// The greatest port to listen at: the next two are the node's too.
const PORT_MAX: u16 = u16::MAX - 2;

const ADVERTISE_MAX: usize = 8;
const JOIN_MAX: usize = 64;
const LABELS_MAX: usize = 32;
const BLOB_DIRS_MAX: usize = 16;
const LABEL_VALUE_BYTES_MAX: usize = 255;
/// Less than this and nothing could be written on a busy disk; more than that, and a stop is none.
const STOP_TIMEOUT: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(3600);

/// A value with the key as its layer spells it.
pub(super) struct Found<'a, T> {
    value: &'a T,
    key: String,
}

/// The value of the first layer that has one.
pub(super) fn find<'a, T>(
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

pub(super) fn listen(found: Option<Found<'_, String>>) -> Result<SocketAddr, Error> {
    let Some(found) = found else {
        return Ok(defaults::LISTEN);
    };
    let addr: SocketAddr = found.value.parse().map_err(|_| {
        found
            .wrong(format!("invalid address {:?}: expected IP:PORT", found.value))
            .with_hint("As in 127.0.0.1:7117, 0.0.0.0:7117 or [::]:7117; port 0 picks one.")
    })?;
    if addr.port() > PORT_MAX {
        let why =
            format!("port {} leaves no room for the next two, which are also needed", addr.port());
        return Err(found.wrong(why));
    }
    Ok(addr)
}

pub(super) fn advertise(found: Option<Found<'_, Vec<String>>>) -> Result<Vec<Endpoint>, Error> {
    let Some(found) = found else {
        return Ok(Vec::new());
    };
    let all = endpoints(&found, ADVERTISE_MAX)?;
    let nowhere = |host: &Host| host.ip().is_some_and(|ip| ip.to_canonical().is_unspecified());
    match all.iter().find(|endpoint| nowhere(&endpoint.host)) {
        Some(endpoint) => {
            Err(found.wrong(format!("nobody can reach {endpoint}")).with_hint(
                "It means every address of the machine that listens, so it is one for --listen. Give the one at \
                 which others reach this node, or leave it out: the node then states the address that it sends \
                 from.",
            ))
        }
        None => Ok(all),
    }
}

pub(super) fn join(found: Option<Found<'_, Vec<String>>>) -> Result<Vec<Endpoint>, Error> {
    found.map_or(Ok(Vec::new()), |found| endpoints(&found, JOIN_MAX))
}

fn endpoints(found: &Found<'_, Vec<String>>, max: usize) -> Result<Vec<Endpoint>, Error> {
    if found.value.len() > max {
        return Err(found.wrong(format!("{} entries, at most {max}", found.value.len())));
    }
    found.value.iter().map(|text| parse(found, text)).collect()
}

pub(super) fn name(found: Option<Found<'_, String>>) -> Result<Option<NodeName>, Error> {
    let parse = |found: Found<'_, String>| {
        parse(&found, found.value).map_err(|err: Error| {
            let instead = NodeName::nearest(found.value);
            let instead = instead.map_or(String::new(), |name| format!("Try {name}. "));
            err.with_hint(format!(
                "{instead}A node's name is one label of DNS, without the domain: at most {} \
                 lower-case letters, digits and `-`.",
                NodeName::MAX
            ))
        })
    };
    found.map(parse).transpose()
}

pub(super) fn labels(
    found: Option<Found<'_, BTreeMap<String, String>>>,
) -> Result<BTreeMap<String, String>, Error> {
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

pub(super) fn blob_dirs(found: Option<Found<'_, Vec<PathBuf>>>) -> Result<Vec<PathBuf>, Error> {
    let Some(found) = found else { return Ok(Vec::new()) };
    if found.value.len() > BLOB_DIRS_MAX {
        return Err(found.wrong(format!("{} entries, at most {BLOB_DIRS_MAX}", found.value.len())));
    }
    match found.value.iter().find(|dir| !dir.is_absolute()) {
        // It is remembered, and the next start may be elsewhere.
        Some(dir) => Err(found.wrong(format!("{} is not an absolute path", dir.display()))),
        None => Ok(found.value.clone()),
    }
}

pub(super) fn replica(found: Option<Found<'_, String>>) -> Result<usize, Error> {
    let Some(found) = found else { return Ok(REPLICA_MAX) };
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

/// Some take 0 for no limit and others for no blobs, and a node that keeps none evicts what it has.
pub(super) fn quota(found: Option<Found<'_, String>>) -> Result<Option<u64>, Error> {
    if let Some(found) = found.as_ref().filter(|found| size(found.value) == Some(0)) {
        return Err(found.wrong("0 bytes hold no blob").with_hint(
            "Leave it out to let blobs take what the disks hold, or give how much they may take, as in 20GiB.",
        ));
    }
    bytes(found)
}

fn bytes(found: Option<Found<'_, String>>) -> Result<Option<u64>, Error> {
    let size = |found: Found<'_, String>| {
        size(found.value).ok_or_else(|| {
            found
                .wrong(format!("invalid size {:?}", found.value))
                .with_hint("As in 500MiB, 20GiB or 1073741824.")
        })
    };
    found.map(size).transpose()
}

/// Bytes a second. None at all would be a way to say that nothing moves, which no setting means.
pub(super) fn rate(found: Option<Found<'_, String>>) -> Result<Option<NonZeroU64>, Error> {
    let rate = |found: Found<'_, String>| {
        size(found.value).and_then(NonZeroU64::new).ok_or_else(|| {
            found
                .wrong(format!("invalid rate {:?}", found.value))
                .with_hint("In bytes a second, as in 500KiB, 20MiB or 5000000.")
        })
    };
    found.map(rate).transpose()
}

/// A number of bytes, or of KiB, MiB, GiB or TiB.
fn size(text: &str) -> Option<u64> {
    crux_crdt::units::parse_size(text).ok()
}

pub(super) fn log(found: Option<Found<'_, String>>) -> Result<String, Error> {
    let Some(found) = found else {
        return Ok(defaults::LOG.to_owned());
    };
    parse::<tracing_subscriber::EnvFilter, _>(&found, found.value)?;
    Ok(found.value.clone())
}

pub(super) fn log_format(found: Option<Found<'_, String>>) -> Result<LogFormat, Error> {
    let Some(found) = found else {
        return Ok(LogFormat::default());
    };
    match found.value.as_str() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        other => Err(found.wrong(format!("{other:?} is neither `text` nor `json`"))),
    }
}

pub(super) fn stop_timeout(found: Option<Found<'_, String>>) -> Result<Duration, Error> {
    let Some(found) = found else { return Ok(defaults::STOP_TIMEOUT) };
    let time = duration::parse(found.value).map_err(|err| found.wrong(err))?;
    if STOP_TIMEOUT.contains(&time) {
        return Ok(time);
    }
    Err(found.wrong(format!("{} is not from 1s to 1h", found.value)))
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

pub(super) fn data_dir(found: Option<Found<'_, PathBuf>>) -> Result<PathBuf, Error> {
    path(found)?.ok_or_else(no_data_dir)
}

/// Any path. The node sees what is there when it opens it.
#[expect(clippy::unnecessary_wraps, reason = "the shape of a check")]
pub(super) fn path(found: Option<Found<'_, PathBuf>>) -> Result<Option<PathBuf>, Error> {
    Ok(found.map(|found| found.value.clone()))
}

/// A switch that is on unless it is set.
#[expect(clippy::unnecessary_wraps, reason = "the shape of a check")]
pub(super) fn on(found: Option<Found<'_, bool>>) -> Result<bool, Error> {
    Ok(found.is_none_or(|found| *found.value))
}

/// A switch that is off unless it is set.
#[expect(clippy::unnecessary_wraps, reason = "the shape of a check")]
pub(super) fn off(found: Option<Found<'_, bool>>) -> Result<bool, Error> {
    Ok(found.is_some_and(|found| *found.value))
}

fn no_data_dir() -> Error {
    Error::new(Kind::InvalidConfig, "no data directory is given")
        .with_hint("Give --data-dir D, or set CRUX_DATA_DIR.")
}
