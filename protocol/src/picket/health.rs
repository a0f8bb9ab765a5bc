//! Whether an instance is up, and whether it stays so.

use core::time::Duration;
use std::sync::Arc;

use crux_crdt::service::Probe;

use super::command::{Command, Status};
use super::desired::Version;
use super::happened::Kind;
use super::life::{Cause, Failure, Life, Phase, Spans, Why};
use super::rules::{ALIVE, CHECK_FIRST, CHECK_LAST, FAILURES, TEXT_BYTES_MAX};
use super::turn::Turn;
use crate::flips::Flips;
use crate::time::Instant;

/// A check of one instance.
#[derive(Debug)]
pub(super) struct Check {
    probe: Probe,
    port: Option<u16>,
    timeout: Duration,
    /// It passed once.
    pub(super) passed: bool,
    /// Whether it passed last.
    pub(super) last: Option<bool>,
    /// Failures that count, since it last passed.
    pub(super) failures: u32,
    /// How often it was made before it passed.
    tries: u32,
    /// Is being made.
    asked: bool,
    next: Instant,
    pub(super) text: String,
    pub(super) at: Instant,
}

/// The checks of an instance, and what they say.
#[derive(Debug, Default)]
pub(super) struct Health {
    pub(super) checks: Vec<Check>,
    /// The checks are only for coming up: its ports accept.
    implied: bool,
    paused: Option<Instant>,
    /// The last changes between up and not.
    flips: Flips,
}

impl Health {
    pub(super) const fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// Whether a check failed last.
    pub(super) fn is_failing(&self) -> bool {
        self.checks.iter().any(|check| check.last == Some(false))
    }

    /// Until when its status is held at degraded because it changed too often.
    pub(super) fn held_until(&self, now: Instant) -> Option<Instant> {
        self.flips.held_until(now)
    }

    /// How much is kept.
    pub(super) fn footprint(&self) -> usize {
        self.checks.len() + self.flips.footprint()
    }
}

impl Life {
    /// The program runs: the first checks are due.
    pub(super) fn begin_checks(&mut self, now: Instant) {
        self.spawned = now;
        let Some(version) = &self.version else { return };
        let config = &version.config;
        let of = |probe: Probe, timeout| Check {
            port: probe.port().and_then(|name| self.port(name)),
            probe,
            timeout,
            passed: false,
            last: None,
            failures: 0,
            tries: 0,
            asked: false,
            next: now,
            text: String::new(),
            at: now,
        };
        let mut checks: Vec<Check> =
            config.check.iter().map(|check| of(check.probe.clone(), check.timeout)).collect();
        let implied = checks.is_empty();
        if implied {
            let ports = config.ports.iter();
            let timeout = crux_crdt::service::default::CHECK_TIMEOUT;
            checks.extend(ports.map(|(port, _)| of(Probe::Tcp { port: port.clone() }, timeout)));
        }
        (self.health.checks, self.health.implied) = (checks, implied);
    }

    /// It was up under an earlier picket: it is until a check says otherwise.
    pub(super) fn assume_up(&mut self, now: Instant) {
        self.begin_checks(now);
        if self.health.implied {
            self.health.checks.clear();
        }
        for check in &mut self.health.checks {
            check.passed = true;
        }
    }

    /// It gets other settings of the same content while it is on its way.
    pub(super) fn take_settings(&mut self, version: &Arc<Version>, now: Instant) {
        if crux_crdt::planted!(PeriodUnused) {
            return;
        }
        let old = self.version.replace(Arc::clone(version));
        let is_same = old.is_some_and(|old| old.config.check == version.config.check);
        if self.is_leaving() {
            return;
        }
        self.spans = Spans::of(Some(version));
        // Its registrations may be others.
        self.stated = None;
        match self.phase {
            Phase::Up if !is_same => self.assume_up(now),
            Phase::Starting if !is_same => {
                let spawned = self.spawned;
                self.begin_checks(now);
                self.spawned = spawned;
            }
            _ => {}
        }
        self.hasten(version.config.period, now);
    }

    /// No check that passed is due later than the period has it. A longer one holds from the next result on.
    fn hasten(&mut self, period: Duration, now: Instant) {
        let is_repeated = |check: &&mut Check| check.passed && check.next != Instant::NEVER;
        for check in self.health.checks.iter_mut().filter(is_repeated) {
            check.next = check.next.min(now + period);
        }
    }

    /// Does what is due now for one that runs.
    pub(super) fn watch(&mut self, turn: &mut Turn<'_>) {
        if !self.is_started() || self.health.is_paused() {
            return;
        }
        if self.phase == Phase::Starting && self.is_complete(turn.now) {
            self.come_up(turn);
        }
        if self.phase == Phase::Starting && turn.now >= self.until {
            let why = self.health.checks.iter().find(|check| !check.passed);
            let why = why.map_or("", |check| &*check.text);
            let why = format!("not up within its start_timeout: {why}");
            return self.give_up(Cause::NotUp, why, turn);
        }
        for (at, check) in self.health.checks.iter_mut().enumerate() {
            if !check.asked && turn.now >= check.next {
                check.asked = true;
                turn.out.push(Command::Check {
                    instance: self.record.instance.clone(),
                    check: at,
                    probe: check.probe.clone(),
                    port: check.port,
                    timeout: check.timeout,
                });
            }
        }
    }

    /// Whether every check passed once; without any, whether it lived long enough.
    fn is_complete(&self, now: Instant) -> bool {
        if self.health.checks.is_empty() {
            return now.since(self.spawned) >= ALIVE;
        }
        self.health.checks.iter().all(|check| check.passed)
    }

    /// A check was made.
    pub(super) fn on_checked(
        &mut self,
        at: usize,
        result: Result<(), String>,
        turn: &mut Turn<'_>,
    ) {
        let was_failing = self.health.is_failing();
        let in_start = self.phase == Phase::Starting && turn.now < self.start_period_end();
        let runs = self.is_started();
        let Some(period) = self.version.as_ref().map(|version| version.config.period) else {
            return;
        };
        let counts = !turn.is_quiet(period) && !self.health.is_paused();
        let implied = self.health.implied;
        let Some(check) = self.health.checks.get_mut(at).filter(|check| check.asked) else {
            return;
        };
        (check.asked, check.at) = (false, turn.now);
        check.next = turn.now + period;
        match result {
            Ok(()) => {
                (check.passed, check.last, check.failures) = (true, Some(true), 0);
                check.text.clear();
                if implied {
                    check.next = Instant::NEVER;
                }
            }
            Err(text) => {
                check.text = shortened(text);
                if !check.passed && in_start {
                    let wait = CHECK_FIRST.saturating_mul(2u32.saturating_pow(check.tries));
                    check.next = turn.now + wait.min(CHECK_LAST).min(period);
                    check.tries = check.tries.saturating_add(1);
                    check.last = Some(false);
                } else if counts {
                    check.last = Some(false);
                    check.failures += 1;
                }
            }
        }
        let (failures, text) = (check.failures, check.text.clone());
        if !runs {
            return;
        }
        if failures >= FAILURES {
            return self.give_up(Cause::Checks, text, turn);
        }
        let is_failing = self.health.is_failing();
        if self.phase == Phase::Up && is_failing != was_failing {
            self.since = turn.now;
            self.health.flips.note(turn.now);
            let (kind, text) =
                if is_failing { (Kind::Degraded, text) } else { (Kind::Up, String::new()) };
            self.tell(kind, text, turn);
        }
    }

    /// Somebody stopped the program, or let it run again. That time counts for nothing.
    pub(super) fn on_paused(&mut self, paused: bool, turn: &mut Turn<'_>) {
        if paused == self.health.is_paused() {
            return;
        }
        self.since = turn.now;
        let Some(since) = self.health.paused.take() else {
            self.health.paused = Some(turn.now);
            return;
        };
        let lost = turn.now.since(since);
        if self.phase == Phase::Starting {
            self.until = self.until + lost;
            self.spawned = self.spawned + lost;
        }
    }

    /// How the others see its registrations; none: up.
    pub(super) fn status(&self, now: Instant) -> Option<Status> {
        if self.health.is_paused() {
            Some(Status::Unknown)
        } else if self.health.is_failing() || self.health.held_until(now).is_some() {
            Some(Status::Degraded)
        } else {
            None
        }
    }

    /// It failed while it runs: it is withdrawn and quit.
    fn give_up(&mut self, cause: Cause, reason: String, turn: &mut Turn<'_>) {
        self.quit(Why::Failed(Failure { cause, reason }), turn);
    }

    fn start_period_end(&self) -> Instant {
        let period = self.version.as_ref().map(|version| version.config.start_period);
        self.spawned + period.unwrap_or_default()
    }

    /// When a check is due, or it has lived long enough.
    pub(super) fn health_deadline(&self) -> Instant {
        if !self.is_started() || self.health.is_paused() {
            return Instant::NEVER;
        }
        if self.phase == Phase::Starting && self.health.checks.is_empty() {
            return self.spawned + ALIVE;
        }
        let waiting = self.health.checks.iter().filter(|check| !check.asked);
        waiting.map(|check| check.next).min().unwrap_or(Instant::NEVER)
    }
}

/// A text that is kept, not longer than the bound.
pub(super) fn shortened(mut text: String) -> String {
    if text.len() > TEXT_BYTES_MAX {
        let end = (0..=TEXT_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or(0));
    }
    text
}
