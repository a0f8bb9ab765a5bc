//! Incoming connections in their handshake, and which of them goes when another one comes.
//!
//! Anybody can open connections and say nothing, or begin a handshake and stop. A connection that
//! comes is never refused for them; one that gets nowhere is closed for it:
//!
//! ```text
//!   from a stranger's address?  of that address as many as may be  ─▶ one of that address goes
//!            │                  of its network                     ─▶ one of its largest address
//!            │                  of all strangers' addresses        ─▶ one of the largest address
//!            ▼
//!   of all as many as may be ─▶ one of the address that has most
//! ```
//!
//! The connection that comes counts for its address.
//!
//! Of those that could go, the one that was silent longest goes, if it had the time to say something;
//! else the one that advanced longest ago. Advancing takes a whole message, and only so often.
//!
//! **Invariants.** There are at most [`Limits::pending_max`] pending connections, of one address that
//! is no member's at most [`Limits::pending_per_address_max`], of such addresses in one network at
//! most [`Limits::pending_per_network_max`], and all of those leave
//! [`Limits::pending_kept`] for members' addresses. A connection whose handshake goes on keeps its
//! place until as many others came, or advanced, since it did: silence and slowness of others,
//! from its own address too, cannot keep it out.
//!
//! Connections that come again as soon as they are closed would turn all of it over faster than a handshake takes. While
//! [`Lobby::is_full`], the door therefore rests before it takes in the next connection, so that each pending one has at
//! least as many rests as there are others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use libp2p::swarm::ConnectionId;
use tokio::time::Instant;

use super::super::Limits;
use super::super::door::Handshake;
use super::group::{Familiar, Group};

/// After this time a connection on which no byte came is idle: whoever means it sends the first byte
/// in the same breath as it connects.
const QUIET: Duration = Duration::from_millis(100);

#[derive(Debug)]
struct Pending {
    from: Group,
    handshake: Arc<Handshake>,
}

/// All pending connections.
#[derive(Debug, Default)]
pub(crate) struct Lobby {
    pending: BTreeMap<ConnectionId, Pending>,
}

impl Lobby {
    /// Takes in a connection. Returns where those came from that were closed to make room for it; `None`
    /// if there is no room to make.
    pub(crate) fn enter(
        &mut self,
        id: ConnectionId,
        from: Group,
        handshake: Arc<Handshake>,
        familiar: &Familiar,
        limits: &Limits,
        now: Instant,
    ) -> Option<Vec<Group>> {
        let mut closed = Vec::new();
        let stranger = |group: Group| !familiar.contains(&group);
        if stranger(from) {
            let share = limits.pending_max.saturating_sub(limits.pending_kept);
            let max = limits.pending_per_address_max;
            closed.extend(self.make_room(from, max, |group| group == from, now)?);
            let network = |group: Group| group.network() == from.network() && stranger(group);
            closed.extend(self.make_room(from, limits.pending_per_network_max, network, now)?);
            closed.extend(self.make_room(from, share, stranger, now)?);
        }
        closed.extend(self.make_room(from, limits.pending_max, |_| true, now)?);
        self.pending.insert(id, Pending { from, handshake });
        Some(closed)
    }

    /// Whether one of whatever address goes when another one comes.
    pub(crate) fn is_full(&self, limits: &Limits) -> bool {
        self.pending.len() >= limits.pending_max
    }

    /// Forgets a connection that is made or closed.
    pub(crate) fn leave(&mut self, id: ConnectionId) {
        self.pending.remove(&id);
    }

    /// Closes one connection, to have its descriptor back. Returns where it came from.
    pub(crate) fn relieve(&mut self, now: Instant) -> Option<Group> {
        self.close_one(None, |_| true, now)
    }

    /// Closes one connection of some addresses if they have so many and another one comes. `None` if none
    /// is there to close.
    fn make_room(
        &mut self,
        comes: Group,
        max: usize,
        of: impl Fn(Group) -> bool,
        now: Instant,
    ) -> Option<Option<Group>> {
        if self.held(&of).values().sum::<usize>() < max {
            return Some(None);
        }
        self.close_one(Some(comes), of, now).map(Some)
    }

    /// How many places each of some addresses holds.
    fn held(&self, of: impl Fn(Group) -> bool) -> BTreeMap<Group, usize> {
        let mut held = BTreeMap::new();
        for pending in self.pending.values().filter(|pending| of(pending.from)) {
            *held.entry(pending.from).or_default() += 1;
        }
        held
    }

    fn close_one(
        &mut self,
        comes: Option<Group>,
        of: impl Fn(Group) -> bool,
        now: Instant,
    ) -> Option<Group> {
        let mut held = self.held(of);
        comes.into_iter().for_each(|from| *held.entry(from).or_default() += 1);
        let most = held.values().max()?;
        let goes = |pending: &&Pending| held.get(&pending.from) == Some(most);
        let candidates = self.pending.iter().filter(|(_, pending)| goes(pending));
        let last = |pending: &Pending| {
            let progress = pending.handshake.progress();
            let quiet = !progress.heard && now.duration_since(progress.advanced) >= QUIET;
            (!quiet, progress.advanced)
        };
        let (id, _) = candidates.min_by_key(|(id, pending)| (last(pending), **id))?;
        let gone = self.pending.remove(&{ *id })?;
        gone.handshake.make_room();
        Some(gone.from)
    }
}

#[cfg(test)]
mod lobby_test;
