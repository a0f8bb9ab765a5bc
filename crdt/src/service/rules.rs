//! The rules of a config. Types of single values have theirs; here is what is between them, and bounds.

use core::ops::RangeInclusive;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use super::bounds::{self, ENV_NAME_BYTES_MAX};
use super::check::{Check, Probe};
use super::config::Fields;
use super::error::{ConfigError, ConfigErrors, Why};
use super::moving::ReplaceAfter;
use super::placeholder::{Placeholder, placeholders};
use super::policy::{Limits, UpdateBy};
use super::port::PortName;
use super::register::{Register, RegisterAs};
use super::rollout::{Rollout, STEP};
use crate::name::{NameError, ServiceName};
use crate::record::SERVICE_LABELS_MAX;
use crate::record::{LABEL_KEY_BYTES_MAX, LABEL_VALUE_BYTES_MAX};
use crate::text::is_plain;

/// How many errors are collected. A config with more is not read to the end by anybody.
const ERRORS_MAX: usize = 16;

impl<I> Fields<I> {
    /// Checks all rules but those of the image.
    ///
    /// # Errors
    /// The first 16 mistakes, each with its key.
    pub fn check(&self) -> Result<(), ConfigErrors> {
        let mut wrong = Wrong(Vec::new());
        self.check_texts(&mut wrong);
        self.check_ports(&mut wrong);
        self.check_register(&mut wrong);
        self.check_checks(&mut wrong);
        self.check_env(&mut wrong);
        self.check_numbers(&mut wrong);
        self.check_placement(&mut wrong);
        self.check_whole(&mut wrong);
        if wrong.0.is_empty() { Ok(()) } else { Err(ConfigErrors(wrong.0)) }
    }

    /// The arguments, and the user.
    fn check_texts(&self, wrong: &mut Wrong) {
        if let Some(argv0) = &self.argv0 {
            wrong.text("argv0", argv0, bounds::PATH_BYTES_MAX);
            wrong.unless(!argv0.is_empty(), "argv0", || Why::Empty);
        }
        wrong.count("args", self.args.len(), bounds::ARGS_MAX);
        for (at, arg) in self.args.iter().enumerate() {
            let key = format!("args[{at}]");
            wrong.text(&key, arg, bounds::TEXT_BYTES_MAX);
            self.check_placeholders(&key, arg, wrong);
        }
        if let Some(user) = &self.user {
            wrong.unless(is_user(user), "user", || Why::Form(USER));
        }
    }

    fn check_ports(&self, wrong: &mut Wrong) {
        wrong.count("ports", self.ports.len(), bounds::PORTS_MAX);
        let mut numbers: BTreeMap<u16, &PortName> = BTreeMap::new();
        for (name, port) in self.ports.iter() {
            let Some(number) = port.number() else { continue };
            let key = format!("ports.{name}");
            if let Some(other) = numbers.insert(number, name) {
                wrong.add(&key, Why::SameNumber(other.clone(), name.clone()));
            }
            let shared = || Why::Shared { count: self.count, number };
            wrong.unless(self.count <= 1, &key, shared);
            if self.update == Some(UpdateBy::Overlap) {
                wrong.add("update", Why::CannotOverlap(name.clone()));
            }
        }
    }

    fn check_register(&self, wrong: &mut Wrong) {
        let Register::List(list) = &self.register else { return };
        wrong.count("register", list.len(), bounds::REGISTER_MAX);
        let mut seen = BTreeSet::new();
        for (at, entry) in list.iter().enumerate() {
            let key = format!("register[{at}]");
            self.check_port(&format!("{key}.port"), &entry.port, wrong);
            let is_new = seen.insert((&entry.service, &entry.rev));
            let twice = || Why::RegisteredTwice(format!("{}/{}", entry.service, entry.rev));
            wrong.unless(is_new, &format!("{key}.service"), twice);
            check_labels(&format!("{key}.labels"), entry, wrong);
        }
    }

    fn check_checks(&self, wrong: &mut Wrong) {
        wrong.count("check", self.check.len(), bounds::CHECKS_MAX);
        for (at, Check { probe, timeout }) in self.check.iter().enumerate() {
            let key = format!("check[{at}]");
            wrong.duration(&format!("{key}.timeout"), *timeout, &bounds::CHECK_TIMEOUT);
            if let Some(port) = probe.port() {
                let of = if matches!(probe, Probe::Tcp { .. }) { "tcp" } else { "port" };
                self.check_port(&format!("{key}.{of}"), port, wrong);
            }
            match probe {
                Probe::Tcp { .. } => {}
                Probe::Http { path, .. } => check_http(&format!("{key}.http"), path, wrong),
                Probe::Grpc { service, .. } => check_grpc(&format!("{key}.grpc"), service, wrong),
                Probe::Exec { command } => self.check_exec(&format!("{key}.exec"), command, wrong),
            }
        }
    }

    fn check_exec(&self, key: &str, command: &[String], wrong: &mut Wrong) {
        wrong.count(key, command.len(), bounds::EXEC_WORDS_MAX);
        match command.first() {
            None => wrong.add(key, Why::Empty),
            Some(program) => {
                let found =
                    !program.is_empty() && (program.starts_with('/') || !program.contains('/'));
                wrong.unless(found, &format!("{key}[0]"), || Why::Form(PROGRAM));
            }
        }
        for (at, word) in command.iter().enumerate() {
            let key = format!("{key}[{at}]");
            wrong.text(&key, word, bounds::TEXT_BYTES_MAX);
            self.check_placeholders(&key, word, wrong);
        }
    }

    fn check_env(&self, wrong: &mut Wrong) {
        wrong.count("env", self.env.len(), bounds::ENV_MAX);
        for (name, value) in &self.env {
            // Of a name of any length only the beginning, in the key of an error.
            let key = format!("env.{}", name.chars().take(ENV_NAME_BYTES_MAX).collect::<String>());
            wrong.unless(is_variable(name), &key, || Why::Form(VARIABLE));
            let own = name == "PORT" || name.starts_with("CRUX_");
            wrong.unless(!own, &key, || Why::OwnVariable);
            wrong.text(&key, value, bounds::TEXT_BYTES_MAX);
            self.check_placeholders(&key, value, wrong);
        }
    }

    fn check_numbers(&self, wrong: &mut Wrong) {
        wrong.number("count", self.count.into(), &(1..=bounds::COUNT_MAX.into()));
        wrong.duration("period", self.period, &bounds::PERIOD);
        wrong.duration("start_period", self.start_period, &bounds::START_PERIOD);
        wrong.duration("start_timeout", self.start_timeout, &bounds::START_TIMEOUT);
        wrong.duration("drain", self.drain, &bounds::DRAIN);
        wrong.duration("quit_timeout", self.quit_timeout, &bounds::QUIT_TIMEOUT);
        wrong.duration("backoff_max", self.backoff_max, &bounds::BACKOFF_MAX);
        wrong.duration("retry_failed", self.retry_failed, &bounds::RETRY_FAILED);
        if let Some(Limits { memory, pids, cpu_milli, required: _ }) = &self.limits {
            let wide =
                |range: &RangeInclusive<u32>| u64::from(*range.start())..=u64::from(*range.end());
            if let Some(memory) = memory {
                wrong.number("limits.memory", *memory, &bounds::MEMORY);
            }
            if let Some(pids) = pids {
                wrong.number("limits.pids", u64::from(*pids), &wide(&bounds::PIDS));
            }
            if cpu_milli.is_some_and(|milli| !bounds::CPU_MILLI.contains(&milli)) {
                wrong.add("limits.cpu", Why::Form(CPU));
            }
        }
        wrong.number("log_max", self.log_max, &bounds::LOG_BYTES);
        wrong.number("nofile", self.nofile, &bounds::NOFILE);
    }

    /// Checks what only a target uses.
    fn check_placement(&self, wrong: &mut Wrong) {
        let value = self.priority;
        wrong.unless(bounds::PRIORITY.contains(&value), "priority", || Why::Priority { value });
        let Rollout { step, deadline } = self.rollout;
        wrong.unless(step.is_within_bounds(), "rollout.step", || Why::Form(STEP));
        wrong.duration("rollout.deadline", deadline, &bounds::ROLLOUT_DEADLINE);
        if let ReplaceAfter::Time(time) = self.moving.replace_after {
            wrong.duration("move.replace_after", time, &bounds::REPLACE_AFTER);
        }
    }

    /// Checks the length of all texts together.
    fn check_whole(&self, wrong: &mut Wrong) {
        let bytes: usize = self.texts().map(str::len).sum();
        wrong.unless(bytes <= bounds::CONFIG_BYTES_MAX, "name", || Why::AllTooLong(bytes));
        let filled: usize = self.filled().map(|text| placeholders(text).count()).sum();
        wrong.unless(filled <= bounds::PLACEHOLDERS_MAX, "args", || Why::Placeholders(filled));
    }

    /// The texts in which placeholders are filled.
    fn filled(&self) -> impl Iterator<Item = &str> {
        let commands = self.check.iter().filter_map(|check| match &check.probe {
            Probe::Exec { command } => Some(command),
            Probe::Tcp { .. } | Probe::Http { .. } | Probe::Grpc { .. } => None,
        });
        let args = self.args.iter().chain(commands.flatten());
        args.chain(self.env.values()).map(String::as_str)
    }

    /// All texts whose length is not that of a name.
    fn texts(&self) -> impl Iterator<Item = &str> {
        let list = match &self.register {
            Register::ByName => &[],
            Register::List(list) => list.as_slice(),
        };
        let labels = list.iter().flat_map(|entry| &entry.labels);
        let labels = labels.flat_map(|(key, value)| [key, value]);
        let probes = self.check.iter().filter_map(|check| match &check.probe {
            Probe::Http { path: text, .. } | Probe::Grpc { service: text, .. } => Some(text),
            Probe::Tcp { .. } | Probe::Exec { .. } => None,
        });
        let others = labels.chain(probes).chain(self.env.keys()).chain(&self.argv0);
        self.filled().chain(others.map(String::as_str))
    }

    fn check_port(&self, key: &str, port: &PortName, wrong: &mut Wrong) {
        let found = self.ports.get(port).is_some();
        wrong.unless(found, key, || Why::NoPort(port.to_string()));
    }

    fn check_placeholders(&self, key: &str, text: &str, wrong: &mut Wrong) {
        let missing = placeholders(text).find_map(|placeholder| match placeholder {
            Placeholder::Port(name) if !self.ports.iter().any(|(it, _)| it.as_str() == name) => {
                Some(name)
            }
            Placeholder::Port(_) | Placeholder::Addr | Placeholder::Dir => None,
        });
        if let Some(name) = missing {
            wrong.add(key, Why::NoPort(name.chars().take(PortName::MAX + 1).collect()));
        }
    }
}

const USER: &str = "write the number of a user, or its name: a letter or `_`, then letters, digits, `_`, `-` and `.`; at most 32 bytes";
const VARIABLE: &str =
    "the name of a variable is a letter or `_`, then letters, digits and `_`; at most 255 bytes";
const PROGRAM: &str = "write an absolute path, or a name that is found in the service's PATH";
const HTTP: &str = "a path begins with `/` and has visible ASCII characters only";
const GRPC: &str = "the name of a gRPC service has letters, digits, `_` and `.` only";
const CPU: &str = "it must be from 0.01 to 4096 processors";
const LABEL: &str =
    "a label's value has at most 255 bytes, all of characters that are shown as themselves";
const LABEL_KEY: &str =
    "a label's key is a letter, then letters, digits, `_`, `-` and `.`; at most 63 bytes";

/// How many bytes the name of a gRPC service has. A guess.
const GRPC_BYTES_MAX: usize = 255;

fn is_user(user: &str) -> bool {
    let begins = user.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let rest = user.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    // Those of a directory service may be known by number only.
    let is_number = user.bytes().all(|b| b.is_ascii_digit()) && user.parse::<u32>().is_ok();
    (begins && rest && user.len() <= bounds::USER_BYTES_MAX) || is_number
}

fn is_variable(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let rest = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    begins && rest && name.len() <= ENV_NAME_BYTES_MAX
}

fn check_http(key: &str, path: &str, wrong: &mut Wrong) {
    wrong.text(key, path, bounds::HTTP_PATH_BYTES_MAX);
    // A space or the end of a line would begin another part of the request.
    let is_path = path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic());
    wrong.unless(is_path, key, || Why::Form(HTTP));
}

fn check_grpc(key: &str, service: &str, wrong: &mut Wrong) {
    wrong.text(key, service, GRPC_BYTES_MAX);
    let is_name = service.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.".contains(&b));
    wrong.unless(is_name, key, || Why::Form(GRPC));
}

fn check_labels(key: &str, entry: &RegisterAs, wrong: &mut Wrong) {
    wrong.count(key, entry.labels.len(), SERVICE_LABELS_MAX);
    for (name, value) in &entry.labels {
        let parsed: Result<ServiceName, NameError> = name.parse();
        if name.len() > LABEL_KEY_BYTES_MAX || parsed.is_err() {
            wrong.add(key, Why::Form(LABEL_KEY));
            continue;
        }
        let shown = value.len() <= LABEL_VALUE_BYTES_MAX && value.chars().all(is_plain);
        wrong.unless(shown, &format!("{key}.{name}"), || Why::Form(LABEL));
    }
}

/// The mistakes found so far.
struct Wrong(Vec<ConfigError>);

impl Wrong {
    fn add(&mut self, key: &str, why: Why) {
        if self.0.len() < ERRORS_MAX {
            self.0.push(ConfigError { key: key.to_owned(), why });
        }
    }

    fn unless(&mut self, right: bool, key: &str, why: impl FnOnce() -> Why) {
        if !right {
            self.add(key, why());
        }
    }

    fn count(&mut self, key: &str, len: usize, max: usize) {
        self.unless(len <= max, key, || Why::TooMany { len, max });
    }

    fn text(&mut self, key: &str, text: &str, max: usize) {
        let len = text.len();
        self.unless(len <= max, key, || Why::TooLong { len, max });
        self.unless(!text.contains('\0'), key, || Why::Nul);
    }

    fn number(&mut self, key: &str, value: u64, range: &RangeInclusive<u64>) {
        let (least, most) = (*range.start(), *range.end());
        self.unless(range.contains(&value), key, || Why::Number { value, least, most });
    }

    fn duration(&mut self, key: &str, value: Duration, range: &RangeInclusive<Duration>) {
        let (least, most) = (*range.start(), *range.end());
        self.unless(range.contains(&value), key, || Why::Duration { value, least, most });
        self.unless(value.subsec_nanos().is_multiple_of(1_000_000), key, || Why::Fraction);
    }
}
