//! Small flocks and the histories they may write.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use crux_crdt::act::{Act, Statement};
use crux_crdt::blob::Descriptor;
use crux_crdt::canon::Canonical as _;
use crux_crdt::name::NodeName;
use crux_crdt::record::{
    Frontier, Header, Marker, Offer, Profile, Record, RecordError, Registration, SLOT_BYTES_MAX,
    ServiceKey, Slot, slots_root,
};
use crux_crdt::sign::{Identity, Signed};
use crux_crdt::strew::Strew;
use crux_crdt::{Digest, Principal};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::values::{later, with_fields};

pub(crate) const FLOCK: Digest = Digest([7; 32]);
pub(crate) const NODES_MAX: usize = 5;

static IDENTITIES: LazyLock<Vec<Identity>> =
    LazyLock::new(|| (1..=5).map(|seed| Identity::from_seed(&[seed; 32])).collect());

/// The identity of the `n`-th node.
pub(crate) fn identity(n: usize) -> &'static Identity {
    &IDENTITIES[n]
}

/// The principal of the `n`-th node.
pub(crate) fn principal(n: usize) -> Principal {
    identity(n).principal()
}

/// One thing that a replica merges.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    Record(Arc<Record>),
    Act(Arc<Signed<Act>>),
}

impl Item {
    pub(crate) fn merge_into(&self, strew: &mut Strew) {
        match self {
            Self::Record(record) => _ = strew.merge_record(record.clone()),
            Self::Act(act) => _ = strew.merge_act(act.clone()),
        }
    }
}

/// A replica of node `me` that merged the items in this order.
pub(crate) fn replica<'a>(me: usize, items: impl IntoIterator<Item = &'a Item>) -> Strew {
    let mut strew = Strew::new(principal(me));
    items.into_iter().for_each(|item| item.merge_into(&mut strew));
    strew
}

pub(crate) fn act(author: usize, number: u64, previous: Digest, statement: Statement) -> Item {
    let act = Act { number, previous, statement };
    Item::Act(Arc::new(Signed::sign(act, &FLOCK, identity(author))))
}

pub(crate) fn admit(author: usize, subject: usize, generation: u64) -> Item {
    let subject = principal(subject);
    act(author, 1, Digest::default(), Statement::admit(subject, generation))
}

pub(crate) fn registration(service: &str) -> Registration {
    Registration {
        key: ServiceKey {
            horde: "main".parse().unwrap(),
            service: service.parse().unwrap(),
            rev: "r1".parse().unwrap(),
            ordinal: 0,
        },
        endpoint: "127.0.0.1:80".parse().unwrap(),
        instance: format!("svc-{service}"),
        labels: BTreeMap::new(),
        lease: None,
    }
}

/// A slot of a kind that no version knows, as large as a slot may be, distinct for each number.
pub(crate) fn later_slot(number: u16) -> Slot {
    let mut bytes = vec![0x5a; SLOT_BYTES_MAX];
    bytes[0] = 0x7f;
    bytes[1..3].copy_from_slice(&number.to_be_bytes());
    Slot::from_canonical(&bytes).unwrap()
}

/// A record of a node with these slots, whatever they are.
pub(crate) fn record_of(
    author: usize,
    slots: impl IntoIterator<Item = Slot>,
) -> Result<Record, RecordError> {
    let slots: BTreeMap<_, _> = slots.into_iter().map(|slot| (slot.id(), Arc::new(slot))).collect();
    let profile = Profile::default();
    let header = Header {
        marker: Marker { incarnation: 1, ..Marker::default() },
        slots_root: slots_root(slots.keys()),
        profile_hash: profile.hash(),
        acts: Frontier::default(),
    };
    Record::new(Signed::sign(header, &FLOCK, identity(author)), profile, slots)
}

/// What a generated record says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draft {
    pub(crate) author: usize,
    pub(crate) marker: Marker,
    pub(crate) name: Option<NodeName>,
    pub(crate) provisional: bool,
    pub(crate) services: Vec<String>,
    /// Each service has so many instances more, under further ordinals.
    pub(crate) more: u16,
    /// Every registration has them.
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) offers: Vec<Descriptor>,
    /// Slots of kinds that this version does not know.
    pub(crate) later: Vec<Slot>,
    /// The tags of profile fields that this version does not know.
    pub(crate) fields: Vec<u8>,
}

impl Draft {
    pub(crate) fn new(author: usize, incarnation: u64, seq: u64) -> Self {
        let marker = Marker { incarnation, seq, ..Marker::default() };
        Self { author, marker, ..Self::default() }
    }

    pub(crate) fn named(mut self, name: &str) -> Self {
        self.name = Some(name.parse().unwrap());
        self
    }

    pub(crate) fn provisional(mut self) -> Self {
        self.provisional = true;
        self
    }

    pub(crate) fn with(mut self, services: &[&str]) -> Self {
        self.services = services.iter().map(ToString::to_string).collect();
        self
    }

    pub(crate) fn offering(mut self, offers: &[Descriptor]) -> Self {
        self.offers = offers.to_vec();
        self
    }

    pub(crate) fn sign(&self) -> Arc<Record> {
        let (name, provisional) = (self.name.clone(), self.provisional);
        let profile = Profile { name, ..Profile::default() };
        let known = provisional.then(|| (1, Vec::new()));
        let fields = self.fields.iter().map(|tag| (*tag, b"later".to_vec()));
        let profile = with_fields(&profile, &known.into_iter().chain(fields).collect::<Vec<_>>());
        let profile = Profile::from_canonical(&profile).unwrap();
        let services = self.services.iter().flat_map(|name| self.instances(name));
        let services = services.map(Slot::Registration);
        let offers = self.offers.iter().map(|offer| Slot::Offer(Offer(*offer)));
        let slots = services.chain(offers).chain(self.later.iter().cloned());
        let slots: BTreeMap<_, _> = slots.map(|slot| (slot.id(), Arc::new(slot))).collect();
        let header = Header {
            marker: self.marker,
            slots_root: slots_root(slots.keys()),
            profile_hash: profile.hash(),
            acts: Frontier::default(),
        };
        let header = Signed::sign(header, &FLOCK, identity(self.author));
        Arc::new(Record::new(header, profile, slots).unwrap())
    }

    fn instances(&self, name: &str) -> impl Iterator<Item = Registration> {
        let one = Registration { labels: self.labels.clone(), ..registration(name) };
        (0..=self.more).map(move |ordinal| {
            let mut one = one.clone();
            one.key.ordinal = ordinal;
            one
        })
    }

    pub(crate) fn item(&self) -> Item {
        Item::Record(self.sign())
    }
}

/// Small domains, so that markers, names and services meet often.
fn drafts(nodes: usize) -> impl Strategy<Value = Draft> {
    let marker = (0..4_u64, 0..2_u8, 0..3_u64).prop_map(|(incarnation, nonce, seq)| Marker {
        incarnation,
        nonce: [nonce; 16],
        seq,
    });
    let names = prop::option::of(prop::sample::select(vec!["ash", "birch", "cedar"]));
    let services = prop::sample::subsequence(vec!["ntp", "dns", "web"], 0..=3);
    let names = (names, any::<bool>());
    let unwell = [&[3, 0, 0, 0, 1][..], &[5; 8], &[2]].concat();
    let later = vec![vec![0x7f, 1], vec![0x7f, 2], vec![6], unwell];
    let later = prop::sample::subsequence(later, 0..=2);
    let fields = prop::sample::subsequence(vec![9, 200], 0..=2);
    let rest = (0..2_u16, any::<bool>(), later, fields);
    (0..nodes, marker, names, services, rest).prop_map(
        |(author, marker, (name, firm), services, (more, labelled, later, fields))| Draft {
            author,
            marker,
            name: name.map(|name| name.parse().unwrap()),
            provisional: !firm,
            services: services.into_iter().map(str::to_owned).collect(),
            more,
            labels: labelled.then(|| ("zone".to_owned(), "b".to_owned())).into_iter().collect(),
            offers: Vec::new(),
            later: later.iter().map(|bytes| Slot::from_canonical(bytes).unwrap()).collect(),
            fields,
        },
    )
}

#[derive(Debug, Clone)]
struct ActDraft {
    author: usize,
    number: u64,
    // Which earlier act of the author it follows; honest chains and forks both come out of it.
    previous: Index,
    statement: Statement,
}

fn act_drafts(nodes: usize) -> impl Strategy<Value = ActDraft> {
    let statement = prop_oneof![
        4 => (0..nodes, 0..4_u64).prop_map(|(subject, generation)| Statement::admit(principal(subject), generation)),
        1 => (0..3_u8).prop_map(|body| later(9, &[body])),
        1 => (0..4_u64).prop_map(|incarnation| Statement::Leave { incarnation }),
        1 => (0..nodes, 0..4_u64).prop_map(|(subject, incarnation)| Statement::Retire {
            subject: principal(subject),
            incarnation,
        }),
    ];
    (0..nodes, 1..4_u64, any::<Index>(), statement).prop_map(
        |(author, number, previous, statement)| ActDraft { author, number, previous, statement },
    )
}

fn sign_acts(drafts: Vec<ActDraft>) -> Vec<Item> {
    let mut chains: BTreeMap<usize, Vec<Digest>> = BTreeMap::new();
    let mut items = Vec::new();
    for ActDraft { author, number, previous, statement } in drafts {
        let ids = chains.entry(author).or_insert_with(|| vec![Digest::default()]);
        let item = act(author, number, *previous.get(ids), statement);
        if let Item::Act(act) = &item {
            ids.push(act.id());
        }
        items.push(item);
    }
    items
}

/// What a flock of two to five nodes may have written, in no particular order.
pub(crate) fn histories() -> impl Strategy<Value = Vec<Item>> {
    (2..=NODES_MAX)
        .prop_flat_map(|nodes| {
            let acts = prop::collection::vec(act_drafts(nodes), 0..10);
            let records = prop::collection::vec(drafts(nodes), 0..10);
            (acts, records)
        })
        .prop_map(|(acts, records)| {
            let mut items = sign_acts(acts);
            items.extend(records.iter().map(Draft::item));
            items
        })
        .prop_shuffle()
}

/// Everything a replica holds and shows. Equal views are equal replicas.
#[derive(Debug, PartialEq)]
pub(crate) struct View {
    pub(crate) digest: Digest,
    pub(crate) shown: Vec<Digest>,
    pub(crate) names: crux_crdt::strew::Names,
    indexes: [crux_crdt::strew::Index; 2],
    held: Vec<Digest>,
    acts: Vec<Digest>,
    frontiers: Vec<Frontier>,
    membership: crux_crdt::strew::Membership,
}

pub(crate) fn view(strew: &Strew) -> View {
    View {
        digest: strew.digest(),
        shown: strew.shown().map(|record| record.id()).collect(),
        names: crux_crdt::strew::Names::derive(strew),
        indexes: [strew.registers_index().clone(), strew.acts_index().clone()],
        held: strew.records().map(|record| record.id()).collect(),
        acts: strew.acts().map(|act| act.id()).collect(),
        frontiers: (0..NODES_MAX).map(|n| strew.frontier(&principal(n))).collect(),
        membership: strew.membership().clone(),
    }
}
