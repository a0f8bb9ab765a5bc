//! What this node has told the flock's index (Kademlia) that it has: the long tail.
//!
//! **Invariants**
//!
//! * At most [`PROVIDED_MAX`] blobs are stated, and at most [`Config::provides_max`] at a time: one
//!   statement is a search and a message to each of the 20 nearest members.
//! * A blob is stated anew every [`Config::provide_period`], before the others forget it; sooner when
//!   the flock grew to twice what it was, since others are nearest then.
//! * Nothing is stated while nobody is linked: it would be told to nobody, and count as told.
//!
//! **Which blobs**, when there are too many. Those that somebody said are to stay come first; of the
//! others, those whose ids are nearest to this node's own key. That choice is the same at every look,
//! so that nothing is stated and withdrawn in turns, and another one on each node, so that nodes that
//! have the same blobs state different ones.
//!
//! Background: Maymounkov and Mazières, "Kademlia", 2002.

use core::array;
use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::Principal;
use crux_crdt::blob::BlobId;

use super::command::Command;
use super::config::Config;
use crate::link::PROVIDED_MAX;
use crate::time::Instant;

/// What is stated of one blob.
#[derive(Debug, Clone, Copy)]
struct Stated {
    /// When it is stated anew.
    due: Instant,
    /// How many were linked when it was stated last.
    among: usize,
}

/// The long tail of one node.
#[derive(Debug, Default)]
pub(super) struct Provide {
    blobs: BTreeMap<BlobId, Stated>,
    under_way: BTreeSet<BlobId>,
    /// Until when nothing is due, while so many are linked: there may be a thousand to look at, with
    /// each event of the mover.
    quiet: Option<(Instant, usize)>,
}

impl Provide {
    /// These blobs are here and not offered in the strew; `kept` are to stay.
    pub(super) fn on_stored(
        &mut self,
        me: &Principal,
        kept: Vec<BlobId>,
        others: Vec<BlobId>,
        out: &mut Vec<Command>,
    ) {
        self.quiet = None;
        let distance = |blob: &BlobId| -> [u8; 32] { array::from_fn(|at| blob.0[at] ^ me.0[at]) };
        let by_distance = |mut blobs: Vec<BlobId>| {
            blobs.sort_unstable_by_key(distance);
            blobs
        };
        let first = by_distance(kept).into_iter().chain(by_distance(others));
        let chosen: BTreeSet<_> = first.take(PROVIDED_MAX).collect();
        for (blob, _) in self.blobs.extract_if(.., |blob, _| !chosen.contains(blob)) {
            out.push(Command::Withdraw { blob });
        }
        for blob in chosen {
            self.blobs.entry(blob).or_insert(Stated { due: Instant::ORIGIN, among: 0 });
        }
    }

    /// The nearest members were told, or not.
    pub(super) fn on_provided(
        &mut self,
        blob: BlobId,
        told: bool,
        now: Instant,
        linked: usize,
        config: &Config,
    ) {
        self.quiet = None;
        self.under_way.remove(&blob);
        if let Some(stated) = self.blobs.get_mut(&blob) {
            let rest = if told { config.provide_period } else { config.provide_retry };
            *stated = Stated { due: now + rest, among: linked };
        }
    }

    /// States what is due.
    pub(super) fn pump(
        &mut self,
        now: Instant,
        linked: usize,
        config: &Config,
        out: &mut Vec<Command>,
    ) {
        let free = config.provides_max.saturating_sub(self.under_way.len());
        let is_quiet = self.quiet.is_some_and(|(until, among)| among == linked && now < until);
        if linked == 0 || free == 0 || is_quiet {
            return;
        }
        let due = self.blobs.iter().filter(|(blob, stated)| {
            let grown = linked >= stated.among * 2;
            (grown || stated.due <= now) && !self.under_way.contains(*blob)
        });
        let due: Vec<_> = due.map(|(blob, _)| *blob).take(free).collect();
        self.quiet = (due.len() < free).then(|| (self.next_due(now), linked));
        for blob in due {
            self.under_way.insert(blob);
            out.push(Command::Provide { blob });
        }
    }

    fn next_due(&self, now: Instant) -> Instant {
        let due = self.blobs.values().map(|stated| stated.due);
        due.filter(|due| *due > now).min().unwrap_or(Instant::NEVER)
    }

    /// When [`Provide::pump`] has something to do that no event brings. While nobody is linked or all
    /// places are taken, there is nothing.
    pub(super) fn deadline(&self, now: Instant) -> Instant {
        let until = self.quiet.map(|(until, _)| until);
        until.filter(|until| *until > now).unwrap_or(Instant::NEVER)
    }
}
