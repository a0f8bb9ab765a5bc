use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crux_crdt::Digest;
use crux_crdt::record::{
    KindFull, Profile, Record, Registration, ServiceKey, Slot, SlotKind as _, SlotSet, Yields,
    mixed_plan, slots_root,
};

use super::change::Rejection;
use crate::liveness::BootNonce;

/// How many registrations a node has.
const SERVICES_MAX: usize = Registration::ROW.most;
/// How many changes of this run are told from those of an earlier life that is found late. Registrations are
/// always among them: of removals the oldest are forgotten first.
const TOUCHED_MAX: usize = 4 * SERVICES_MAX;

/// What this node says of itself, unsigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// The profile.
    pub profile: Profile,
    /// The registrations by key.
    pub services: BTreeMap<ServiceKey, Registration>,
    /// The slots of kinds that parts of the node own, by the number of the kind. Each is within the bound of
    /// its kind, so that all of them and the registrations fit a record.
    sets: BTreeMap<u8, SlotSet>,
    /// What was registered or removed since the start, and when, in changes: every registration that is
    /// there still, and the last removals.
    touched: BTreeMap<ServiceKey, u64>,
    /// The changes since the start.
    changes: u64,
    /// Whether the disk held nothing of an earlier life that knew what it said.
    bare: bool,
}

impl Own {
    /// A node with this profile, and the services of its last record, if any. At incarnation 0 that
    /// one knew of no earlier life, so what it says was registered since, and `removed` was removed.
    pub fn new(profile: Profile, last: Option<&Record>, removed: BTreeSet<ServiceKey>) -> Self {
        let services = last.into_iter().flat_map(Record::registrations);
        let services: BTreeMap<_, _> =
            services.map(|service| (service.key.clone(), service.clone())).collect();
        let forgot = last.is_some_and(|last| last.marker().incarnation == 0);
        let bare = last.is_none() || forgot;
        let removed = removed.into_iter().chain(services.keys().cloned()).filter(|_| forgot);
        let touched = removed.map(|key| (key, 0)).collect();
        let sets = last.into_iter().flat_map(SlotSet::all_of);
        let sets = sets.filter(|_| !crux_crdt::planted!(HealthForgotten));
        let sets = sets.map(|set| (set.row().number, set)).collect();
        Self { profile, services, sets, touched, changes: 0, bare }
    }

    /// Takes over the claim and the services of a record of an earlier life. What was registered or
    /// removed since this start stays as it is.
    ///
    /// Of another run that stopped for this one ([`Yields`]), which knew no more of their common past than
    /// this one does, only what it added is taken over, and nothing goes.
    pub fn take_over(&mut self, record: &Record) {
        if self.adds_only(record) {
            let all = self.added_by(record).into_iter();
            all.filter(|(_, taken)| *taken)
                .for_each(|(added, _)| _ = self.services.insert(added.key.clone(), added));
            return;
        }
        let touched = &self.touched;
        self.services.retain(|key, _| touched.contains_key(key));
        for registration in record.registrations() {
            let key = &registration.key;
            if !touched.contains_key(key) && self.services.len() < SERVICES_MAX {
                self.services.insert(key.clone(), registration.clone());
            }
        }
        self.profile.claim = self.profile.claim.max(record.profile().claim);
    }

    fn adds_only(&self, record: &Record) -> bool {
        record.profile().yields.is_some() && !self.bare
    }

    /// What a run that stopped for this one had added and this one does not say, and whether it is taken over:
    /// not where this run registered or removed the same since its start, and not where there are too many.
    pub fn added_by(&self, record: &Record) -> Vec<(Registration, bool)> {
        let Some(yields) = &record.profile().yields else { return Vec::new() };
        let mut room = SERVICES_MAX.saturating_sub(self.services.len());
        let slots = record.slots().iter().filter(|(id, _)| yields.added(id));
        let added = slots.filter_map(|(_, slot)| Registration::of(slot).cloned());
        added
            .filter(|added| self.services.get(&added.key) != Some(added))
            .map(|added| {
                let replaces = self.services.contains_key(&added.key);
                let taken = !self.touched.contains_key(&added.key) && (replaces || room > 0);
                room -= usize::from(taken && !replaces);
                (added, taken)
            })
            .collect()
    }

    /// Names in the profile the run that goes on, and what this one added.
    pub(super) fn yield_to(&mut self, to: BootNonce) {
        let since = self.added().map(|added| added.clone().into_slot().id());
        let since = since.filter_map(|id| id.0.first_chunk().copied()).collect();
        self.profile.yields = Some(Yields { to, since });
    }

    /// The registrations that this run added or renewed.
    pub fn added(&self) -> impl Iterator<Item = &Registration> {
        self.services.iter().filter(|(key, _)| self.touched.contains_key(*key)).map(|(_, it)| it)
    }

    /// The registrations of earlier runs, which this one left as they are.
    pub fn inherited(&self) -> impl Iterator<Item = &Registration> {
        self.services.iter().filter(|(key, _)| !self.touched.contains_key(*key)).map(|(_, it)| it)
    }

    /// What this run or that record registers, and nobody does any more once this run took that over. What
    /// this run removed itself is not among it.
    pub fn lost_by_taking(&self, record: &Record) -> BTreeSet<ServiceKey> {
        let mut after = self.clone();
        after.take_over(record);
        let all = self.services.values().chain(record.registrations()).map(|it| it.key.clone());
        let removed =
            |key: &ServiceKey| self.touched.contains_key(key) && !self.services.contains_key(key);
        all.filter(|key| !after.services.contains_key(key) && !removed(key)).collect()
    }

    /// What this run removed, and what it tried to remove.
    pub fn removed(&self) -> impl Iterator<Item = &ServiceKey> {
        self.touched.keys().filter(|key| !self.services.contains_key(*key))
    }

    /// Registers a service. One with its key keeps its instance name and gets the new rest.
    ///
    /// # Errors
    /// [`Rejection::Full`], [`Rejection::Slot`].
    pub fn register(&mut self, mut registration: Registration) -> Result<(), Rejection> {
        check(&registration.clone().into_slot())?;
        match self.services.get(&registration.key) {
            Some(old) => registration.instance.clone_from(&old.instance),
            None if self.services.len() >= SERVICES_MAX => {
                return Err(KindFull::of(Registration::ROW).into());
            }
            None => {}
        }
        self.touch(&registration.key);
        self.services.insert(registration.key.clone(), registration);
        Ok(())
    }

    /// Removes a registration.
    ///
    /// # Errors
    /// [`Rejection::NotRegistered`].
    pub fn deregister(&mut self, key: &ServiceKey) -> Result<(), Rejection> {
        // It may be registered in an earlier life that is not known yet.
        self.touch(key);
        if crux_crdt::planted!(RemovalForgotten) {
            return self.services.get(key).map(|_| ()).ok_or(Rejection::NotRegistered);
        }
        self.services.remove(key).map(|_| ()).ok_or(Rejection::NotRegistered)
    }

    /// Says these slots of their kind and no others.
    ///
    /// # Errors
    /// [`Rejection::Slot`].
    pub fn set(&mut self, set: SlotSet) -> Result<(), Rejection> {
        set.slots().try_for_each(check)?;
        let set = mixed_plan(self.sets.get(&set.row().number), set);
        self.sets.insert(set.row().number, set);
        Ok(())
    }

    /// Whether an earlier life that is found late does not bring this one back.
    pub(super) fn is_touched(&self, key: &ServiceKey) -> bool {
        self.touched.contains_key(key)
    }

    fn touch(&mut self, key: &ServiceKey) {
        self.changes += 1;
        self.touched.insert(key.clone(), self.changes);
        while self.touched.len() > TOUCHED_MAX {
            let gone = self
                .touched
                .iter()
                .filter(|(it, _)| !self.services.contains_key(*it) && *it != key);
            let Some(oldest) = gone.min_by_key(|(_, at)| **at).map(|(it, _)| it.clone()) else {
                break;
            };
            self.touched.remove(&oldest);
        }
    }

    /// The slots, by id.
    pub fn slots(&self) -> BTreeMap<Digest, Arc<Slot>> {
        let services = self.services.values().map(|service| service.clone().into_slot());
        let sets = self.sets.values().flat_map(SlotSet::slots).cloned();
        services.chain(sets).map(|slot| (slot.id(), Arc::new(slot))).collect()
    }

    /// Whether a record says exactly this.
    pub fn is_said_by(&self, record: &Record) -> bool {
        *record.profile() == self.profile
            && record.header().value().slots_root == slots_root(self.slots().keys())
    }
}

/// A slot that others cannot read would hide all that this node says.
fn check(slot: &Slot) -> Result<(), Rejection> {
    let name = slot.row().map_or("slots", |row| row.name);
    if slot.is_within_bounds() { Ok(()) } else { Err(Rejection::Slot(name)) }
}
