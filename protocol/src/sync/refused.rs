//! What was not taken, so that it is not fetched again in each session.
//!
//! **Invariant**: at most [`REMEMBERED_MAX`] refused facts are remembered. When there are more, the smallest is
//! forgotten. So what a session fetches in vain is smaller than all that is remembered: tiny ones never push out
//! the large ones.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::{Digest, Principal};

use super::output::Merged;
use crate::time::Instant;

/// How many facts are remembered that were not taken, by the value in their set: 5 MB at most. Of further ones the
/// smallest are fetched again.
const REMEMBERED_MAX: usize = 32 * 1024;
/// How long no session begins with a peer whose last one brought what there is no room for. Until
/// then gossip alone brings what known authors say.
const REST: Duration = Duration::from_secs(60);
/// How many facts of authors that are not members are remembered: 0.5 MB at most.
const STRANGERS_MAX: usize = 8 * 1024;

/// What was not taken for want of room, and from whom. A replica that is full differs from others for
/// good: without this it would fetch the same again every few seconds.
#[derive(Debug, Default)]
pub(super) struct Refused {
    sizes: BTreeMap<Digest, usize>,
    by_size: BTreeSet<(usize, Digest)>,
    /// Facts of authors that are not members yet, and until when they are not fetched.
    strangers: BTreeSet<Digest>,
    strangers_until: Instant,
    resting: BTreeMap<Principal, Instant>,
}

impl Refused {
    /// Whether the fact with this value in its set was not taken.
    pub(super) fn contains(&self, value: &Digest) -> bool {
        self.sizes.contains_key(value) || self.strangers.contains(value)
    }

    /// What a merge did not take of what a peer has; `values`: of the keys, in their set there.
    pub(super) fn note(
        &mut self,
        peer: Principal,
        merged: Merged,
        values: &BTreeMap<Digest, Digest>,
        now: Instant,
    ) {
        let value = |key: Digest| values.get(&key).copied().unwrap_or(key);
        if merged.full {
            self.resting.retain(|_, until| *until > now);
            self.resting.insert(peer, now + REST);
        }
        for (key, bytes) in merged.refused {
            self.remember(value(key), bytes);
        }
        self.expire(now);
        if self.strangers.is_empty() {
            self.strangers_until = now + REST;
        }
        let room = STRANGERS_MAX.saturating_sub(self.strangers.len());
        self.strangers.extend(merged.strangers.into_iter().take(room).map(value));
    }

    fn remember(&mut self, id: Digest, bytes: usize) {
        if let Some(before) = self.sizes.insert(id, bytes) {
            self.by_size.remove(&(before, id));
        }
        self.by_size.insert((bytes, id));
        if self.sizes.len() > REMEMBERED_MAX
            && let Some((_, smallest)) = self.by_size.pop_first()
        {
            self.sizes.remove(&smallest);
        }
    }

    /// Whether no session is to begin with this peer yet.
    pub(super) fn is_resting(&self, peer: &Principal, now: Instant) -> bool {
        self.resting.get(peer).is_some_and(|until| *until > now)
    }

    /// Forgets what strangers said a while ago.
    pub(super) fn expire(&mut self, now: Instant) {
        if self.strangers_until <= now {
            self.strangers.clear();
        }
    }

    /// Strangers may be members now.
    pub(super) fn forget_strangers(&mut self) {
        self.strangers.clear();
    }

    /// There may be room again.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> Digest {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&number.to_be_bytes());
        Digest(id)
    }

    #[test]
    fn tiny_acts_push_out_no_large_ones() {
        let mut refused = Refused::default();
        let note = |refused: &mut Refused, acts: Vec<(Digest, usize)>| {
            let merged = Merged { refused: acts, ..Merged::default() };
            refused.note(Principal([1; 32]), merged, &BTreeMap::new(), Instant::ORIGIN);
        };
        let most = u32::try_from(REMEMBERED_MAX).unwrap();
        // Tiny ones come first, and again afterwards.
        note(&mut refused, (0..most).map(|n| (id(n), 42)).collect());
        let large = || (0..128).map(|n| (id(most + n), 128 * 1024));
        note(&mut refused, large().collect());
        note(&mut refused, (0..most).map(|n| (id(2 * most + n), 42)).collect());
        assert!(large().all(|(id, _)| refused.contains(&id)));
        assert_eq!(refused.sizes.len(), REMEMBERED_MAX);
        assert_eq!(refused.by_size.len(), REMEMBERED_MAX);
    }

    #[test]
    fn acts_of_strangers_are_forgotten_soon() {
        let mut refused = Refused::default();
        let note = |refused: &mut Refused, now| {
            let merged = Merged { strangers: (0..20_000).map(id).collect(), ..Merged::default() };
            refused.note(Principal([1; 32]), merged, &BTreeMap::new(), now);
        };
        note(&mut refused, Instant::ORIGIN);
        assert!(refused.contains(&id(1)));
        assert_eq!(refused.strangers.len(), STRANGERS_MAX);
        refused.expire(Instant::ORIGIN + REST);
        assert!(!refused.contains(&id(1)));
        note(&mut refused, Instant::ORIGIN + REST);
        assert!(refused.contains(&id(1)));
        refused.forget_strangers();
        assert!(!refused.contains(&id(1)));
    }
}
