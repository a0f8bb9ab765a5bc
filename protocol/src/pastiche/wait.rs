//! How far a fetch is, how long it waits, and when it is checked again.

use core::time::Duration;

use crux_crdt::blob::{PIECE_BYTES, piece_len};

use super::command::{Command, Failure, Progress};
use super::config::Config;
use super::event::Waiter;
use super::fetch::{Fetch, Stage};
use super::message::Holding;
use super::peer::Peer;
use crate::time::Instant;

/// How long others may be heard after the store refused every tree so far.
const REFUSAL_REST: Duration = Duration::from_secs(2);

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

    /// Answers those for whom no piece was verified for as long as they would wait, and all when nothing
    /// is to be hoped for.
    pub(super) fn give_up(&mut self, now: Instant, out: &mut Vec<Command>) -> Vec<Waiter> {
        let hopeless = self.hopeless(now);
        let is_over = |(since, wait): &(Instant, Duration)| now >= self.moved.max(*since) + *wait;
        let is_at_store = self.stage == Stage::Beginning || self.is_sealing();
        let over = self.waiters.iter().filter(|(_, waits)| {
            hopeless.is_some() || (!is_at_store && self.writing.is_empty() && is_over(waits))
        });
        let over: Vec<_> = over.map(|(waiter, _)| *waiter).collect();
        let why = hopeless.unwrap_or_else(|| self.why_over());
        for waiter in &over {
            self.waiters.remove(waiter);
            out.push(Command::Done { waiter: *waiter, result: Err(why.clone()) });
        }
        over
    }

    fn why_over(&self) -> Failure {
        if self.peers.values().any(|peer| peer.said.is_some()) {
            Failure::Stalled
        } else if self.claims.were_lies() {
            Failure::Lies
        } else {
            Failure::NobodyHas
        }
    }

    /// Why this node's store takes nothing of what is stated, once everybody was heard.
    fn hopeless(&self, now: Instant) -> Option<Failure> {
        if self.stage != Stage::Seeking || self.is_sealing() || !self.served().is_empty() {
            return None;
        }
        let trees = self.peers.values().filter_map(Peer::tree);
        let refused = trees.filter_map(|tree| self.trials.get(&tree)?.refused.clone()).next()?;
        let heard = self.has_heard_all() || self.refusal_due().is_some_and(|due| now >= due);
        heard.then_some(Failure::Store(refused))
    }

    /// When it is said that the store takes nothing, although somebody may hold another tree.
    fn refusal_due(&self) -> Option<Instant> {
        Some(self.first_stated? + REFUSAL_REST)
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
        let over = self.waiters.values().map(|(since, wait)| self.moved.max(*since) + *wait);
        let due = asks.chain(rests).chain(late).chain(over).chain(self.next_seek);
        let due = due.chain(self.refusal_due().filter(|_| self.stage == Stage::Seeking));
        let due = due.chain([settle, self.next_round, self.rival_deadline(now, config)]);
        due.filter(|at| *at > now).min().unwrap_or(Instant::NEVER)
    }
}
