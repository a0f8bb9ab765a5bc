use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crux_crdt::Digest;
use crux_crdt::blob::{BlobId, Descriptor};
use crux_crdt::record::{
    OFFERS_MAX, Profile, Record, Registration, SLOTS_MAX, ServiceKey, Slot, slots_root,
};

use super::change::Rejection;

/// How many changes of this run are told from those of an earlier life that is found late.
const TOUCHED_MAX: usize = 4 * SLOTS_MAX;

/// What this node says of itself, unsigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// The profile.
    pub profile: Profile,
    /// The registrations by key.
    pub services: BTreeMap<ServiceKey, Registration>,
    /// The blobs that it offers.
    offers: BTreeMap<BlobId, Descriptor>,
    /// What was registered or removed since the start, as far as it is remembered.
    touched: BTreeSet<ServiceKey>,
}

impl Own {
    /// A node with this profile, and the services of its last record, if any. At incarnation 0 that
    /// one knew of no earlier life, so what it says was registered since, and `removed` was removed.
    pub fn new(profile: Profile, last: Option<&Record>, removed: BTreeSet<ServiceKey>) -> Self {
        let services = last.into_iter().flat_map(Record::registrations);
        let services: BTreeMap<_, _> =
            services.map(|service| (key_of(service), service.clone())).collect();
        let forgot = last.is_some_and(|last| last.marker().incarnation == 0);
        let mut touched = if forgot { removed } else { BTreeSet::new() };
        touched.extend(services.keys().filter(|_| forgot).cloned());
        let offers = last.into_iter().flat_map(Record::offers);
        let offers = offers.map(|offer| (offer.blob, *offer)).collect();
        Self { profile, services, offers, touched }
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
        // It may be registered in an earlier life that is not known yet.
        self.touch(key);
        if crux_crdt::planted!(RemovalForgotten) {
            return self.services.get(key).map(|_| ()).ok_or(Rejection::NotRegistered);
        }
        self.services.remove(key).map(|_| ()).ok_or(Rejection::NotRegistered)
    }

    /// Offers these blobs and no others, as many of them as may be.
    pub fn offer(&mut self, offers: &[Descriptor]) {
        self.offers = offers.iter().map(|offer| (offer.blob, *offer)).collect();
        while self.offers.len() > OFFERS_MAX {
            self.offers.pop_last();
        }
    }

    /// Whether an earlier life that is found late does not bring this one back.
    pub(super) fn is_touched(&self, key: &ServiceKey) -> bool {
        self.touched.contains(key)
    }

    fn touch(&mut self, key: &ServiceKey) {
        if self.touched.len() < TOUCHED_MAX {
            self.touched.insert(key.clone());
        }
    }

    /// The slots, by id. Where there are too many, services go before blobs, which are found without.
    pub fn slots(&self) -> BTreeMap<Digest, Arc<Slot>> {
        let services = self.services.values().cloned().map(Slot::Registration);
        let offers = self.offers.values().copied().map(Slot::Offer);
        services.chain(offers).take(SLOTS_MAX).map(|slot| (slot.id(), Arc::new(slot))).collect()
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
