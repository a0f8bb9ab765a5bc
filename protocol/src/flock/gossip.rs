//! Gossip in and out.

use core::fmt;
use std::collections::BTreeSet;
use std::sync::Arc;

use crux_crdt::fact::{Arrival, Fact, Kind};
use crux_crdt::record::{Frame, Record};
use crux_crdt::{Digest, Principal};

use super::command::Notice;
use super::merge::Merged;
use super::state::State;
use crate::fact::{self, Message, gossiped};
use crate::link::{self, GOSSIP_PAYLOAD_MAX, Topic, Verdict};
use crate::liveness;
use crate::time::Instant;

impl State {
    pub(super) fn on_gossip(
        &mut self,
        topic: Topic,
        from: Principal,
        data: &[u8],
        now: Instant,
    ) -> Verdict {
        match topic {
            Topic::Fact => self.on_fact(from, data, now),
            Topic::Beat => self.on_beat_topic(from, data, now),
        }
    }

    fn on_fact(&mut self, from: Principal, data: &[u8], now: Instant) -> Verdict {
        match fact::open(data, &self.context) {
            Ok(Message::Fact(Arrival::Frame(frame))) => self.on_record(from, *frame, now),
            Ok(Message::Fact(Arrival::Whole(fact))) => self.on_whole(from, fact, now),
            Ok(Message::Later(kind)) => {
                self.note_other_version(from, &kind.to_string());
                Verdict::Ignore
            }
            Err(error) => self.refuse(from, "a fact", &error, error.unknown()),
        }
    }

    fn on_record(&mut self, from: Principal, frame: Frame, now: Instant) -> Verdict {
        if !self.strew.membership().contains(&frame.header.author()) {
            // Its admission may be on the way; anti-entropy brings both.
            return Verdict::Ignore;
        }
        match self.merge_frame(frame, now) {
            // What came by sync first is passed on all the same: not everyone has that way.
            Ok(Merged::New | Merged::Same) => Verdict::Accept,
            Ok(Merged::Known | Merged::NoRoom(_)) => Verdict::Ignore,
            Ok(Merged::Incomplete) => {
                let outputs = self.sync.on_lacking(from, Kind::RECORD, now, &self.strew);
                self.act_on_sync(outputs, now);
                Verdict::Accept
            }
            Err(error) => self.misbehaved(from, format!("a record: {error}")),
        }
    }

    /// A fact counts, and is passed on, if its author may say it here. What came by sync first is passed on all
    /// the same.
    fn on_whole(&mut self, from: Principal, fact: Fact, now: Instant) -> Verdict {
        let (kind, key, id) = (fact.kind(), fact.key(), fact.id());
        self.merge_arrivals(from, vec![fact.into()], now);
        let held = self.strew.under(kind, &key).iter().any(|held| held.id() == id);
        let shared = self.strew.index(kind).is_some_and(|index| index.get(&key).is_some());
        if held && shared { Verdict::Accept } else { Verdict::Ignore }
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
            Err(error) => self.refuse(from, "a beacon or suspicion", &error, error.unknown()),
        }
    }

    /// A member sent what this build cannot read: it misbehaves, unless another version can read it.
    fn refuse(
        &mut self,
        peer: Principal,
        what: &str,
        error: &dyn fmt::Display,
        unknown: Option<(&'static str, u8)>,
    ) -> Verdict {
        let Some((what, found)) = unknown else {
            return self.misbehaved(peer, format!("{what}: {error}"));
        };
        self.note_other_version(peer, &format!("{what} {found}"));
        Verdict::Ignore
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
        let data = gossiped(&record.clone().into(), |id| before.contains(id));
        self.published = Some(record.clone());
        self.publish(Topic::Fact, data);
    }

    /// Gossips a fact. Returns whether gossip carries it.
    pub(super) fn publish_fact(&mut self, fact: &Fact) -> bool {
        self.publish(Topic::Fact, gossiped(fact, |_| false))
    }

    pub(super) fn publish(&mut self, topic: Topic, data: Vec<u8>) -> bool {
        let fits = data.len() <= GOSSIP_PAYLOAD_MAX;
        if fits {
            self.link(link::Command::Publish { topic, data });
        }
        fits
    }

    pub(super) fn act_on_liveness(&mut self, outputs: Vec<liveness::Output>, now: Instant) {
        for output in outputs {
            match output {
                liveness::Output::Publish(data) => _ = self.publish(Topic::Beat, data),
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
                liveness::Output::Away(member) => self.on_away(member),
                liveness::Output::Doubt(peer) => self.sync.on_doubt(peer, now),
                liveness::Output::Twin(peer) => self.tell_twins(peer, now),
            }
        }
    }
}
