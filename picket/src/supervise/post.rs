//! Requests and messages to the fulcrum: registrations, images, pins, statuses, what a target placed here.
//!
//! ```text
//!   engine ── Publish: all registrations ──▶ wanted ─┐
//!                                                    ├─ differ ──▶ Register, Withdraw ──▶ fulcrum
//!   ledger: what may be in the node's record ────────┘                    Done ──▶ Published
//! ```
//!
//! The engine hands in whole lists; the fulcrum takes registrations one by one. A registration outlives the fulcrum
//! and the picket: it is in the node's record. So the picket keeps a list of all that it may have made, and what is in
//! that and not wanted is withdrawn, also by a picket that knows nothing else of it.
//!
//! **Invariants**
//!
//! * A registration is sent only once its key is in the ledger on the disk.
//! * For each key at most one request is under way, so that they take effect in their order.
//! * A fulcrum that attaches is told everything, as if it knew nothing.
//! * A registration is withdrawn only once each other one of that name that is to be there is there, so that callers
//!   find one at any time during an update to another revision. One that the node refuses, or that cannot be written
//!   to the ledger, is not waited for.
//! * *Published* comes once nothing is under way or still to be sent. A registration that the node refuses, as when
//!   it has too many, does not hold it up: it is tried again later, and why it was refused is shown until then.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crux_crdt::blob::{BlobId, Descriptor};
use crux_crdt::name::{Label, ServiceName};
use crux_crdt::path::Endpoint;
use crux_crdt::record::ServiceKey;
use crux_protocol::picket::{Goals, Owned};
use crux_protocol::time::Instant;
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::link::{Failure, FromFulcrum, FromPicket, Stated};

/// When a request is made again that the fulcrum refused. A guess: disks that are full stay so for a while.
const AGAIN: Duration = Duration::from_secs(5);
/// How many blobs are asked for at a time: as many as a node has services, and some that are being added.
const IMAGES_MAX: usize = 256;

/// A registration as the fulcrum takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) endpoint: Endpoint,
    pub(super) labels: BTreeMap<String, String>,
}

/// The request that a number stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    Register(ServiceKey, Entry),
    Withdraw(ServiceKey),
    Image(BlobId),
}

/// The part of a message of the fulcrum that the shell has to act upon.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A blob is here.
    Image(Descriptor, std::ffi::OsString),
    /// A blob is not here.
    NoImage(BlobId, Failure),
    /// A set of goals, which is to be answered under that number.
    Goals(u64, Goals),
}

/// Why a registration is not there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Missing<'a> {
    /// The fulcrum is away.
    Away,
    /// The fulcrum has not said that it stored it.
    Unanswered,
    /// The node refused it, and why.
    Refused(&'a str),
}

/// The picket's end of all conversations.
#[derive(Debug, Default)]
pub(super) struct Post {
    attached: bool,
    /// Numbers are not used twice, also not on another link.
    seq: u64,
    asked: BTreeMap<u64, Asked>,
    /// The registrations that are to be there, and the engine's number of that list while it is not answered.
    wanted: BTreeMap<ServiceKey, Entry>,
    publish: Option<u64>,
    /// The registrations that this fulcrum has confirmed.
    known: BTreeMap<ServiceKey, Entry>,
    /// When a refused request is made again.
    refused: BTreeMap<ServiceKey, Instant>,
    /// Why the node refused to register or to withdraw, until it did.
    complaints: BTreeMap<ServiceKey, String>,
    ledger: BTreeSet<ServiceKey>,
    /// The part of the ledger that is on the disk, and whether it is being written.
    durable: BTreeSet<ServiceKey>,
    is_writing: bool,
    /// Not to be written before: the disk refused.
    write_again: Instant,
    pins: BTreeSet<BlobId>,
    statuses: Vec<Stated>,
    named: BTreeMap<String, bool>,
    out: VecDeque<FromPicket>,
}

impl Post {
    /// With the registrations that may have been made before.
    pub(super) fn new(ledger: BTreeSet<ServiceKey>) -> Self {
        Self { durable: ledger.clone(), ledger, ..Self::default() }
    }

    pub(super) const fn is_attached(&self) -> bool {
        self.attached
    }

    /// A fulcrum is there and knows nothing, or there is none. Its requests are not answered any more;
    /// these are the blobs among that.
    pub(super) fn attach(&mut self, attached: bool) -> Vec<BlobId> {
        let lost = std::mem::take(&mut self.asked).into_values();
        let lost = lost.filter_map(|asked| match asked {
            Asked::Image(blob) => Some(blob),
            _ => None,
        });
        let lost = lost.collect();
        self.attached = attached;
        self.out.clear();
        self.known.clear();
        self.refused.clear();
        // The engine says all of it again.
        (self.publish, self.wanted) = (None, BTreeMap::new());
        if attached {
            self.say_pins();
            self.say_statuses();
        }
        lost
    }

    /// All registrations.
    pub(super) fn publish(&mut self, seq: u64, wanted: BTreeMap<ServiceKey, Entry>) {
        self.ledger.extend(wanted.keys().cloned());
        (self.publish, self.wanted) = (Some(seq), wanted);
        self.complaints.retain(|key, _| self.ledger.contains(key));
    }

    /// Why a registration is not there that should be.
    pub(super) fn complaint(&self, key: &ServiceKey) -> Option<&str> {
        self.complaints.get(key).map(String::as_str)
    }

    /// Why a registration that should be there is not, as far as this picket knows; none: this fulcrum stored it.
    pub(super) fn missing(&self, key: &ServiceKey) -> Option<Missing<'_>> {
        if !self.attached {
            return Some(Missing::Away);
        }
        if let Some(text) = self.complaint(key) {
            return Some(Missing::Refused(text));
        }
        let is_stored = self.known.contains_key(key) && self.known.get(key) == self.wanted.get(key);
        (!is_stored).then_some(Missing::Unanswered)
    }

    /// The keys of what is to be registered.
    pub(super) fn registered(&self) -> impl Iterator<Item = &ServiceKey> {
        self.wanted.keys()
    }

    /// All blobs that are needed.
    pub(super) fn pin(&mut self, pins: BTreeSet<BlobId>) {
        if self.pins != pins {
            self.pins = pins;
            self.say_pins();
        }
    }

    /// How all services are, and what has a health, by its name.
    pub(super) fn state(&mut self, statuses: Vec<Stated>, named: BTreeMap<String, bool>) {
        if self.statuses != statuses || self.named != named {
            (self.statuses, self.named) = (statuses, named);
            self.say_statuses();
        }
    }

    /// Everything that the target placed here. Not kept: the engine says it again to each fulcrum.
    pub(super) fn report(&mut self, Owned { order, rows }: Owned) {
        self.whole(FromPicket::Owned { order, rows }, |it| matches!(it, FromPicket::Owned { .. }));
    }

    /// Answers a request of this fulcrum.
    pub(super) fn answer(&mut self, seq: u64, outcome: Result<(), Failure>) {
        if self.attached {
            self.out.push_back(FromPicket::Done { seq, outcome });
        }
    }

    fn say_pins(&mut self) {
        let blobs = self.pins.iter().copied().collect();
        self.whole(FromPicket::Pins { blobs }, |it| matches!(it, FromPicket::Pins { .. }));
    }

    fn say_statuses(&mut self) {
        let (services, named) = (self.statuses.clone(), self.named.clone());
        self.whole(FromPicket::Health { services, named }, |it| {
            matches!(it, FromPicket::Health { .. })
        });
    }

    /// Says a whole list, instead of one that was not sent yet.
    fn whole(&mut self, message: FromPicket, is_same: impl Fn(&FromPicket) -> bool) {
        if self.attached {
            self.out.retain(|it| !is_same(it));
            self.out.push_back(message);
        }
    }

    /// Asks for a blob, unless it is asked for already. Whether it is.
    pub(super) fn ask_image(&mut self, blob: BlobId) -> bool {
        let is_asked = |asked: &Asked| *asked == Asked::Image(blob);
        if !self.attached || self.asked.values().any(is_asked) {
            return self.attached;
        }
        let under_way = self.asked.values().filter(|asked| matches!(asked, Asked::Image(_)));
        if under_way.count() >= IMAGES_MAX {
            return false;
        }
        let seq = self.number(Asked::Image(blob));
        self.out.push_back(FromPicket::Image { seq, blob });
        true
    }

    fn number(&mut self, asked: Asked) -> u64 {
        self.seq += 1;
        self.asked.insert(self.seq, asked);
        self.seq
    }

    /// The fulcrum said something.
    pub(super) fn take(&mut self, said: FromFulcrum, now: Instant) -> Option<Answer> {
        match said {
            FromFulcrum::Done { seq, outcome } => {
                let asked = self.asked.remove(&seq)?;
                self.done(asked, outcome, now);
                None
            }
            FromFulcrum::ImageReady { seq, descriptor, path } => {
                self.asked.remove(&seq)?;
                Some(Answer::Image(descriptor, path))
            }
            FromFulcrum::ImageFailed { seq, failure } => match self.asked.remove(&seq)? {
                Asked::Image(blob) => Some(Answer::NoImage(blob, failure)),
                _ => None,
            },
            FromFulcrum::Goals { seq, goals } => Some(Answer::Goals(seq, goals)),
            FromFulcrum::Hello { .. } | FromFulcrum::Ready(_) | FromFulcrum::Ends { .. } => None,
        }
    }

    fn done(&mut self, asked: Asked, outcome: Result<(), Failure>, now: Instant) {
        let key = match &asked {
            Asked::Register(key, _) | Asked::Withdraw(key) => key.clone(),
            Asked::Image(_) => return,
        };
        if let Err(failure) = outcome {
            // Once: it is tried again every few seconds.
            if self.complaints.get(&key) != Some(&failure.text) {
                warn!(service = %key.service, rev = %key.rev, error = failure.text, "the registration was not changed");
            }
            self.complaints.insert(key.clone(), failure.text);
            self.refused.insert(key, now + AGAIN);
            return;
        }
        self.refused.remove(&key);
        self.complaints.remove(&key);
        match asked {
            Asked::Register(_, entry) => drop(self.known.insert(key, entry)),
            _ => {
                self.known.remove(&key);
                if !self.wanted.contains_key(&key) {
                    self.ledger.remove(&key);
                }
            }
        }
    }

    /// The messages to send now. Everything that is missing is asked for first.
    pub(super) fn outgoing(&mut self, now: Instant) -> &mut VecDeque<FromPicket> {
        if self.attached && self.publish.is_some() || !self.refused.is_empty() {
            self.compare(now);
        }
        &mut self.out
    }

    fn compare(&mut self, now: Instant) {
        if !self.attached {
            return;
        }
        self.refused.retain(|_, again| *again > now);
        let busy: BTreeSet<ServiceKey> = self.under_way().cloned().collect();
        let may = |key: &&ServiceKey| !busy.contains(*key) && !self.refused.contains_key(*key);
        let register =
            self.wanted.iter().filter(|(key, entry)| self.known.get(*key) != Some(*entry));
        let register = register.filter(|(key, _)| self.durable.contains(*key) && may(key));
        let register: Vec<_> = register.map(|(key, entry)| (key.clone(), entry.clone())).collect();
        let withdraw = self.ledger.iter().filter(|key| !self.wanted.contains_key(*key)).filter(may);
        let withdraw = withdraw.filter(|key| !self.is_awaited(key, now));
        let withdraw: Vec<ServiceKey> = withdraw.cloned().collect();
        for (key, entry) in register {
            let Entry { endpoint, labels } = entry.clone();
            let seq = self.number(Asked::Register(key.clone(), entry));
            self.out.push_back(FromPicket::Register { seq, key, endpoint, labels });
        }
        for key in withdraw {
            let seq = self.number(Asked::Withdraw(key.clone()));
            self.out.push_back(FromPicket::Withdraw { seq, key });
        }
    }

    /// Whether another registration of that name is about to be there.
    fn is_awaited(&self, withdrawn: &ServiceKey, now: Instant) -> bool {
        let is_of_name =
            |key: &&ServiceKey| key.horde == withdrawn.horde && key.service == withdrawn.service;
        let is_coming = |key: &ServiceKey| {
            let is_refused = self.refused.contains_key(key);
            let may_be_written = self.durable.contains(key) || now >= self.write_again;
            !self.known.contains_key(key) && !is_refused && may_be_written
        };
        self.wanted.keys().filter(is_of_name).any(is_coming)
    }

    /// The keys of requests that are not answered.
    fn under_way(&self) -> impl Iterator<Item = &ServiceKey> {
        self.asked.values().filter_map(|asked| match asked {
            Asked::Register(key, _) | Asked::Withdraw(key) => Some(key),
            Asked::Image(_) => None,
        })
    }

    /// The list that the fulcrum has taken over by now; once.
    pub(super) fn published(&mut self) -> Option<u64> {
        let is_stated = |(key, entry): (&ServiceKey, &Entry)| {
            self.known.get(key) == Some(entry) || self.refused.contains_key(key)
        };
        let is_wanted = |key: &ServiceKey| self.wanted.contains_key(key);
        let is_over = self.attached
            && self.under_way().next().is_none()
            && self.wanted.iter().all(is_stated)
            && self.ledger.iter().all(is_wanted);
        if is_over { self.publish.take() } else { None }
    }

    /// When [`Post::outgoing`] has something to send again.
    pub(super) fn deadline(&self) -> Instant {
        let again = self.refused.values().copied().min().filter(|_| self.attached);
        let write = (self.ledger != self.durable && !self.is_writing).then_some(self.write_again);
        again.into_iter().chain(write).min().unwrap_or(Instant::NEVER)
    }

    /// The ledger, if it has to be written and nobody does.
    pub(super) fn take_unwritten(&mut self, now: Instant) -> Option<BTreeSet<ServiceKey>> {
        if self.is_writing || self.ledger == self.durable || now < self.write_again {
            return None;
        }
        self.is_writing = true;
        Some(self.ledger.clone())
    }

    /// It was written, or not; then it is tried again.
    pub(super) fn written(
        &mut self,
        ledger: BTreeSet<ServiceKey>,
        result: std::io::Result<()>,
        now: Instant,
    ) {
        self.is_writing = false;
        match result {
            Ok(()) => self.durable = ledger,
            Err(error) => {
                self.write_again = now + AGAIN;
                warn!(%error, "the list of registrations cannot be written; services are not registered");
            }
        }
    }
}

/// How the ledger is written.
#[derive(Serialize, Deserialize)]
struct Written {
    horde: String,
    service: String,
    rev: String,
    ordinal: u16,
}

/// The ledger as it is in its file.
pub(super) fn write(ledger: &BTreeSet<ServiceKey>) -> serde_json::Result<Vec<u8>> {
    let all = ledger.iter().map(|key| Written {
        horde: key.horde.to_string(),
        service: key.service.to_string(),
        rev: key.rev.to_string(),
        ordinal: key.ordinal,
    });
    serde_json::to_vec(&all.collect::<Vec<_>>())
}

/// Reads the list that [`write`] made. Of a damaged file nothing: a registration in it stays until its service is up
/// again or a person withdraws it.
pub(super) fn read(bytes: &[u8]) -> BTreeSet<ServiceKey> {
    let all: Vec<Written> = serde_json::from_slice(bytes).unwrap_or_default();
    let key = |written: Written| {
        let horde: Label = written.horde.parse().ok()?;
        let service: ServiceName = written.service.parse().ok()?;
        let rev: ServiceName = written.rev.parse().ok()?;
        Some(ServiceKey { horde, service, rev, ordinal: written.ordinal })
    };
    all.into_iter().filter_map(key).collect()
}

#[cfg(test)]
mod tests;
