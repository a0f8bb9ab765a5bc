//! What a full replica did not take.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::{Digest, Principal};

use super::output::Merged;
use crate::time::Instant;

/// How many acts and records are remembered that were not taken, by id: 1.5 MB at most. Further ones
/// are fetched again.
const REMEMBERED_MAX: usize = 32 * 1024;
/// How long no session begins with a peer whose last one brought what there is no room for. Until
/// then gossip alone brings what known authors say.
const REST: Duration = Duration::from_secs(60);

/// What was not taken for want of room, and from whom. A replica that is full differs from others for
/// good: without this it would fetch the same again every few seconds.
#[derive(Debug, Default)]
pub(super) struct Refused {
    ids: BTreeSet<Digest>,
    resting: BTreeMap<Principal, Instant>,
}

impl Refused {
    /// Whether an act, or a record, with this id was not taken.
    pub(super) fn contains(&self, id: &Digest) -> bool {
        self.ids.contains(id)
    }

    /// What a merge did not take of what a peer has.
    pub(super) fn note(&mut self, peer: Principal, merged: Merged, now: Instant) {
        if merged.full {
            self.resting.retain(|_, until| *until > now);
            self.resting.insert(peer, now + REST);
        }
        let room = REMEMBERED_MAX.saturating_sub(self.ids.len());
        self.ids.extend(merged.refused.into_iter().take(room));
    }

    /// Whether no session is to begin with this peer yet.
    pub(super) fn is_resting(&self, peer: &Principal, now: Instant) -> bool {
        self.resting.get(peer).is_some_and(|until| *until > now)
    }

    /// There may be room again.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
