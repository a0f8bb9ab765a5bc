//! One loop, a picket before it and a fulcrum behind it.

use std::time::Duration;

use crux_crdt::record::{Slot, SlotKind, Unwell};
use crux_protocol::flock::Control;
use tokio::time::timeout;

use super::super::request::Reply as To;
use super::*;

fn key(service: &str) -> ServiceKey {
    ServiceKey {
        horde: "main".parse().unwrap(),
        service: service.parse().unwrap(),
        rev: "v1".parse().unwrap(),
        ordinal: 0,
    }
}

/// The condition of the service `web` that the fulcrum is asked to state next; it answers that it is durable.
async fn said(requests: &mut mpsc::Receiver<Request>) -> Option<Condition> {
    let request = timeout(Duration::from_secs(10), requests.recv()).await.unwrap();
    let Some(Request::Engine(Control::Set(set), To::Done(reply))) = request else {
        panic!("{request:?}")
    };
    reply.send(Ok(())).unwrap();
    assert_eq!(set.row(), Unwell::ROW);
    let slot: Option<&Slot> = set.slots().next();
    slot.and_then(<Unwell as SlotKind>::of).and_then(|unwell| unwell.of(key("web").tag()))
}

#[tokio::test]
async fn a_node_without_a_picket_says_at_once_that_all_is_well() {
    let (_health, stated) = Health::without_picket();
    let (fulcrum, mut requests) = mpsc::channel(1);
    tokio::spawn(run(stated, fulcrum));
    assert_eq!(said(&mut requests).await, None);
}

#[tokio::test]
async fn what_the_picket_states_is_said_and_nothing_before_it_did() {
    let (health, stated) = Health::of_picket();
    let (fulcrum, mut requests) = mpsc::channel(1);
    tokio::spawn(run(stated.clone(), fulcrum));
    health.set_attached(true);
    assert!(timeout(Duration::from_millis(50), requests.recv()).await.is_err());
    let state = |status| {
        let all = vec![(key("web"), status), (key("dns"), ServiceStatus::Up)];
        // A service that is not registered concerns nobody else.
        health.state(all, BTreeMap::from([("batch".to_owned(), false)]));
    };
    state(ServiceStatus::Down);
    assert_eq!(said(&mut requests).await, Some(Condition::Down));
    state(ServiceStatus::Down);
    assert!(timeout(Duration::from_millis(1_100), requests.recv()).await.is_err());
    state(ServiceStatus::Degraded);
    assert_eq!(said(&mut requests).await, Some(Condition::Degraded));
    state(ServiceStatus::Up);
    assert_eq!(said(&mut requests).await, None);
    assert_eq!(stated.borrow().picket, Picket::Attached);
}
