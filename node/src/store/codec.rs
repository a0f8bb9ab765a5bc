//! What a record looks like in the tables: header envelope ‖ profile ‖ slot ids, the ids ascending.
//! The bodies are in a table of their own. One that is stripped, because its author departed, has no ids and
//! ends in one more byte, so that no lost list is taken for it. What was removed: a version, then the keys, ascending.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crux_crdt::act::Act;
use crux_crdt::canon::{Canonical, DecodeError, Decoder, Encoder};
use crux_crdt::record::{
    Header, Marker, Profile, Record, Registration, SLOTS_MAX, ServiceKey, Slot, SlotKind as _,
};
use crux_crdt::sign::{OpenError, Signed, Verifier};
use crux_crdt::{Digest, Principal};

use super::error::Failure;

/// Ends a stripped record.
const STRIPPED: u8 = 1;
/// The version of what was removed.
const REMOVED_VERSION: u8 = 2;
/// How many keys that may have. Further ones are not kept: who removes so many before it meets anybody has
/// little of an earlier life left.
pub(super) const REMOVED_MAX: usize = 4 * Registration::ROW.most;

/// A record without the bodies of its slots.
#[derive(Debug)]
pub(super) struct StoredRecord {
    pub(super) header: Signed<Header>,
    pub(super) profile: Profile,
    pub(super) slots: Vec<Digest>,
    /// Whether its slots were left out.
    pub(super) stripped: bool,
}

impl StoredRecord {
    /// The bytes of a record.
    pub(super) fn seal(record: &Record) -> Vec<u8> {
        let mut out = Encoder::default();
        record.header().seal(&mut out);
        record.profile().encode(&mut out);
        out.count(record.slots().len());
        record.slots().keys().for_each(|id| _ = out.digest(id));
        if record.is_stripped() {
            out.u8(STRIPPED);
        }
        out.finish()
    }

    /// Verifies and decodes the record of `author`.
    pub(super) fn open(
        author: &Principal,
        bytes: &[u8],
        flock: &Digest,
        verifier: &dyn Verifier,
    ) -> Result<Self, Failure> {
        let damaged = |what: &dyn std::fmt::Display| {
            Failure::damaged(format_args!("the record of {}: {what}", author.short()))
        };
        let mut input = Decoder::new(bytes);
        let header = Signed::<Header>::open(&mut input, flock, verifier);
        let header = header.map_err(|err| damaged(&err))?;
        if header.author() != *author {
            return Err(damaged(&"another author wrote it"));
        }
        let mut rest = || {
            let profile = Profile::decode(&mut input)?;
            let count = input.count(SLOTS_MAX, "slots")?;
            let slots: Vec<_> =
                (0..count).map(|_| input.digest("slot id")).collect::<Result<_, _>>()?;
            Ok((profile, slots))
        };
        let (profile, slots) = rest().map_err(|err: DecodeError| damaged(&err))?;
        let stripped = slots.is_empty() && input.remaining() > 0;
        if stripped {
            input.version("end of a record", STRIPPED).map_err(|err| damaged(&err))?;
        }
        input.finish().map_err(|err| damaged(&err))?;
        Ok(Self { header, profile, slots, stripped })
    }

    /// The marker as merging orders it.
    pub(super) fn total(&self) -> (Marker, Digest) {
        self.header.value().marker.total(self.header.id())
    }

    /// Puts the record together with its bodies; that they are those the header covers is checked.
    pub(super) fn complete(
        self,
        body: impl Fn(&Digest) -> Result<Slot, Failure>,
    ) -> Result<Record, Failure> {
        let author = self.header.author();
        let damaged =
            |err| Failure::damaged(format_args!("the record of {}: {err}", author.short()));
        if self.stripped {
            return Record::new_stripped(self.header, self.profile).map_err(damaged);
        }
        let mut slots = BTreeMap::new();
        for id in self.slots {
            slots.insert(id, Arc::new(body(&id)?));
        }
        Record::new(self.header, self.profile, slots).map_err(damaged)
    }
}

/// Verifies and decodes the act under `id`.
pub(super) fn open_act(
    id: &Digest,
    bytes: &[u8],
    flock: &Digest,
    verifier: &dyn Verifier,
) -> Result<Signed<Act>, Failure> {
    let mut input = Decoder::new(bytes);
    let opened = Signed::<Act>::open(&mut input, flock, verifier);
    let opened = opened.and_then(|act| {
        input.finish().map_err(OpenError::Envelope)?;
        Ok(act)
    });
    match opened {
        Ok(act) if act.id() == *id => Ok(act),
        Ok(_) => Err(Failure::damaged(format_args!("the act {}: it is another one", id.short()))),
        Err(err) => Err(Failure::damaged(format_args!("the act {}: {err}", id.short()))),
    }
}

/// Passes every signature. Only for comparing with what this process verified when it opened the
/// database or before it wrote it.
#[derive(Debug)]
pub(super) struct Trusting;

impl Verifier for Trusting {
    fn verify(&self, _: &Principal, _: &[u8], _: &[u8; 64]) -> bool {
        true
    }
}

/// The bytes of what was removed.
pub(super) fn seal_removed(removed: &BTreeSet<ServiceKey>) -> Vec<u8> {
    let mut out = Encoder::default();
    out.u8(REMOVED_VERSION).count(removed.len());
    removed.iter().for_each(|key| key.encode(&mut out));
    out.finish()
}

/// Decodes what was removed.
pub(super) fn open_removed(bytes: &[u8]) -> Result<BTreeSet<ServiceKey>, Failure> {
    let mut input = Decoder::new(bytes);
    let all = || {
        input.version("removals", REMOVED_VERSION)?;
        let count = input.count(REMOVED_MAX, "removals")?;
        let keys = (0..count).map(|_| ServiceKey::decode(&mut input));
        let keys = keys.collect::<Result<_, DecodeError>>()?;
        input.finish().map(|()| keys)
    };
    all().map_err(|err| Failure::damaged(format_args!("what was removed: {err}")))
}
