//! The engine as `ps` and `inspect` show it: plain values.

use core::time::Duration;
use std::collections::BTreeMap;

use crux_crdt::blob::BlobId;
use crux_crdt::name::{Label, ServiceName};
use crux_crdt::service::PortName;

use super::accepted::Accepted;
use super::desired::{Version, Wanted};
use super::id::InstanceId;
use super::life::Life;
use super::record::Exit;
use super::service::Service;
use super::slot::{Rest, Slot};
use super::state::State;
use crate::time::Instant;

/// How an instance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunState {
    /// It waits for its image or its ports.
    Pending,
    /// It is being started, or runs and is not up yet.
    Starting,
    /// Every check passes.
    Up,
    /// It is up, and a check fails.
    Degraded,
    /// It is no longer registered, and answers the last callers.
    Draining,
    /// It was told to end.
    Stopping,
    /// It failed, and is started again soon.
    Backoff,
    /// It failed too often; it is tried from time to time.
    Failed,
    /// Somebody stopped, froze or traces its program.
    Paused,
    /// It ended well, and is not started again.
    Done,
    /// A person stopped it.
    Stopped,
}

impl RunState {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Draining => "draining",
            Self::Stopping => "stopping",
            Self::Backoff => "backoff",
            Self::Failed => "failed",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Stopped => "stopped",
        }
    }
}

/// A line of `ps`: an instance, or the place of one that does not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its service.
    pub service: ServiceName,
    /// Its revision.
    pub rev: ServiceName,
    /// Which of the service's instances, from 0.
    pub ordinal: u16,
    /// Its horde.
    pub horde: Label,
    /// The number of the content that it is of: [`Version::number`].
    pub version: u64,
    /// The instance; none: it does not run.
    pub instance: Option<InstanceId>,
    /// How it is.
    pub state: RunState,
    /// It changed so often that others see it as degraded although it is up.
    pub is_held: bool,
    /// Since when.
    pub since: Instant,
    /// Its program.
    pub pid: Option<u32>,
    /// How often it was started again by itself.
    pub restarts: u64,
    /// Its image.
    pub image: BlobId,
    /// Whether its image is sealed in memory; none: not known before it is started here.
    pub sealed: Option<bool>,
    /// Its ports.
    pub ports: BTreeMap<PortName, u16>,
    /// Why it is as it is, for people; empty: nothing to add.
    pub reason: String,
}

/// Everything about one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspect {
    /// The wanted state; none: it is removed, and something of it still runs.
    pub wanted: Option<Wanted>,
    /// Its instances.
    pub rows: Vec<Row>,
    /// Its checks, of every instance.
    pub checks: Vec<CheckRow>,
    /// The last exits, the oldest first; at most [`super::EXITS_MAX`] of each ordinal.
    pub exits: Vec<ExitRow>,
}

/// A check with its last result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRow {
    /// Of which instance.
    pub instance: InstanceId,
    /// Which of its checks.
    pub check: usize,
    /// Whether it passed last; none: not made yet.
    pub passed: Option<bool>,
    /// How often it failed since it last passed.
    pub failures: u32,
    /// Its text when it failed last; empty: it passed since.
    pub text: String,
    /// When it was made.
    pub at: Instant,
}

/// An end of an instance that nobody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExitRow {
    /// Which.
    pub instance: InstanceId,
    /// How the program ended; none: it never ran, or was not seen to end.
    pub exit: Option<Exit>,
    /// Why, for people.
    pub reason: String,
    /// When.
    pub at: Instant,
    /// How long its program had run; since it was taken over, if it was.
    pub ran: Duration,
}

impl State {
    /// The generation of the service config that holds.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The last set of goals that was accepted, as far as it is not in the services.
    pub const fn accepted(&self) -> &Accepted {
        &self.accepted
    }

    /// The wanted state of a service.
    pub fn wanted_of(&self, name: &ServiceName) -> Option<&Wanted> {
        self.services.get(name)?.wanted.as_ref()
    }

    /// All services that are wanted.
    pub fn all_wanted(&self) -> impl Iterator<Item = (&ServiceName, &Wanted)> {
        self.services.iter().filter_map(|(name, service)| Some((name, service.wanted.as_ref()?)))
    }

    /// The lines of `ps`.
    pub fn rows(&self) -> Vec<Row> {
        self.services.values().flat_map(|service| service.rows(self.now())).collect()
    }

    /// The lines of one service; empty: there is none.
    pub fn rows_of(&self, name: &ServiceName) -> Vec<Row> {
        self.services.get(name).map(|service| service.rows(self.now())).unwrap_or_default()
    }

    /// Everything about a service.
    pub fn inspect(&self, name: &ServiceName) -> Option<Inspect> {
        let service = self.services.get(name)?;
        let exits = service.slots.values().flat_map(|slot| slot.exits.iter().cloned());
        Some(Inspect {
            wanted: service.wanted.clone(),
            rows: service.rows(self.now()),
            checks: service.lives.iter().flat_map(Life::check_rows).collect(),
            exits: exits.collect(),
        })
    }
}

impl Service {
    fn rows(&self, now: Instant) -> Vec<Row> {
        let mut rows: Vec<Row> = self.lives.iter().map(|life| self.row(life, now)).collect();
        let empty = self.slots.iter().filter(|(ordinal, _)| self.at(**ordinal).next().is_none());
        if let Some(wanted) = &self.wanted {
            let version = &wanted.current;
            rows.extend(empty.map(|(ordinal, slot)| slot.row(*ordinal, version, wanted.run)));
        }
        rows.sort_by(|a, b| (a.ordinal, &a.instance).cmp(&(b.ordinal, &b.instance)));
        rows
    }

    fn row(&self, life: &Life, now: Instant) -> Row {
        let record = &life.record;
        let horde = life.version.as_ref().map(|version| version.config.horde.clone());
        let slot = self.slots.get(&record.ordinal);
        Row {
            service: record.service.clone(),
            rev: record.rev.clone(),
            ordinal: record.ordinal,
            horde: horde.unwrap_or_else(Label::main_horde),
            version: record.version,
            instance: Some(record.instance.clone()),
            state: life.state(),
            is_held: life.is_up() && life.health.held_until(now).is_some(),
            since: life.since,
            pid: life.pid.filter(|_| life.exit.is_none()),
            restarts: slot.map_or(0, |slot| slot.restarts),
            image: record.blob,
            sealed: life.sealed,
            ports: record.ports.clone(),
            reason: life.reason(),
        }
    }
}

impl Slot {
    fn row(&self, ordinal: u16, version: &Version, run: bool) -> Row {
        let state = match self.rest {
            _ if !run => RunState::Stopped,
            Rest::Ready => RunState::Pending,
            Rest::Backoff(_) => RunState::Backoff,
            Rest::Failed(_) => RunState::Failed,
            Rest::Done => RunState::Done,
        };
        Row {
            service: version.config.name.clone(),
            rev: version.config.rev.clone(),
            ordinal,
            horde: version.config.horde.clone(),
            version: version.number,
            instance: None,
            state,
            is_held: false,
            since: self.since,
            pid: None,
            restarts: self.restarts,
            image: version.image.blob(),
            sealed: None,
            ports: BTreeMap::new(),
            reason: self.reason.clone(),
        }
    }
}

impl Life {
    /// Why it is as it is.
    fn reason(&self) -> String {
        if let Some(super::life::Why::Failed(failure)) = &self.leaving {
            return failure.reason.clone();
        }
        let failing = self.health.checks.iter().find(|check| check.last == Some(false));
        failing.map(|check| check.text.clone()).unwrap_or_default()
    }

    fn check_rows(&self) -> impl Iterator<Item = CheckRow> + '_ {
        self.health.checks.iter().enumerate().map(|(at, check)| CheckRow {
            instance: self.id().clone(),
            check: at,
            passed: check.last,
            failures: check.failures,
            text: check.text.clone(),
            at: check.at,
        })
    }
}
