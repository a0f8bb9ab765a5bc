//! What peers say that they hold.

use crux_crdt::Principal;
use crux_crdt::blob::{Descriptor, PieceSet};
use crux_crdt::sign::Signed;

use super::command::{Command, Report};
use super::config::Config;
use super::fetch::{Fetch, Stage};
use super::message::Holding;
use super::state::Facts;
use crate::time::Instant;

impl Fetch {
    /// Counts again what is held in parts, after peers came or went.
    pub(super) fn recount(&mut self) {
        self.counts.clear();
        let said = self.peers.values().filter_map(|peer| peer.said.as_ref());
        let followed = said.filter(|holding| Some((holding.root, holding.size)) == self.tree);
        for holding in followed.filter(|holding| !holding.pieces.is_complete()) {
            // Only where somebody sent a map of that many pieces: a size alone takes no memory.
            self.counts.resize(self.have.count() as usize, 0);
            for index in holding.pieces.iter() {
                if let Some(count) = self.counts.get_mut(index as usize) {
                    *count += 1;
                }
            }
        }
    }

    /// A peer said what it holds, what was signed about it, and whether others fetch it.
    pub(super) fn on_have(
        &mut self,
        from: Principal,
        (holding, descriptors, crowd): (Holding, Vec<Signed<Descriptor>>, bool),
        now: Instant,
        facts: &Facts<'_>,
        config: &Config,
    ) {
        let tree = (holding.root, holding.size);
        let signed = descriptors.into_iter().filter(|signed| signed.value().blob == self.blob);
        signed.filter(|s| (facts.is_member)(&s.author())).for_each(|s| self.claims.sign(s));
        self.crowd |= crowd || !holding.pieces.is_complete();
        if !self.peers.contains_key(&from) {
            return;
        }
        if self.claims.is_false(&tree) || !self.claims.state(from, tree) {
            self.on_nothing(from, now);
            return;
        }
        let Some(peer) = self.peers.get_mut(&from) else { return };
        self.first_stated.get_or_insert(now);
        let before = peer.said.take();
        peer.on_have(holding, now, config);
        self.update_counts(from, before.as_ref());
    }

    /// A peer repeated with a piece what it holds.
    pub(super) fn on_pieces(
        &mut self,
        from: Principal,
        pieces: PieceSet,
        now: Instant,
        config: &Config,
    ) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        let Some(before) = peer.said.clone() else { return };
        if pieces.count() == before.pieces.count() {
            peer.on_have(Holding { pieces, ..before.clone() }, now, config);
            self.update_counts(from, Some(&before));
        }
    }

    fn update_counts(&mut self, of: Principal, before: Option<&Holding>) {
        let now = self.peers.get(&of).and_then(|peer| peer.said.as_ref());
        let partial = |holding: &&Holding| {
            Some((holding.root, holding.size)) == self.tree && !holding.pieces.is_complete()
        };
        let (before, now) = (before.filter(partial), now.filter(partial));
        if self.counts.is_empty() || (before.is_none() && now.is_none()) {
            if now.is_some() {
                self.recount();
            }
            return;
        }
        for (index, count) in self.counts.iter_mut().enumerate() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            let had = before.is_some_and(|holding| holding.pieces.contains(index));
            let has = now.is_some_and(|holding| holding.pieces.contains(index));
            *count = count.saturating_add(has.into()).saturating_sub(had.into());
        }
    }

    /// A peer sent all of a small blob: its SHA-3 decides at once, whatever tree is followed meanwhile.
    pub(super) fn on_whole(&mut self, from: Principal, body: Vec<u8>, out: &mut Vec<Command>) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        peer.heard = true;
        peer.next_ask = Instant::NEVER;
        if self.whole_from.is_none() && self.stage != Stage::Sealing {
            self.whole_from = Some(from);
            out.push(Command::Take { blob: self.blob, body });
        }
    }

    /// What a peer sent is another blob. The others may have sent theirs meanwhile, for nothing.
    pub(super) fn on_false_whole(&mut self, from: Principal, out: &mut Vec<Command>) {
        out.push(Command::Report(Report::BadPiece { peer: from, blob: self.blob }));
        self.ban(from);
        self.ask_all_again();
    }

    /// Asks those again that were not to be asked any more.
    pub(super) fn ask_all_again(&mut self) {
        for peer in self.peers.values_mut().filter(|peer| peer.next_ask == Instant::NEVER) {
            peer.next_ask = Instant::ORIGIN;
        }
    }

    /// A peer has nothing of the blob, or not what it said.
    pub(super) fn on_nothing(&mut self, from: Principal, now: Instant) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        let before = peer.said.take();
        peer.on_nothing(now);
        self.update_counts(from, before.as_ref());
    }
}
