//! Requests: refused, answered at once, or made a change that is written first. People change their own services; of
//! those that the target placed they have one started again, and change nothing. Goals are in `enact`.

use std::collections::BTreeSet;
use std::sync::Arc;

use crux_crdt::name::ServiceName;
use crux_crdt::service::{Change as Differs, Config};

use super::answer::Reply;
use super::command::Command;
use super::desired::{Image, Version, Wanted};
use super::id::RequestId;
use super::owner::Owner;
use super::request::{Outcome, Refusal, Request, Requested};
use super::room::Room;
use super::rules::QUEUE_MAX;
use super::save::{Change, Edit, Effect};
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
        let reply = self.saving.as_mut().and_then(|saving| saving.edit.reply.as_mut());
        if let Some(reply) = reply {
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
            let current = self.generation;
            let refusal = if is_stopping {
                Some(Refusal::Stopping)
            } else if generation.is_some_and(|generation| generation < current) {
                Some(Refusal::Generation { current })
            } else {
                None
            };
            match (refusal, request) {
                (Some(refusal), _) => reply.answer(Outcome::Refused(refusal), out),
                (None, Request::Goals(goals)) => self.decide_goals(&goals, reply, out),
                (None, request) => self.decide(request, reply, out),
            }
        }
    }

    /// Takes a request about one service.
    fn decide(&mut self, request: Request, reply: Reply, out: &mut Vec<Command>) {
        // Goals alone have no name.
        let Some(name) = request.name().cloned() else { return };
        match self.plan(&name, request) {
            Err(refusal) => reply.answer(Outcome::Refused(refusal), out),
            Ok(Plan::Nothing) => self.settle(reply, &name, out),
            Ok(Plan::Change(wanted, effect)) => {
                let change = Change { name, wanted, effect };
                self.save(Edit::asked(change, reply), out);
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

    fn plan(&self, name: &ServiceName, request: Request) -> Result<Plan, Refusal> {
        let is_of_target = self.wanted(name).is_some_and(|wanted| wanted.owner.is_target());
        let only_starts = matches!(request, Request::Start(_) | Request::Restart(_));
        if is_of_target && !only_starts {
            return Err(Refusal::OfTarget(name.clone()));
        }
        let (config, image, again) = match request {
            Request::Add { config, image } => (config, image, false),
            Request::Update { config, image } => (config, image, true),
            request => return self.plan_for(name, &request),
        };
        let Some(wanted) = self.wanted(name) else {
            return if again {
                Err(Refusal::Unknown(name.clone()))
            } else {
                self.add(*config, image)
            };
        };
        let differs = wanted.current.config.change_to(&config).unwrap_or(Differs::Instances);
        let is_same_image = wanted.current.image.descriptor == image.descriptor;
        match differs {
            Differs::Nothing if wanted.current.image == image => return Ok(Plan::Nothing),
            Differs::Nothing | Differs::Settings if is_same_image => {
                self.others_of(name).takes(&config, false)?;
                let current = &wanted.current;
                let version = Version { config: *config, image, ..Version::clone(current) };
                return Ok(Plan::Change(Some(wanted.with_settings(version)), Effect::Settings));
            }
            _ => {}
        }
        let is_refused = wanted.refused.as_ref().is_some_and(|it| it.is_same(&config, &image));
        if !again && is_refused && !crux_crdt::planted!(TriesRefused) {
            return Err(Refusal::RolledBack(name.clone()));
        }
        self.others_of(name).takes(&config, false)?;
        let before = if wanted.on_trial { wanted.previous.clone() } else { None };
        if before.as_ref().is_some_and(|it| it.is_same(&config, &image)) {
            // Back to what is to come back anyhow: there is nothing to try.
            return self.plan_for(name, &Request::Rollback(name.clone()));
        }
        let previous = before.or_else(|| Some(Arc::clone(&wanted.current)));
        let current = self.version(*config, image);
        let new = Wanted::new(Owner::Person, current, wanted.run);
        let wanted = Wanted { previous, on_trial: true, ..new };
        Ok(Plan::Change(Some(wanted), Effect::Updated))
    }

    /// A request that names a service and no content.
    fn plan_for(&self, name: &ServiceName, request: &Request) -> Result<Plan, Refusal> {
        let wanted = self.wanted(name).ok_or_else(|| Refusal::Unknown(name.clone()))?;
        let run = |run| Some(Wanted { run, done: BTreeSet::new(), ..wanted.clone() });
        let is_done = self.services.get(name).is_some_and(Service::has_done);
        match request {
            Request::Rollback(_) => {
                let none = || Refusal::NoPrevious(name.clone());
                let current = wanted.previous.clone().ok_or_else(none)?;
                self.others_of(name).takes(&current.config, false)?;
                let previous = Some(Arc::clone(&wanted.current));
                let new = Wanted::new(Owner::Person, current, wanted.run);
                let wanted = Wanted { previous, ..new };
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
            // Requests with a content, and goals, are planned before.
            Request::Add { .. } | Request::Update { .. } | Request::Goals(_) => Ok(Plan::Nothing),
        }
    }

    fn add(&self, config: Config, image: Image) -> Result<Plan, Refusal> {
        self.others_of(&config.name).takes(&config, true)?;
        let wanted = Wanted::new(Owner::Person, self.version(config, image), true);
        Ok(Plan::Change(Some(wanted), Effect::Added))
    }

    /// A content that a person brings, with the next number.
    fn version(&self, config: Config, image: Image) -> Arc<Version> {
        Arc::new(Version { number: self.attempted + 1, config, image, spec: None })
    }

    pub(super) fn wanted(&self, name: &ServiceName) -> Option<&Wanted> {
        self.services.get(name)?.wanted.as_ref()
    }

    /// The node's other services.
    fn others_of(&self, name: &ServiceName) -> Room {
        let others = self.services.iter().filter(|(other, _)| *other != name);
        let others = others.filter_map(|(_, service)| service.wanted.as_ref());
        Room::with(others.map(|wanted| Arc::clone(&wanted.current)))
    }
}
