//! Sets of goals: what the target wants of this node, made one change.
//!
//! ```text
//!   goal                     the node has                       so
//!   Run, Had                 nothing of that name               add it
//!                            the same content                   new settings, or nothing
//!                            another content of the target      update it, on trial
//!                            that content, and it was refused   nothing, unless the target document is a later one
//!                            a person's service                 blocked
//!                            no port, or no room for it         blocked; what the target has there stays
//!   Keep                     anything                           nothing
//!   not in the set           a service of the target            stop it in order, and forget it
//! ```
//!
//! A set is level, not edge: the same set again changes nothing, and what an earlier one wanted does not matter. All of
//! it is one edit, which is written as one generation before anything of it begins (`save`); so a crash finds the last
//! set as a whole, and a picket that is alone starts from it.
//!
//! **Invariants**
//!
//! 1. The order of the accepted set never decreases: by the target document first, then by the pass. An older set
//!    changes nothing, not even what it shares with the accepted one.
//! 2. A set touches no service of a person: it neither changes, nor stops, nor replaces one. A service that is in the
//!    way of a goal stays, and the goal waits.
//! 3. After a set was accepted, each service of the target is in it.
//! 4. Nothing of the target that stays as it is makes way for another goal of the set: room is given to what stays first,
//!    then to what changes, then to what is new, each by name.
//!
//! A goal that waits is taken up when something in its way is gone, by an edit of the engine's own. That one, too, is
//! durable before it has any effect: other than the way back of a content, it may wait for a disk that is full.

use std::collections::BTreeMap;
use std::sync::Arc;

use crux_crdt::name::ServiceName;
use crux_crdt::service::{Change as Differs, SpecTag};

use super::accepted::Accepted;
use super::answer::Reply;
use super::batches::Batches;
use super::command::Command;
use super::desired::{Version, Wanted};
use super::goals::{Assigned, Goal, Goals};
use super::order::Order;
use super::owner::Owner;
use super::request::{Outcome, Refusal};
use super::room::Room;
use super::save::{Change, Edit, Effect};
use super::service::Service;
use super::state::State;

/// The effect of a goal on what the node has.
enum Step {
    /// It stays as it is.
    Stays,
    /// The goal waits.
    Waits(Assigned, Refusal),
    /// This is wanted from now on, if there is room; else the goal waits.
    Becomes(Box<Wanted>, Effect, Assigned),
}

impl Step {
    /// The order in which room is given away: invariant 4.
    const fn rank(&self, is_there: bool) -> u8 {
        match self {
            Self::Stays | Self::Waits(..) => 0,
            Self::Becomes(..) if is_there => 1,
            Self::Becomes(..) => 2,
        }
    }
}

impl State {
    /// The proctor hands in a set.
    pub(super) fn decide_goals(&mut self, goals: &Goals, reply: Reply, out: &mut Vec<Command>) {
        let order = goals.order();
        let held = self.accepted.order.filter(|held| order < *held);
        if let Some(held) = held.filter(|_| !crux_crdt::planted!(OlderGoals)) {
            let refusal = Refusal::OldOrder { held: Box::new(held) };
            return reply.answer(Outcome::Refused(refusal), out);
        }
        let Some(edit) = self.edit_of(order, goals.services()) else {
            return reply.answer(Outcome::Done(Vec::new()), out);
        };
        if crux_crdt::planted!(EnactsUnsaved) {
            self.apply(edit.clone(), out);
        }
        self.save(Edit { reply: Some(reply), ..edit }, out);
    }

    /// An edit that takes up goals which waited, if something in their way is gone.
    pub(super) fn freed_goals(&mut self) -> Option<Edit> {
        let waits_for_disk = self.unsaved.is_some_and(|at| at > self.now());
        let order = self.accepted.order.filter(|_| self.within.is_none() && !waits_for_disk)?;
        if !std::mem::take(&mut self.is_freed) || self.accepted.blocked.is_empty() {
            return None;
        }
        let of_target = self.of_target().map(|(name, _)| name);
        let names = of_target.chain(self.accepted.blocked.keys());
        let goals = names.map(|name| (name.clone(), Goal::Keep)).collect();
        self.edit_of(order, &goals)
    }

    /// Everything that a set changes; none: nothing.
    fn edit_of(&self, order: Order, goals: &BTreeMap<ServiceName, Goal>) -> Option<Edit> {
        let steps = goals.iter().map(|(name, goal)| (name.clone(), self.step(name, goal, order)));
        let mut steps: Vec<(ServiceName, Step)> = steps.collect();
        steps.sort_by_key(|(name, step)| step.rank(self.placed(name).is_some()));
        let mut set = Set { room: self.room_of_people(), ..Set::default() };
        set.changes = self.ended(goals);
        for (name, step) in steps {
            let now = self.placed(&name).map(|wanted| Arc::clone(&wanted.current));
            set.take(name, step, now);
        }
        let is_new = |(name, _): &&(ServiceName, String)| !self.accepted.blocked.contains_key(name);
        let reasons = set.reasons.iter().filter(is_new).cloned().collect();
        let accepted = Accepted { order: Some(order), blocked: set.blocked };
        let is_edit = accepted != self.accepted || !set.changes.is_empty();
        let (changes, accepted) = (set.changes, Some(accepted));
        is_edit.then(|| Edit { changes, accepted, blocked: reasons, ..Edit::default() })
    }

    /// The services that the target placed.
    fn of_target(&self) -> impl Iterator<Item = (&ServiceName, &Wanted)> {
        self.all_wanted().filter(|(_, wanted)| wanted.owner.is_target())
    }

    /// The target's service of that name.
    fn placed(&self, name: &ServiceName) -> Option<&Wanted> {
        self.wanted(name).filter(|wanted| wanted.owner.is_target())
    }

    /// Those of the target that are not in the set.
    fn ended(&self, goals: &BTreeMap<ServiceName, Goal>) -> Vec<Change> {
        let is_ended =
            |name: &ServiceName| !goals.contains_key(name) && !crux_crdt::planted!(UnnamedStays);
        let ended = self.of_target().filter(|(name, _)| is_ended(name));
        let end = |name: &ServiceName| {
            let (name, effect) = (name.clone(), Effect::Nothing);
            Change { name, wanted: None, effect }
        };
        ended.map(|(name, _)| end(name)).collect()
    }

    /// The room that services of people leave.
    fn room_of_people(&self) -> Room {
        let people = self.all_wanted().filter(|(_, wanted)| !wanted.owner.is_target());
        Room::with(people.map(|(_, wanted)| Arc::clone(&wanted.current)))
    }

    fn step(&self, name: &ServiceName, goal: &Goal, order: Order) -> Step {
        let goal = match goal {
            Goal::Run(goal) => Some(Assigned::clone(goal)),
            Goal::Had { spec, batches } => {
                let wanted = self.placed(name);
                wanted.and_then(|wanted| wanted.had(*spec)?.assigned(batches.clone()))
            }
            Goal::Keep => self.accepted.blocked.get(name).cloned(),
        };
        let Some(goal) = goal else { return Step::Stays };
        if self.is_of_person(name) && !crux_crdt::planted!(TakesOver) {
            return Step::Waits(goal, Refusal::OfPerson(name.clone()));
        }
        let is_later = self.accepted.order.is_none_or(|held| held.target < order.target);
        let number = self.attempted + 1;
        match self.placed(name) {
            Some(now) => {
                let serves = self.services.get(name).is_some_and(Service::is_up);
                now.toward(goal, number, (is_later, serves))
            }
            None => {
                let new = Wanted::new(goal.owner(), Arc::new(goal.version(number)), true);
                Step::Becomes(Box::new(new), Effect::Added, goal)
            }
        }
    }

    /// Whether a person has a service of that name, or something of one that was removed still runs.
    fn is_of_person(&self, name: &ServiceName) -> bool {
        let Some(service) = self.services.get(name) else { return false };
        match &service.wanted {
            Some(wanted) => !wanted.owner.is_target(),
            None => service.lives.iter().any(|life| life.record.placed.is_none()),
        }
    }
}

/// A set on its way to an edit.
#[derive(Default)]
struct Set {
    room: Room,
    changes: Vec<Change>,
    blocked: BTreeMap<ServiceName, Assigned>,
    reasons: Vec<(ServiceName, String)>,
}

impl Set {
    /// Takes in the next goal. `now`: what the target has there.
    fn take(&mut self, name: ServiceName, step: Step, now: Option<Arc<Version>>) {
        match step {
            Step::Stays => self.room.add(now),
            Step::Waits(goal, why) => self.wait(name, goal, &why),
            Step::Becomes(wanted, effect, goal) => {
                let room = self.room.takes(&wanted.current.config, now.is_none());
                if let Err(why) = room {
                    self.room.add(now);
                    return self.wait(name, goal, &why);
                }
                self.room.add(Some(Arc::clone(&wanted.current)));
                self.changes.push(Change { name, wanted: Some(*wanted), effect });
            }
        }
    }

    fn wait(&mut self, name: ServiceName, goal: Assigned, why: &Refusal) {
        self.reasons.push((name.clone(), why.to_string()));
        self.blocked.insert(name, goal);
    }
}

impl Assigned {
    /// The owner of the service that runs it.
    fn owner(&self) -> Owner {
        Owner::Target { spec: self.spec(), batches: self.batches().clone() }
    }

    /// Its content, with that number.
    fn version(&self, number: u64) -> Version {
        let (config, image) = (self.config().clone(), self.image().clone());
        Version { number, config, image, spec: Some(self.spec()) }
    }

    /// Whether instances of a content can stay for it.
    fn keeps(&self, version: &Version) -> bool {
        let differs = version.config.change_to(self.config()).unwrap_or(Differs::Instances);
        differs <= Differs::Settings && version.image.descriptor == self.image().descriptor
    }
}

impl Wanted {
    /// The step from a service of the target to another goal. `is_later`: it is of a later target document. `serves`: every
    /// instance of the current content is up, and nothing of the one before is left.
    fn toward(&self, goal: Assigned, number: u64, (is_later, serves): (bool, bool)) -> Step {
        let is_refused = self.refused.as_ref().is_some_and(|it| it.spec == Some(goal.spec()));
        let owner = goal.owner();
        let (next, effect) = if goal.keeps(&self.current) {
            let settings = self.with_settings(goal.version(self.current.number));
            let is_same = settings.current == self.current;
            let effect = if is_same { Effect::Nothing } else { Effect::Settings };
            (Self { owner, ..settings }, effect)
        } else if is_refused && !is_later {
            (Self { owner, ..self.clone() }, Effect::Nothing)
        } else {
            (self.updated(&goal, number, serves), Effect::Updated)
        };
        if next == *self { Step::Stays } else { Step::Becomes(Box::new(next), effect, goal) }
    }

    /// With another content: on trial, or back to what is to come back anyhow. If it does not prove itself, the current one
    /// comes back if that serves, although it is on trial: the leader rolled it out before, and an older one is not
    /// wanted anywhere. A current one that does not serve was never good.
    fn updated(&self, goal: &Assigned, number: u64, serves: bool) -> Self {
        let before = self.previous.as_ref().filter(|_| self.on_trial);
        if let Some(before) = before.filter(|before| goal.keeps(before)) {
            let current = Arc::new(goal.version(before.number));
            let previous = Some(Arc::clone(&self.current));
            return Self { previous, ..Self::new(goal.owner(), current, true) };
        }
        let back = before.filter(|_| !serves).unwrap_or(&self.current);
        let previous = Some(Arc::clone(back));
        let current = Arc::new(goal.version(number));
        Self { previous, on_trial: true, ..Self::new(goal.owner(), current, true) }
    }

    /// The content of a version, if it is here to be run.
    fn had(&self, spec: SpecTag) -> Option<&Version> {
        let mut versions = [Some(&self.current), self.previous.as_ref()].into_iter().flatten();
        versions.find(|version| version.spec == Some(spec)).map(|version| &**version)
    }
}

impl Version {
    /// The same for that many instances.
    fn assigned(&self, batches: Batches) -> Option<Assigned> {
        Assigned::new(&self.config, self.image.clone(), batches)
    }
}
