//! The settings of a node: one row each.
//!
//! ```text
//!             ┌──▶ flag of `run`, with its help        cli::run, docs/reference/cli.md
//!             ├──▶ variable `CRUX_…`                   env
//!   a row ────┼──▶ key of the file                     file
//!             ├──▶ field of `Layer`, as it is written  ─── check ──▶ field of `Config`
//!             ├──▶ what SIGHUP compares                reload
//!             └──▶ row of the page                     docs/operate/configuration.md
//! ```
//!
//! A further setting is a row here, and its use. A check that no row has yet is in `validate`.
//!
//! **Invariant**: nothing else lists settings. The key is the file's; the variable is `CRUX_` and the key in
//! upper case; the flag is in the row, because a flag that repeats is named for one of many.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use crux_crdt::name::NodeName;
use crux_crdt::path::Endpoint;
use serde::Deserialize;

use super::shape::{self, Shape as _};
use super::{Env, Source, validate};
use crate::error::Error;
use crate::secret::FlockKeys;

/// A setting, as people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The key in the file.
    pub key: &'static str,
    /// The flag of `run`, without the dashes.
    pub flag: &'static str,
    /// How the help names the flag's value; empty: it takes none.
    pub value: &'static str,
    /// Whether a file may have it.
    pub in_file: bool,
    /// The value where nothing is set, in Markdown.
    pub default: &'static str,
    /// The text of the help.
    pub help: &'static str,
}

impl Row {
    /// The variable in the environment.
    pub fn variable(&self) -> String {
        super::env::variable(self.key)
    }
}

/// The type in which a value of a shape is written.
macro_rules! written {
    (Text) => { String };
    (File) => { PathBuf };
    (Texts) => { Vec<String> };
    (Files) => { Vec<PathBuf> };
    (Table) => { BTreeMap<String, String> };
    (Switch) => { bool };
    (Flag) => { bool };
}

macro_rules! settings {
    ($(
        $(#[doc = $doc:literal])*
        $(#[serde($serde:ident)])?
        $key:ident: $shape:ident($value:literal) => $type:ty = $check:expr,
        flag $flag:literal, default $default:literal,
        help $help:literal;
    )*) => {
        /// The settings of a node. Everything in it was checked; nothing in it changes.
        #[derive(Debug, Clone)]
        pub struct Config {
            /// The keys of the secret that makes nodes one flock. Required.
            pub keys: FlockKeys,
            /// Whether a node that left its flock comes back. A flag of one start and no setting: kept, it
            /// would undo every `leave`.
            pub rejoin: bool,
            $($(#[doc = $doc])* pub $key: $type,)*
        }

        /// One layer of settings, as it was written: nothing is checked yet, `None` is not set.
        #[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Layer {
            /// Where it comes from.
            #[serde(skip)]
            pub source: Source,
            $(
                #[doc = concat!("See [`Config::", stringify!($key), "`].")]
                $(#[serde($serde)])?
                pub $key: Option<written!($shape)>,
            )*
        }

        /// Every setting, in the order of the help.
        pub const ROWS: &[Row] = &[$(Row {
            key: stringify!($key),
            flag: $flag,
            value: $value,
            in_file: {
                const SKIPPED: &[&str] = &[$(stringify!($serde))?];
                SKIPPED.is_empty()
            },
            default: $default,
            help: $help,
        },)*];

        impl Config {
            /// Takes each setting from the first layer that has it, and checks it. `layers`: highest
            /// first.
            pub(super) fn resolve(layers: &[Layer], keys: FlockKeys) -> Result<Self, Error> {
                Ok(Self {
                    keys,
                    rejoin: false,
                    $($key: ($check)(validate::find(layers, stringify!($key), |layer| {
                        layer.$key.as_ref()
                    }))?,)*
                })
            }

            /// The settings of which another configuration has other values, as the file spells them; without
            /// the secret and what is logged.
            pub(crate) fn differences(&self, other: &Self) -> Vec<&'static str> {
                let all = [$((stringify!($key), self.$key != other.$key),)*];
                let differ = all.into_iter().filter(|(key, differs)| *differs && *key != "log");
                differ.map(|(key, _)| key).collect()
            }
        }

        impl Layer {
            /// The settings among the variables.
            pub(super) fn of_env(env: &Env) -> Result<Self, Error> {
                Ok(Self {
                    source: Source::Env,
                    $($key: env.read::<shape::$shape>(stringify!($key))?,)*
                })
            }
        }

        impl clap::FromArgMatches for Layer {
            fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
                Ok(Self {
                    source: Source::Flags,
                    $($key: shape::$shape::of_flag(matches, stringify!($key))?,)*
                })
            }

            fn update_from_arg_matches(
                &mut self,
                matches: &clap::ArgMatches,
            ) -> Result<(), clap::Error> {
                *self = Self::from_arg_matches(matches)?;
                Ok(())
            }
        }

        impl clap::Args for Layer {
            fn augment_args(command: clap::Command) -> clap::Command {
                let args = [$((stringify!($key), shape::$shape::arg as fn(_) -> _),)*];
                let rows = ROWS.iter().zip(args).filter(|(row, _)| row.key != COMMON);
                command.args(rows.map(|(row, (_, shaped))| {
                    let arg = clap::Arg::new(row.key).long(row.flag).help(row.help);
                    let named = (!row.value.is_empty()).then_some(row.value);
                    shaped(named.into_iter().fold(arg, clap::Arg::value_name))
                }))
            }

            fn augment_args_for_update(command: clap::Command) -> clap::Command {
                Self::augment_args(command)
            }
        }
    };
}

/// The setting whose flag every command takes, not only `run`.
const COMMON: &str = "data_dir";

settings! {
    /// The file with more settings.
    #[serde(skip)]
    config: File("F") => Option<PathBuf> = validate::path,
        flag "config", default "none",
        help "File with more settings, in TOML";
    /// The file the secret came from, for checks of its mode; `None` when from the environment.
    secret_file: File("F") => Option<PathBuf> = validate::path,
        flag "secret-file", default "required, or the line itself in `CRUX_SECRET`",
        help "File with the flock's secret";
    /// Where the node keeps everything it must not forget. Made if missing. Required: a default would be
    /// shared by accident.
    data_dir: File("D") => PathBuf = validate::data_dir,
        flag "data-dir", default "required; made with mode 0700",
        help "Data directory of the node, or CRUX_DATA_DIR";
    /// Where to listen. Port 0 picks one; otherwise this port and the next two are the node's, so it is
    /// at most 65533. Default `0.0.0.0:7117`, a guess.
    listen: Text("IP:PORT") => SocketAddr = validate::listen,
        flag "listen", default "`0.0.0.0:7117`",
        help "Address to listen at; port 0 picks one. The next two ports are reserved";
    /// Where others reach the node, when it listens on a wildcard or behind translation; empty: what the
    /// node finds out by itself. At most 8.
    advertise: Texts("HOST:PORT") => Vec<Endpoint> = validate::advertise,
        flag "advertise", default "where it listens; at most 8",
        help "Where others reach this node, if that differs (can be repeated)";
    /// The name to claim; `None`: the node picks one.
    name: Text("N") => Option<NodeName> = validate::name,
        flag "name", default "shown as `node-` and 8 digits of the key",
        help "Name to claim: at most 55 lower-case letters, digits and `-`";
    /// Seed peers, which the node dials until they answer, for ever. Its own address among them does no
    /// harm. At most 64.
    join: Texts("HOST:PORT") => Vec<Endpoint> = validate::join,
        flag "join", default "none; at most 64",
        help "Seed peer: a node to dial until it answers (can be repeated)";
    /// Labels that the node shows to others: at most 32, keys as service names, values at most 255 bytes
    /// of printable text.
    labels: Table("K=V") => BTreeMap<String, String> = validate::labels,
        flag "label", default "none; at most 32",
        help "Label that the other members see (can be repeated)";
    /// Look for nodes on the link. On by default: it costs a packet now and then, and two nodes on a desk
    /// find each other.
    mdns: Switch("on|off") => bool = validate::on,
        flag "mdns", default "on; off while all addresses are loopback",
        help "Find nodes on the network link by multicast DNS";
    /// Where blobs are kept beside the data directory, each on another disk, say: absolute, at most 16.
    /// They have to be there; see [`crate::blobs::Config::dirs`]. Default none.
    blob_dirs: Files("D") => Vec<PathBuf> = validate::blob_dirs,
        flag "blob-dir", default "none; absolute, at most 16",
        help "Further directory for blobs, on another disk say; it must exist (can be repeated)";
    /// A directory whose files are made blobs where they are, at each start. Default none.
    preload: File("D") => Option<PathBuf> = validate::path,
        flag "preload", default "none",
        help "Directory whose files become blobs at each start, without a copy";
    /// How many bytes all blobs may take that the node keeps itself; `None`: what the disk holds, but for
    /// the room that stays free. Default `None`. Written as bytes, or with KiB, MiB, GiB, TiB.
    blob_quota: Text("SIZE") => Option<u64> = validate::quota,
        flag "blob-quota", default "what the disks hold; 0 is refused",
        help "Room for blobs, as in 20GiB and not 0; by default the disk";
    /// How many bytes of blobs a second the node sends at most, to all others together; `None`: as many as
    /// it can. Default `None`. Written as the quota.
    blob_up_rate: Text("RATE") => Option<NonZeroU64> = validate::rate,
        flag "blob-up-rate", default "unlimited",
        help "Bytes of blobs to send a second at most, as in 20MiB";
    /// The same for what it fetches.
    blob_down_rate: Text("RATE") => Option<NonZeroU64> = validate::rate,
        flag "blob-down-rate", default "unlimited",
        help "Bytes of blobs to fetch a second at most";
    /// How many bytes the replica may take in memory, at least 16 MiB. When it does, the node takes in no
    /// further members. Default 256 MiB. Written as the quota.
    replica_max: Text("SIZE") => usize = validate::replica,
        flag "replica-max", default "256 MiB; at least 16 MiB",
        help "Memory for the records of others, at least 16MiB; a full node takes in no further members";
    /// Lines to log, as directives of `tracing`: `warn,crux_node=debug`. Default: this project's `info` and
    /// others' `warn`.
    log: Text("DIRECTIVES") => String = validate::log,
        flag "log", default "Crux `info`, others `warn` (gossipsub and yamux `error`)",
        help "Lines to log, as directives of tracing: `warn,crux_node=debug`";
    /// How to log, to standard error. Default text; JSON with `--json`.
    log_format: Text("FORMAT") => LogFormat = validate::log_format,
        flag "log-format", default "`text`",
        help "Form of the log: `text` or `json`; JSON with `--json`";
    /// Whether the node may run services: then `run` is the picket, and the node its child. Off: one process.
    /// Default on.
    services: Switch("on|off") => bool = validate::on,
        flag "services", default "on",
        help "Run as two processes, of which one starts the other again when it ends";
    /// How long the node may take to stop, from a second to an hour; what has not ended then is killed. Default
    /// 8 s: containers are killed after 10.
    stop_timeout: Text("DURATION") => Duration = validate::stop_timeout,
        flag "stop-timeout", default "`8s`; from `1s` to `1h`",
        help "How long everything may take to stop, as in 8s, until it is killed; without services no limit";
    /// Stop when standard input closes, so that a test that dies leaves no orphan. Default off.
    stop_with_stdin: Flag("") => bool = validate::off,
        flag "stop-with-stdin", default "off",
        help "Stop when standard input closes";
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
