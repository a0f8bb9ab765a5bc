//! What the strew promises about single histories.

use std::collections::BTreeMap;

use crux_crdt::Digest;
use crux_crdt::act::Statement;
use crux_crdt::blob::{BlobId, Descriptor, Root};
use crux_crdt::canon::{Canonical as _, DecodeError};
use crux_crdt::fact::Kind;
use crux_crdt::name::NodeName;
use crux_crdt::record::{
    Condition, KindFull, Marker, Offer, Owner, ROWS, Record, RecordError, Registration,
    SLOT_BYTES_MAX, SLOTS_MAX, ServiceTag, Slot, SlotKind as _, SlotSet, Unwell,
};
use crux_crdt::strew::{DepartureKind, Names, RecordOutcome, Strew};
use proptest::prelude::*;

use crate::flock::*;
use crate::values::{later, unwell_bytes};

fn services(strew: &Strew, node: usize) -> Vec<String> {
    let record = strew.shown_record(&principal(node));
    let registrations = record.into_iter().flat_map(|record| record.registrations());
    let mut services: Vec<_> = registrations.map(|one| one.key.service.to_string()).collect();
    services.sort();
    services
}

#[test]
fn what_a_header_does_not_cover_does_not_exist() {
    let old = Draft::new(1, 1, 1).with(&["dns", "ntp"]);
    let new = Draft::new(1, 1, 2).with(&["ntp"]);
    let mut strew = replica(0, &[admit(0, 1, 1), old.item()]);
    assert_eq!(services(&strew, 1), ["dns", "ntp"]);
    assert_eq!(strew.merge_record(new.sign()), RecordOutcome::Newer);
    assert_eq!(services(&strew, 1), ["ntp"]);
}

#[test]
fn an_older_header_never_resurrects() {
    let old = Draft::new(1, 1, 9).with(&["dns"]);
    let new = Draft::new(1, 2, 0);
    let mut strew = replica(0, &[admit(0, 1, 1), new.item()]);
    let before = view(&strew);
    assert_eq!(strew.merge_record(old.sign()), RecordOutcome::Older);
    assert_eq!(view(&strew), before);
    assert!(services(&strew, 1).is_empty());
}

#[test]
fn incarnation_then_nonce_then_number_decide() {
    let marker = |incarnation, nonce, seq| Marker { incarnation, nonce: [nonce; 16], seq };
    let rising = [marker(1, 9, 9), marker(2, 1, 9), marker(2, 2, 1), marker(2, 2, 2)];
    let mut strew = replica(0, [&admit(0, 1, 1)]);
    for marker in rising {
        let record = Draft { author: 1, marker, ..Draft::default() }.sign();
        assert_eq!(strew.merge_record(record), RecordOutcome::Newer);
    }
    for marker in &rising[..3] {
        let record = Draft { author: 1, marker: *marker, ..Draft::default() }.sign();
        assert_eq!(strew.merge_record(record), RecordOutcome::Older);
    }
}

#[test]
fn one_marker_signed_twice_is_told_and_decided_alike() {
    let (a, b) = (Draft::new(1, 1, 1).with(&["dns"]), Draft::new(1, 1, 1).with(&["ntp"]));
    let (a, b) = (a.sign(), b.sign());
    let (low, high) = if a.id() < b.id() { (a, b) } else { (b, a) };
    let mut strew = replica(0, &[admit(0, 1, 1), Item::Record(low.clone())]);
    assert_eq!(strew.merge_record(high.clone()), RecordOutcome::Twice { kept: true });
    assert_eq!(strew.merge_record(low), RecordOutcome::Twice { kept: false });
    assert_eq!(strew.record(&principal(1)).map(|record| record.id()), Some(high.id()));
}

#[test]
fn a_retired_node_is_shown_again_at_a_higher_incarnation() {
    let retire = Statement::Retire { subject: principal(1), incarnation: 3 };
    let retire = act(0, 2, Digest::default(), retire);
    let mut strew = replica(0, &[admit(0, 1, 1), Draft::new(1, 3, 7).item(), retire]);
    assert!(strew.shown_record(&principal(1)).is_none());
    assert_eq!(strew.membership().departed(&principal(1), 3), Some(DepartureKind::Retired));
    strew.merge_record(Draft::new(1, 4, 0).sign());
    assert!(strew.shown_record(&principal(1)).is_some());
    assert!(strew.membership().contains(&principal(1)));
}

#[test]
fn what_a_stranger_says_counts_from_its_admission() {
    let mut strew = replica(0, &[Draft::new(2, 1, 1).item(), admit(1, 2, 1)]);
    assert_eq!(strew.shown().count(), 0);
    assert!(strew.acts_index().is_empty());
    admit(0, 1, 1).merge_into(&mut strew);
    assert_eq!(strew.shown().count(), 1);
    assert_eq!(strew.acts_index().len(), 2);
}

#[test]
fn a_body_under_the_hash_of_another_makes_no_record() {
    let record = Draft::new(1, 1, 1).with(&["dns"]).sign();
    let forged = Slot::Registration(registration("web"));
    let slots: BTreeMap<_, _> =
        record.slots().keys().map(|id| (*id, forged.clone().into())).collect();
    let made = Record::new(record.header().clone(), record.profile().clone(), slots);
    assert_eq!(made, Err(RecordError::Slots));
}

#[test]
fn a_blob_is_held_by_those_who_offer_it_and_are_shown() {
    let blob = BlobId([6; 32]);
    let offer = |size| Descriptor { blob, root: Root([7; 32]), size };
    let other = Descriptor { blob: BlobId([5; 32]), ..offer(1) };
    let items = [
        admit(0, 1, 1),
        Draft::new(1, 1, 1).offering(&[offer(3), other]).item(),
        // Nobody admitted this one.
        Draft::new(2, 1, 1).offering(&[offer(4)]).item(),
    ];
    let strew = replica(0, &items);
    let offers =
        strew.shown().flat_map(|record| record.of::<Offer>().map(|it| (record.author(), it)));
    let holders: Vec<_> = offers.filter(|(_, Offer(offer))| offer.blob == blob).collect();
    assert_eq!(holders, [(principal(1), &Offer(offer(3)))]);
}

#[test]
fn a_slot_of_a_later_version_hides_nothing_and_is_passed_on_as_it_is() {
    let later = Slot::from_canonical(&[9, 1, 2, 3]).unwrap();
    assert_eq!(later.to_canonical(), [9, 1, 2, 3]);
    assert!(matches!(&later, Slot::Later(it) if it.kind() == 9) && later.is_within_bounds());
    assert_eq!((later.row(), later.key()), (None, None), "it has no row and no key");
    let known = Slot::Registration(registration("dns"));
    let record = record_of(1, [later, known]).unwrap();
    assert_eq!((record.slots().len(), record.registrations().count()), (2, 1));
    let largest = [vec![9], vec![0; SLOT_BYTES_MAX - 1]].concat();
    assert!(Slot::from_canonical(&largest).is_ok());
    assert!(Slot::from_canonical(&[&largest[..], &[0]].concat()).is_err());
    let zero = Slot::from_canonical(&[0, 1]);
    assert_eq!(zero, Err(DecodeError::Invalid("slot kind")), "no version has this number");
}

fn offer(number: u8, size: u64) -> Slot {
    Slot::Offer(Offer(Descriptor { blob: BlobId([number; 32]), root: Root([7; 32]), size }))
}

/// An act of a later kind changes nothing that is shown; it is held, and compared with other replicas, as
/// soon as its author is a member.
#[test]
fn an_act_of_a_later_version_is_held_and_counts_for_nothing() {
    let unknown = act(1, 2, Digest::default(), later(200, b"evict everybody"));
    let items = [admit(0, 1, 1), Draft::new(1, 1, 1).named("ash").with(&["dns"]).item()];
    let mut strew = replica(0, [&unknown]);
    assert!(strew.acts_index().is_empty(), "its author is a stranger");
    items.iter().for_each(|item| item.merge_into(&mut strew));
    let before = view(&replica(0, &items));
    let after = view(&strew);
    assert_eq!((&after.shown, &after.names), (&before.shown, &before.names));
    assert_eq!(
        strew.membership().members().collect::<Vec<_>>(),
        replica(0, &items).membership().members().collect::<Vec<_>>()
    );
    assert_ne!(after.digest, before.digest, "sync sees it");
    let Item::Act(act) = &unknown else { panic!("an act") };
    assert!(strew.acts_index().get(&act.id()).is_some());
    assert_eq!(strew.act(&act.id()).unwrap().value(), act.value());
    assert_eq!(strew.frontier(&principal(1)).count, 2);
}

/// What a later version knows besides is no part of the digest while there is none of it: two builds beacon
/// the same.
#[test]
fn the_digest_leaves_out_kinds_of_which_there_is_nothing() {
    let strew = replica(0, &[admit(0, 1, 1)]);
    let roots: Vec<_> = strew.roots().collect();
    assert_eq!(roots.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), Kind::KNOWN);
    let covered = [&[Kind::ACT.0][..], &roots[0].1.0].concat();
    assert_eq!(strew.digest(), crux_crdt::hash::sha3("crux/state/2", &[&covered]));
    assert!(strew.index(Kind(9)).is_none());
}

fn registration_of(number: u16) -> Registration {
    let mut one = registration("web");
    one.key.ordinal = number;
    one
}

fn instance(number: u16) -> Slot {
    Slot::Registration(registration_of(number))
}

#[test]
fn two_slots_of_one_key_make_no_record() {
    let twice = record_of(1, [offer(6, 1), offer(6, 2)]);
    assert_eq!(twice, Err(RecordError::DuplicateKey("offers of blobs")));
    let mut other = registration("web");
    other.instance = "svc-other".to_owned();
    let twice = record_of(1, [instance(0), Slot::Registration(other)]);
    assert_eq!(twice, Err(RecordError::DuplicateKey("registrations")));
    // Another ordinal is another key.
    let both = record_of(1, [instance(0), instance(1)]).unwrap();
    let ordinals: Vec<_> = both.registrations().map(|one| one.key.ordinal).collect();
    assert_eq!(ordinals.len(), 2);
}

#[test]
fn each_kind_has_a_bound_and_all_of_them_fit_a_record() {
    let full = |name| KindFull { name, most: ROWS.iter().find(|it| it.name == name).unwrap().most };
    let services: Vec<_> = (0..257).map(instance).collect();
    let offers: Vec<_> = (0..65).map(|number| offer(number, 1)).collect();
    assert!(record_of(1, services[..256].iter().chain(&offers[..64]).cloned()).is_ok());
    let refused = |slots: &[Slot]| record_of(1, slots.to_vec()).unwrap_err();
    assert_eq!(refused(&services), RecordError::TooManyOfKind(full("registrations")));
    assert_eq!(refused(&offers), RecordError::TooManyOfKind(full("offers of blobs")));
    assert_eq!(
        full("registrations").to_string(),
        "this node has 256 registrations, which is the limit"
    );
}

#[test]
fn an_author_has_640_slots_whatever_their_kinds_are() {
    let known = (0..256).map(instance).chain((0..64).map(|number| offer(number, 1)));
    let rest = (0..320).map(later_slot);
    assert_eq!(record_of(1, known.clone().chain(rest)).unwrap().slots().len(), SLOTS_MAX);
    let one_more = record_of(1, known.chain((0..321).map(later_slot)));
    assert_eq!(one_more, Err(RecordError::TooManySlots(641)));
    assert!(record_of(1, (0..640).map(later_slot)).is_ok(), "a later version has these kinds");
    assert_eq!(record_of(1, (0..641).map(later_slot)), Err(RecordError::TooManySlots(641)));
}

#[test]
fn a_set_says_when_it_is_full_and_drops_nothing() {
    let offer =
        |number| Offer(Descriptor { blob: BlobId([number; 32]), root: Root([7; 32]), size: 1 });
    let set = SlotSet::new((0..64).map(offer)).unwrap();
    assert_eq!((set.row().number, set.slots().count()), (2, 64));
    assert_eq!(SlotSet::new((0..65).map(offer)), Err(KindFull::of(Offer::ROW)));
    // Of a record: what a part of the node owns. What callers own is not a set, nor what nobody knows.
    let slots = set.slots().cloned().chain([instance(0), later_slot(0)]);
    assert_eq!(SlotSet::all_of(&record_of(1, slots).unwrap()), [set]);
}

/// All are said at once, so there is one statement; and none where all are up.
#[test]
fn a_statement_about_health_is_sorted_and_bounded_and_never_empty() {
    let tag = |number: u16| registration_of(number).key.tag();
    assert_eq!(Unwell::new([]), Ok(None));
    let all = |count| Unwell::new((0..count).map(|number| (tag(number), Condition::Down)));
    let full = Slot::Unwell(all(256).unwrap().unwrap());
    assert!(full.is_within_bounds() && full.to_canonical().len() < 2400);
    assert_eq!(all(257).unwrap_err().most, 256);
    let twice =
        Unwell::new([(tag(1), Condition::Down), (tag(1), Condition::Degraded)]).unwrap().unwrap();
    assert_eq!((twice.of(tag(1)), twice.of(tag(2))), (Some(Condition::Degraded), None));
    let both = record_of(1, [full, Slot::Unwell(twice)]);
    assert_eq!(both, Err(RecordError::DuplicateKey("statements about health")));

    let decoded = |all: &[([u8; 8], u8)]| Unwell::from_canonical(&unwell_bytes(all.to_vec()));
    let many: Vec<_> = (0..257_u64).map(|number| (number.to_be_bytes(), 1)).collect();
    assert!(decoded(&many[..256]).is_ok() && decoded(&many).is_err());
    for wrong in [&[][..], &[([1; 8], 0)], &[([2; 8], 1), ([1; 8], 1)], &[([1; 8], 1), ([1; 8], 1)]]
    {
        assert!(decoded(wrong).is_err(), "{wrong:?}");
    }
}

/// A condition that came after this build hides nothing: the record keeps its bytes, and it reads as one that
/// is not up.
#[test]
fn a_condition_of_a_later_version_is_kept_as_it_is() {
    let bytes = unwell_bytes([([1; 8], 2), ([2; 8], 200)]);
    let unwell = Unwell::from_canonical(&bytes).unwrap();
    assert_eq!(unwell.of(ServiceTag([1; 8])), Some(Condition::Down));
    assert!(matches!(unwell.of(ServiceTag([2; 8])), Some(Condition::Later(_))));
    assert_eq!(unwell.to_canonical(), bytes);
    assert!(record_of(1, [Slot::Unwell(unwell), instance(0)]).is_ok());
}

#[test]
fn every_row_is_distinct_and_registrations_alone_are_of_callers() {
    for (at, row) in ROWS.iter().enumerate() {
        assert!(ROWS[..at].iter().all(|it| it.number < row.number && it.name != row.name));
    }
    let callers: Vec<_> = ROWS.iter().filter(|row| row.owner == Owner::Callers).collect();
    assert_eq!(callers, [&Registration::ROW]);
}

proptest! {
    /// Whatever is merged with it, and in whatever order: what this version does not know leaves a replica as it
    /// came, and so does everything else.
    #[test]
    fn what_is_shown_has_the_bytes_that_its_author_signed(items in histories()) {
        let signed: BTreeMap<Digest, _> = items
            .iter()
            .filter_map(|item| match item {
                Item::Record(record) => Some((record.id(), record.clone())),
                Item::Act(_) => None,
            })
            .collect();
        let bytes = |record: &Record| -> Vec<_> {
            let slots = record.slots().values().map(|slot| slot.to_canonical());
            std::iter::once(record.profile().to_canonical()).chain(slots).collect()
        };
        for record in replica(0, &items).shown() {
            prop_assert_eq!(bytes(record), bytes(&signed[&record.id()]));
        }
    }

    /// A name that is claimed has one holder: of those who claim it and are shown, the most senior firm one,
    /// or the most senior if all are provisional.
    #[test]
    fn a_name_has_one_holder(items in histories()) {
        let strew = replica(0, &items);
        let names = Names::derive(&strew);
        let mut claims: BTreeMap<NodeName, Vec<_>> = BTreeMap::new();
        for record in strew.shown() {
            if let Some(name) = record.profile().name.clone() {
                claims.entry(name).or_default().push(record.author());
            }
        }
        for (name, claimants) in claims {
            let most_senior = claimants.iter().copied()
                .min_by_key(|who| {
                    let record = strew.shown_record(who).expect("it is shown");
                    let seniority = strew.membership().seniority(who).expect("a member");
                    (record.profile().provisional, seniority)
                });
            prop_assert_eq!(names.holder(&name), most_senior);
            let shown = claimants.iter().filter(|who| names.of(who) == *name.as_label());
            prop_assert_eq!(shown.count(), 1);
        }
    }
}

/// A flock that formed beside an established one meets it: whoever reached nobody yields, though it is
/// senior by its generation, and has the name by seniority once it does not say so any more.
#[test]
fn a_provisional_claim_yields_to_a_firm_one() {
    let name = "ash".parse().unwrap();
    let holder = |second: Draft| {
        let first = Draft::new(1, 1, 1).named("ash").item();
        let items = [admit(0, 1, 5), admit(0, 2, 1), first, second.item()];
        Names::derive(&replica(0, &items)).holder(&name)
    };
    let side = Draft::new(2, 1, 1).named("ash");
    assert_eq!(holder(side.clone()), Some(principal(2)));
    assert_eq!(holder(side.provisional()), Some(principal(1)));
}
