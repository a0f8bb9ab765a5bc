//! Durability: each change of the wanted state is on the disk before anybody acts upon it.
//!
//! **Invariant**: a request is answered, and its effect begins, only after the disk said that its
//! generation is there. One generation is written at a time, and generations only grow. A set of goals is
//! one generation, with all the services that it changes: it is there as a whole or not. Changes of the
//! engine's own (a content proved itself, or is taken back) go the same way; if the disk refuses one, it
//! holds all the same and is written later: a service is not kept down because a disk is full.

use std::collections::BTreeSet;
use std::sync::Arc;

use crux_crdt::blob::BlobId;
use crux_crdt::name::ServiceName;

use super::accepted::Accepted;
use super::answer::Reply;
use super::command::Command;
use super::desired::{Desired, Wanted};
use super::happened::{Happened, Kind};
use super::health::shortened;
use super::life::Life;
use super::request::{Fault, Outcome, Refusal};
use super::rules::{DISK_AGAIN, PROVEN};
use super::service::{GoingBack, Service, Verdict};
use super::state::State;
use crate::time::Instant;

/// A generation that is being written.
#[derive(Debug)]
pub(super) struct Saving {
    generation: u64,
    pub(super) edit: Edit,
    /// The state before was not on the disk either.
    differs: bool,
    /// The images that it names.
    images: BTreeSet<BlobId>,
}

impl Saving {
    /// The images that it names.
    pub(super) const fn images(&self) -> &BTreeSet<BlobId> {
        &self.images
    }
}

/// Everything that one generation changes; nothing: it is the same again, because it was not written before.
#[derive(Debug, Clone, Default)]
pub(super) struct Edit {
    /// Each service at most once.
    pub(super) changes: Vec<Change>,
    /// The target's part, where that changes.
    pub(super) accepted: Option<Accepted>,
    /// Goals that wait from now on, and why.
    pub(super) blocked: Vec<(ServiceName, String)>,
    /// None: the engine's own.
    pub(super) reply: Option<Reply>,
    /// The service for which the caller waits then; none: it waits for the disk alone.
    pub(super) awaits: Option<ServiceName>,
}

impl Edit {
    /// A change of the engine's own.
    fn own(change: Change) -> Self {
        Self { changes: vec![change], ..Self::default() }
    }

    /// A change that a person wants.
    pub(super) fn asked(change: Change, reply: Reply) -> Self {
        let (reply, awaits) = (Some(reply), Some(change.name.clone()));
        Self { changes: vec![change], reply, awaits, ..Self::default() }
    }
}

/// A change of what is wanted of one service.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) name: ServiceName,
    /// None: it is removed.
    pub(super) wanted: Option<Wanted>,
    pub(super) effect: Effect,
}

/// The effect of a change beside that it is wanted now.
#[derive(Debug, Clone)]
pub(super) enum Effect {
    /// The service is new.
    Added,
    /// Its instances have to be replaced.
    Updated,
    /// Its instances stay and get other settings.
    Settings,
    /// A content did not prove itself.
    Back(GoingBack),
    /// It is to run.
    Started,
    /// Its instances are quit and started again, also those that were done.
    Restarted,
    /// It is not to run, or is not wanted at all; or proved itself.
    Nothing,
}

impl State {
    /// Writes an edit.
    pub(super) fn save(&mut self, edit: Edit, out: &mut Vec<Command>) {
        self.attempted += 1;
        let generation = self.attempted;
        let wanted = self.services.iter();
        let wanted = wanted.filter_map(|(name, it)| Some((name.clone(), it.wanted.clone()?)));
        let accepted = edit.accepted.as_ref().unwrap_or(&self.accepted).clone();
        let mut desired = Desired { generation, services: wanted.collect(), accepted };
        for change in &edit.changes {
            match &change.wanted {
                Some(wanted) => desired.services.insert(change.name.clone(), wanted.clone()),
                None => desired.services.remove(&change.name),
            };
        }
        let differs = self.unsaved.take().is_some();
        let images = desired.images();
        self.saving = Some(Saving { generation, edit, differs, images });
        out.push(Command::Save(desired));
    }

    /// The disk's word.
    pub(super) fn on_saved(
        &mut self,
        generation: u64,
        result: Result<(), String>,
        out: &mut Vec<Command>,
    ) {
        let Some(saving) = self.saving.take_if(|saving| saving.generation == generation) else {
            return;
        };
        match result {
            Ok(()) => {
                self.generation = generation;
                self.durable_images = saving.images;
            }
            Err(reason) => {
                if saving.differs || saving.edit.reply.is_none() {
                    self.unsaved = Some(self.now() + DISK_AGAIN);
                }
                if let Some(reply) = saving.edit.reply {
                    return reply.answer(Outcome::Refused(Refusal::Disk(shortened(reason))), out);
                }
                if saving.edit.accepted.is_some() {
                    // Goals begin only once they are durable.
                    self.is_freed = true;
                    return;
                }
            }
        }
        self.apply(saving.edit, out);
    }

    /// An edit is durable, or holds all the same.
    pub(super) fn apply(&mut self, edit: Edit, out: &mut Vec<Command>) {
        let Edit { changes, accepted, blocked, reply, awaits } = edit;
        self.accepted = accepted.unwrap_or_else(|| std::mem::take(&mut self.accepted));
        for (name, reason) in blocked {
            let (kind, service) = (Kind::Blocked, Some(name));
            out.push(Command::Happened(Happened { kind, service, instance: None, reason }));
        }
        self.is_freed |= !changes.is_empty();
        changes.into_iter().for_each(|change| self.change(change, out));
        match (reply, awaits) {
            (Some(reply), Some(name)) => self.settle(reply, &name, out),
            (Some(reply), None) => reply.answer(Outcome::Done(Vec::new()), out),
            (None, _) => {}
        }
    }

    fn change(&mut self, change: Change, out: &mut Vec<Command>) {
        let Change { name, wanted, effect } = change;
        let before = self.services.get(&name).and_then(|service| service.to_run()).cloned();
        let (services, mut turn) = self.split(out);
        let service = services.entry(name).or_insert_with(|| Service::new(None));
        service.wanted = wanted;
        match effect {
            Effect::Added => {
                service.forgive();
                service.tell(Kind::Added, None, String::new(), &mut turn);
            }
            Effect::Updated => {
                service.forgive();
                service.updating = true;
                // It may be back to a content of which instances run, with other settings.
                if service.take_settings(turn.now) {
                    self.publish.look_again();
                }
            }
            Effect::Settings => {
                service.take_settings(turn.now);
                self.publish.look_again();
            }
            Effect::Back(GoingBack { reason, instance }) => {
                service.forgive();
                let (instance, version) = (Some(instance), before.map_or(0, |it| it.number));
                service.tell(Kind::RolledBack, instance.clone(), reason.clone(), &mut turn);
                let fault = Fault::RolledBack;
                service.verdict = Some(Verdict { version, fault, reason, instance });
                service.updating = false;
            }
            Effect::Started => service.start_again(&mut turn),
            Effect::Restarted => {
                service.start_again(&mut turn);
                service.restart(&mut turn);
            }
            Effect::Nothing => {}
        }
    }

    /// Writes what the engine itself decided, or could not write before.
    pub(super) fn save_own(&mut self, out: &mut Vec<Command>) {
        if self.saving.is_some() {
            return;
        }
        let now = self.now();
        let change = self.services.iter().find_map(|(name, service)| {
            let is_stopping = self.within.is_some();
            // While the node stops, only what has ended before.
            let change = if is_stopping { service.done_change() } else { service.own_change(now) };
            let (wanted, effect) = change?;
            Some(Change { name: name.clone(), wanted: Some(wanted), effect })
        });
        let edit = change.map(Edit::own).or_else(|| self.freed_goals());
        let is_due = |at: Instant| at <= now && self.within.is_none();
        let again = || self.unsaved.is_some_and(is_due).then(Edit::default);
        if let Some(edit) = edit.or_else(again) {
            self.save(edit, out);
        }
    }
}

impl Service {
    /// A change of the engine's own: a content did not prove itself, a program is done, or a content proved itself.
    fn own_change(&self, now: Instant) -> Option<(Wanted, Effect)> {
        let wanted = self.wanted.as_ref()?;
        if let (Some(back), Some(previous)) = (&self.going_back, &wanted.previous) {
            let refused = Some(Arc::clone(&wanted.current));
            let (owner, previous) = (wanted.owner.clone(), Arc::clone(previous));
            let wanted = Wanted { refused, ..Wanted::new(owner, previous, wanted.run) };
            return Some((wanted, Effect::Back(back.clone())));
        }
        if let Some(done) = self.done_change() {
            return Some(done);
        }
        let is_proven = |ordinal| {
            let mut lives = self.at(ordinal);
            self.is_settled(ordinal, wanted.current.number)
                && lives.all(|it| it.is_leaving() || it.up_for(now).is_some_and(|up| up >= PROVEN))
        };
        let all = || (0..wanted.current.config.count).all(is_proven);
        let proven = wanted.on_trial && wanted.run && all();
        proven.then(|| (Wanted { on_trial: false, ..wanted.clone() }, Effect::Nothing))
    }

    /// The same: programs ended well, and are not to be started again.
    fn done_change(&self) -> Option<(Wanted, Effect)> {
        let wanted = self.wanted.as_ref()?;
        let finished = self.lives.iter().filter(|life| self.is_unwritten(life));
        let mut done = wanted.done.clone();
        done.extend(finished.map(|life| life.record.ordinal));
        let is_new = done != wanted.done;
        is_new.then(|| (Wanted { done, ..wanted.clone() }, Effect::Nothing))
    }

    /// The instances of the wanted content get its settings. Whether some had others.
    fn take_settings(&mut self, now: Instant) -> bool {
        let Some(version) = self.wanted.as_ref().map(|wanted| Arc::clone(&wanted.current)) else {
            return false;
        };
        let is_behind = |life: &&mut Life| {
            life.record.version == version.number && life.version.as_ref() != Some(&version)
        };
        let mut is_taken = false;
        for life in self.lives.iter_mut().filter(is_behind) {
            life.take_settings(&version, now);
            is_taken = true;
        }
        is_taken
    }
}
