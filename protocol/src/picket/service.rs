//! One service: what is wanted of it, and its instances.
//!
//! **Invariant**: of one ordinal there are two instances only during an overlap, of which one service has
//! one at a time; a place is filled only once nothing of its last instance is left.

use std::collections::BTreeMap;
use std::sync::Arc;

use crux_crdt::name::ServiceName;
use crux_crdt::service::{PortName, Restart};

use super::desired::{Version, Wanted};
use super::happened::{Happened, Kind};
use super::id::InstanceId;
use super::life::{Cause, Failure, Life, Phase, Why};
use super::request::Fault;
use super::rules::{PORT_TRIES, TRIAL_FAILURES};
use super::slot::{Rest, Slot};
use super::turn::Turn;
use super::view::ExitRow;
use super::{backoff::Next, command::Command};
use crate::time::Instant;

/// The previous content has to come back.
#[derive(Debug, Clone)]
pub(super) struct GoingBack {
    pub(super) reason: String,
    pub(super) instance: InstanceId,
}

/// A failure that callers who wait for a content have to hear.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    pub(super) version: u64,
    pub(super) fault: Fault,
    pub(super) reason: String,
    pub(super) instance: Option<InstanceId>,
}

/// The facts by which a failure is judged.
#[derive(Debug, Clone)]
struct Judged {
    instance: InstanceId,
    ordinal: u16,
    version: u64,
    recorded: bool,
    was_up: bool,
    cause: Cause,
    reason: String,
}

/// One service.
#[derive(Debug)]
pub(super) struct Service {
    /// None: it is forgotten, and something of it may still run.
    pub(super) wanted: Option<Wanted>,
    pub(super) lives: Vec<Life>,
    pub(super) slots: BTreeMap<u16, Slot>,
    /// Failures of a content on trial.
    pub(super) trial_failures: u32,
    pub(super) going_back: Option<GoingBack>,
    /// The instances are being changed to another content.
    pub(super) updating: bool,
    /// Said in this call.
    pub(super) verdict: Option<Verdict>,
}

impl Service {
    pub(super) fn new(wanted: Option<Wanted>) -> Self {
        Self {
            wanted,
            lives: Vec::new(),
            slots: BTreeMap::new(),
            trial_failures: 0,
            going_back: None,
            updating: false,
            verdict: None,
        }
    }

    /// The content that is to run, if it is to run.
    pub(super) fn to_run(&self) -> Option<&Arc<Version>> {
        self.wanted.as_ref().filter(|wanted| wanted.run).map(|wanted| &wanted.current)
    }

    pub(super) fn life_mut(&mut self, instance: &InstanceId) -> Option<&mut Life> {
        self.lives.iter_mut().find(|life| life.id() == instance)
    }

    pub(super) fn at(&self, ordinal: u16) -> impl Iterator<Item = &Life> {
        self.lives.iter().filter(move |life| life.record.ordinal == ordinal)
    }

    /// A person has it tried, or it has another content.
    pub(super) fn forgive(&mut self) {
        self.slots.values_mut().for_each(Slot::forgive);
        self.trial_failures = 0;
        self.going_back = None;
    }

    /// Does what is due now, and what follows from the last event.
    pub(super) fn step(&mut self, turn: &mut Turn<'_>) {
        for life in &mut self.lives {
            if life.phase == Phase::Spawning && !life.counted {
                life.counted = true;
                let slot = self.slots.get_mut(&life.record.ordinal);
                slot.into_iter().for_each(|slot| slot.tries.started(turn.now));
            }
            life.overdue(turn);
            life.watch(turn);
            life.press(turn);
            let avoid = self.slots.get(&life.record.ordinal).map(|slot| &slot.avoid);
            life.try_image(avoid.cloned().unwrap_or_default(), turn);
        }
        self.let_finished_go(turn);
        self.judge_slow(turn);
        loop {
            self.bury(turn);
            self.reconcile(turn);
            if !self.lives.iter().any(|life| life.phase == Phase::Over) {
                break;
            }
        }
        self.announce();
        self.note_updated(turn);
    }

    /// Takes those off the list of which nothing is left.
    fn bury(&mut self, turn: &mut Turn<'_>) {
        while let Some(at) = self.lives.iter().position(|life| life.phase == Phase::Over) {
            let life = self.lives.remove(at);
            if life.recorded {
                turn.forgetting.insert(life.id().clone(), Instant::NEVER);
                turn.out.push(Command::Forget { instance: life.id().clone() });
            }
            match life.leaving.clone() {
                Some(Why::Failed(failure)) => self.on_failure(&life, failure, turn),
                Some(Why::Unwanted) if life.recorded => {
                    life.tell(Kind::Stopped, String::new(), turn);
                }
                _ => {}
            }
        }
    }

    /// An instance failed, and nothing of it is left.
    fn on_failure(&mut self, life: &Life, failure: Failure, turn: &mut Turn<'_>) {
        let ordinal = life.record.ordinal;
        let Failure { cause, reason } = failure;
        let exit = ExitRow {
            instance: life.id().clone(),
            exit: life.exit,
            reason: reason.clone(),
            at: turn.now,
            ran: turn.now.since(life.spawned),
        };
        let slot = self.slots.entry(ordinal).or_insert_with(|| Slot::new(turn.now));
        slot.note_exit(exit);
        if life.had_up.is_some() {
            slot.port_tries = 0;
            slot.avoid.clear();
        }
        let target = self.wanted.as_ref().filter(|wanted| wanted.run).map(|wanted| &wanted.current);
        let counts = |version: &&Arc<Version>| {
            version.number == life.record.version && ordinal < version.config.count
        };
        let Some(version) = target.filter(counts).filter(|_| turn.within.is_none()) else { return };
        let version = Arc::clone(version);
        if life.is_done() {
            // If it is not in the wanted state, a person had it started again meanwhile.
            let is_done = self.wanted.as_ref().is_some_and(|it| it.done.contains(&ordinal));
            slot.rest = if is_done { Rest::Done } else { Rest::Ready };
            return;
        }
        if slot.try_ports(life, &version) {
            slot.rest = Rest::Backoff(slot.tries.not_before(turn.now));
            return;
        }
        slot.again = true;
        if !life.judged {
            self.judge(&life.judged_by(cause, &reason));
        }
        if self.going_back.is_none() {
            self.rest(life, &version, (cause, reason), turn);
        }
    }

    /// Whether it is still to be written that an instance is done.
    pub(super) fn is_unwritten(&self, life: &Life) -> bool {
        let ordinal = life.record.ordinal;
        let is_new = |it: &Wanted| {
            it.run
                && it.current.number == life.record.version
                && ordinal < it.current.config.count
                && !it.done.contains(&ordinal)
        };
        life.phase == Phase::Finished && life.is_done() && self.wanted.as_ref().is_some_and(is_new)
    }

    /// Whether an instance of it is done, also if that is not written yet.
    pub(super) fn has_done(&self) -> bool {
        let is_written = self.wanted.as_ref().is_some_and(|wanted| !wanted.done.is_empty());
        is_written || self.lives.iter().any(|life| self.is_unwritten(life))
    }

    /// Kills the rest of those that are done, once that is written or matters no longer.
    fn let_finished_go(&mut self, turn: &mut Turn<'_>) {
        for at in 0..self.lives.len() {
            let life = &self.lives[at];
            if life.phase == Phase::Finished && !self.is_unwritten(life) {
                self.lives[at].kill(turn);
            }
        }
    }

    /// A person has it started, also what is done.
    pub(super) fn start_again(&mut self, turn: &mut Turn<'_>) {
        self.forgive();
        let finished = self.lives.iter_mut().filter(|life| life.phase == Phase::Finished);
        finished.for_each(|life| life.kill(turn));
    }

    /// Those that fail while they run take a while to end: what follows for callers and for a content on
    /// trial is decided at once.
    fn judge_slow(&mut self, turn: &Turn<'_>) {
        let number = self.to_run().filter(|_| turn.within.is_none()).map(|it| it.number);
        let mut failed = Vec::new();
        for life in self.lives.iter_mut().filter(|life| !life.judged) {
            let Some(Why::Failed(failure)) = &life.leaving else { continue };
            let is_slow = matches!(failure.cause, Cause::NotUp | Cause::Checks);
            if is_slow && Some(life.record.version) == number {
                failed.push(life.judged_by(failure.cause, &failure.reason));
                life.judged = true;
            }
        }
        failed.into_iter().for_each(|judged| self.judge(&judged));
    }

    /// Decides the consequences of a failure for a content on trial, and for callers who wait for it.
    fn judge(&mut self, judged: &Judged) {
        let Judged { instance, cause, reason, .. } = judged.clone();
        if self.fails_trial(judged) {
            self.going_back = Some(GoingBack { reason, instance });
        } else if !judged.was_up && cause.is_plain() {
            let (version, fault) = (judged.version, cause.fault());
            let instance = judged.recorded.then_some(instance);
            self.verdict = Some(Verdict { version, fault, reason, instance });
        }
    }

    /// Decides when the place is filled again.
    fn rest(
        &mut self,
        life: &Life,
        version: &Version,
        (cause, reason): (Cause, String),
        turn: &mut Turn<'_>,
    ) {
        let Some(slot) = self.slots.get_mut(&life.record.ordinal) else { return };
        let config = &version.config;
        let was_looping = slot.tries.is_looping();
        slot.rest = if config.restart == Restart::Never {
            Rest::Failed(Instant::NEVER)
        } else {
            let bounds = (config.backoff_max, config.retry_failed);
            let next = slot.tries.failed(life.had_up, bounds, turn.now, turn.rng);
            if matches!(next, Next::Failed(_)) && !was_looping {
                let reason = format!("it failed too often: {reason}");
                life.tell(Kind::CrashLoop, reason, turn);
            }
            next.into()
        };
        if matches!(slot.rest, Rest::Failed(_)) {
            let instance = life.recorded.then(|| life.id().clone());
            let (version, fault) = (version.number, cause.fault());
            self.verdict = Some(Verdict { version, fault, reason, instance });
        }
    }

    /// Whether a failure of a content on trial brings the previous one back: at once if the instance was
    /// never up or the old one still runs, else the third time.
    fn fails_trial(&mut self, judged: &Judged) -> bool {
        let on_trial = |wanted: &Wanted| wanted.on_trial && wanted.previous.is_some();
        if !self.wanted.as_ref().is_some_and(on_trial) || judged.cause == Cause::Node {
            return false;
        }
        self.trial_failures += 1;
        let has_old = self.at(judged.ordinal).any(|other| !other.is_leaving());
        let never_up = !judged.was_up && judged.cause.is_plain();
        has_old || never_up || self.trial_failures >= TRIAL_FAILURES
    }

    /// Of each ordinal one instance that is up is registered; in an overlap the one that was.
    fn announce(&mut self) {
        for at in 0..self.lives.len() {
            let life = &self.lives[at];
            let ordinal = life.record.ordinal;
            let is_up = life.is_up() || crux_crdt::planted!(RegistersStarting) && life.is_started();
            if is_up && !life.announced && !self.at(ordinal).any(|other| other.announced) {
                self.lives[at].announced = true;
            }
        }
    }

    /// Whether an instance of the wanted content has the place for itself, and is up, or ended well.
    pub(super) fn is_settled(&self, ordinal: u16, version: u64) -> bool {
        let is_done = || self.slots.get(&ordinal).is_some_and(|slot| slot.rest == Rest::Done);
        let mut stay = self.at(ordinal).filter(|life| !life.is_leaving());
        match (stay.next(), stay.next()) {
            (Some(life), None) => life.record.version == version && life.is_up(),
            (None, None) => is_done(),
            _ => false,
        }
    }

    /// Whether all its instances are of the wanted content, and up.
    pub(super) fn is_up(&self) -> bool {
        self.to_run().is_some_and(|version| {
            (0..version.config.count).all(|ordinal| self.is_settled(ordinal, version.number))
        })
    }

    /// Whether every instance of the wanted content was started.
    pub(super) fn is_started(&self) -> bool {
        let started = |ordinal, number| {
            let mut of = self.at(ordinal).filter(|life| life.record.version == number);
            of.any(Life::is_started) || self.is_settled(ordinal, number)
        };
        self.to_run().is_some_and(|version| {
            (0..version.config.count).all(|ordinal| started(ordinal, version.number))
        })
    }

    fn note_updated(&mut self, turn: &mut Turn<'_>) {
        if self.updating && self.is_up() && self.going_back.is_none() {
            self.updating = false;
            self.tell(Kind::Updated, None, String::new(), turn);
        }
    }

    /// Reports something that happened to it.
    pub(super) fn tell(
        &self,
        kind: Kind,
        instance: Option<InstanceId>,
        reason: String,
        turn: &mut Turn<'_>,
    ) {
        let service = self.name();
        turn.out.push(Command::Happened(Happened { kind, service, instance, reason }));
    }

    fn name(&self) -> Option<ServiceName> {
        let wanted = self.wanted.as_ref().map(|wanted| &wanted.current.config.name);
        wanted.or(self.lives.first().map(|life| &life.record.service)).cloned()
    }
}

impl Life {
    fn judged_by(&self, cause: Cause, reason: &str) -> Judged {
        Judged {
            instance: self.id().clone(),
            ordinal: self.record.ordinal,
            version: self.record.version,
            recorded: self.recorded,
            was_up: self.had_up.is_some(),
            cause,
            reason: reason.to_owned(),
        }
    }
}

impl Slot {
    /// Whether other ports are tried, because somebody else took those that were chosen.
    fn try_ports(&mut self, life: &Life, version: &Version) -> bool {
        let is_auto = |name: &PortName| {
            version.config.ports.get(name).is_some_and(|port| port.number().is_none())
        };
        let all_auto = !life.taken.is_empty() && life.taken.iter().all(is_auto);
        if !all_auto || life.had_up.is_some() || self.port_tries >= PORT_TRIES {
            return false;
        }
        self.port_tries += 1;
        self.avoid.extend(life.taken.iter().filter_map(|name| life.port(name)));
        true
    }
}
