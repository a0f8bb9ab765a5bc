//! How far a fetch is, how long it waits, and when it is to be looked at again.

use crux_crdt::blob::{PIECE_BYTES, piece_len};

use super::command::{Command, Failure, Progress};
use super::config::Config;
use super::event::Waiter;
use super::fetch::{Fetch, Stage};
use super::message::Holding;
use super::peer::Peer;
use crate::time::Instant;

impl Fetch {
    /// Whether anybody is known to have a piece that is missing.
    pub(super) fn is_supplied(&self) -> bool {
        let holds_news = |holding: &Holding| {
            Some((holding.root, holding.size)) == self.tree
                && (holding.pieces.is_complete()
                    || self.have.missing().any(|index| holding.pieces.contains(index)))
        };
        match self.stage {
            Stage::Seeking => false,
            Stage::Beginning | Stage::Sealing => true,
            Stage::Moving => {
                !self.asked.is_empty()
                    || !self.writing.is_empty()
                    || self.peers.values().filter_map(|p| p.said.as_ref()).any(holds_news)
            }
        }
    }

    /// Tells those who waited long enough for somebody to have it.
    pub(super) fn give_up(
        &mut self,
        now: Instant,
        config: &Config,
        out: &mut Vec<Command>,
    ) -> Vec<Waiter> {
        let promised = self.stage == Stage::Moving && now >= self.moved + config.patience;
        if self.is_supplied() && !promised {
            self.lonely = None;
            return Vec::new();
        }
        let since = *self.lonely.get_or_insert(now);
        let over = self.waiters.iter().filter(|(_, wait)| now >= since + **wait);
        let over: Vec<_> = over.map(|(waiter, _)| *waiter).collect();
        let why = if self.claims.were_lies() { Failure::Lies } else { Failure::NobodyHas };
        for waiter in &over {
            self.waiters.remove(waiter);
            out.push(Command::Done { waiter: *waiter, result: Err(why.clone()) });
        }
        over
    }

    /// How far it is.
    pub(super) fn progress(&self) -> Progress {
        let size = self.tree.map_or(0, |(_, size)| size);
        let last = self.have.count().saturating_sub(1);
        let short = if self.have.contains(last) { PIECE_BYTES - piece_len(size, last) } else { 0 };
        let providers = self.peers.values().filter(|peer| peer.in_flight > 0).count();
        let held = u64::from(self.have.held()) * PIECE_BYTES - short;
        Progress { blob: self.blob, size, held, providers }
    }

    /// When something is due that no event brings. What is due already waits for an event.
    pub(super) fn deadline(&self, now: Instant, config: &Config) -> Instant {
        let settle = match (self.stage, self.first_stated) {
            (Stage::Seeking, Some(first)) => first + config.settle,
            _ => Instant::NEVER,
        };
        let asks = self.peers.values().filter(|peer| !peer.asking).map(|peer| peer.next_ask);
        let rests = self.peers.values().map(Peer::rests_until);
        let late = self.asked.values().map(|asked| self.late_at(asked));
        let shortest = self.waiters.values().min();
        let lonely = self.lonely.and_then(|since| shortest.map(|wait| since + *wait));
        let patience =
            if self.stage == Stage::Moving { self.moved + config.patience } else { Instant::NEVER };
        let due = asks.chain(rests).chain(late).chain(lonely).chain(self.next_seek);
        let due = due.chain([settle, self.next_round, patience]);
        due.filter(|at| *at > now).min().unwrap_or(Instant::NEVER)
    }
}
