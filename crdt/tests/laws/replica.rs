//! What the strew promises about single histories.

use std::collections::BTreeMap;

use crux_crdt::Digest;
use crux_crdt::act::Statement;
use crux_crdt::blob::{BlobId, Descriptor, Root};
use crux_crdt::canon::Canonical as _;
use crux_crdt::name::NodeName;
use crux_crdt::record::{
    Frontier, Header, Marker, Profile, Record, RecordError, SLOT_BYTES_MAX, Slot, slots_root,
};
use crux_crdt::sign::Signed;
use crux_crdt::strew::{DepartureKind, Names, RecordOutcome, Strew};
use proptest::prelude::*;

use crate::flock::*;

fn services(strew: &Strew, node: usize) -> Vec<String> {
    let record = strew.shown_record(&principal(node));
    let registrations = record.into_iter().flat_map(|record| record.registrations());
    let mut services: Vec<_> = registrations.map(|one| one.service.to_string()).collect();
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
    let holders: Vec<_> = strew.holders(&blob).map(|(who, offer)| (who, *offer)).collect();
    assert_eq!(holders, [(principal(1), offer(3))]);
}

#[test]
fn a_slot_of_a_later_version_hides_nothing_and_is_passed_on_as_it_is() {
    let later = Slot::from_canonical(&[9, 1, 2, 3]).unwrap();
    assert_eq!(later.to_canonical(), [9, 1, 2, 3]);
    assert!(matches!(&later, Slot::Later(it) if it.kind() == 9) && later.is_within_bounds());
    let known = Slot::Registration(registration("dns"));
    let slots: BTreeMap<_, _> =
        [later, known].into_iter().map(|slot| (slot.id(), slot.into())).collect();
    let profile = Profile::default();
    let header = Header {
        marker: Marker::default(),
        slots_root: slots_root(slots.keys()),
        profile_hash: profile.hash(),
        acts: Frontier::default(),
    };
    let header = Signed::sign(header, &FLOCK, identity(1));
    let record = Record::new(header, profile, slots).unwrap();
    assert_eq!((record.slots().len(), record.registrations().count()), (2, 1));
    let largest = [vec![9], vec![0; SLOT_BYTES_MAX - 1]].concat();
    assert!(Slot::from_canonical(&largest).is_ok());
    assert!(Slot::from_canonical(&[&largest[..], &[0]].concat()).is_err());
    assert!(Slot::from_canonical(&[0, 1]).is_err(), "no kind has this number");
}

#[test]
fn one_blob_offered_twice_makes_no_record() {
    let offer = |size| Descriptor { blob: BlobId([6; 32]), root: Root([7; 32]), size };
    let two = [Slot::Offer(offer(1)), Slot::Offer(offer(2))];
    let slots: BTreeMap<_, _> = two.into_iter().map(|slot| (slot.id(), slot.into())).collect();
    let profile = Profile::default();
    let header = Header {
        marker: Marker::default(),
        slots_root: slots_root(slots.keys()),
        profile_hash: profile.hash(),
        acts: Frontier::default(),
    };
    let header = Signed::sign(header, &FLOCK, identity(1));
    assert_eq!(Record::new(header, profile, slots), Err(RecordError::DuplicateOffer));
}

proptest! {
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
