use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crux_crdt::Digest;
use crux_crdt::record::{Profile, Record, Registration, SLOTS_MAX, Slot, slots_root};

use super::change::{Rejection, ServiceKey};

/// How many changes of this run are told from those of an earlier life that is found late.
const TOUCHED_MAX: usize = 4 * SLOTS_MAX;

/// What this node says of itself, unsigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// The profile.
    pub profile: Profile,
    /// The registrations by key.
    pub services: BTreeMap<ServiceKey, Registration>,
    /// What was registered or removed since the start, as far as it is remembered.
    touched: BTreeSet<ServiceKey>,
}

impl Own {
    /// A node with this profile, and the services of its last record, if any.
    pub fn new(profile: Profile, last: Option<&Record>) -> Self {
        let services = last.into_iter().flat_map(Record::registrations);
        let services = services.map(|service| (key_of(service), service.clone())).collect();
        Self { profile, services, touched: BTreeSet::new() }
    }

    /// Takes over the claim and the services of a record of an earlier life. What was registered or
    /// removed since this start stays as it is.
    pub fn take_over(&mut self, record: &Record) {
        let touched = &self.touched;
        self.services.retain(|key, _| touched.contains(key));
        for registration in record.registrations() {
            let key = key_of(registration);
            if !touched.contains(&key) && self.services.len() < SLOTS_MAX {
                self.services.insert(key, registration.clone());
            }
        }
        self.profile.claim = self.profile.claim.max(record.profile().claim);
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
        self.touch(&key);
        self.services.insert(key, registration);
        Ok(())
    }

    /// Removes a registration.
    ///
    /// # Errors
    /// [`Rejection::NotRegistered`].
    pub fn deregister(&mut self, key: &ServiceKey) -> Result<(), Rejection> {
        self.services.remove(key).ok_or(Rejection::NotRegistered)?;
        self.touch(key);
        Ok(())
    }

    fn touch(&mut self, key: &ServiceKey) {
        if self.touched.len() < TOUCHED_MAX {
            self.touched.insert(key.clone());
        }
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
