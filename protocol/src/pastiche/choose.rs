//! Which piece is asked for next, and of whom.

use core::time::Duration;

use crux_crdt::Principal;

use super::config::Config;
use super::fetch::{Asked, Fetch, Stage};
use super::peer::Peer;
use crate::time::Instant;

/// How many missing pieces are compared to find the rarest: bounds the work for large blobs.
const SCAN_MAX: usize = 2048;
/// How many pieces may be missing for it to be the end game.
const END_GAME_MAX: usize = 4;
/// In the end game a piece is asked for again after this many times what its provider needs, but
/// not before [`END_GAME_MIN`].
const END_GAME_PATIENCE: u32 = 2;
const END_GAME_MIN: Duration = Duration::from_millis(20);

impl Fetch {
    /// What to ask for next, and of whom.
    pub(super) fn choose(&mut self, now: Instant, config: &Config) -> Option<(u32, Principal)> {
        if self.stage != Stage::Moving || self.is_paused(now) {
            return None;
        }
        let roomy = self.roomy(now, config);
        if roomy.is_empty() {
            return None;
        }
        self.new_piece(&roomy).or_else(|| self.late_piece(now))
    }

    /// Remembers a request for a piece.
    pub(super) fn note_asked(
        &mut self,
        index: u32,
        copy: (crate::link::RequestId, Principal, Instant),
        config: &Config,
    ) {
        let (_, peer, now) = copy;
        if let Some(overdue) = self.asked.get(&index).filter(|asked| asked.deadline <= now) {
            for (_, slow, _) in &overdue.copies {
                self.peers.get_mut(slow).into_iter().for_each(Peer::on_stall);
            }
        }
        let Some(peer) = self.peers.get_mut(&peer) else { return };
        peer.on_asked(now);
        let deadline = now + config.stall_min.max(peer.latency * 4);
        let asked = self.asked.entry(index).or_insert(Asked { copies: Vec::new(), deadline: now });
        asked.copies.push(copy);
        asked.deadline = deadline;
    }

    /// Providers that take another request. Not more than a few have any in flight, those that sent
    /// nothing for too long not counted.
    fn roomy(&self, now: Instant, config: &Config) -> Vec<Principal> {
        let active = self
            .peers
            .values()
            .filter(|peer| peer.in_flight > 0 && self.serves(peer) && !peer.is_barren(now));
        let active = active.count();
        let more = active < config.providers_max;
        let roomy = self.peers.iter().filter(|(_, peer)| {
            peer.has_room(now) && (more || peer.in_flight > 0) && self.serves(peer)
        });
        roomy.map(|(principal, _)| *principal).collect()
    }

    fn serves(&self, peer: &Peer) -> bool {
        self.tree.is_some() && peer.tree() == self.tree
    }

    /// A piece that nobody was asked for: the rarest that one of these has; while there is only one
    /// source, the first, so that the SHA-3 can follow behind.
    fn new_piece(&mut self, roomy: &[Principal]) -> Option<(u32, Principal)> {
        while self.cursor < self.have.count() && !self.is_open(self.cursor) {
            self.cursor += 1;
        }
        let open = (self.cursor..self.have.count()).filter(|index| self.is_open(*index));
        let of = |index: u32| self.provider_of(index, roomy.iter().copied());
        if !self.crowd {
            let mut open = open.take(SCAN_MAX);
            return open.find_map(|index| of(index).map(|peer| (index, peer)));
        }
        let served = open.take(SCAN_MAX).filter(|index| of(*index).is_some());
        let rarest = served.min_by_key(|index| {
            (self.counts.get(*index as usize).copied().unwrap_or(0), self.order(*index))
        })?;
        of(rarest).map(|peer| (rarest, peer))
    }

    fn is_open(&self, index: u32) -> bool {
        !self.have.contains(index)
            && !self.asked.contains_key(&index)
            && !self.writing.contains_key(&index)
    }

    /// Which of these is asked for a piece: one that holds a part, to spare the ones that hold all;
    /// then the one with the least to do.
    fn provider_of(&self, index: u32, of: impl Iterator<Item = Principal>) -> Option<Principal> {
        let holders = of.filter_map(|principal| {
            let peer = self.peers.get(&principal)?;
            let pieces = &peer.said.as_ref()?.pieces;
            let load = (pieces.is_complete(), peer.in_flight, peer.latency);
            pieces.contains(index).then_some((load, principal))
        });
        holders.min().map(|(_, principal)| principal)
    }

    /// A piece that takes too long, or one of the last, and another who has it.
    fn late_piece(&self, now: Instant) -> Option<(u32, Principal)> {
        let late = self.asked.iter().filter(|(_, asked)| self.late_at(asked) <= now);
        late.filter_map(|(index, asked)| {
            let idle = |principal: &Principal| {
                self.peers.get(principal).is_some_and(|peer| {
                    peer.in_flight == 0 && peer.rests_until() <= now && self.serves(peer)
                })
            };
            let asked_already =
                |principal: &Principal| asked.copies.iter().any(|(_, peer, _)| peer == principal);
            let others = self.peers.keys().filter(|p| idle(p) && !asked_already(p));
            self.provider_of(*index, others.copied()).map(|peer| (*index, peer))
        })
        .next()
    }

    /// When somebody else is asked for a piece too.
    pub(super) fn late_at(&self, asked: &Asked) -> Instant {
        let missing = (self.have.count() - self.have.held()) as usize;
        match asked.copies[..] {
            [(_, peer, at)] if missing <= END_GAME_MAX => {
                let latency = self.peers.get(&peer).map_or(Duration::ZERO, |peer| peer.latency);
                at + (latency * END_GAME_PATIENCE).max(END_GAME_MIN)
            }
            [_] => asked.deadline,
            _ => Instant::NEVER,
        }
    }

    /// A place in this fetch's own order of pieces.
    const fn order(&self, index: u32) -> u64 {
        mix(self.seed ^ (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
pub(super) const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
