//! What is merged, from wherever it came.

use std::collections::BTreeSet;
use std::sync::Arc;

use crux_crdt::Principal;
use crux_crdt::act::Act;
use crux_crdt::canon::Decoder;
use crux_crdt::record::Record;
use crux_crdt::sign::Signed;
use crux_crdt::strew::{ActOutcome, RecordOutcome};

use super::command::{Notice, StopReason};
use super::past::Meaning;
use super::state::{Route, State};
use super::{Command, command};
use crate::author::{Change, Origin};
use crate::frame::{FrameError, RecordFrame};
use crate::link::{Protocol, ReplyId};
use crate::sync::{self, Response};
use crate::time::Instant;

/// How many merged records wait before they are handed to the disk.
const UNSAVED_MAX: usize = 256;

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merged {
    /// It is its author's newest.
    New,
    /// It, or a newer one, was there.
    Known,
    /// Bodies are missing: nothing was merged.
    Incomplete,
}

impl State {
    pub(super) fn act_on_sync(&mut self, outputs: Vec<sync::Output>, now: Instant) {
        for output in outputs {
            match output {
                sync::Output::Send { peer, request } => {
                    self.send(peer, Protocol::Sync, request.encode(), Route::Sync);
                }
                sync::Output::Reply { id, body } => self.reply(id, body),
                sync::Output::MergeActs { peer, acts } => {
                    let brought = self.merge_acts(acts, now);
                    let outputs = self.sync.resume(peer, brought, now, &self.strew);
                    self.act_on_sync(outputs, now);
                }
                sync::Output::MergeRecords { peer, frames } => {
                    let brought = self.merge_frames(peer, frames, now);
                    let outputs = self.sync.resume(peer, brought, now, &self.strew);
                    self.act_on_sync(outputs, now);
                }
                sync::Output::Store { id, frame } => self.on_store(id, &frame, now),
                sync::Output::Beacon { peer, beacon } => {
                    if let Ok(notice) = crate::liveness::Notice::decode(&beacon, &self.context) {
                        let (_, outputs) = self.liveness.on_notice(&notice, now);
                        self.act_on_liveness(outputs, now);
                    } else {
                        self.misbehaved(peer, "a malformed beacon".to_owned());
                    }
                }
                sync::Output::Complete { .. } => self.past.on_compared(),
            }
        }
    }

    fn merge_frames(&mut self, peer: Principal, frames: Vec<RecordFrame>, now: Instant) -> bool {
        let mut brought = false;
        for frame in frames {
            if !self.strew.membership().contains(&frame.header.author()) {
                continue;
            }
            match self.merge_frame(frame, now) {
                Ok(merged) => brought |= merged == Merged::New,
                Err(error) => _ = self.misbehaved(peer, format!("a record: {error}")),
            }
        }
        brought
    }

    /// Merges a record of a member.
    pub(super) fn merge_frame(
        &mut self,
        frame: RecordFrame,
        now: Instant,
    ) -> Result<Merged, FrameError> {
        let author = frame.header.author();
        let held = self.strew.record(&author).cloned();
        let marker = frame.header.value().marker;
        let total = marker.total(frame.header.id());
        if held.as_ref().is_some_and(|held| {
            held.total() == total || author != self.context.me && held.total() > total
        }) {
            return Ok(Merged::Known);
        }
        let Some(record) = frame.complete(held.as_deref())? else { return Ok(Merged::Incomplete) };
        let record = Arc::new(record);
        if author == self.context.me {
            self.on_own_record(&record, now);
            return Ok(Merged::Known);
        }
        let outcome = self.strew.merge_record(record.clone());
        if matches!(outcome, RecordOutcome::Twice { .. }) {
            self.notice(Notice::SignedTwice(author));
        }
        if !matches!(outcome, RecordOutcome::Newer | RecordOutcome::Twice { kept: true }) {
            return Ok(Merged::Known);
        }
        self.unsaved.records.push(record);
        self.save_if_many();
        self.note_replica_changed();
        Ok(Merged::New)
    }

    /// A record of this identity, which this run may not have written.
    fn on_own_record(&mut self, record: &Arc<Record>, now: Instant) {
        match self.past.look_at(record, self.author.incarnation(), now) {
            Meaning::Known | Meaning::Earlier => {}
            Meaning::Elsewhere => {
                let elsewhere =
                    record.profile().addresses.iter().map(ToString::to_string).collect();
                self.out.push(Command::Stop(StopReason::Cloned { elsewhere }));
            }
        }
    }

    /// Goes on above an earlier life, once its newest record had time to be found.
    pub(super) fn recover(&mut self, now: Instant) {
        if let Some(record) = self.past.take_due(now) {
            self.notice(Notice::Recovered { incarnation: record.marker().incarnation });
            self.author.push(Origin::Internal, Change::Recover(record));
        }
    }

    /// Merges acts whose authors are members, in whatever order makes them so. Returns whether
    /// anything was new.
    pub(super) fn merge_acts(&mut self, acts: Vec<Arc<Signed<Act>>>, now: Instant) -> bool {
        let mut changed = BTreeSet::new();
        let mut news = false;
        let mut rest = acts;
        loop {
            let before = rest.len();
            rest.retain(|act| {
                let counts = self.strew.membership().contains(&act.author());
                if counts && let ActOutcome::New(whose) = self.strew.merge_act(act.clone()) {
                    news = true;
                    changed.extend(whose);
                    self.unsaved.acts.push(act.clone());
                }
                !counts
            });
            if rest.len() == before || rest.is_empty() {
                break;
            }
        }
        if news {
            self.save_if_many();
            self.on_standing_changed(&changed, now);
        }
        news
    }

    /// Keeps this node's admission by somebody who is no member yet.
    pub(super) fn keep_act(&mut self, act: Arc<Signed<Act>>, now: Instant) {
        if let ActOutcome::New(changed) = self.strew.merge_act(act.clone()) {
            self.unsaved.acts.push(act);
            self.on_standing_changed(&changed, now);
        }
    }

    /// Somebody became a member, left or was retired.
    fn on_standing_changed(&mut self, changed: &BTreeSet<Principal>, _now: Instant) {
        self.note_replica_changed();
        let me = self.context.me;
        for who in changed.iter().filter(|who| **who != me) {
            if self.strew.membership().contains(who) && self.strew.record(who).is_none() {
                self.notice(Notice::Admitted(*who));
            }
        }
    }

    pub(super) const fn note_replica_changed(&mut self) {
        self.members_dirty = true;
        self.leader_dirty = true;
        self.changed = true;
    }

    fn save_if_many(&mut self) {
        if self.unsaved.records.len() + self.unsaved.acts.len() >= UNSAVED_MAX {
            self.save();
        }
    }

    pub(super) fn save(&mut self) {
        if !self.unsaved.is_empty() {
            let batch = std::mem::take::<command::Batch>(&mut self.unsaved);
            self.out.push(Command::Save(batch));
        }
    }

    /// A peer wants a record on this disk before it acknowledges it.
    fn on_store(&mut self, id: ReplyId, frame: &[u8], now: Instant) {
        let mut input = Decoder::new(frame);
        let frame = RecordFrame::open(&mut input, &self.context.flock, &*self.context.verifier);
        let stored = frame.ok().and_then(|frame| {
            let author = frame.header.author();
            let member = self.strew.membership().contains(&author);
            let wanted = frame.header.value().marker;
            let merged = member.then(|| self.merge_frame(frame, now))?;
            let held = self.strew.record(&author).cloned()?;
            (merged.is_ok() && held.marker() >= wanted).then_some(held)
        });
        let kept =
            stored.is_some_and(|held| self.author.push(Origin::Peer(id), Change::Keep(held)));
        if !kept {
            self.reply(id, Response::encode_stored(false));
        }
    }
}
