//! Callers who wait for a change, and what they are told.

use std::task::{Context, Poll};
use std::time::Duration;

use crux_client::error::StateChanged;
use crux_client::model::{Change, InstanceState, Settled};
use crux_client::op::{Goal, Until};
use crux_client::{Error, Kind};
use crux_crdt::blob::BlobId;
use crux_crdt::name::ServiceName;
use crux_crdt::service::Config;
use crux_protocol::picket::{
    Event, Fault, InstanceId, Outcome, Refusal, RequestId, Row, RunState, Wanted,
};
use crux_protocol::time::Instant;

use super::calls::{Reply, end_of};
use super::post::Missing;
use super::shell::Shell;
use super::show;
use super::work::Done;
use crate::logs::{Query, Reader, Step, shown};

/// How many of a program's last lines go with a failure. From issue 15.
const LAST_LINES: u64 = 20;
/// How long to wait until what a program wrote last is read. It is in a pipe by then.
const LAST_WORDS_MAX: Duration = Duration::from_secs(1);

/// A caller who waits.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(super) service: ServiceName,
    /// Its revision when the request came; none: there was no such service.
    pub(super) rev: Option<ServiceName>,
    pub(super) change: Change,
    pub(super) until: Until,
    pub(super) ends: Instant,
    /// The image that its request needs, kept until it is answered.
    pub(super) blob: Option<BlobId>,
    /// The request to make once that image is here, and whether it is an update.
    pub(super) needs: Option<(Box<Config>, bool)>,
    pub(super) notes: Vec<String>,
    reply: Reply<Settled>,
}

impl Pending {
    pub(super) fn new(
        (service, rev): (ServiceName, Option<ServiceName>),
        change: Change,
        until: Until,
        now: Instant,
        reply: Reply<Settled>,
    ) -> Self {
        let (ends, notes) = (end_of(&until, now), Vec::new());
        Self { service, rev, change, until, ends, blob: None, needs: None, notes, reply }
    }

    /// When the shell gives it up itself: while it waits for an image. After that the engine does.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.needs.is_some().then_some(self.ends)
    }

    /// Whether the caller went away.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.reply.poll_closed(cx)
    }
}

impl Shell {
    /// A caller went away.
    pub(super) fn on_caller_gone(&mut self, id: RequestId) {
        self.waiting.remove(&id);
        self.tell(Event::Cancel { id });
        self.pin();
    }

    /// Answers those whose image did not come in time.
    pub(super) fn give_up_waits(&mut self, now: Instant) {
        let late = self.waiting.iter().filter(|(_, it)| it.deadline().is_some_and(|at| at <= now));
        let late: Vec<RequestId> = late.map(|(id, _)| *id).collect();
        for id in late {
            let what = if self.post.is_attached() {
                "the image of the service is not here yet"
            } else {
                "the fulcrum, which fetches the image of the service, is away"
            };
            self.end_wait(id, Err(Error::new(Kind::TimedOut, what)));
        }
    }

    /// Answers one.
    pub(super) fn end_wait(&mut self, id: RequestId, answer: Result<Settled, Error>) {
        if let Some(pending) = self.waiting.remove(&id) {
            pending.reply.send(answer).ok();
            self.pin();
        }
    }

    /// The engine's answer. With a failure go the last lines of the instance that failed.
    pub(super) fn answer(&mut self, id: RequestId, outcome: Outcome) {
        if self.answer_goals(id, &outcome) {
            return;
        }
        let Some(pending) = self.waiting.get(&id) else { return };
        let answer = match outcome {
            Outcome::Done(rows) => {
                let wanted = self.engine.wanted_of(&pending.service);
                let mut settled = settled(pending, wanted, &rows, self.engine.generation());
                if pending.until.goal == Goal::Up {
                    settled.notes.extend(self.not_found(&rows));
                }
                Ok(settled)
            }
            Outcome::Failed { fault, reason, instance, rows } => {
                let error = failed(&pending.service, fault, &reason, &rows);
                return self.answer_with_log(id, error, instance);
            }
            Outcome::StillTrying(rows) => Err(late(&pending.service, &rows, self.is_stopping)),
            Outcome::Overtaken(_) => Err(overtaken(&pending.service)),
            Outcome::Refused(refusal) => Err(refused(&refusal, self.disk)),
        };
        self.end_wait(id, answer);
    }

    /// Why others do not find an instance that is up and is to be found.
    fn not_found(&self, rows: &[Row]) -> Option<String> {
        let is_up = |row: &&Row| matches!(row.state, RunState::Up | RunState::Degraded);
        rows.iter().filter(is_up).flat_map(|row| self.keys_of(row)).find_map(|key| {
            let missing = self.post.missing(&key)?;
            Some(match missing {
                Missing::Away => "not registered yet, because the fulcrum is away; other nodes \
                                  find the service once it is back"
                    .to_owned(),
                Missing::Unanswered => "not registered yet, because the fulcrum has not answered; \
                                        other nodes find the service once it has"
                    .to_owned(),
                Missing::Refused(text) => format!("not registered: {text}"),
            })
        })
    }

    fn answer_with_log(&mut self, id: RequestId, error: Error, instance: Option<InstanceId>) {
        let Some(pending) = self.waiting.remove(&id) else { return };
        self.pin();
        let log = self.logs.get(&pending.service);
        let (Some(log), Some(instance)) = (log, instance) else {
            return drop(pending.reply.send(Err(error)));
        };
        let ended = self.drains.get(&instance).cloned();
        self.tasks.spawn(async move {
            if let Some(mut ended) = ended {
                let end = async { while ended.changed().await.is_ok() {} };
                tokio::time::timeout(LAST_WORDS_MAX, end).await.ok();
            }
            let read = tokio::task::spawn_blocking(move || {
                let instance = Some(instance.to_string());
                let query = Query { tail: Some(LAST_LINES), instance, ..Query::default() };
                let mut reader = Reader::open(log, query).ok()?;
                let mut lines = Vec::new();
                while let Ok(Step::Lines(batch)) = reader.step() {
                    lines.extend(batch.lines().map(|line| shown(line.text).into_owned()));
                }
                Some(lines)
            });
            let lines = read.await.ok().flatten().unwrap_or_default();
            pending.reply.send(Err(error.with_log(&lines))).ok();
            Done::Nothing
        });
    }
}

/// A service after a change. Of its instances only those count that are of the content that is wanted, and stay: in an
/// overlap another one is there, which is about to go. Where nothing is to run, those count that are left.
fn settled(pending: &Pending, wanted: Option<&Wanted>, rows: &[Row], generation: u64) -> Settled {
    let target = wanted.filter(|wanted| wanted.run).map(|wanted| wanted.current.number);
    let goes = |row: &Row| matches!(row.state, RunState::Draining | RunState::Stopping);
    let counts = |row: &&Row| target.is_none_or(|number| row.version == number && !goes(row));
    let mut counting = rows.iter().filter(counts);
    let row = counting.clone().find(|row| row.instance.is_some()).or_else(|| counting.next());
    let none = if target.is_some() { InstanceState::Pending } else { InstanceState::Stopped };
    let rev = wanted.map(|wanted| &wanted.current.config.rev).or(pending.rev.as_ref());
    Settled {
        service: pending.service.clone(),
        rev: rev.cloned().unwrap_or_else(ServiceName::first_rev),
        instance: row.and_then(|row| row.instance.as_ref()).map(ToString::to_string),
        state: row.map_or(none, |row| show::state(row.state)),
        pid: row.and_then(|row| row.pid),
        ports: row.map(show::ports).unwrap_or_default(),
        change: pending.change,
        generation,
        notes: pending.notes.clone(),
    }
}

/// The caller's time is over, or the node stops.
fn late(service: &ServiceName, rows: &[Row], is_stopping: bool) -> Error {
    let state = rows.first().map_or("", |row| row.state.name());
    let message = format!("{service} is not there yet ({state}); ");
    let error = if is_stopping {
        let message = message + "the node stops, and tries it again when it starts";
        Error::new(Kind::ShuttingDown, message)
    } else {
        let message = message + "it is still tried";
        Error::new(Kind::TimedOut, message)
            .with_hint("`ps` and `inspect` show its progress; a greater --timeout waits longer.")
    };
    error.with_state(StateChanged::Yes)
}

fn overtaken(service: &ServiceName) -> Error {
    let message = format!("another request changed {service} while this one waited");
    Error::new(Kind::Generation, message)
        .with_state(StateChanged::Yes)
        .with_hint("`service show` prints the config in force.")
}

fn failed(service: &ServiceName, fault: Fault, reason: &str, rows: &[Row]) -> Error {
    let (kind, what) = match fault {
        Fault::Unhealthy => (Kind::Unhealthy, "is not healthy"),
        Fault::StartFailed => (Kind::StartFailed, "does not start"),
        Fault::ImageUnusable => (Kind::ImageUnusable, "cannot be executed"),
        Fault::RolledBack => {
            (Kind::RolledBack, "did not come up, and its previous config is in force again")
        }
    };
    let error =
        Error::new(kind, format!("{service} {what}: {reason}")).with_state(StateChanged::Yes);
    match rows.first() {
        Some(row) => error.with_field("state", row.state.name()),
        None => error,
    }
}

pub(super) fn unknown(name: &ServiceName) -> Error {
    Error::new(Kind::NotFound, format!("this node has no service {name}"))
        .with_hint("`ps --all` lists those that it has.")
}

/// `disk`: the kind of what the disk said last.
pub(super) fn refused(refusal: &Refusal, disk: Kind) -> Error {
    let (kind, hint) = match refusal {
        Refusal::Unknown(name) => return unknown(name),
        Refusal::Generation { .. } => (
            Kind::Generation,
            "Read the config again with `service show`, and repeat the change on that.",
        ),
        Refusal::Services | Refusal::Instances | Refusal::Registrations => {
            (Kind::LimitReached, "Remove what is not needed any longer, or use another node.")
        }
        Refusal::PortInUse { .. } => (Kind::PortInUse, "Choose another number, or `auto`."),
        Refusal::RegisteredTwice { .. } => {
            (Kind::AlreadyExists, "Give one of them another revision, or say `register = []`.")
        }
        Refusal::OfTarget(_) => (
            Kind::Refused,
            "Change the target, or drain the node, to stop it; `service restart` starts it again.",
        ),
        Refusal::OfPerson(_) => {
            (Kind::AlreadyExists, "`service rm` makes room for what the target wants.")
        }
        Refusal::OldOrder { .. } => (
            Kind::Generation,
            "The node keeps to the later goals. A leader that knows of their target plans again by itself.",
        ),
        Refusal::NoPrevious(_) => {
            (Kind::Refused, "`service update` gives it another config or image.")
        }
        Refusal::Stopped(_) => (Kind::Refused, "`service start` starts it."),
        Refusal::RolledBack(_) => (Kind::RolledBack, "`service update` tries this config again."),
        Refusal::Disk(_) => (disk, "Make room on the disk of the data directory, then try again."),
        Refusal::Busy => (Kind::Busy, "Try again in a moment."),
        Refusal::Stopping => {
            (Kind::ShuttingDown, "Repeat the command after the node started again.")
        }
    };
    Error::new(kind, refusal.to_string()).with_hint(hint)
}

#[cfg(test)]
mod tests;
