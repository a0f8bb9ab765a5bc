//! What a disk keeps of members that departed.
//!
//! A member that lies can retire one that is down. The slots of a departed author leave the memory at once,
//! since they count for nothing and to forget must make room. On the disk they may be the last copies of what
//! `register --sync` promised, so there they stay for a day. An author that is back, and may have lost its
//! disk, is *handed back* its last record while it is linked: it takes that over as it does whatever an earlier life
//! said, and goes on above it and above the retirement ([`super::past`]).
//!
//! An author without its disk knows no members, so its gate is closed on its first links, and it speaks a second
//! after it compared itself with the first member. Therefore an attempt that got no answer is repeated at
//! once on the next link, and after [`HAND_BACK_AGAIN`] on the same one. Only an answer rests.
//!
//! **Invariants**
//! * Nothing that another member says takes from this disk within a day what a third one said. At once go only
//!   what its author replaced, what its author left behind when it left, and what this node's own
//!   operator forgets, be it retired already. What the operator forgets takes the place of nobody else's.
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
use crux_crdt::fact::Fact;
use crux_crdt::record::Record;
use crux_crdt::strew::DepartureKind;

use super::command::Command;
use super::state::{Route, State};
use crate::fact;
use crate::link::Protocol;
use crate::sync::Request;
use crate::time::Instant;

/// How long the record of a member that others retired stays on the disk.
const KEEP_FOR: Duration = Duration::from_secs(24 * 3600);
/// How long one record is not handed back again once its author answered: each time costs a read of the
/// disk.
const HAND_BACK_REST: Duration = Duration::from_secs(60);
/// How long until it is tried again without an answer: the time after which a link is made again because its
/// other gate was closed.
const HAND_BACK_AGAIN: Duration = Duration::from_millis(100);
/// How many attempts may go without an answer before they rest, too: so many reads of the disk a minute a
/// member buys that never answers.
const HAND_BACK_TRIES: u8 = 16;

/// One of them.
#[derive(Debug, Clone, Copy)]
struct Kept {
    until: Instant,
    bytes: usize,
    /// When it may be handed back again.
    hand_back_at: Instant,
    /// How many attempts got no answer since the last one that did.
    tries: u8,
}

/// The departed members whose records are whole on the disk. See the module for the invariants.
#[derive(Debug, Default)]
pub(super) struct Departed {
    kept: BTreeMap<Principal, Kept>,
    due: BTreeSet<(Instant, Principal)>,
    sizes: BTreeSet<(usize, Principal)>,
    bytes: usize,
    /// Those of them whose last attempt got no answer, and when the next one is due.
    again: BTreeSet<(Instant, Principal)>,
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
        debug_assert!(!self.kept.contains_key(&member), "its record was stripped before");
        self.drop(&member);
        let until = now + KEEP_FOR;
        self.kept.insert(member, Kept { until, bytes, hand_back_at: now, tries: 0 });
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
        self.again.remove(&(kept.hand_back_at, *member));
        self.bytes -= kept.bytes;
        Some(kept)
    }

    fn take_due(&mut self, now: Instant) -> Vec<Principal> {
        let due = self.due.iter().take_while(|(until, _)| *until <= now);
        let due: Vec<_> = due.map(|(_, member)| *member).collect();
        due.iter().for_each(|member| _ = self.drop(member));
        due
    }

    /// Whether it is time for an attempt, which begins then.
    fn may_hand_back(&mut self, member: &Principal, now: Instant) -> bool {
        let Some(kept) = self.kept.get_mut(member).filter(|kept| kept.hand_back_at <= now) else {
            return false;
        };
        self.again.remove(&(kept.hand_back_at, *member));
        // Until it ends: the disk may hold nothing to hand back.
        kept.hand_back_at = now + HAND_BACK_REST;
        true
    }

    /// An attempt ended without an answer.
    fn not_answered(&mut self, member: &Principal, now: Instant) {
        let Some(kept) = self.kept.get_mut(member) else { return };
        self.again.remove(&(kept.hand_back_at, *member));
        kept.tries += 1;
        if kept.tries < HAND_BACK_TRIES {
            kept.hand_back_at = now + HAND_BACK_AGAIN;
            self.again.insert((kept.hand_back_at, *member));
        } else {
            (kept.hand_back_at, kept.tries) = (now + HAND_BACK_REST, 0);
        }
    }

    /// The author answered, whatever it said.
    fn answered(&mut self, member: &Principal, now: Instant) {
        if let Some(kept) = self.kept.get_mut(member) {
            self.again.remove(&(kept.hand_back_at, *member));
            (kept.hand_back_at, kept.tries) = (now + HAND_BACK_REST, 0);
        }
    }

    fn take_again(&mut self, now: Instant) -> Vec<Principal> {
        let due = self.again.extract_if(.., |(at, _)| *at <= now);
        due.map(|(_, member)| member).collect()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// When [`State::on_departed_due`] has something to do.
    pub(super) fn deadline(&self) -> Instant {
        let firsts = [self.due.first(), self.again.first()];
        firsts.into_iter().flatten().map(|(at, _)| *at).min().unwrap_or(Instant::NEVER)
    }
}

impl State {
    /// Members departed, and their records lost their slots in memory: those of members that left, and of
    /// those that this node's own operator forgot, go from the disk, too; the others later.
    pub(super) fn look_at_departed(&mut self, forgotten: &BTreeSet<Principal>, now: Instant) {
        for (member, bytes) in self.strew.take_stripped() {
            if forgotten.contains(&member) {
                self.strip_on_disk(&[member]);
            } else {
                self.keep_departed(member, bytes, now);
            }
        }
        for member in forgotten {
            self.forget_departed(member);
        }
    }

    pub(super) fn keep_departed(&mut self, member: Principal, bytes: usize, now: Instant) {
        if self.has_left(&member) {
            return self.strip_on_disk(&[member]);
        }
        let gone = self.departed.keep(member, bytes, self.config.replica_max, now);
        self.strip_on_disk(&gone);
        if self.may_request(&member) {
            // It came back before this node heard that it was retired.
            self.recall(member, now);
        }
    }

    fn has_left(&self, member: &Principal) -> bool {
        let incarnation = self.strew.record(member).map_or(0, |it| it.marker().incarnation);
        let departed = self.strew.membership().departed(member, incarnation);
        departed == Some(DepartureKind::Left)
    }

    fn strip_on_disk(&mut self, members: &[Principal]) {
        let records = members.iter().filter_map(|member| self.strew.record(member));
        let stripped = records.filter(|record| record.is_stripped()).cloned();
        self.unsaved.facts.extend(stripped.map(Fact::from));
    }

    /// A record replaced that of a member. What is written of it: all of it, though it departed meanwhile
    /// and the replica holds less.
    pub(super) fn save_record(&mut self, record: Arc<Record>, now: Instant) {
        let author = record.author();
        self.departed.drop(&author);
        let held = self.strew.record(&author);
        if held.is_some_and(|held| held.is_stripped()) && !self.has_left(&author) {
            let bytes = record.footprint();
            self.unsaved.facts.push(record.into());
            return self.keep_departed(author, bytes, now);
        }
        self.unsaved.facts.extend(held.cloned().map(Fact::from));
    }

    /// The operator does not want what is kept of this member. Whether anything was.
    pub(super) fn forget_departed(&mut self, member: &Principal) -> bool {
        let kept = self.departed.drop(member).is_some();
        if kept {
            self.strip_on_disk(&[*member]);
        }
        kept
    }

    /// Drops what was kept for a day, and repeats attempts that got no answer.
    pub(super) fn on_departed_due(&mut self, now: Instant) {
        let due = self.departed.take_due(now);
        self.strip_on_disk(&due);
        for member in self.departed.take_again(now) {
            // Without a link the next one repeats it.
            if self.may_request(&member) {
                self.recall(member, now);
            }
        }
    }

    /// A member is linked. If others retired it, it may have lost what this disk holds of it.
    pub(super) fn recall(&mut self, member: Principal, now: Instant) {
        if self.departed.may_hand_back(&member, now) {
            // A read waits for what was handed to the disk before it.
            self.save();
            self.out.push(Command::Recall { author: member });
        }
    }

    /// The disk's record of a member that was retired: it is handed to its author.
    pub(super) fn hand_back(&mut self, record: &Arc<Record>, now: Instant) {
        let author = record.author();
        if !self.departed.kept.contains_key(&author) || record.is_stripped() {
            return;
        }
        if !self.may_request(&author) {
            return self.departed.not_answered(&author, now);
        }
        let body = Request::Store(fact::whole(&record.clone().into())).encode();
        self.send(author, Protocol::Sync, body, Route::HandBack);
    }

    /// The author took its record, or said that it does not.
    pub(super) fn on_handed_back(&mut self, author: Principal, now: Instant) {
        self.departed.answered(&author, now);
    }

    /// The record may not have reached its author.
    pub(super) fn on_not_handed_back(&mut self, author: Principal, now: Instant) {
        self.departed.not_answered(&author, now);
    }

    /// Whether a request reaches a peer, as far as is known.
    fn may_request(&self, peer: &Principal) -> bool {
        self.links.get(peer).is_some_and(|link| link.open && !link.shut)
    }
}
