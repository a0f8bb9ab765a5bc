//! Requests of people: refused, answered at once, or made a change that is written first.

use std::collections::BTreeSet;
use std::sync::Arc;

use crux_crdt::name::ServiceName;
use crux_crdt::service::{Change as Differs, Config, SERVICES_MAX};

use super::answer::Reply;
use super::command::Command;
use super::desired::{Image, Version, Wanted};
use super::id::RequestId;
use super::request::{Outcome, Refusal, Request, Requested};
use super::rules::{INSTANCES_MAX, QUEUE_MAX, REGISTRATIONS_MAX};
use super::save::{Change, Effect};
use super::service::Service;
use super::state::State;

/// The effect of a request.
enum Plan {
    /// It changes nothing.
    Nothing,
    /// A change, to be written.
    Change(Option<Wanted>, Effect),
    /// The service gets its chance now.
    Forgive,
    /// All instances are quit and started again.
    Restart,
}

impl State {
    /// A person wants something.
    pub(super) fn on_request(&mut self, requested: Requested, out: &mut Vec<Command>) {
        let request = requested.id;
        if self.queue.len() == QUEUE_MAX {
            let outcome = Outcome::Refused(Refusal::Busy);
            return out.push(Command::Answer { request, outcome });
        }
        let until = self.now() + requested.timeout;
        self.queue.push_back((requested, until));
    }

    /// A caller went away. A request of it that waits for the disk is not begun.
    pub(super) fn on_cancel(&mut self, id: RequestId) {
        self.queue.retain(|(requested, _)| requested.id != id);
        self.waiters.remove(id);
        let change = self.saving.as_mut().and_then(|saving| saving.change.as_mut());
        if let Some(reply) = change.and_then(|change| change.reply.as_mut()) {
            reply.is_away |= reply.id == id;
        }
    }

    /// Takes requests up to the first that has to be written.
    pub(super) fn decide_requests(&mut self, out: &mut Vec<Command>) {
        let is_stopping = self.within.is_some();
        while is_stopping || (!self.adopting && self.saving.is_none()) {
            let Some((requested, until)) = self.queue.pop_front() else { return };
            let Requested { id, request, generation, wait, .. } = requested;
            let reply = Reply { id, wait, until, is_away: false };
            let name = request.name().clone();
            let current = self.generation;
            let plan = if is_stopping {
                Err(Refusal::Stopping)
            } else if generation.is_some_and(|generation| generation < current) {
                Err(Refusal::Generation { current })
            } else {
                self.plan(request)
            };
            match plan {
                Err(refusal) => reply.answer(Outcome::Refused(refusal), out),
                Ok(Plan::Nothing) => self.settle(reply, &name, out),
                Ok(Plan::Change(wanted, effect)) => {
                    let change = Change { name, wanted, effect, reply: Some(reply) };
                    self.save(Some(change), out);
                }
                Ok(Plan::Forgive) => {
                    self.services.entry(name.clone()).and_modify(Service::forgive);
                    self.settle(reply, &name, out);
                }
                Ok(Plan::Restart) => {
                    let (services, mut turn) = self.split(out);
                    if let Some(service) = services.get_mut(&name) {
                        service.restart(&mut turn);
                    }
                    self.settle(reply, &name, out);
                }
            }
        }
    }

    fn plan(&self, request: Request) -> Result<Plan, Refusal> {
        let (config, image, again) = match request {
            Request::Add { config, image } => (config, image, false),
            Request::Update { config, image } => (config, image, true),
            request => return self.plan_for(&request),
        };
        let Some(wanted) = self.wanted(&config.name) else {
            return if again {
                Err(Refusal::Unknown(config.name.clone()))
            } else {
                self.add(*config, image)
            };
        };
        let differs = wanted.current.config.change_to(&config).unwrap_or(Differs::Instances);
        let is_same_image = wanted.current.image.descriptor == image.descriptor;
        match differs {
            Differs::Nothing if wanted.current.image == image => return Ok(Plan::Nothing),
            Differs::Nothing | Differs::Settings if is_same_image => {
                self.check_room(&config)?;
                let version = Version { number: wanted.current.number, config: *config, image };
                return Ok(Plan::Change(Some(wanted.with_settings(version)), Effect::Settings));
            }
            _ => {}
        }
        let is_refused = wanted.refused.as_ref().is_some_and(|it| it.is_same(&config, &image));
        if !again && is_refused && !crux_crdt::planted!(TriesRefused) {
            return Err(Refusal::RolledBack(config.name.clone()));
        }
        self.check_room(&config)?;
        let before = if wanted.on_trial { wanted.previous.clone() } else { None };
        if before.as_ref().is_some_and(|it| it.is_same(&config, &image)) {
            // Back to what is to come back anyhow: there is nothing to try.
            return self.plan_for(&Request::Rollback(config.name.clone()));
        }
        let previous = before.or_else(|| Some(Arc::clone(&wanted.current)));
        let current = Arc::new(Version { number: self.attempted + 1, config: *config, image });
        let wanted = Wanted { previous, on_trial: true, ..Wanted::new(current, wanted.run) };
        Ok(Plan::Change(Some(wanted), Effect::Updated))
    }

    /// A request that names a service and no content.
    fn plan_for(&self, request: &Request) -> Result<Plan, Refusal> {
        let name = request.name();
        let wanted = self.wanted(name).ok_or_else(|| Refusal::Unknown(name.clone()))?;
        let run = |run| Some(Wanted { run, done: BTreeSet::new(), ..wanted.clone() });
        let is_done = self.services.get(name).is_some_and(Service::has_done);
        match request {
            Request::Rollback(_) => {
                let none = || Refusal::NoPrevious(name.clone());
                let current = wanted.previous.clone().ok_or_else(none)?;
                self.check_room(&current.config)?;
                let previous = Some(Arc::clone(&wanted.current));
                let wanted = Wanted { previous, ..Wanted::new(current, wanted.run) };
                Ok(Plan::Change(Some(wanted), Effect::Updated))
            }
            Request::Start(_) if wanted.run && !is_done => Ok(Plan::Forgive),
            Request::Start(_) => Ok(Plan::Change(run(true), Effect::Started)),
            Request::Stop(_) if !wanted.run => Ok(Plan::Nothing),
            Request::Stop(_) => Ok(Plan::Change(run(false), Effect::Nothing)),
            Request::Restart(_) if wanted.run && is_done => {
                Ok(Plan::Change(run(true), Effect::Restarted))
            }
            Request::Restart(_) if wanted.run => Ok(Plan::Restart),
            Request::Restart(_) => Err(Refusal::Stopped(name.clone())),
            Request::Remove(_) => Ok(Plan::Change(None, Effect::Nothing)),
            // Requests with a content are planned before.
            Request::Add { .. } | Request::Update { .. } => Ok(Plan::Nothing),
        }
    }

    fn add(&self, config: Config, image: Image) -> Result<Plan, Refusal> {
        let services = self.services.values().filter(|service| service.wanted.is_some());
        if services.count() >= SERVICES_MAX {
            return Err(Refusal::Services);
        }
        self.check_room(&config)?;
        let current = Arc::new(Version { number: self.attempted + 1, config, image });
        Ok(Plan::Change(Some(Wanted::new(current, true)), Effect::Added))
    }

    fn wanted(&self, name: &ServiceName) -> Option<&Wanted> {
        self.services.get(name)?.wanted.as_ref()
    }

    /// Whether the node has room for a config beside those of its other services.
    fn check_room(&self, config: &Config) -> Result<(), Refusal> {
        let others = self.services.iter().filter(|(name, _)| **name != config.name);
        let others = others.filter_map(|(_, service)| service.wanted.as_ref());
        let others: Vec<&Config> = others.map(|wanted| &wanted.current.config).collect();
        let all = || others.iter().copied().chain([config]);
        let instances: usize = all().map(|config| usize::from(config.count)).sum();
        if instances > INSTANCES_MAX {
            return Err(Refusal::Instances);
        }
        let of = |config: &Config| usize::from(config.count) * config.registered_as().len();
        if all().map(of).sum::<usize>() > REGISTRATIONS_MAX {
            return Err(Refusal::Registrations);
        }
        others.iter().try_for_each(|other| beside(config, other))
    }
}

/// Whether two services can run on one node.
fn beside(config: &Config, other: &Config) -> Result<(), Refusal> {
    let fixed = |config: &Config| -> Vec<u16> {
        config.ports.iter().filter_map(|(_, port)| port.number()).collect()
    };
    let theirs = fixed(other);
    if let Some(port) = fixed(config).into_iter().find(|port| theirs.contains(port)) {
        return Err(Refusal::PortInUse { port, by: other.name.clone() });
    }
    let keys = |config: &Config| {
        let names = config.registered_as().into_iter();
        let horde = config.horde.clone();
        names.map(move |it| (horde.clone(), it.service, it.rev))
    };
    let theirs: Vec<_> = keys(other).collect();
    match keys(config).find(|key| theirs.contains(key)) {
        Some((_, service, rev)) => {
            Err(Refusal::RegisteredTwice { service, rev, by: other.name.clone() })
        }
        None => Ok(()),
    }
}
