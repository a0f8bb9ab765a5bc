//! The settings, checked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;

use crux_crdt::name::NodeName;
use crux_crdt::path::Endpoint;

use crate::secret::FlockKeys;

/// What a node is told. Everything in it was checked; nothing in it changes.
#[derive(Debug, Clone)]
pub struct Config {
    /// What the secret gave that makes nodes one flock. Required.
    pub keys: FlockKeys,
    /// The file the secret came from, for checks of its mode; `None` when from the environment.
    pub secret_file: Option<PathBuf>,
    /// Where to listen. Port 0 picks one; otherwise this port and the next two are the node's, so
    /// it is at most 65533. Default `0.0.0.0:7117`, a guess.
    pub listen: SocketAddr,
    /// Where the node keeps everything it must not forget. Made if missing. Required: a default
    /// would be shared by accident.
    pub data_dir: PathBuf,
    /// Where others reach the node, when it listens on a wildcard or behind translation; empty: what
    /// the node finds out by itself. At most 8.
    pub advertise: Vec<Endpoint>,
    /// The name to claim; `None`: the node picks one.
    pub name: Option<NodeName>,
    /// Nodes to call until they answer, for ever. The node's own address among them does no harm.
    /// At most 64.
    pub join: Vec<Endpoint>,
    /// What to tell others about the node: at most 32, keys as service names, values at most 255
    /// bytes of printable text.
    pub labels: BTreeMap<String, String>,
    /// Stop when standard input closes, so that a test that dies leaves no orphan. Default off.
    pub stop_with_stdin: bool,
    /// Look for nodes on the link. Default on.
    pub mdns: bool,
    /// Where blobs are kept beside the data directory, each on another disk, say: absolute, at most 16.
    /// They have to be there; see [`crate::blobs::Config::dirs`]. Default none.
    pub blob_dirs: Vec<PathBuf>,
    /// A directory whose files are made blobs where they are, at each start. Default none.
    pub preload: Option<PathBuf>,
    /// How many bytes all blobs may take that the node keeps itself; `None`: what the disk holds,
    /// but for the room that stays free. Default `None`. Written as bytes, or with KiB, MiB, GiB, TiB.
    pub blob_quota: Option<u64>,
    /// How many bytes of blobs a second the node sends at most, to all others together; `None`: as
    /// many as it can. Default `None`. Written as the quota.
    pub blob_up_rate: Option<NonZeroU64>,
    /// The same for what it fetches.
    pub blob_down_rate: Option<NonZeroU64>,
    /// How many bytes the replica may take in memory, at least 16 MiB. When it does, the node takes in
    /// no further members. Default 256 MiB. Written as the quota.
    pub replica_max: usize,
    /// What to log, as directives of `tracing`: `warn,crux_node=debug`. Default: this project's
    /// `info` and others' `warn`.
    pub log: String,
    /// How to log, to standard error. Default text; JSON with `--json`.
    pub log_format: LogFormat,
}

impl Config {
    /// The settings of which another configuration has other values, as the file spells them; without
    /// the secret and what is logged.
    pub(crate) fn differences(&self, other: &Self) -> Vec<&'static str> {
        let Self {
            keys: _,
            log: _,
            secret_file,
            listen,
            data_dir,
            advertise,
            name,
            join,
            labels,
            stop_with_stdin,
            mdns,
            blob_dirs,
            preload,
            blob_quota,
            blob_up_rate,
            blob_down_rate,
            replica_max,
            log_format,
        } = self;
        let all = [
            ("secret_file", *secret_file != other.secret_file),
            ("listen", *listen != other.listen),
            ("data_dir", *data_dir != other.data_dir),
            ("advertise", *advertise != other.advertise),
            ("name", *name != other.name),
            ("join", *join != other.join),
            ("labels", *labels != other.labels),
            ("stop_with_stdin", *stop_with_stdin != other.stop_with_stdin),
            ("mdns", *mdns != other.mdns),
            ("blob_dirs", *blob_dirs != other.blob_dirs),
            ("preload", *preload != other.preload),
            ("blob_quota", *blob_quota != other.blob_quota),
            ("blob_up_rate", *blob_up_rate != other.blob_up_rate),
            ("blob_down_rate", *blob_down_rate != other.blob_down_rate),
            ("replica_max", *replica_max != other.replica_max),
            ("log_format", *log_format != other.log_format),
        ];
        all.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object per line.
    Json,
}
