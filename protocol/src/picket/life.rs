//! One instance from its first step to its last.

use core::time::Duration;
use std::sync::Arc;

use crux_crdt::service::{PortName, Restart};

use super::command::Command;
use super::desired::Version;
use super::happened::{Happened, Kind};
use super::health::Health;
use super::id::InstanceId;
use super::record::{Exit, Record};
use super::request::Fault;
use super::rules::{STRAY_DRAIN, STRAY_QUIT, TREE_TIMEOUT, WITHDRAW_MAX};
use super::turn::Turn;
use super::view::RunState;
use crate::time::Instant;

/// Where an instance is on its way. The picture is in [the module](super).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its image is being sealed.
    Sealing,
    /// Its ports are being chosen.
    Choosing,
    /// Its record is being written.
    Recording,
    /// Its keeper is being started.
    Spawning,
    /// It runs and is not up.
    Starting,
    /// It is up, maybe degraded.
    Up,
    /// Its registrations are taken back; with which word of the fulcrum that is so.
    Withdrawing(Option<u64>),
    /// The last callers are served.
    Draining,
    /// It has SIGTERM.
    Quitting,
    /// Its whole tree has SIGTERM.
    Terminating,
    /// Its program ended well. Until that is written its keeper stays, which knows it.
    Finished,
    /// It is being killed.
    Killing,
    /// Nothing of it is left. It is taken off the list in the same call.
    Over,
}

/// Why an instance goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    /// Nobody wants it any longer: stopped, removed, the node stops, a smaller count.
    Unwanted,
    /// Another takes its place: an update, a restart, a content that nothing is known of.
    Replaced,
    /// It failed.
    Failed(Failure),
}

/// How an instance failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) cause: Cause,
    pub(super) reason: String,
}

/// Kinds of failures, as far as what follows differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The image cannot be executed.
    Image,
    /// The node has no room for it: ports, disk. The content is not at fault.
    Node,
    /// It could not be started.
    Spawn,
    /// It was not up in time.
    NotUp,
    /// Its checks failed.
    Checks,
    /// Its program ended.
    Exit(Exit),
    /// Its keeper died.
    Keeper,
}

impl Cause {
    /// The answer to callers that wait.
    pub(super) const fn fault(self) -> Fault {
        match self {
            Self::Image => Fault::ImageUnusable,
            Self::NotUp | Self::Checks => Fault::Unhealthy,
            Self::Node | Self::Spawn | Self::Exit(_) | Self::Keeper => Fault::StartFailed,
        }
    }

    /// Whether callers are told after the first of them, not only once it is a crash loop: trying
    /// again hardly helps.
    pub(super) const fn is_plain(self) -> bool {
        !matches!(self, Self::Exit(_) | Self::Keeper)
    }
}

/// How long each step of the quit may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spans {
    pub(super) withdraw: Duration,
    pub(super) drain: Duration,
    pub(super) quit: Duration,
    pub(super) tree: Duration,
}

impl Spans {
    pub(super) fn of(version: Option<&Version>) -> Self {
        let config = version.map(|version| &version.config);
        Self {
            withdraw: WITHDRAW_MAX,
            drain: config.map_or(STRAY_DRAIN, |config| config.drain),
            quit: config.map_or(STRAY_QUIT, |config| config.quit_timeout),
            tree: TREE_TIMEOUT,
        }
    }
}

/// One instance.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) record: Record,
    /// The content it was made from; none: taken over, and nothing is known of it.
    pub(super) version: Option<Arc<Version>>,
    pub(super) phase: Phase,
    /// Since when it is in its state, as people see it.
    pub(super) since: Instant,
    /// When the phase ends by itself.
    pub(super) until: Instant,
    /// When its program was started, or it was taken over.
    pub(super) spawned: Instant,
    pub(super) leaving: Option<Why>,
    pub(super) pid: Option<u32>,
    pub(super) sealed: Option<bool>,
    /// Whether its registrations are stated.
    pub(super) announced: bool,
    /// With which statement to the fulcrum, and since when; none: not to this fulcrum.
    pub(super) stated: Option<(u64, Instant)>,
    /// Since when it is up, without a break.
    pub(super) up_since: Option<Instant>,
    /// How long it had been up when it failed.
    pub(super) had_up: Option<Duration>,
    pub(super) exit: Option<Exit>,
    pub(super) health: Health,
    pub(super) spans: Spans,
    /// It takes the place of one that failed.
    pub(super) again: bool,
    /// There is a record of it.
    pub(super) recorded: bool,
    /// Its start counts among those of its place.
    pub(super) counted: bool,
    /// The consequences of its failure are decided.
    pub(super) judged: bool,
    /// Those of its ports that somebody else had bound when nothing of it was left.
    pub(super) taken: Vec<PortName>,
}

impl Life {
    /// One that begins.
    pub(super) fn new(record: Record, version: Option<Arc<Version>>, now: Instant) -> Self {
        Self {
            spans: Spans::of(version.as_deref()),
            health: Health::default(),
            record,
            version,
            phase: Phase::Sealing,
            since: now,
            until: Instant::NEVER,
            spawned: Instant::NEVER,
            leaving: None,
            pid: None,
            sealed: None,
            announced: false,
            stated: None,
            up_since: None,
            had_up: None,
            exit: None,
            again: false,
            recorded: false,
            counted: false,
            judged: false,
            taken: Vec::new(),
        }
    }

    pub(super) const fn id(&self) -> &InstanceId {
        &self.record.instance
    }

    pub(super) const fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    /// Whether its keeper is still to be started.
    pub(super) const fn has_no_keeper(&self) -> bool {
        matches!(self.phase, Phase::Sealing | Phase::Choosing | Phase::Recording)
    }

    /// Whether it is up and stays.
    pub(super) fn is_up(&self) -> bool {
        self.phase == Phase::Up && !self.is_leaving()
    }

    /// Whether it is up, no check failed last, and its program is not paused.
    pub(super) fn is_well(&self) -> bool {
        self.is_up() && !self.health.is_failing() && !self.health.is_paused()
    }

    /// For how long it is up and stays.
    pub(super) fn up_for(&self, now: Instant) -> Option<Duration> {
        let since = self.up_since.filter(|_| self.is_up())?;
        Some(now.since(since))
    }

    /// Whether its program was started and it stays.
    pub(super) const fn is_started(&self) -> bool {
        matches!(self.phase, Phase::Starting | Phase::Up) && self.leaving.is_none()
    }

    /// Goes to a phase, in which it is for so long at most.
    pub(super) fn enter(&mut self, phase: Phase, most: Option<Duration>, now: Instant) {
        let before = self.state();
        self.phase = phase;
        self.until = most.map_or(Instant::NEVER, |most| now + most);
        if self.state() != before {
            self.since = now;
        }
    }

    /// Its program runs.
    pub(super) fn on_spawned(&mut self, pid: u32, turn: &mut Turn<'_>) {
        if self.phase != Phase::Spawning {
            return;
        }
        self.pid = Some(pid);
        let until = self.until;
        self.enter(Phase::Starting, None, turn.now);
        self.until = until;
        self.begin_checks(turn.now);
        let kind = if self.again { Kind::Restarted } else { Kind::Started };
        self.tell(kind, format!("process {pid}"), turn);
    }

    /// It is up.
    pub(super) fn come_up(&mut self, turn: &mut Turn<'_>) {
        self.enter(Phase::Up, None, turn.now);
        self.up_since = Some(turn.now);
        turn.out.push(Command::Note { instance: self.id().clone(), up: true });
        self.tell(Kind::Up, String::new(), turn);
    }

    /// Its program ended: what is left of its tree is killed; of one that is done, once that is written.
    pub(super) fn on_exited(&mut self, exit: Exit, turn: &mut Turn<'_>) {
        if self.exit.is_some() || matches!(self.phase, Phase::Over) {
            return;
        }
        self.exit = Some(exit);
        if self.leaving.is_none() {
            let kind = if exit == Exit::OutOfMemory { Kind::OomKilled } else { Kind::Exited };
            self.tell(kind, exit.to_string(), turn);
            self.fail(Cause::Exit(exit), exit.to_string(), turn.now);
        }
        if self.is_done() {
            return self.enter(Phase::Finished, None, turn.now);
        }
        self.kill(turn);
    }

    /// Whether its program ended well, by itself, and is not to be started again.
    pub(super) fn is_done(&self) -> bool {
        let Some(Why::Failed(failure)) = &self.leaving else { return false };
        let restart = self.version.as_ref().map(|version| version.config.restart);
        failure.cause == Cause::Exit(Exit::Code(0))
            && restart.is_some_and(|it| it != Restart::Always)
    }

    /// Has it fail. The caller ends it.
    pub(super) fn fail(&mut self, cause: Cause, reason: String, now: Instant) {
        if self.leaving.is_none() {
            self.had_up = self.up_for(now);
            self.leaving = Some(Why::Failed(Failure { cause, reason }));
        }
        self.announced = false;
    }

    /// Its ports that others must not be given.
    pub(super) fn ports(&self) -> impl Iterator<Item = u16> + '_ {
        self.record.ports.values().copied()
    }

    pub(super) fn port(&self, name: &PortName) -> Option<u16> {
        self.record.ports.get(name).copied()
    }

    /// Reports something that happened to it.
    pub(super) fn tell(&self, kind: Kind, reason: String, turn: &mut Turn<'_>) {
        turn.out.push(Command::Happened(Happened {
            kind,
            service: Some(self.record.service.clone()),
            instance: Some(self.id().clone()),
            reason,
        }));
    }

    /// How people see it.
    pub(super) fn state(&self) -> RunState {
        match self.phase {
            Phase::Sealing | Phase::Choosing => RunState::Pending,
            Phase::Recording if self.is_leaving() => RunState::Stopping,
            Phase::Recording | Phase::Spawning => RunState::Starting,
            Phase::Starting | Phase::Up if self.health.is_paused() => RunState::Paused,
            Phase::Starting => RunState::Starting,
            Phase::Up if self.health.is_failing() => RunState::Degraded,
            Phase::Up => RunState::Up,
            Phase::Withdrawing(_) | Phase::Draining => RunState::Draining,
            Phase::Quitting
            | Phase::Terminating
            | Phase::Finished
            | Phase::Killing
            | Phase::Over => RunState::Stopping,
        }
    }

    /// When something is due that no event brings.
    pub(super) fn deadline(&self) -> Instant {
        if self.is_started() && self.health.is_paused() {
            return Instant::NEVER;
        }
        self.until.min(self.health_deadline())
    }
}
