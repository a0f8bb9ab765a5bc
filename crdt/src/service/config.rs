//! A config and its fields.

use core::ops::Deref;
use core::time::Duration;
use std::collections::BTreeMap;

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};

use super::bounds::default;
use super::check::Check;
use super::error::{ConfigError, ConfigErrors, Why};
use super::image::Image;
use super::moving::Moving;
use super::policy::{Kind, Limits, Restart, UpdateBy};
use super::port::Ports;
use super::register::Register;
use super::rollout::Rollout;
use super::written;
use crate::name::{Label, ServiceName};

/// The definition of a service: a program and how a node runs it. Every rule of [`Fields::check`] holds.
///
/// Its serde form is the one that people write, as JSON or TOML, with every key that has a value; reading it
/// goes through the same rules, and refuses unknown keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Config(Fields<Image>);

impl Config {
    /// The fields, to make another config of them.
    pub fn into_fields(self) -> Fields<Image> {
        self.0
    }
}

impl Deref for Config {
    type Target = Fields<Image>;

    fn deref(&self) -> &Fields<Image> {
        &self.0
    }
}

impl TryFrom<Fields<Image>> for Config {
    type Error = ConfigErrors;

    fn try_from(fields: Fields<Image>) -> Result<Self, ConfigErrors> {
        fields.check()?;
        if fields.image.blobs().next().is_none() {
            let nothing = ConfigError { key: "image".to_owned(), why: Why::Empty };
            return Err(ConfigErrors(vec![nothing]));
        }
        Ok(Self(fields))
    }
}

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Fields::deserialize(deserializer)?.try_into().map_err(D::Error::custom)
    }
}

/// The fields of a config, not yet checked. `I` is how the image is given: [`Image`], or a path or a command
/// that somebody still has to make a blob of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fields<I> {
    /// The name, unique on the node: what commands call the service.
    pub name: ServiceName,
    /// The revision; `v1`.
    #[serde(default = "missing::rev")]
    pub rev: ServiceName,
    /// The horde that it is registered in; `main`.
    #[serde(default = "Label::main_horde")]
    pub horde: Label,
    /// How much the program knows of Crux; plain.
    #[serde(default)]
    pub kind: Kind,
    /// The program.
    pub image: I,
    /// The program's `argv[0]`; none: the service's name. A program that was found in PATH gets its path, as
    /// interpreters look for their libraries beside it. At most
    /// [`PATH_BYTES_MAX`](super::PATH_BYTES_MAX) bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argv0: Option<String>,
    /// The arguments after `argv[0]`, with placeholders ([`Places`](super::Places)); at most
    /// [`ARGS_MAX`](super::ARGS_MAX).
    #[serde(default)]
    pub args: Vec<String>,
    /// The ports; at most [`PORTS_MAX`](super::PORTS_MAX).
    #[serde(default)]
    pub ports: Ports,
    /// Its registrations while it is well; by its name.
    #[serde(default, skip_serializing_if = "Register::is_by_name")]
    pub register: Register,
    /// The checks, at most [`CHECKS_MAX`](super::CHECKS_MAX). None: it is up when its ports accept; without
    /// ports when it lived for a second.
    #[serde(default)]
    pub check: Vec<Check>,
    /// Variables beside those that the node sets, with placeholders; at most [`ENV_MAX`](super::ENV_MAX).
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// How many instances the node runs, 1 to [`COUNT_MAX`](super::COUNT_MAX); 1.
    #[serde(default = "missing::count")]
    pub count: u16,
    /// How often checks run, within [`PERIOD`](super::PERIOD); 10 s.
    #[serde(default = "missing::period", with = "written::duration")]
    pub period: Duration,
    /// When a program that ended is started again; always.
    #[serde(default)]
    pub restart: Restart,
    /// How an update replaces an instance; none: see [`Fields::update_by`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<UpdateBy>,
    /// How long failed checks do not count, within [`START_PERIOD`](super::START_PERIOD); 30 s. The first
    /// success ends it.
    #[serde(default = "missing::start_period", with = "written::duration")]
    pub start_period: Duration,
    /// A program that is not up that long after its start failed; within
    /// [`START_TIMEOUT`](super::START_TIMEOUT); 60 s.
    #[serde(default = "missing::start_timeout", with = "written::duration")]
    pub start_timeout: Duration,
    /// How long callers have to turn elsewhere before the program is told to quit; within
    /// [`DRAIN`](super::DRAIN); 2 s.
    #[serde(default = "missing::drain", with = "written::duration")]
    pub drain: Duration,
    /// How long the program may take to quit, within [`QUIT_TIMEOUT`](super::QUIT_TIMEOUT); 10 s.
    #[serde(default = "missing::quit_timeout", with = "written::duration")]
    pub quit_timeout: Duration,
    /// The longest wait before the next start, within [`BACKOFF_MAX`](super::BACKOFF_MAX); 30 s.
    #[serde(default = "missing::backoff_max", with = "written::duration")]
    pub backoff_max: Duration,
    /// How often a failed service is tried, within [`RETRY_FAILED`](super::RETRY_FAILED); 5 min.
    #[serde(default = "missing::retry_failed", with = "written::duration")]
    pub retry_failed: Duration,
    /// The system's user that it runs as, on a node that is root; none: `nobody`. On any other node the
    /// picket refuses one when it starts the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The resources that an instance may use; none: as much as it likes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// How many bytes of output are kept, within [`LOG_BYTES`](super::LOG_BYTES); 40 MiB.
    #[serde(default = "missing::log_max", with = "written::size")]
    pub log_max: u64,
    /// How many descriptors an instance may have open, within [`NOFILE`](super::NOFILE); 4,096.
    #[serde(default = "missing::nofile")]
    pub nofile: u64,
    /// Where a target places it before others: the greater number first, within [`PRIORITY`](super::PRIORITY); 0.
    /// Nothing makes way for it that runs.
    #[serde(default, skip_serializing_if = "missing::is_priority")]
    pub priority: i32,
    /// How a target brings a new version of it to its nodes.
    #[serde(default, skip_serializing_if = "Rollout::is_default")]
    pub rollout: Rollout,
    /// When a target runs it elsewhere because a node is lost.
    #[serde(default, rename = "move", skip_serializing_if = "Moving::is_default")]
    pub moving: Moving,
}

impl<I> Fields<I> {
    /// The defaults.
    pub fn new(name: ServiceName, image: I) -> Self {
        Self {
            name,
            rev: missing::rev(),
            horde: Label::main_horde(),
            kind: Kind::default(),
            image,
            argv0: None,
            args: Vec::new(),
            ports: Ports::default(),
            register: Register::default(),
            check: Vec::new(),
            env: BTreeMap::new(),
            count: missing::count(),
            period: default::PERIOD,
            restart: Restart::default(),
            update: None,
            start_period: default::START_PERIOD,
            start_timeout: default::START_TIMEOUT,
            drain: default::DRAIN,
            quit_timeout: default::QUIT_TIMEOUT,
            backoff_max: default::BACKOFF_MAX,
            retry_failed: default::RETRY_FAILED,
            user: None,
            limits: None,
            log_max: default::LOG_BYTES,
            nofile: default::NOFILE,
            priority: 0,
            rollout: Rollout::default(),
            moving: Moving::default(),
        }
    }

    /// The same with another image.
    #[rustfmt::skip]
    pub fn with_image<J>(self, image: J) -> Fields<J> {
        let Self {
            name, rev, horde, kind, image: _, argv0, args, ports, register, check, env, count, period, restart,
            update, start_period, start_timeout, drain, quit_timeout, backoff_max, retry_failed, user, limits,
            log_max, nofile, priority, rollout, moving,
        } = self;
        Fields {
            name, rev, horde, kind, image, argv0, args, ports, register, check, env, count, period, restart,
            update, start_period, start_timeout, drain, quit_timeout, backoff_max, retry_failed, user, limits,
            log_max, nofile, priority, rollout, moving,
        }
    }
}

/// The meaning of absent keys.
mod missing {
    use super::{Duration, ServiceName, default};

    pub(super) fn rev() -> ServiceName {
        ServiceName::first_rev()
    }

    pub(super) const fn count() -> u16 {
        1
    }

    pub(super) const fn period() -> Duration {
        default::PERIOD
    }

    pub(super) const fn start_period() -> Duration {
        default::START_PERIOD
    }

    pub(super) const fn start_timeout() -> Duration {
        default::START_TIMEOUT
    }

    pub(super) const fn drain() -> Duration {
        default::DRAIN
    }

    pub(super) const fn quit_timeout() -> Duration {
        default::QUIT_TIMEOUT
    }

    pub(super) const fn backoff_max() -> Duration {
        default::BACKOFF_MAX
    }

    pub(super) const fn retry_failed() -> Duration {
        default::RETRY_FAILED
    }

    pub(super) const fn log_max() -> u64 {
        default::LOG_BYTES
    }

    pub(super) const fn nofile() -> u64 {
        default::NOFILE
    }

    /// Whether it is the priority of a config that says none.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    pub(super) const fn is_priority(priority: &i32) -> bool {
        *priority == 0
    }
}
