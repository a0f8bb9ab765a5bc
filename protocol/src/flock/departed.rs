//! What a disk keeps of members that departed.
//!
//! A member that lies can retire one that is down. The slots of a departed author leave the memory at once,
//! since they count for nothing and to forget must make room. On the disk they may be the last copies of what
//! `register --sync` promised, so there they stay for a day. An author that is back, and may have lost its
//! disk, is *handed back* its last record when it is linked: it takes that over as it does whatever an earlier life
//! said, and goes on above it and above the retirement ([`super::past`]).
//!
//! **Invariants**
//! * Nothing that another member says takes from this disk within a day what a third one said. At once go only
//!   what its author replaced, what its author left behind when it left, and what this node's own
//!   operator forgets, be it retired already.
//! * What is kept takes at most [`Config::replica_max`](super::Config::replica_max) bytes, counted as the
//!   replica counts. Over that the largest goes first: of n members each keeps an nth of it, however many keys a
//!   liar retires to make room.
//!
//! The day is one of this run, by the clock that drives the engine: a wall clock may be set, and orders
//! nothing. A start begins it anew for what it finds. That keeps for too long at worst, never too short, and
//! the bound on the bytes holds all the same.
//!
//! It protects against a lie and a lost disk, not for ever and not everywhere: a member that joined after the
//! retirement never had the record, and an author that meets only such ones goes on without.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crux_crdt::Principal;
use crux_crdt::act::Statement;
use crux_crdt::canon::Encoder;
use crux_crdt::record::Record;
use crux_crdt::strew::DepartureKind;

use super::command::Command;
use super::state::{Route, State};
use crate::author::{Change, Commit, Origin};
use crate::frame::RecordFrame;
use crate::link::Protocol;
use crate::sync::Request;
use crate::time::Instant;

/// How long the record of a member that others retired stays on the disk.
const KEEP_FOR: Duration = Duration::from_secs(24 * 3600);
/// How often a member is handed back its record at most: each time costs a read of the disk.
const HAND_BACK_REST: Duration = Duration::from_secs(60);

/// One of them.
#[derive(Debug, Clone, Copy)]
struct Kept {
    until: Instant,
    bytes: usize,
    /// When it may be handed back again.
    hand_back_at: Instant,
}

/// The departed members whose records are whole on the disk. See the module for the invariants.
#[derive(Debug, Default)]
pub(super) struct Departed {
    kept: BTreeMap<Principal, Kept>,
    due: BTreeSet<(Instant, Principal)>,
    sizes: BTreeSet<(usize, Principal)>,
    bytes: usize,
}

impl Departed {
    /// Keeps one. Returns whose records are to go for it.
    pub(super) fn keep(
        &mut self,
        member: Principal,
        bytes: usize,
        most: usize,
        now: Instant,
    ) -> Vec<Principal> {
        let before = self.drop(&member);
        let until = before.map_or(now + KEEP_FOR, |before| before.until);
        let hand_back_at = before.map_or(now, |before| before.hand_back_at);
        self.kept.insert(member, Kept { until, bytes, hand_back_at });
        self.due.insert((until, member));
        self.sizes.insert((bytes, member));
        self.bytes += bytes;
        let mut gone = Vec::new();
        while self.bytes > most
            && let Some((_, largest)) = self.sizes.last().copied()
        {
            self.drop(&largest);
            gone.push(largest);
        }
        gone
    }

    /// Keeps one no more. `None`: it was not kept.
    fn drop(&mut self, member: &Principal) -> Option<Kept> {
        let kept = self.kept.remove(member)?;
        self.due.remove(&(kept.until, *member));
        self.sizes.remove(&(kept.bytes, *member));
        self.bytes -= kept.bytes;
        Some(kept)
    }

    fn take_due(&mut self, now: Instant) -> Vec<Principal> {
        let due = self.due.iter().take_while(|(until, _)| *until <= now);
        let due: Vec<_> = due.map(|(_, member)| *member).collect();
        due.iter().for_each(|member| _ = self.drop(member));
        due
    }

    fn may_hand_back(&mut self, member: &Principal, now: Instant) -> bool {
        let Some(kept) = self.kept.get_mut(member) else { return false };
        let may = kept.hand_back_at <= now;
        if may {
            kept.hand_back_at = now + HAND_BACK_REST;
        }
        may
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// When [`State::drop_departed`] has something to do.
    pub(super) fn deadline(&self) -> Instant {
        self.due.first().map_or(Instant::NEVER, |(until, _)| *until)
    }
}

impl State {
    /// Members departed, and their records lost their slots in memory: those of members that left go from the
    /// disk, too; the others later.
    pub(super) fn look_at_departed(&mut self, now: Instant) {
        for (member, bytes) in self.strew.take_stripped() {
            self.keep_departed(member, bytes, now);
        }
    }

    pub(super) fn keep_departed(&mut self, member: Principal, bytes: usize, now: Instant) {
        let gone = if self.has_left(&member) {
            vec![member]
        } else {
            self.departed.keep(member, bytes, self.config.replica_max, now)
        };
        self.strip_on_disk(&gone);
    }

    fn has_left(&self, member: &Principal) -> bool {
        let incarnation = self.strew.record(member).map_or(0, |it| it.marker().incarnation);
        let departed = self.strew.membership().departed(member, incarnation);
        departed == Some(DepartureKind::Left)
    }

    fn strip_on_disk(&mut self, members: &[Principal]) {
        let records = members.iter().filter_map(|member| self.strew.record(member));
        let stripped = records.filter(|record| record.is_stripped()).cloned();
        self.unsaved.records.extend(stripped);
    }

    /// A record replaced that of a member. What is written of it: all of it, though it departed meanwhile
    /// and the replica holds less.
    pub(super) fn save_record(&mut self, record: Arc<Record>, now: Instant) {
        let author = record.author();
        self.departed.drop(&author);
        let held = self.strew.record(&author);
        if held.is_some_and(|held| held.is_stripped()) && !self.has_left(&author) {
            let bytes = record.footprint();
            self.unsaved.records.push(record);
            return self.keep_departed(author, bytes, now);
        }
        self.unsaved.records.extend(held.cloned());
    }

    /// This node's operator forgot members: their records go at once.
    pub(super) fn drop_forgotten(&mut self, commit: &Commit) {
        let forgotten = commit.waiters.iter().filter_map(|(origin, change, result)| match change {
            Change::Act(Statement::Retire { subject, .. })
                if matches!(origin, Origin::Control(_)) && result.is_ok() =>
            {
                Some(*subject)
            }
            _ => None,
        });
        for member in forgotten.filter(|_| commit.durable) {
            self.forget_departed(&member);
        }
    }

    /// The operator does not want what is kept of this member. Whether anything was.
    pub(super) fn forget_departed(&mut self, member: &Principal) -> bool {
        let kept = self.departed.drop(member).is_some();
        if kept {
            self.strip_on_disk(&[*member]);
        }
        kept
    }

    /// Drops what was kept for a day.
    pub(super) fn drop_departed(&mut self, now: Instant) {
        let due = self.departed.take_due(now);
        self.strip_on_disk(&due);
    }

    /// A member is linked. If others retired it, it may have lost what this disk holds of it.
    pub(super) fn recall(&mut self, member: Principal, now: Instant) {
        if self.departed.may_hand_back(&member, now) {
            self.out.push(Command::Recall { author: member });
        }
    }

    /// The disk's record of a member that was retired: it is handed to its author.
    pub(super) fn hand_back(&mut self, record: &Record) {
        let author = record.author();
        let linked = self.links.get(&author).is_some_and(|link| link.open);
        if linked && self.departed.kept.contains_key(&author) && !record.is_stripped() {
            let mut frame = Encoder::default();
            RecordFrame::seal(&mut frame, record, usize::MAX, |_| false);
            let body = Request::Store(frame.finish()).encode();
            self.send(author, Protocol::Sync, body, Route::HandBack);
        }
    }
}
