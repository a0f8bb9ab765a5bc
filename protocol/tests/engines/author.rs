use std::collections::BTreeSet;

use crux_crdt::act::Statement;
use crux_crdt::blob::{BlobId, Descriptor, Root};
use crux_crdt::record::{Frontier, Marker, OFFERS_MAX, Profile, Registration, SLOTS_MAX};
use crux_protocol::author::{Change, Origin, Own, Rejection, State, Write};

use crate::fixture::{context, identity, principal};

fn engine() -> State {
    let profile = Profile { version: "test".to_owned(), ..Profile::default() };
    let first = Marker { incarnation: 3, nonce: [9; 16], seq: 0 };
    State::new(context(1), identity(1), Own::new(profile, None, BTreeSet::new()), first, [8; 16])
}

fn registration(service: &str, port: u16) -> Registration {
    Registration {
        horde: "main".parse().unwrap(),
        service: service.parse().unwrap(),
        rev: "v1".parse().unwrap(),
        endpoint: format!("127.0.0.1:{port}").parse().unwrap(),
        instance: format!("svc-{service}{port}"),
        lease: None,
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

fn descriptor(number: u8) -> Descriptor {
    Descriptor { blob: BlobId([number; 32]), root: Root([number; 32]), size: 5 }
}

#[test]
fn offers_are_replaced_as_a_whole_and_stay_over_a_start() {
    let mut state = engine();
    state.push(Origin::Internal, Change::Offer(vec![descriptor(1), descriptor(2)]));
    state.push(Origin::Internal, Change::Offer(vec![descriptor(2), descriptor(3)]));
    let record = write(&mut state).record.unwrap();
    let mut offered: Vec<_> = record.offers().copied().collect();
    offered.sort();
    assert_eq!(offered, [descriptor(2), descriptor(3)]);
    let again = Own::new(record.profile().clone(), Some(&record), BTreeSet::new());
    assert!(again.is_said_by(&record));
}

#[test]
fn offers_are_bounded_and_make_room_for_services() {
    let mut state = engine();
    state.push(Origin::Internal, Change::Offer((0..100).map(descriptor).collect()));
    for number in 0..200_u16 {
        let change = Change::Register(registration(&format!("s{number}"), 1 + number));
        state.push(Origin::Control(u64::from(number)), change);
    }
    let record = write(&mut state).record.unwrap();
    assert_eq!((record.registrations().count(), record.offers().count()), (200, 56));
    let mut alone = engine();
    alone.push(Origin::Internal, Change::Offer((0..100).map(descriptor).collect()));
    assert_eq!(write(&mut alone).record.unwrap().offers().count(), OFFERS_MAX);
}

#[test]
fn the_257th_registration_and_an_unknown_one_are_rejected_and_the_rest_stands() {
    let mut state = engine();
    for number in 0..257_u16 {
        let change = Change::Register(registration(&format!("s{number}"), 1 + number));
        state.push(Origin::Control(u64::from(number)), change);
    }
    let unknown = ("main".parse().unwrap(), "none".parse().unwrap(), "v1".parse().unwrap());
    state.push(Origin::Control(999), Change::Deregister(unknown));
    assert_eq!(write(&mut state).record.unwrap().slots().len(), 256);
    let rejected: Vec<_> = state
        .finish(true)
        .unwrap()
        .waiters
        .into_iter()
        .filter_map(|(origin, _, result)| result.err().map(|rejection| (origin, rejection)))
        .collect();
    assert_eq!(
        rejected,
        [
            (Origin::Control(256), Rejection::TooManyRegistrations(256)),
            (Origin::Control(999), Rejection::NotRegistered),
        ]
    );
}

#[test]
fn acts_are_chained_and_the_header_covers_them() {
    let mut state = engine();
    for number in [2, 3] {
        let statement = Statement::Admit { subject: principal(number), generation: 1 };
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
    let key = |number: u16| {
        let registration = registration(&format!("s{number}"), 1);
        let (horde, service, rev) = registration.key();
        (horde.clone(), service.clone(), rev.clone())
    };
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
    let added: Vec<_> = own.added().map(|it| it.service.to_string()).collect();
    assert_eq!(added, ["first", "last"]);
    let removed: Vec<_> = own.removed().collect();
    assert_eq!(removed.len(), 4 * SLOTS_MAX - 2, "as many as there is room for");
    assert!(removed.contains(&&key(1_099)) && !removed.contains(&&key(0)), "the last of them");
    state.push(Origin::Internal, Change::Yield { to: [7; 16], above: 9 });
    let word = write(&mut state).record.unwrap();
    assert_eq!(word.profile().yields.as_ref().unwrap().since.len(), 2);
}
