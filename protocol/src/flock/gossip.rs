//! Gossip in and out.

use std::collections::BTreeSet;
use std::sync::Arc;

use crux_crdt::act::Act;
use crux_crdt::canon::{Decoder, Encoder};
use crux_crdt::record::Record;
use crux_crdt::sign::{OpenError, Signed};
use crux_crdt::{Digest, Principal};

use super::command::Notice;
use super::merge::Merged;
use super::state::State;
use crate::frame::RecordFrame;
use crate::link::{self, GOSSIP_PAYLOAD_MAX, Topic, Verdict};
use crate::liveness;
use crate::time::Instant;

/// Leaves room for the header, the profile and the list of slots.
const BODIES_MAX: usize = GOSSIP_PAYLOAD_MAX;

impl State {
    pub(super) fn on_gossip(
        &mut self,
        topic: Topic,
        from: Principal,
        data: &[u8],
        now: Instant,
    ) -> Verdict {
        match topic {
            Topic::Registry => self.on_registry(from, data, now),
            Topic::Membership => self.on_membership(from, data, now),
            Topic::Beat => self.on_beat_topic(from, data, now),
        }
    }

    fn on_registry(&mut self, from: Principal, data: &[u8], now: Instant) -> Verdict {
        let mut input = Decoder::new(data);
        let (flock, verifier) = (self.context.flock, self.context.verifier.clone());
        let frame = match RecordFrame::open(&mut input, &flock, &*verifier) {
            Ok(frame) => frame,
            Err(error) => return self.misbehaved(from, format!("a registry message: {error}")),
        };
        if !self.strew.membership().contains(&frame.header.author()) {
            // Its admission may be on the way; anti-entropy brings both.
            return Verdict::Ignore;
        }
        match self.merge_frame(frame, now) {
            // What came by sync first is passed on all the same: not everyone has that way.
            Ok(Merged::New | Merged::Same) => Verdict::Accept,
            Ok(Merged::Known | Merged::NoRoom) => Verdict::Ignore,
            Ok(Merged::Incomplete) => {
                let outputs = self.sync.on_lacking(from, now, &self.strew);
                self.act_on_sync(outputs, now);
                Verdict::Accept
            }
            Err(error) => self.misbehaved(from, format!("a record: {error}")),
        }
    }

    fn on_membership(&mut self, from: Principal, data: &[u8], now: Instant) -> Verdict {
        let mut input = Decoder::new(data);
        let act = Signed::<Act>::open(&mut input, &self.context.flock, &*self.context.verifier)
            .and_then(|act| input.finish().map(|()| act).map_err(OpenError::Envelope));
        match act {
            Ok(act) if !self.strew.membership().contains(&act.author()) => Verdict::Ignore,
            Ok(act) => {
                let merged = self.merge_acts(vec![Arc::new(act)], now);
                if merged.refused.is_empty() { Verdict::Accept } else { Verdict::Ignore }
            }
            Err(error) => self.misbehaved(from, format!("an act: {error}")),
        }
    }

    fn on_beat_topic(&mut self, from: Principal, data: &[u8], now: Instant) -> Verdict {
        match liveness::Notice::decode(data, &self.context) {
            Ok(liveness::Notice::Beacon(own)) if own.author() == self.context.me => {
                self.on_own_beacon(&own, now)
            }
            Ok(notice) => {
                let (verdict, outputs) = self.liveness.on_notice(&notice, now);
                self.act_on_liveness(outputs, now);
                verdict
            }
            Err(error) => self.misbehaved(from, format!("a beacon or suspicion: {error}")),
        }
    }

    pub(super) fn misbehaved(&mut self, peer: Principal, what: String) -> Verdict {
        self.notice(Notice::Misbehaved { peer, what });
        Verdict::Reject
    }

    /// Gossips this node's new record: the header, and the bodies that the last one did not have. All bodies
    /// in a new incarnation: others dropped them if the last one was retired.
    pub(super) fn publish_record(&mut self, record: &Arc<Record>) {
        let incarnation = record.marker().incarnation;
        let last = self.published.iter().filter(|last| last.marker().incarnation == incarnation);
        let before: BTreeSet<Digest> =
            last.flat_map(|published| published.slots().keys().copied()).collect();
        let mut out = Encoder::default();
        RecordFrame::seal(&mut out, record, BODIES_MAX, |id| before.contains(id));
        self.published = Some(record.clone());
        self.publish(Topic::Registry, out.finish());
    }

    pub(super) fn publish_act(&mut self, act: &Signed<Act>) {
        let mut out = Encoder::default();
        act.seal(&mut out);
        self.publish(Topic::Membership, out.finish());
    }

    pub(super) fn publish(&mut self, topic: Topic, data: Vec<u8>) {
        if data.len() <= GOSSIP_PAYLOAD_MAX {
            self.link(link::Command::Publish { topic, data });
        }
    }

    pub(super) fn act_on_liveness(&mut self, outputs: Vec<liveness::Output>, now: Instant) {
        for output in outputs {
            match output {
                liveness::Output::Publish(data) => self.publish(Topic::Beat, data),
                liveness::Output::Beat { incarnation, counter } => {
                    self.link(link::Command::Beat { incarnation, counter });
                }
                liveness::Output::Observe(subjects) => {
                    self.wanted = None;
                    self.link(link::Command::Observe { subjects });
                }
                liveness::Output::Probe(peer) => self.probe(peer),
                liveness::Output::Stuck(peer) => self.drop_link(peer),
                liveness::Output::Changed { member, liveness } => {
                    self.on_liveness_changed(member, liveness, now);
                }
                liveness::Output::Doubt(peer) => self.sync.on_doubt(peer, now),
                liveness::Output::Twin(peer) => self.tell_twins(peer, now),
            }
        }
    }
}
