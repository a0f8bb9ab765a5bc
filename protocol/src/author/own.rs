use std::collections::BTreeMap;
use std::sync::Arc;

use crux_crdt::Digest;
use crux_crdt::record::{Profile, Record, Registration, SLOTS_MAX, Slot, slots_root};

use super::change::{Rejection, ServiceKey};

/// What this node says of itself, unsigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// The profile.
    pub profile: Profile,
    /// The registrations by key.
    pub services: BTreeMap<ServiceKey, Registration>,
}

impl Own {
    /// A node with this profile, and the services of its last record, if any.
    pub fn new(profile: Profile, last: Option<&Record>) -> Self {
        let mut own = Self { profile, services: BTreeMap::new() };
        if let Some(last) = last {
            own.take_services(last);
        }
        own
    }

    /// Adds the services of a record, except where there is one with that key.
    pub fn take_services(&mut self, record: &Record) {
        for registration in record.registrations() {
            self.services.entry(key_of(registration)).or_insert_with(|| registration.clone());
        }
    }

    /// Registers a service. One with its key keeps its instance name and gets the new rest.
    ///
    /// # Errors
    /// [`Rejection::TooManyRegistrations`].
    pub fn register(&mut self, mut registration: Registration) -> Result<(), Rejection> {
        let key = key_of(&registration);
        match self.services.get(&key) {
            Some(old) => registration.instance.clone_from(&old.instance),
            None if self.services.len() >= SLOTS_MAX => {
                return Err(Rejection::TooManyRegistrations(SLOTS_MAX));
            }
            None => {}
        }
        self.services.insert(key, registration);
        Ok(())
    }

    /// Removes a registration.
    ///
    /// # Errors
    /// [`Rejection::NotRegistered`].
    pub fn deregister(&mut self, key: &ServiceKey) -> Result<(), Rejection> {
        self.services.remove(key).map(|_| ()).ok_or(Rejection::NotRegistered)
    }

    /// The slots, by id.
    pub fn slots(&self) -> BTreeMap<Digest, Arc<Slot>> {
        self.services
            .values()
            .map(|registration| Slot::Registration(registration.clone()))
            .map(|slot| (slot.id(), Arc::new(slot)))
            .collect()
    }

    /// Whether a record says exactly this.
    pub fn is_said_by(&self, record: &Record) -> bool {
        *record.profile() == self.profile
            && record.header().value().slots_root == slots_root(self.slots().keys())
    }
}

fn key_of(registration: &Registration) -> ServiceKey {
    let (horde, service, rev) = registration.key();
    (horde.clone(), service.clone(), rev.clone())
}
