use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::act::Statement;
use crux_crdt::blob::{BlobId, Descriptor, Root};
use crux_crdt::record::{
    Frontier, KindFull, Marker, Offer, Profile, Registration, SERVICE_LABELS_MAX, ServiceKey,
    SlotKind as _, SlotSet,
};
use crux_protocol::author::{Change, Origin, Own, Rejection, State, Write};

use crate::fixture::{context, identity, principal};

fn engine() -> State {
    let profile = Profile { version: "test".to_owned(), ..Profile::default() };
    let first = Marker { incarnation: 3, nonce: [9; 16], seq: 0 };
    State::new(context(1), identity(1), Own::new(profile, None, BTreeSet::new()), first, [8; 16])
}

fn registration(service: &str, port: u16) -> Registration {
    Registration {
        key: key(service),
        endpoint: format!("127.0.0.1:{port}").parse().unwrap(),
        instance: format!("svc-{service}{port}"),
        labels: BTreeMap::new(),
        lease: None,
    }
}

fn key(service: &str) -> ServiceKey {
    ServiceKey {
        horde: "main".parse().unwrap(),
        service: service.parse().unwrap(),
        rev: "v1".parse().unwrap(),
        ordinal: 0,
    }
}

fn write(state: &mut State) -> Write {
    state.start(Frontier::default(), None).unwrap()
}

#[test]
fn the_first_write_says_who_this_is_though_nobody_asked() {
    let mut state = engine();
    let written = write(&mut state);
    let record = written.record.unwrap();
    assert_eq!(record.marker(), Marker { incarnation: 3, nonce: [9; 16], seq: 0 });
    assert_eq!(record.author(), principal(1));
    assert!(written.acts.is_empty() && written.fence.is_none() && written.kept.is_empty());
}

#[test]
fn one_write_is_under_way_and_what_comes_meanwhile_goes_into_the_next_together() {
    let mut state = engine();
    let first = write(&mut state);
    state.push(Origin::Control(1), Change::Register(registration("a", 1)));
    state.push(Origin::Control(2), Change::Register(registration("b", 2)));
    assert!(state.start(Frontier::default(), None).is_none());
    state.finish(true).unwrap();
    let second = state.start(Frontier::default(), first.record.as_deref()).unwrap();
    let record = second.record.unwrap();
    assert_eq!(record.marker().seq, 1);
    assert_eq!(record.slots().len(), 2);
    let origins: Vec<_> =
        state.finish(true).unwrap().waiters.into_iter().map(|waiter| waiter.0).collect();
    assert_eq!(origins, [Origin::Control(1), Origin::Control(2)]);
}

#[test]
fn what_could_not_be_written_did_not_happen_and_its_marker_is_spent() {
    let mut state = engine();
    let first = write(&mut state);
    state.finish(true).unwrap();
    state.push(Origin::Control(1), Change::Register(registration("a", 1)));
    let failed = state.start(Frontier::default(), first.record.as_deref()).unwrap();
    let commit = state.finish(false).unwrap();
    assert!(!commit.durable && commit.write.is_empty());
    assert!(state.committed().services.is_empty());
    state.push(Origin::Control(2), Change::Register(registration("b", 2)));
    let next = state.start(Frontier::default(), first.record.as_deref()).unwrap();
    assert!(next.record.unwrap().marker() > failed.record.unwrap().marker());
}

#[test]
fn registering_again_replaces_the_address_and_keeps_the_instance() {
    let mut state = engine();
    state.push(Origin::Control(1), Change::Register(registration("a", 1)));
    state.push(Origin::Control(2), Change::Register(registration("a", 2)));
    let record = write(&mut state).record.unwrap();
    let said: Vec<_> = record.registrations().cloned().collect();
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].endpoint.to_string(), "127.0.0.1:2");
    assert_eq!(said[0].instance, "svc-a1");
}

#[test]
fn instances_under_several_ordinals_come_and_go_one_by_one() {
    let mut state = engine();
    let instance = |ordinal, port| {
        let mut one = registration("a", port);
        one.key.ordinal = ordinal;
        one.labels = [("port".to_owned(), port.to_string())].into();
        one
    };
    for (ordinal, port) in [(0, 1), (1, 2), (u16::MAX, 3), (1, 4)] {
        state.push(Origin::Control(u64::from(port)), Change::Register(instance(ordinal, port)));
    }
    let said = |state: &mut State| -> Vec<_> {
        let record = write(state).record.unwrap();
        state.finish(true).unwrap();
        let mut said: Vec<_> = record.registrations().cloned().collect();
        said.sort();
        said
    };
    // The second one was registered again: it keeps its instance name, and nothing else.
    let again = Registration { instance: instance(1, 2).instance, ..instance(1, 4) };
    assert_eq!(said(&mut state), [instance(0, 1), again, instance(u16::MAX, 3)]);
    let second = ServiceKey { ordinal: 1, ..key("a") };
    state.push(Origin::Control(9), Change::Deregister(second.clone()));
    assert_eq!(said(&mut state), [instance(0, 1), instance(u16::MAX, 3)]);
    assert_eq!(state.committed().removed().collect::<Vec<_>>(), [&second]);
}

fn descriptor(number: u8) -> Descriptor {
    Descriptor { blob: BlobId([number; 32]), root: Root([number; 32]), size: 5 }
}

fn offers(numbers: impl IntoIterator<Item = u8>) -> Change {
    Change::Set(SlotSet::new(numbers.into_iter().map(descriptor).map(Offer)).unwrap())
}

#[test]
fn offers_are_replaced_as_a_whole_and_stay_over_a_start() {
    let mut state = engine();
    state.push(Origin::Internal, offers([1, 2]));
    state.push(Origin::Internal, offers([2, 3]));
    let record = write(&mut state).record.unwrap();
    let mut offered: Vec<_> = record.of::<Offer>().map(|offer| offer.0).collect();
    offered.sort();
    assert_eq!(offered, [descriptor(2), descriptor(3)]);
    let again = Own::new(record.profile().clone(), Some(&record), BTreeSet::new());
    assert!(again.is_said_by(&record));
}

/// Every kind has room of its own: one that is full neither takes another's nor loses any.
#[test]
fn a_node_full_of_registrations_offers_its_blobs_all_the_same() {
    let mut state = engine();
    for number in 0..256_u16 {
        let mut service = registration(&format!("s{number}"), 1);
        let label = |n| (format!("k{n}"), "v".to_owned());
        service.labels = (0..SERVICE_LABELS_MAX).map(label).collect();
        state.push(Origin::Control(u64::from(number)), Change::Register(service));
    }
    state.push(Origin::Internal, offers(0..64));
    let record = write(&mut state).record.unwrap();
    assert_eq!((record.registrations().count(), record.of::<Offer>().count()), (256, 64));
    assert!(state.finish(true).unwrap().waiters.iter().all(|(_, _, result)| result.is_ok()));
    // One more is an error with a name, when it is asked for.
    assert_eq!(
        SlotSet::new((0..65).map(descriptor).map(Offer)),
        Err(KindFull { name: "offers of blobs", most: 64 })
    );
}

#[test]
fn the_257th_registration_and_an_unknown_one_are_rejected_and_the_rest_stands() {
    let mut state = engine();
    for number in 0..257_u16 {
        let change = Change::Register(registration(&format!("s{number}"), 1 + number));
        state.push(Origin::Control(u64::from(number)), change);
    }
    state.push(Origin::Control(999), Change::Deregister(key("none")));
    assert_eq!(write(&mut state).record.unwrap().slots().len(), 256);
    let rejected: Vec<_> = state
        .finish(true)
        .unwrap()
        .waiters
        .into_iter()
        .filter_map(|(origin, _, result)| result.err().map(|rejection| (origin, rejection)))
        .collect();
    let full = Rejection::Full(KindFull::of(Registration::ROW));
    assert_eq!(
        rejected,
        [(Origin::Control(256), full), (Origin::Control(999), Rejection::NotRegistered)]
    );
    assert_eq!(full.to_string(), "this node has 256 registrations, which is the limit");
}

/// It would hide everything that this node says.
#[test]
fn what_no_other_node_could_read_is_rejected_and_not_signed() {
    let mut state = engine();
    let label = |n| (format!("k{n}"), "v".to_owned());
    let mut many = registration("a", 1);
    many.labels = (0..=SERVICE_LABELS_MAX).map(label).collect();
    let mut hidden = registration("b", 1);
    hidden.labels = [("zone".to_owned(), "\x1b[2J".to_owned())].into();
    let huge = Descriptor { size: u64::MAX, ..descriptor(1) };
    let set = SlotSet::new([Offer(huge)]).unwrap();
    state.push(Origin::Control(1), Change::Register(many));
    state.push(Origin::Control(2), Change::Register(hidden));
    state.push(Origin::Control(3), Change::Set(set));
    state.push(Origin::Control(4), Change::Register(registration("c", 1)));
    assert_eq!(write(&mut state).record.unwrap().slots().len(), 1);
    let results =
        state.finish(true).unwrap().waiters.into_iter().map(|(_, _, result)| result.err());
    let (service, offer) = (Rejection::Slot("registrations"), Rejection::Slot("offers of blobs"));
    assert_eq!(results.collect::<Vec<_>>(), [Some(service), Some(service), Some(offer), None]);
}

#[test]
fn acts_are_chained_and_the_header_covers_them() {
    let mut state = engine();
    for number in [2, 3] {
        let statement = Statement::admit(principal(number), 1);
        state.push(Origin::Internal, Change::Act(statement));
    }
    let written = write(&mut state);
    let [first, second] = &written.acts[..] else { panic!("two acts") };
    assert_eq!((first.value().number, second.value().number), (1, 2));
    assert_eq!(second.value().previous, first.id());
    let covered = written.record.unwrap().header().value().acts;
    assert_eq!(covered, Frontier { count: 2, head: second.id() });
}

#[test]
fn a_retired_node_goes_on_above_the_incarnation_that_ended_under_its_own_nonce() {
    let mut state = engine();
    write(&mut state);
    state.finish(true).unwrap();
    state.push(Origin::Internal, Change::Reincarnate(8));
    let record = write(&mut state).record.unwrap();
    assert_eq!(record.marker(), Marker { incarnation: 9, nonce: [8; 16], seq: 0 });
}

/// So many changes in one run are more than are remembered; what is registered always is.
#[test]
fn a_run_knows_what_it_registered_however_much_it_changed_before() {
    let mut state = engine();
    let key = |number: u16| key(&format!("s{number}"));
    state.push(Origin::Internal, Change::Register(registration("first", 1)));
    for number in 0..1_100 {
        let service = registration(&format!("s{number}"), 1);
        state.push(Origin::Internal, Change::Register(service));
        state.push(Origin::Internal, Change::Deregister(key(number)));
    }
    state.push(Origin::Internal, Change::Register(registration("last", 1)));
    write(&mut state);
    state.finish(true).unwrap();
    let own = state.committed();
    let added: Vec<_> = own.added().map(|it| it.key.service.to_string()).collect();
    assert_eq!(added, ["first", "last"]);
    let removed: Vec<_> = own.removed().collect();
    assert_eq!(removed.len(), 4 * Registration::ROW.most - 2, "as many as there is room for");
    assert!(removed.contains(&&key(1_099)) && !removed.contains(&&key(0)), "the last of them");
    state.push(Origin::Internal, Change::Yield { to: [7; 16], above: 9 });
    let word = write(&mut state).record.unwrap();
    assert_eq!(word.profile().yields.as_ref().unwrap().since.len(), 2);
}
