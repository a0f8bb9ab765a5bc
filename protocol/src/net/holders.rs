//! What members told this node of who has which blob: the store behind Kademlia.
//!
//! **Invariants**
//!
//! * A member puts in itself and nobody else: libp2p drops what names another than its sender.
//! * There are at most [`HOLDERS_MAX`] entries, at most [`PROVIDED_PER_MEMBER_MAX`] of one member, and
//!   at most [`HOLDERS_PER_BLOB_MAX`] of one blob. So who lies crowds out nobody but itself, except
//!   that many liars may fill one blob; the others are then found by asking around.
//! * What ran out is told to nobody. It goes when its blob is touched, or when room is needed.
//!
//! Values are not kept: Crux stores none in Kademlia.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::iter::{Empty, empty};
use std::time::Instant;

use crux_crdt::Principal;
use crux_crdt::blob::BlobId;
use libp2p::PeerId;
use libp2p::kad::store::{Error, RecordStore, Result};
use libp2p::kad::{ProviderRecord, Record, RecordKey};

use super::identity::{peer_of, principal_of};
use super::limits::{HOLDERS_MAX, HOLDERS_PER_BLOB_MAX, PROVIDED_PER_MEMBER_MAX};

/// Somebody who has a blob, and until when that is believed; none: it is this node.
#[derive(Debug, Clone, Copy)]
struct Holder {
    who: Principal,
    until: Option<Instant>,
}

impl Holder {
    fn counts(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}

/// The holders of each blob, as far as this node was told.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    blobs: BTreeMap<BlobId, Vec<Holder>>,
    /// How many entries each has, those included that ran out.
    load: BTreeMap<Principal, usize>,
    total: usize,
}

/// The key by which Kademlia knows a blob.
pub(super) fn key_of(blob: &BlobId) -> RecordKey {
    RecordKey::new(&blob.0)
}

/// The blob of a key, if it is one's.
pub(super) fn blob_of(key: &RecordKey) -> Option<BlobId> {
    Some(BlobId(key.as_ref().try_into().ok()?))
}

/// The time by which Kademlia says when something runs out.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Holders {
    fn add(&mut self, blob: BlobId, holder: Holder, now: Instant) -> Result<()> {
        self.forget(blob, |known| known.who == holder.who || !known.counts(now));
        let full = |holders: &Self| {
            holders.total >= HOLDERS_MAX
                || holders.load.get(&holder.who).is_some_and(|n| *n >= PROVIDED_PER_MEMBER_MAX)
        };
        if full(self) {
            self.forget_old(now);
        }
        let holders = self.blobs.get(&blob).map_or(0, Vec::len);
        if full(self) || holders >= HOLDERS_PER_BLOB_MAX {
            return Err(Error::MaxProvidedKeys);
        }
        self.blobs.entry(blob).or_default().push(holder);
        *self.load.entry(holder.who).or_default() += 1;
        self.total += 1;
        Ok(())
    }

    fn forget(&mut self, blob: BlobId, whom: impl Fn(&Holder) -> bool) {
        let Some(holders) = self.blobs.get_mut(&blob) else { return };
        for gone in holders.extract_if(.., |holder| whom(holder)) {
            self.total = self.total.saturating_sub(1);
            if let Some(load) = self.load.get_mut(&gone.who) {
                *load = load.saturating_sub(1);
            }
        }
        if holders.is_empty() {
            self.blobs.remove(&blob);
        }
        self.load.retain(|_, load| *load > 0);
    }

    fn forget_old(&mut self, now: Instant) {
        let old = |holders: &Vec<Holder>| holders.iter().any(|holder| !holder.counts(now));
        let blobs: Vec<_> =
            self.blobs.iter().filter(|(_, holders)| old(holders)).map(|(blob, _)| *blob).collect();
        blobs.into_iter().for_each(|blob| self.forget(blob, |holder| !holder.counts(now)));
    }
}

impl RecordStore for Holders {
    type RecordsIter<'a> = Empty<Cow<'a, Record>>;
    // Only for republishing, which the engine does.
    type ProvidedIter<'a> = Empty<Cow<'a, ProviderRecord>>;

    fn get(&self, _: &RecordKey) -> Option<Cow<'_, Record>> {
        None
    }

    fn put(&mut self, _: Record) -> Result<()> {
        Err(Error::MaxRecords)
    }

    fn remove(&mut self, _: &RecordKey) {}

    fn records(&self) -> Self::RecordsIter<'_> {
        empty()
    }

    fn add_provider(&mut self, record: ProviderRecord) -> Result<()> {
        let (blob, who) = (blob_of(&record.key), principal_of(&record.provider));
        let (Some(blob), Some(who)) = (blob, who) else { return Err(Error::ValueTooLarge) };
        // Where a member is reached its own record says.
        self.add(blob, Holder { who, until: record.expires }, now())
    }

    fn providers(&self, key: &RecordKey) -> Vec<ProviderRecord> {
        let holders = blob_of(key).and_then(|blob| self.blobs.get(&blob));
        let of = |holder: &Holder| ProviderRecord {
            key: key.clone(),
            provider: peer_of(&holder.who),
            expires: holder.until,
            addresses: Vec::new(),
        };
        holders.into_iter().flatten().map(of).collect()
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        empty()
    }

    fn remove_provider(&mut self, key: &RecordKey, provider: &PeerId) {
        if let (Some(blob), Some(who)) = (blob_of(key), principal_of(provider)) {
            self.forget(blob, |holder| holder.who == who);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn blob(number: usize) -> BlobId {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        BlobId(id)
    }

    fn holder(who: u8, until: Option<Instant>) -> Holder {
        Holder { who: Principal([who; 32]), until }
    }

    #[test]
    fn a_liar_fills_its_own_share_only() {
        let (mut holders, now) = (Holders::default(), now());
        let until = Some(now + Duration::from_secs(9));
        for number in 0..PROVIDED_PER_MEMBER_MAX {
            holders.add(blob(number), holder(1, until), now).unwrap();
        }
        assert!(holders.add(blob(PROVIDED_PER_MEMBER_MAX), holder(1, until), now).is_err());
        holders.add(blob(0), holder(1, until), now).expect("what it said already");
        holders.add(blob(0), holder(2, until), now).expect("another one has room");
        assert_eq!(holders.total, PROVIDED_PER_MEMBER_MAX + 1);
    }

    #[test]
    fn one_blob_has_only_so_many_holders() {
        let (mut holders, now) = (Holders::default(), now());
        let added =
            (0..=u8::MAX).filter(|who| holders.add(blob(1), holder(*who, None), now).is_ok());
        assert_eq!(added.count(), HOLDERS_PER_BLOB_MAX);
        assert_eq!(holders.providers(&key_of(&blob(1))).len(), HOLDERS_PER_BLOB_MAX);
    }

    #[test]
    fn what_ran_out_makes_room() {
        let (mut holders, now) = (Holders::default(), now());
        let until = Some(now + Duration::from_secs(9));
        for number in 0..PROVIDED_PER_MEMBER_MAX {
            holders.add(blob(number), holder(1, until), now).unwrap();
        }
        let later = now + Duration::from_secs(10);
        holders.add(blob(PROVIDED_PER_MEMBER_MAX), holder(1, None), later).expect("room");
        assert_eq!((holders.total, holders.blobs.len()), (1, 1));
    }

    #[test]
    fn a_key_that_is_no_blob_is_refused() {
        let mut holders = Holders::default();
        let peer = peer_of(&Principal([1; 32]));
        let record = ProviderRecord::new(RecordKey::new(&[1; 31]), peer, Vec::new());
        assert!(holders.add_provider(record).is_err());
        assert_eq!(holders.total, 0);
    }

    #[test]
    fn all_members_together_have_so_many_entries_and_no_more() {
        let mut holders = Holders::default();
        let provide = |holders: &mut Holders, who: u8, number: usize| {
            let mut key = blob(number);
            key.0[31] = who;
            let peer = peer_of(&Principal([who; 32]));
            let mut record = ProviderRecord::new(key_of(&key), peer, Vec::new());
            record.expires = Some(now() + Duration::from_secs(3600));
            holders.add_provider(record)
        };
        let members = u8::try_from(HOLDERS_MAX / PROVIDED_PER_MEMBER_MAX).unwrap();
        for who in 1..=members {
            for number in 0..PROVIDED_PER_MEMBER_MAX {
                provide(&mut holders, who, number).unwrap();
            }
        }
        let last = members + 1;
        let rest = HOLDERS_MAX % PROVIDED_PER_MEMBER_MAX;
        (0..rest).for_each(|number| provide(&mut holders, last, number).unwrap());
        assert_eq!(holders.total, HOLDERS_MAX);
        assert!(provide(&mut holders, last, rest).is_err());
        assert_eq!(holders.blobs.values().map(Vec::len).sum::<usize>(), HOLDERS_MAX);
        provide(&mut holders, 1, 0).expect("what is known already takes no room");
        let mut key = blob(0);
        key.0[31] = 1;
        holders.remove_provider(&key_of(&key), &peer_of(&Principal([1; 32])));
        provide(&mut holders, last, rest).expect("there is room");
    }
}
