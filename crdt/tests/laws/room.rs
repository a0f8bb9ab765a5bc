//! What a replica with a limit takes in, and what it drops of authors that departed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crux_crdt::act::{
    ACT_BYTES_MAX, ACTS_BYTES_PER_AUTHOR_MAX, ACTS_PER_AUTHOR_MAX, AFTER_MAX, Act, After,
    NUMBER_LIMIT, Statement,
};
use crux_crdt::canon::{Canonical as _, Decoder, Encoder};
use crux_crdt::merge::Merge as _;
use crux_crdt::record::{
    Frontier, Header, Marker, Profile, Record, RecordError, SLOT_BYTES_MAX, Slot, slots_root,
};
use crux_crdt::sign::{Identity, Signed, Verifier, seal_parts};
use crux_crdt::strew::{ActOutcome, RecordOutcome, Strew};
use crux_crdt::{Digest, Principal};
use proptest::prelude::*;

use crate::flock::{
    FLOCK, Item, NODES_MAX, act, admit, histories, identity, principal, registration, replica, view,
};

const LIMIT: usize = 1 << 20;

/// The identity of the `n`-th author of a crowd.
fn author(n: u16) -> Identity {
    let mut seed = [0xcc; 32];
    seed[..2].copy_from_slice(&n.to_be_bytes());
    Identity::from_seed(&seed)
}

fn sign_act(by: &Identity, number: u64, statement: Statement) -> Arc<Signed<Act>> {
    let act = Act { number, previous: Digest::default(), statement };
    Arc::new(Signed::sign(act, &FLOCK, by))
}

fn admission(by: &Identity, of: &Identity, number: u64) -> Arc<Signed<Act>> {
    sign_act(by, number, Statement::admit(of.principal(), number))
}

/// A record with so many of the largest slots there are, distinct for each `seq`.
fn bulky(by: &Identity, seq: u64, slots: u8) -> Arc<Record> {
    let slots = (0..slots).map(|n| {
        let mut bytes = vec![u8::try_from(seq).unwrap(); SLOT_BYTES_MAX];
        (bytes[0], bytes[1]) = (9, n);
        Slot::from_canonical(&bytes).unwrap()
    });
    signed(by, seq, slots)
}

fn signed(by: &Identity, seq: u64, slots: impl Iterator<Item = Slot>) -> Arc<Record> {
    let slots: BTreeMap<_, _> = slots.map(|slot| (slot.id(), Arc::new(slot))).collect();
    Arc::new(made(by, seq, slots).unwrap())
}

fn made(
    by: &Identity,
    seq: u64,
    slots: BTreeMap<Digest, Arc<Slot>>,
) -> Result<Record, RecordError> {
    let profile = Profile::default();
    let header = Header {
        marker: Marker { incarnation: 1, seq, ..Marker::default() },
        slots_root: slots_root(slots.keys()),
        profile_hash: profile.hash(),
        acts: Frontier::default(),
    };
    Record::new(Signed::sign(header, &FLOCK, by), profile, slots)
}

/// A replica of node 0 with a limit, in which node 1 is a member.
fn limited() -> Strew {
    let mut strew = replica(0, [&admit(0, 1, 1)]);
    strew.set_limit(LIMIT);
    strew
}

/// Lets node 1 admit authors with ten large slots each until one is refused. Returns how many were taken.
fn fill(strew: &mut Strew) -> u16 {
    let liar = identity(1);
    for n in 0..1_000 {
        let newcomer = author(n);
        let admitted = strew.merge_act(admission(liar, &newcomer, u64::from(n) + 1));
        if admitted == ActOutcome::NoRoom {
            return n;
        }
        if strew.merge_record(bulky(&newcomer, 0, 10)) == RecordOutcome::NoRoom {
            return n;
        }
    }
    panic!("it takes in everybody");
}

#[test]
fn a_full_replica_takes_in_no_further_author() {
    let mut strew = limited();
    let taken = fill(&mut strew);
    assert!((5..14).contains(&taken), "{taken} authors of 90 KiB in 1 MiB");
    assert!(strew.footprint() <= LIMIT);
    let before = view(&strew);
    let held = strew.footprint();
    for n in 500..600 {
        let newcomer = author(n);
        let record = bulky(&newcomer, 0, 10);
        assert_eq!(strew.merge_record(record), RecordOutcome::NoRoom, "nobody admitted it");
        // Members are admitted as long as a small one fits.
        strew.merge_act(admission(identity(1), &newcomer, u64::from(n)));
        assert_eq!(strew.merge_record(bulky(&newcomer, 0, 10)), RecordOutcome::NoRoom);
    }
    assert!(strew.is_full());
    let newcomer = author(700);
    assert_eq!(strew.merge_act(admission(identity(1), &newcomer, 700)), ActOutcome::NoRoom);
    assert!(!strew.membership().contains(&newcomer.principal()));
    assert_eq!(view(&strew).shown, before.shown);
    assert!(strew.footprint() <= LIMIT, "{held} became {}", strew.footprint());
}

#[test]
fn known_authors_change_and_grow_up_to_their_share_of_a_full_replica() {
    let mut strew = limited();
    let honest = author(900);
    strew.merge_act(admission(identity(0), &honest, 1));
    let services = |seq, count: usize| {
        let one = |n| Slot::Registration(registration(&format!("s{n}")));
        signed(&honest, seq, (0..count).map(one))
    };
    assert_eq!(strew.merge_record(services(0, 1)), RecordOutcome::Newer);
    let taken = fill(&mut strew);
    // A small author registers what it likes.
    assert_eq!(strew.merge_record(services(1, 20)), RecordOutcome::Newer);
    assert_eq!(strew.merge_record(services(2, 3)), RecordOutcome::Newer);
    // One that takes more than its share changes within what it takes, and grows no more.
    let large = author(0);
    assert_eq!(strew.merge_record(bulky(&large, 1, 10)), RecordOutcome::Newer);
    assert_eq!(strew.merge_record(bulky(&large, 2, 200)), RecordOutcome::NoRoom);
    assert_eq!(strew.record(&large.principal()).unwrap().marker().seq, 1);
    // However they go on, all of them together take twice the limit at most.
    for seq in 3..6 {
        for n in 0..taken {
            for slots in [255, 100, 30, 20, 12] {
                strew.merge_record(bulky(&author(n), seq, slots));
            }
            for number in 1..40 {
                let retire = Statement::Retire { subject: Principal([9; 32]), incarnation: number };
                strew.merge_act(sign_act(&author(n), number, retire));
            }
        }
    }
    assert!(strew.footprint() <= 2 * LIMIT, "{}", strew.footprint());
    // This node's own are always taken.
    let mine = strew.merge_record(bulky(identity(0), 1, 255));
    assert_eq!(mine, RecordOutcome::Newer);
    let own = strew.merge_act(admission(identity(0), &author(901), 2));
    assert!(matches!(own, ActOutcome::New(_)), "{own:?}");
}

#[test]
fn who_is_forgotten_makes_room_even_where_there_is_none() {
    let mut strew = limited();
    let forgets = author(900);
    strew.merge_act(admission(identity(0), &forgets, 1));
    let taken = fill(&mut strew);
    // Acts that free nothing are not taken in without end.
    let idle = |number| {
        let subject = Principal([9; 32]);
        sign_act(&forgets, number, Statement::Retire { subject, incarnation: 1 })
    };
    let refused = (1..2_000).find(|number| strew.merge_act(idle(*number)) == ActOutcome::NoRoom);
    assert!(refused.is_some());
    for n in 0..taken {
        let subject = author(n).principal();
        let held = strew.footprint();
        let id = strew.record(&subject).unwrap().id();
        let retire = Statement::Retire { subject, incarnation: 1 };
        let outcome = strew.merge_act(sign_act(&forgets, 3_000 + u64::from(n), retire));
        assert!(matches!(outcome, ActOutcome::New(_)), "{outcome:?}");
        assert!(strew.footprint() + 80 * 1024 < held);
        let left = strew.record(&subject).unwrap();
        assert!(left.is_stripped() && left.id() == id);
    }
    assert!(!strew.is_full());
    let newcomer = author(800);
    strew.merge_act(admission(identity(1), &newcomer, 800));
    assert_eq!(strew.merge_record(bulky(&newcomer, 0, 10)), RecordOutcome::Newer);
}

/// The greatest act of a kind that this build does not know, distinct for each number.
fn unknown(by: &Identity, number: u64) -> Arc<Signed<Act>> {
    sign_act(by, number, crate::values::later(200, &vec![1; ACT_BYTES_MAX - 42]))
}

/// 128 acts of the greatest size fill the bound of an author, whatever there is room for.
#[test]
fn unknown_acts_of_one_author_have_a_bound_in_bytes() {
    let mut strew = replica(0, [&admit(0, 1, 1)]);
    let most = ACTS_BYTES_PER_AUTHOR_MAX / ACT_BYTES_MAX;
    for number in 1..=most as u64 {
        let outcome = strew.merge_act(unknown(identity(1), number));
        assert!(matches!(outcome, ActOutcome::New(_)), "{number}: {outcome:?}");
    }
    let held = strew.footprint_of(&principal(1));
    assert!(held >= ACTS_BYTES_PER_AUTHOR_MAX - most * 42, "{held} bytes are said");
    let next = strew.merge_act(unknown(identity(1), most as u64 + 1));
    assert_eq!(next, ActOutcome::TooMany);
    // Not even a small one fits. Of known kinds all count; another author, and this node, go on.
    let small = sign_act(identity(1), 500, crate::values::later(200, &[1; 99]));
    assert_eq!(strew.merge_act(small), ActOutcome::TooMany);
    assert_eq!(strew.footprint_of(&principal(1)), held);
    let newcomer = author(7);
    let admitted = strew.merge_act(admission(identity(1), &newcomer, 501));
    assert!(
        matches!(admitted, ActOutcome::New(_))
            && strew.membership().contains(&newcomer.principal())
    );
    let leave = sign_act(identity(1), 502, Statement::Leave { incarnation: 1 });
    assert!(matches!(strew.merge_act(leave), ActOutcome::New(_)));
    let held = strew.footprint_of(&principal(1));
    let own = strew.merge_act(admission(identity(0), &author(1), 2));
    assert!(matches!(own, ActOutcome::New(_)));
    assert_eq!(strew.footprint_of(&principal(1)), held);
}

/// The operator need not be a member: what this build does not know of it is shared, within the same bounds.
#[test]
fn unknown_acts_of_an_operator_are_shared_and_bounded() {
    let operator = author(77);
    let mut strew = replica(0, [&admit(0, 1, 1)]);
    let early = unknown(&operator, 1);
    strew.merge_act(early.clone());
    assert_eq!(strew.acts_index().get(&early.id()), None, "nobody said who the operator is");
    strew.set_operator(Some(operator.principal()));
    let most = ACTS_BYTES_PER_AUTHOR_MAX / ACT_BYTES_MAX;
    let all: Vec<_> = (2..=most as u64).map(|number| unknown(&operator, number)).collect();
    for act in all.iter().chain([&early]) {
        strew.merge_act(act.clone());
        assert_eq!(strew.acts_index().get(&act.id()), Some(act.id()));
    }
    assert_eq!(strew.merge_act(unknown(&operator, 500)), ActOutcome::TooMany);
    // What this build knows counts by members alone.
    let retire =
        sign_act(&operator, 501, Statement::Retire { subject: principal(1), incarnation: 9 });
    strew.merge_act(retire.clone());
    assert!(!strew.shares(&retire) && strew.acts_index().get(&retire.id()).is_none());
    assert_eq!(strew.membership().departed(&principal(1), 1), None);
    assert!(!strew.shares(&unknown(&author(78), 1)), "nobody else's");
    // The crowd of a full replica leaves it no more than a member.
    let mut strew = limited();
    strew.set_operator(Some(operator.principal()));
    (1..=20).for_each(|number| _ = strew.merge_act(unknown(&operator, number)));
    assert!(strew.footprint() <= LIMIT, "{}", strew.footprint());
}

/// A node with the operator's key, that a member let in: it is no member, nor is anybody by its word, in whatever
/// order its acts arrive.
#[test]
fn an_admission_of_the_operator_counts_for_nothing() {
    let (operator, friend) = (author(77), author(78));
    let acts = [
        admission(identity(0), &operator, 1),
        admission(&operator, identity(0), 1),
        admission(&operator, &friend, 2),
        sign_act(&operator, 3, Statement::Retire { subject: principal(1), incarnation: 9 }),
        sign_act(identity(0), 2, Statement::admit(principal(1), 2)),
    ];
    let members = |named: bool, first: usize| {
        let mut strew = Strew::new(principal(0));
        strew.set_operator(named.then_some(operator.principal()));
        acts.iter().cycle().skip(first).take(acts.len()).for_each(|act| {
            strew.merge_act(act.clone());
        });
        strew.merge_record(signed(&operator, 1, core::iter::empty()).clone());
        let shown = strew.shown_record(&operator.principal()).is_some();
        assert_eq!((shown, strew.shares(&acts[2])), (!named, !named));
        assert_eq!(strew.membership().departed(&principal(1), 1).is_some(), !named);
        strew.membership().members().collect::<Vec<_>>()
    };
    for first in 0..acts.len() {
        let mut expected = vec![principal(0), principal(1)];
        expected.sort();
        assert_eq!(members(true, first), expected, "from act {first} on");
        expected.extend([operator.principal(), friend.principal()]);
        expected.sort();
        assert_eq!(members(false, first), expected, "of a flock without an operator");
    }
}

/// All of them together are bounded by the limit of the replica, as records are.
#[test]
fn unknown_acts_of_a_crowd_take_twice_the_limit_at_most() {
    let mut strew = limited();
    let honest = author(900);
    strew.merge_act(admission(identity(0), &honest, 1));
    let mut refused = 0;
    for n in 0..6 {
        let newcomer = author(n);
        strew.merge_act(admission(identity(1), &newcomer, u64::from(n) + 1));
        for number in 1..5 {
            let outcome = strew.merge_act(unknown(&newcomer, number));
            refused += usize::from(outcome == ActOutcome::NoRoom);
        }
    }
    assert!(refused > 10, "{refused} of 24 acts of 128 KiB have no room in 1 MiB");
    assert!(strew.footprint() <= 2 * LIMIT, "{}", strew.footprint());
    assert!(strew.footprint() > LIMIT / 2, "they are counted: {}", strew.footprint());
    // A small author goes on.
    let retire = Statement::Retire { subject: Principal([9; 32]), incarnation: 1 };
    let outcome = strew.merge_act(sign_act(&honest, 1, retire));
    assert!(matches!(outcome, ActOutcome::New(_)), "{outcome:?}");
}

/// An admission may name evicted principals: what these take counts, too.
#[test]
fn a_list_in_an_admission_takes_room() {
    let mut strew = replica(0, [&admit(0, 1, 1)]);
    let evicted: Vec<_> = (0..1024).map(|n| author(n).principal()).collect();
    let after = After::of(&evicted).unwrap();
    let before = strew.footprint();
    let subject = author(2000).principal();
    strew.merge_act(sign_act(identity(1), 1, Statement::Admit { subject, generation: 2, after }));
    assert!(strew.footprint() - before >= AFTER_MAX * 8);
    assert!(strew.membership().contains(&subject), "whatever it names");
}

#[test]
fn of_a_departed_author_the_record_is_kept_without_its_slots() {
    let whole = bulky(identity(1), 1, 3);
    let mut strew = replica(0, [&admit(0, 1, 1), &Item::Record(whole.clone())]);
    let leave = act(1, 1, Digest::default(), Statement::Leave { incarnation: 1 });
    leave.merge_into(&mut strew);
    let stripped = strew.record(&principal(1)).unwrap().clone();
    assert!(stripped.is_stripped() && stripped.slots().is_empty());
    assert_eq!((stripped.id(), stripped.marker()), (whole.id(), whole.marker()));
    assert_eq!(strew.merge_record(whole.clone()), RecordOutcome::Known);
    assert!(strew.record(&principal(1)).unwrap().is_stripped());
    // It comes back with another incarnation, whole.
    let back = crate::flock::Draft::new(1, 2, 0).with(&["dns"]);
    assert_eq!(strew.merge_record(back.sign()), RecordOutcome::Newer);
    assert_eq!(strew.shown_record(&principal(1)).unwrap().slots().len(), 1);
    // Nobody else's stripped record is taken in: its slots are needed.
    let mut other = replica(0, [&admit(0, 1, 1)]);
    assert_eq!(other.merge_record(stripped), RecordOutcome::Older);
    assert!(other.record(&principal(1)).is_none());
    // This node's own stays whole, or it could not go on from it.
    let mut own = replica(1, [&admit(1, 0, 1), &Item::Record(whole)]);
    leave.merge_into(&mut own);
    assert!(!own.record(&principal(1)).unwrap().is_stripped());
}

#[test]
fn a_record_is_stripped_of_slots_that_there_were() {
    let empty = crate::flock::Draft::new(1, 1, 1).sign();
    assert!(!empty.stripped().is_stripped() && empty.stripped() == *empty);
    let parts = |record: &Record| (record.header().clone(), record.profile().clone());
    let (header, profile) = parts(&empty);
    assert_eq!(Record::new_stripped(header, profile), Err(RecordError::Slots));
    let whole = bulky(identity(1), 1, 3);
    let (header, profile) = parts(&whole);
    let other = Profile { draining: true, ..profile.clone() };
    assert_eq!(Record::new_stripped(header.clone(), profile), Ok(whole.stripped()));
    assert_eq!(Record::new_stripped(header, other), Err(RecordError::Profile));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Below the limit it makes no difference that there is one; and what is stripped, and what all of
    /// it takes, does not depend on the order.
    #[test]
    fn below_the_limit_nothing_depends_on_the_order(
        (items, other) in histories().prop_flat_map(|items| {
            (Just(items.clone()), Just(items).prop_shuffle())
        }),
    ) {
        let mut limited = replica(0, []);
        limited.set_limit(1 << 30);
        items.iter().for_each(|item| item.merge_into(&mut limited));
        let other = replica(0, &other);
        prop_assert_eq!(view(&limited), view(&other));
        prop_assert_eq!(limited.footprint(), other.footprint());
        let stripped = |strew: &Strew| -> Vec<_> {
            strew.records().map(|record| record.is_stripped()).collect()
        };
        prop_assert_eq!(stripped(&limited), stripped(&other));
        let of: usize = (0..NODES_MAX).map(|n| limited.footprint_of(&principal(n))).sum();
        prop_assert_eq!(of, limited.footprint());
        let mut merged = replica(0, []);
        merged.merge(&limited);
        prop_assert_eq!(merged.footprint(), limited.footprint());
    }
}

#[test]
fn two_slots_that_register_one_service_make_no_record() {
    let (one, mut two) = (registration("dns"), registration("dns"));
    two.endpoint = "127.0.0.1:81".parse().unwrap();
    two.instance = "svc-other".to_owned();
    let slots = |all: [Slot; 2]| all.map(|slot| (slot.id(), Arc::new(slot))).into();
    let twice = slots([Slot::Registration(one.clone()), Slot::Registration(two)]);
    assert_eq!(made(identity(1), 1, twice), Err(RecordError::DuplicateKey("registrations")));
    // Another revision of it is another service.
    let mut three = registration("dns");
    three.key.rev = "r2".parse().unwrap();
    let both = slots([Slot::Registration(one), Slot::Registration(three)]);
    assert_eq!(made(identity(1), 1, both).map(|record| record.slots().len()), Ok(2));
}

/// Takes every signature, so that ten thousand acts need none.
struct Any;

impl Verifier for Any {
    fn verify(&self, _: &Principal, _: &[u8], _: &[u8; 64]) -> bool {
        true
    }
}

fn unsigned(by: &Principal, number: u64, subject: Principal) -> Arc<Signed<Act>> {
    let statement = Statement::Retire { subject, incarnation: number };
    let act = Act { number, previous: Digest::default(), statement };
    let mut out = Encoder::default();
    seal_parts(&mut out, by, &[0; 64], &act);
    Arc::new(Signed::open(&mut Decoder::new(&out.finish()), &FLOCK, &Any).unwrap())
}

#[test]
fn an_author_has_so_many_acts_and_no_more() {
    let mut strew = replica(0, [&admit(0, 1, 1)]);
    let (liar, most) = (principal(1), ACTS_PER_AUTHOR_MAX);
    for number in 1..=most {
        let outcome = strew.merge_act(unsigned(&liar, number, Principal([8; 32])));
        assert!(matches!(outcome, ActOutcome::New(_)), "number {number}: {outcome:?}");
    }
    let (acts, digest) = (strew.acts().count(), strew.digest());
    assert_eq!(acts as u64, most + 1);
    // Their numbers may be anything: it is how many there are that counts.
    let further = unsigned(&liar, 1, Principal([9; 32]));
    assert_eq!(strew.merge_act(further.clone()), ActOutcome::TooMany);
    assert!(strew.act(&further.id()).is_none());
    assert_eq!((strew.acts().count(), strew.digest()), (acts, digest));
    // Others may still speak.
    let other = strew.merge_act(unsigned(&principal(0), 2, Principal([9; 32])));
    assert!(matches!(other, ActOutcome::New(_)));
}

#[test]
fn the_last_generation_there_is_can_be_named_and_no_later_one() {
    let mut strew = replica(0, [&admit(0, 1, NUMBER_LIMIT - 2)]);
    assert_eq!(strew.membership().next_generation(), NUMBER_LIMIT - 1);
    // A member that lies takes the last one. The next admission can still be read by everybody.
    admit(1, 2, NUMBER_LIMIT - 1).merge_into(&mut strew);
    let generation = strew.membership().next_generation();
    assert_eq!(generation, NUMBER_LIMIT - 1);
    let statement = Statement::admit(principal(3), generation);
    let next = Act { number: 1, previous: Digest::default(), statement };
    assert_eq!(Act::from_canonical(&next.to_canonical()), Ok(next));
}
