//! One engine in a test's hands: it answers writes and collects commands.

use crux_crdt::fact::Fact;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crux_crdt::act::{Act, Statement};
use crux_crdt::record::{
    Frontier, Header, Marker, Profile, Record, Registration, ServiceKey, Slot, slots_root,
};
use crux_crdt::sign::{Ed25519, Identity, Signed};
use crux_crdt::{Digest, Principal};
use crux_protocol::context::{Apart, Context};
use crux_protocol::fact;
use crux_protocol::flock::{
    Answer, Batch, Command, Config, Control, ControlError, ControlId, Event, Notice, Parts,
    PersistError, Restored, State, StopReason, Ticket,
};
use crux_protocol::genesis::{InitialSecret, JoinKey};
use crux_protocol::leader::{self, Fenced};
use crux_protocol::link::{self, GossipId, Protocol, ReplyId, Topic, Verdict};
use crux_protocol::sync;
use crux_protocol::time::Instant;
use zeroize::Zeroizing;

pub(crate) const FLOCK: Digest = Digest([7; 32]);

/// An identity by a number.
pub(crate) fn who(seed: u8) -> Arc<Identity> {
    Arc::new(Identity::from_seed(&[seed; 32]))
}

/// A signed act.
pub(crate) fn act(by: &Identity, number: u64, statement: Statement) -> Arc<Signed<Act>> {
    let act = Act { number, previous: Digest::default(), statement };
    Arc::new(Signed::sign(act, &FLOCK, by))
}

/// The admission of one by another.
pub(crate) fn admit(by: &Identity, whom: &Identity) -> Arc<Signed<Act>> {
    act(by, 1, Statement::admit(whom.principal(), 1))
}

/// A record of a node that registers nothing.
pub(crate) fn record(by: &Identity, marker: Marker, profile: Profile) -> Arc<Record> {
    record_with(by, marker, profile, &[])
}

/// A record of a node that registers these services.
pub(crate) fn record_with(
    by: &Identity,
    marker: Marker,
    profile: Profile,
    services: &[&str],
) -> Arc<Record> {
    let slots = services.iter().map(|service| Slot::Registration(registration(service)));
    record_of(by, marker, profile, slots)
}

/// A record with these slots.
pub(crate) fn record_of(
    by: &Identity,
    marker: Marker,
    profile: Profile,
    slots: impl Iterator<Item = Slot>,
) -> Arc<Record> {
    let slots: BTreeMap<_, _> = slots.map(|slot| (slot.id(), Arc::new(slot))).collect();
    let header = Header {
        marker,
        slots_root: slots_root(slots.keys()),
        profile_hash: profile.hash(),
        acts: Frontier::default(),
    };
    let header = Signed::sign(header, &FLOCK, by);
    Arc::new(Record::new(header, profile, slots).expect("parts made for each other"))
}

/// What [`record_with`] registers.
pub(crate) fn registration(service: &str) -> Registration {
    Registration {
        key: key(service),
        endpoint: "127.0.0.1:9000".parse().expect("an address"),
        instance: format!("svc-{service}"),
        labels: BTreeMap::new(),
        lease: None,
    }
}

/// What names the registration of a service.
pub(crate) fn key(service: &str) -> ServiceKey {
    ServiceKey {
        horde: "main".parse().expect("a label"),
        service: service.parse().expect("a name"),
        rev: "r1".parse().expect("a name"),
        ordinal: 0,
    }
}

/// A marker of this incarnation.
pub(crate) fn marker(incarnation: u64) -> Marker {
    Marker { incarnation, nonce: [1; 16], seq: 0 }
}

/// A record as gossip carries it.
pub(crate) fn gossiped(record: &Record) -> Vec<u8> {
    fact::gossiped(&Arc::new(record.clone()).into(), |_| false)
}

/// A record as it is stored by others.
pub(crate) fn sealed(record: &Arc<Record>) -> Vec<u8> {
    fact::whole(&record.clone().into())
}

/// A fenced command under the claim that this record states.
pub(crate) fn command(record: &Record) -> Vec<u8> {
    leader::Request::Fenced(Box::new(Fenced::of(record).expect("it claims"))).encode()
}

/// An act as gossip carries it.
pub(crate) fn sealed_act(act: &Signed<Act>) -> Vec<u8> {
    fact::gossiped(&Arc::new(act.clone()).into(), |_| false)
}

/// Facts of two kinds, as a disk gives them.
pub(crate) fn facts(
    acts: impl IntoIterator<Item = Arc<Signed<Act>>>,
    records: impl IntoIterator<Item = Arc<Record>>,
) -> Vec<Fact> {
    acts.into_iter().map(Fact::from).chain(records.into_iter().map(Fact::from)).collect()
}

/// The records in a write.
pub(crate) fn records_in(batch: &Batch) -> impl Iterator<Item = &Arc<Record>> {
    batch.facts.iter().filter_map(|fact| match fact {
        Fact::Record(record) => Some(record),
        _ => None,
    })
}

/// How the disk answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disk {
    Good,
    Full,
    /// It does not answer until it is [`Disk::Good`] again and [`Rig::unstick`] is called.
    Stuck,
}

fn make_config(name: Option<&str>, join: &[&str]) -> Config {
    Config {
        name: name.map(|name| name.parse().expect("a name")),
        join: join.iter().map(ToString::to_string).collect(),
        ..Config::new(vec!["127.0.0.1:1000".parse().expect("an address")])
    }
}

pub(crate) struct Rig {
    pub(crate) state: State,
    context: Context,
    pub(crate) disk: Disk,
    pub(crate) now: Instant,
    /// How often the engine was woken.
    pub(crate) wakes: usize,
    pub(crate) links: Vec<link::Command>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) written: Vec<Batch>,
    pub(crate) saved: Vec<Batch>,
    /// What was handed to the disk in either way, in this order; nothing while it is full.
    batches: Vec<Batch>,
    /// The authors of the records that are to be read from the disk.
    pub(crate) recalled: Vec<Principal>,
    /// How many batches had been handed to the disk before each of these reads.
    pub(crate) saved_before: Vec<usize>,
    pub(crate) answers: Vec<Result<Answer, ControlError>>,
    /// Why it stopped, if it did.
    pub(crate) stopped: Option<StopReason>,
    stuck: Option<(Ticket, Batch)>,
    next: u64,
}

impl Rig {
    /// A node that knows nobody.
    pub(crate) fn new() -> Self {
        let mut rig = Self::restored(Restored::default());
        rig.run(Duration::from_secs(3));
        rig
    }

    fn make_context(operator: Option<Principal>) -> Context {
        let me = who(1).principal();
        Context {
            flock: FLOCK,
            operator,
            me,
            verifier: Arc::new(Ed25519),
            sharing: Arc::new(Apart),
        }
    }

    /// What the node verifies by.
    pub(crate) fn context(&self) -> Context {
        self.context.clone()
    }

    /// A node of a flock with this operator.
    pub(crate) fn operated(
        operator: Option<Principal>,
        restored: Restored,
        replica_max: usize,
    ) -> Self {
        let config = Config { replica_max, ..make_config(None, &[]) };
        Self::made_in(Self::make_context(operator), config, restored)
    }

    /// A node that finds this on its disk.
    pub(crate) fn restored(restored: Restored) -> Self {
        Self::made(make_config(None, &[]), restored)
    }

    /// The same, whose replica is full at so many bytes.
    pub(crate) fn limited(restored: Restored, replica_max: usize) -> Self {
        Self::made(Config { replica_max, ..make_config(None, &[]) }, restored)
    }

    /// The same, told of others at these places.
    pub(crate) fn told(join: &[&str], restored: Restored) -> Self {
        Self::told_as(None, join, restored)
    }

    /// The same, under this name.
    pub(crate) fn told_as(name: Option<&str>, join: &[&str], restored: Restored) -> Self {
        Self::made(make_config(name, join), restored)
    }

    fn made(config: Config, restored: Restored) -> Self {
        Self::made_in(Self::make_context(None), config, restored)
    }

    fn made_in(context: Context, config: Config, restored: Restored) -> Self {
        let identity = who(1);
        let secret = InitialSecret::new(Zeroizing::new([3; 32]));
        let join_key = JoinKey::initial(&secret);
        let now = Instant::after_origin(Duration::from_secs(100));
        let parts = Parts { identity, join_key, restored, seed: [9; 32] };
        let mut rig = Self {
            state: State::new(config, context.clone(), parts, now),
            context,
            disk: Disk::Good,
            now,
            wakes: 0,
            links: Vec::new(),
            notices: Vec::new(),
            written: Vec::new(),
            saved: Vec::new(),
            batches: Vec::new(),
            recalled: Vec::new(),
            saved_before: Vec::new(),
            answers: Vec::new(),
            stopped: None,
            stuck: None,
            next: 0,
        };
        rig.give(Event::Wake);
        rig
    }

    /// A node in a flock with one other member, which it has the record of and is linked to.
    pub(crate) fn with_member(other: &Identity, profile: Profile) -> Self {
        let me = who(1);
        let acts = vec![admit(&me, other), admit(other, &me)];
        let records = vec![record(other, marker(1), profile)];
        let mut rig =
            Self::restored(Restored { facts: facts(acts, records), ..Restored::default() });
        rig.connect(other.principal(), true);
        rig.compare(other.principal());
        rig.run(Duration::from_secs(1));
        rig
    }

    pub(crate) fn connect(&mut self, peer: Principal, member: bool) {
        let addr = "127.0.0.1:2000".parse().expect("an address");
        self.give(Event::Link(link::Event::Connected { peer, addr, outbound: false, member }));
    }

    /// Hands an event in, and does what follows from it but the network.
    pub(crate) fn give(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for command in self.state.handle(event, self.now) {
                match command {
                    Command::Link(command) => self.links.push(command),
                    Command::Notice(notice) => self.notices.push(notice),
                    Command::Answer { result, .. } => self.answers.push(result),
                    Command::Persist { ticket, batch } if self.disk == Disk::Stuck => {
                        self.batches.push(batch.clone());
                        self.stuck = Some((ticket, batch));
                    }
                    Command::Persist { ticket, batch } => {
                        let good = self.disk == Disk::Good;
                        if good {
                            self.batches.push(batch.clone());
                            self.written.push(batch);
                        }
                        let result = if good { Ok(()) } else { Err(PersistError::Full) };
                        events.push(Event::Persisted { ticket, result });
                    }
                    Command::Save(batch) => {
                        self.batches.push(batch.clone());
                        self.saved.push(batch);
                    }
                    Command::Recall { author } => {
                        self.recalled.push(author);
                        self.saved_before.push(self.saved.len());
                    }
                    Command::Stop(reason) => self.stopped = Some(reason),
                    Command::Changed => {}
                }
            }
        }
    }

    /// What a disk gives back that wrote all batches in their order, on top of this.
    pub(crate) fn on_disk(&self, mut found: Vec<Fact>) -> Vec<Fact> {
        let mut disk = BTreeMap::new();
        let mut parts = BTreeMap::new();
        let restored = Batch { facts: std::mem::take(&mut found), ..Batch::default() };
        for batch in std::iter::once(&restored).chain(&self.batches) {
            for fact in &batch.facts {
                let place = (fact.kind(), fact.key());
                let stored = disk.get(&place).map(Vec::as_slice);
                let Some(kept) = fact.keep(stored).expect("what is stored is whole") else {
                    continue;
                };
                parts.entry(place).or_insert_with(BTreeMap::new).extend(kept.added);
                disk.insert(place, kept.bytes);
            }
            for gone in &batch.gone {
                let place = (gone.kind, gone.key);
                let Some(stored) = disk.remove(&place) else { continue };
                let left = crux_crdt::fact::without(gone.kind, &stored, &gone.author);
                disk.extend(left.expect("what is stored is whole").map(|left| (place, left)));
            }
        }
        let terms = self.context.terms();
        for ((kind, key), bytes) in &disk {
            let mut all = parts.get(&(*kind, *key)).cloned().unwrap_or_default();
            let needed = crux_crdt::fact::parts(*kind, bytes).expect("what is stored is whole");
            all.retain(|part, _| needed.contains(part));
            let facts = crux_crdt::fact::restore(*kind, key, bytes, all, &terms);
            found.extend(facts.expect("what is stored is whole"));
        }
        found
    }

    /// The write that the disk did not answer is durable.
    pub(crate) fn unstick(&mut self) {
        self.disk = Disk::Good;
        let (ticket, batch) = self.stuck.take().expect("a write waits");
        self.written.push(batch);
        self.give(Event::Persisted { ticket, result: Ok(()) });
    }

    /// Another member compared its replica with this node's and found none of this node's records
    /// that it lacks.
    pub(crate) fn compare(&mut self, with: Principal) {
        let roots = sync::Roots::of(self.state.strew());
        let same = sync::Request::Roots { roots, aside: sync::Aside::default(), urgent: false };
        self.request(with, Protocol::Sync, same.encode());
    }

    /// This node's own record.
    pub(crate) fn own(&self) -> Option<&Arc<Record>> {
        self.state.strew().record(&self.state.me())
    }

    /// Lets time pass, waking the engine exactly when it asks for it.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        let before = self.wakes;
        loop {
            let due = self.state.deadline();
            if due > end {
                break;
            }
            self.now = self.now.max(due);
            self.wakes += 1;
            self.give(Event::Wake);
            let most = 100 + 50 * usize::try_from(time.as_secs()).expect("a short time");
            assert!(self.wakes - before < most, "the engine asks to be woken without end");
        }
        self.now = end;
    }

    pub(crate) fn control(&mut self, request: Control) -> Option<Result<Answer, ControlError>> {
        self.next += 1;
        self.answers.clear();
        self.give(Event::Control { id: ControlId(self.next), request });
        self.answers.pop()
    }

    pub(crate) fn register(&mut self, service: &str, lease: Option<Duration>) -> bool {
        let register = Control::Register {
            key: key(service),
            endpoint: "127.0.0.1:9000".parse().expect("an address"),
            labels: BTreeMap::new(),
            lease,
            sync: 0,
            patience: Duration::ZERO,
        };
        self.control(register).expect("an answer").is_ok()
    }

    /// The services this node has registered, as its flock sees them.
    pub(crate) fn services(&self) -> Vec<String> {
        let me = self.state.me();
        let record = self.state.strew().shown_record(&me);
        let services = record.into_iter().flat_map(|record| record.registrations());
        services.map(|service| service.key.service.to_string()).collect()
    }

    pub(crate) fn gossip(&mut self, from: Principal, topic: Topic, data: Vec<u8>) -> Verdict {
        self.next += 1;
        let id = GossipId(self.next);
        self.links.clear();
        self.give(Event::Link(link::Event::Gossip { id, topic, from, data }));
        let verdict = self.links.iter().find_map(|command| match command {
            link::Command::Judge { id: judged, verdict } if *judged == id => Some(*verdict),
            _ => None,
        });
        verdict.expect("every message is judged")
    }

    /// The number of the last thing that was sent.
    pub(crate) const fn last_id(&self) -> u64 {
        self.next
    }

    /// Sends a request; returns the reply, if one came at once.
    pub(crate) fn request(
        &mut self,
        peer: Principal,
        protocol: Protocol,
        body: Vec<u8>,
    ) -> Option<Vec<u8>> {
        self.next += 1;
        let id = ReplyId(self.next);
        self.links.clear();
        self.give(Event::Link(link::Event::Request { id, peer, protocol, body }));
        self.links.iter().find_map(|command| match command {
            link::Command::Reply { id: replied, body } if *replied == id => Some(body.clone()),
            _ => None,
        })
    }
}
