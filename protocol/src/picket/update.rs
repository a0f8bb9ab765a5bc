//! From what runs to what is wanted: filling places, updates, and the way back.
//!
//! ```text
//!   overlap   old ═══════════════════════════╗ quit
//!             new      ── start ── up ── 5 s ─╨══════════▶     not up: new goes, old stays
//!   replace   old ════╗ quit
//!             new      ╨── start ── up ═════════════════▶     not up, or three failures: old comes back
//! ```
//!
//! One ordinal at a time: the next begins once the last one is settled.

use std::sync::Arc;

use crux_crdt::service::UpdateBy;

use super::desired::Version;
use super::life::{Life, Why};
use super::rules::{OVERLAP, PROVEN};
use super::service::Service;
use super::slot::{Rest, Slot};
use super::turn::Turn;
use crate::time::Instant;

impl Service {
    /// Quits what is not wanted, starts what is.
    pub(super) fn reconcile(&mut self, turn: &mut Turn<'_>) {
        let count = self.wanted.as_ref().map_or(0, |wanted| wanted.current.config.count);
        for ordinal in 0..count {
            self.slots.entry(ordinal).or_insert_with(|| Slot::new(turn.now));
        }
        let Some(version) = self.to_run().filter(|_| turn.within.is_none()).cloned() else {
            self.lives.iter_mut().for_each(|life| life.quit(Why::Unwanted, turn));
            return;
        };
        for life in self.lives.iter_mut().filter(|life| life.record.ordinal >= count) {
            life.quit(Why::Unwanted, turn);
        }
        for life in self.lives.iter_mut().filter(|life| life.version.is_none()) {
            life.quit(Why::Replaced, turn);
        }
        let left: Vec<u16> = self.lives.iter().map(|life| life.record.ordinal).collect();
        self.slots.retain(|ordinal, _| *ordinal < count || left.contains(ordinal));
        if self.going_back.is_some() {
            return self.drop_refused(version.number, turn);
        }
        for ordinal in 0..count {
            self.fill(ordinal, &version, turn);
        }
    }

    /// The wanted content did not prove itself: instances of it that serve nobody go. The others are
    /// replaced once the previous content is wanted again.
    fn drop_refused(&mut self, number: u64, turn: &mut Turn<'_>) {
        let is_refused = |life: &&mut Life| life.record.version == number && !life.announced;
        for life in self.lives.iter_mut().filter(is_refused) {
            life.quit(Why::Replaced, turn);
        }
    }

    fn fill(&mut self, ordinal: u16, version: &Arc<Version>, turn: &mut Turn<'_>) {
        let number = version.number;
        let of = |life: &&mut Life| life.record.ordinal == ordinal && life.has_no_keeper();
        for life in self.lives.iter_mut().filter(of) {
            if life.record.version != number {
                life.quit(Why::Replaced, turn);
            }
        }
        self.quit_spare(ordinal, |life| life.record.version == number, turn);
        self.quit_spare(ordinal, |life| life.record.version != number, turn);
        let stay = self.at(ordinal).filter(|life| !life.is_leaving());
        let (mut new, mut old): (Vec<&Life>, Vec<&Life>) =
            stay.partition(|life| life.record.version == number);
        let Some(slot) = self.slots.get(&ordinal) else { return };
        let is_ready = slot.is_ready(turn.now);
        match (new.pop(), old.pop()) {
            (Some(new), Some(_)) => {
                let is_long_enough = new.up_for(turn.now).is_some_and(|up| up >= OVERLAP);
                if is_long_enough && new.is_well() {
                    self.quit_old(ordinal, number, turn);
                }
            }
            (Some(_), None) => {}
            (None, Some(_)) if slot.rest == Rest::Done => self.quit_old(ordinal, number, turn),
            (None, Some(_)) if is_ready && self.has_turn(ordinal, version) => {
                match version.config.update_by() {
                    UpdateBy::Overlap => self.begin(ordinal, version, turn),
                    UpdateBy::Replace => self.quit_old(ordinal, number, turn),
                }
            }
            (None, Some(_)) => {}
            (None, None)
                if is_ready && self.is_empty(ordinal) && !turn.is_busy(&version.config) =>
            {
                self.begin(ordinal, version, turn);
            }
            (None, None) => {}
        }
    }

    /// Whether nothing of the last instance of a place is left.
    fn is_empty(&self, ordinal: u16) -> bool {
        self.at(ordinal).next().is_none() || crux_crdt::planted!(SharesPlace)
    }

    /// Of several instances of a place that are alike, the one that serves stays.
    fn quit_spare(&mut self, ordinal: u16, alike: impl Fn(&Life) -> bool, turn: &mut Turn<'_>) {
        let is_one =
            |life: &Life| life.record.ordinal == ordinal && !life.is_leaving() && alike(life);
        let all = self.lives.iter().filter(|life| is_one(life));
        let serves = |life: &&Life| (life.announced, life.is_up(), life.is_started());
        let Some(best) = all.max_by_key(serves).map(|life| life.id().clone()) else { return };
        for life in self.lives.iter_mut().filter(|life| is_one(life) && *life.id() != best) {
            life.quit(Why::Replaced, turn);
        }
    }

    fn quit_old(&mut self, ordinal: u16, number: u64, turn: &mut Turn<'_>) {
        let of = |life: &&mut Life| life.record.ordinal == ordinal;
        for life in self.lives.iter_mut().filter(of) {
            if life.record.version != number {
                life.quit(Why::Replaced, turn);
            }
        }
    }

    /// Whether this place may be changed now: nothing that leaves is left in it, there is no surplus instance,
    /// and every other place is settled, not begun yet, or failing by itself.
    fn has_turn(&self, ordinal: u16, version: &Version) -> bool {
        let count = usize::from(version.config.count);
        let is_calm = |other: u16| {
            self.at(other).all(|life| {
                !life.is_leaving() && (life.record.version != version.number || life.is_up())
            })
        };
        self.lives.len() <= count
            && self.at(ordinal).all(|life| !life.is_leaving())
            && (0..version.config.count).all(|it| it == ordinal || is_calm(it))
    }

    fn begin(&mut self, ordinal: u16, version: &Arc<Version>, turn: &mut Turn<'_>) {
        let owner = self.wanted.as_ref().map(|wanted| &wanted.owner);
        let placed = owner.and_then(|owner| owner.placed(version.spec, ordinal));
        let mut life = Life::begin(version, ordinal, placed, turn);
        let Some(slot) = self.slots.get_mut(&ordinal) else { return };
        life.again = slot.again;
        slot.rest = Rest::Ready;
        slot.restarts += u64::from(slot.again);
        life.try_image(slot.avoid.clone(), turn);
        self.lives.push(life);
    }

    /// Quits and starts again what runs, because a person wants it so.
    pub(super) fn restart(&mut self, turn: &mut Turn<'_>) {
        self.lives.iter_mut().for_each(|life| life.quit(Why::Replaced, turn));
        self.forgive();
    }

    /// When an overlap ends, or a content has proved itself.
    pub(super) fn deadline(&self, after: Instant) -> Instant {
        let lives = self.lives.iter().map(Life::deadline);
        let up = self.lives.iter().filter_map(|life| life.up_since);
        let on_trial = self.wanted.as_ref().is_some_and(|wanted| wanted.on_trial);
        let proven = up.clone().filter(|_| on_trial).map(|since| since + PROVEN);
        let target = self.to_run().map(|version| version.number);
        let is_old = |life: &Life| !life.is_leaving() && Some(life.record.version) != target;
        let overlaps = self.lives.iter().any(is_old);
        let over = up.filter(|_| overlaps).map(|since| since + OVERLAP);
        let held = self.lives.iter().filter(|life| life.announced);
        let held = held.filter_map(|life| life.health.held_until(after));
        let slots = self.slots.values().map(Slot::deadline);
        let due = lives.chain(proven).chain(over).chain(held).chain(slots);
        due.filter(|at| *at > after).min().unwrap_or(Instant::NEVER)
    }
}
