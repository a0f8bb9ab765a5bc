//! Callers who wait for what they asked for.

use std::collections::BTreeMap;

use crux_crdt::name::ServiceName;

use super::command::Command;
use super::id::RequestId;
use super::request::{Outcome, Wait};
use super::rules::{REGISTER_MAX, WAITERS_MAX};
use super::service::{Service, Verdict};
use super::state::State;
use crate::time::Instant;

/// How a caller is answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reply {
    pub(super) id: RequestId,
    pub(super) wait: Wait,
    pub(super) until: Instant,
    /// The caller went away while the wish was being written.
    pub(super) is_away: bool,
}

impl Reply {
    pub(super) fn answer(self, outcome: Outcome, out: &mut Vec<Command>) {
        if !self.is_away {
            out.push(Command::Answer { request: self.id, outcome });
        }
    }
}

/// A caller who waits for a service.
#[derive(Debug)]
struct Waiter {
    service: ServiceName,
    aim: Aim,
    since: Instant,
    until: Instant,
}

/// The aim of a caller that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aim {
    /// Every instance of that content is up.
    Up(u64),
    /// Every instance of it was started.
    Started(u64),
    /// Nothing is left of any.
    Ended,
}

/// The callers who wait for services, at most [`WAITERS_MAX`].
#[derive(Debug, Default)]
pub(super) struct Waiters(BTreeMap<RequestId, Waiter>);

impl Waiters {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// A caller went away.
    pub(super) fn remove(&mut self, id: RequestId) {
        self.0.remove(&id);
    }
}

impl State {
    /// A wish is durable: its caller is answered, or waits.
    pub(super) fn settle(&mut self, reply: Reply, name: &ServiceName, out: &mut Vec<Command>) {
        if reply.is_away {
            return;
        }
        let service = self.services.get(name);
        let target = service.and_then(Service::to_run).map(|version| version.number);
        let aim = match (reply.wait, target) {
            (Wait::Nothing, _) => None,
            (Wait::Started, Some(number)) => Some(Aim::Started(number)),
            (Wait::Up, Some(number)) => Some(Aim::Up(number)),
            (Wait::Started | Wait::Up, None) => Some(Aim::Ended),
        };
        let Some(aim) = aim else {
            return reply.answer(Outcome::Done(self.rows_of(name)), out);
        };
        if self.waiters.len() == WAITERS_MAX {
            return reply.answer(Outcome::StillTrying(self.rows_of(name)), out);
        }
        let (service, since, until) = (name.clone(), self.now(), reply.until);
        let waiter = Waiter { service, aim, since, until };
        self.waiters.0.insert(reply.id, waiter);
    }

    /// Answers those whose wait is over. The verdicts of this call are used up.
    pub(super) fn answer_waiters(&mut self, out: &mut Vec<Command>) {
        let waiters = self.waiters.0.iter();
        let over = waiters.filter_map(|(id, waiter)| Some((*id, self.outcome(waiter)?)));
        let over: Vec<_> = over.collect();
        for (request, outcome) in over {
            self.waiters.0.remove(&request);
            out.push(Command::Answer { request, outcome });
        }
        for service in self.services.values_mut() {
            service.verdict = None;
        }
    }

    /// The node stops: those who wait for something to be up wait in vain, and in the end all do.
    pub(super) fn answer_all(&mut self, out: &mut Vec<Command>) {
        let is_over = self.services.values().all(|service| service.lives.is_empty());
        let over = |waiter: &Waiter| is_over || waiter.aim != Aim::Ended;
        let over: Vec<_> = self.waiters.0.extract_if(.., |_, waiter| over(waiter)).collect();
        for (request, waiter) in over {
            let outcome = Outcome::StillTrying(self.rows_of(&waiter.service));
            out.push(Command::Answer { request, outcome });
        }
    }

    fn outcome(&self, waiter: &Waiter) -> Option<Outcome> {
        let name = &waiter.service;
        let service = self.services.get(name);
        let target = service.and_then(Service::to_run).map(|version| version.number);
        let rows = || self.rows_of(name);
        let (number, is_there) = match waiter.aim {
            Aim::Ended if target.is_some() => return Some(Outcome::Overtaken(rows())),
            Aim::Ended if service.is_none_or(|service| service.lives.is_empty()) => {
                return Some(Outcome::Done(rows()));
            }
            Aim::Ended => return self.late(waiter),
            Aim::Up(number) => (number, service.is_some_and(|it| self.is_up_for(waiter, it))),
            Aim::Started(number) => (number, service.is_some_and(Service::is_started)),
        };
        let verdict = service.and_then(|service| service.verdict.as_ref());
        if let Some(verdict) = verdict.filter(|verdict| verdict.version == number) {
            let Verdict { fault, reason, instance, .. } = verdict.clone();
            return Some(Outcome::Failed { fault, reason, instance, rows: rows() });
        }
        if target != Some(number) {
            return Some(Outcome::Overtaken(rows()));
        }
        if is_there { Some(Outcome::Done(rows())) } else { self.late(waiter) }
    }

    /// Whether a service is up, and the fulcrum's word that it is registered is there or not waited for any longer. It is
    /// not waited for while the fulcrum is away, nor beyond the caller's time: the service is up all the same.
    fn is_up_for(&self, waiter: &Waiter, service: &Service) -> bool {
        service.is_up() && self.awaits_until(waiter) <= self.now()
    }

    /// Until when a caller waits for the fulcrum's word on its service; long ago: it does not.
    fn awaits_until(&self, waiter: &Waiter) -> Instant {
        let service = self.services.get(&waiter.service);
        let lives = service.into_iter().flat_map(|service| &service.lives);
        let last = lives.filter_map(|life| self.publish.awaited_since(life)).max();
        let end = |at: Instant| at.max(waiter.since) + REGISTER_MAX;
        last.map_or(Instant::ORIGIN, |at| end(at).min(waiter.until))
    }

    /// When a caller has waited long enough, for a service or for the fulcrum's word on it.
    pub(super) fn waiters_deadline(&self) -> Instant {
        let waiters = self.waiters.0.values();
        let ends = waiters.flat_map(|waiter| [waiter.until, self.awaits_until(waiter)]);
        ends.filter(|at| *at > self.now()).min().unwrap_or(Instant::NEVER)
    }

    fn late(&self, waiter: &Waiter) -> Option<Outcome> {
        let is_late = waiter.until <= self.now();
        is_late.then(|| Outcome::StillTrying(self.rows_of(&waiter.service)))
    }
}
