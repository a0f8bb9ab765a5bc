use crate::error::Kind;
use crate::model::testing;

use super::*;

fn wire() -> v1::RegisterRequest {
    v1::RegisterRequest {
        service: "ntp3".to_owned(),
        rev: "r1".to_owned(),
        address: "127.0.0.1:9000".to_owned(),
        horde: String::new(),
        lease_ms: Some(1500),
        sync: 2,
    }
}

#[test]
fn a_register_round_trips() {
    let register = Register::from_wire(&wire()).unwrap();
    assert_eq!(register.horde, Label::main_horde());
    assert_eq!(register.lease, Some(Duration::from_millis(1500)));
    assert_eq!(Register::from_wire(&register.to_wire()), Ok(register));
}

#[test]
fn what_breaks_the_rules_is_named() {
    let register = |wire: &v1::RegisterRequest| Register::from_wire(wire).unwrap_err();
    let err = register(&v1::RegisterRequest { service: "3".to_owned(), ..wire() });
    assert_eq!(err.kind(), Kind::InvalidName);
    assert!(err.to_string().starts_with("the service name: it starts with '3'"), "{err}");
    assert!(err.hint().is_some());
    let err = register(&v1::RegisterRequest { address: "h".to_owned(), ..wire() });
    assert_eq!(err.kind(), Kind::InvalidPath);
    let err = register(&v1::RegisterRequest { horde: "A".to_owned(), ..wire() });
    assert_eq!(err.kind(), Kind::InvalidName);
    let err = register(&v1::RegisterRequest { lease_ms: Some(0), ..wire() });
    assert_eq!(err.kind(), Kind::InvalidArgument);
    assert_eq!(parse::query("a*").unwrap_err().kind(), Kind::InvalidPath);
    assert_eq!(parse::node("").unwrap_err().kind(), Kind::InvalidName);
}

/// The request of an operation, there and back.
fn asks<O: Wire + PartialEq + std::fmt::Debug>(op: &O) {
    assert_eq!(O::from_wire(&op.to_wire()).as_ref(), Ok(op));
}

/// An answer to an operation, there and back.
fn answers<O: Wire<Answer: PartialEq + std::fmt::Debug>>(answer: &O::Answer) {
    assert_eq!(O::answer_from_wire(&O::answer_to_wire(answer)).as_ref(), Ok(answer));
}

#[test]
fn requests_arrive_as_they_were() {
    asks(&GetServices { query: "/dev/*/n1".parse().unwrap(), all: true });
    asks(&Resolve { name: "ntp".to_owned() });
    asks(&Forget { node: NodeRef::Principal(Principal([3; 32])) });
    asks(&Forget { node: NodeRef::Name("n3".parse().unwrap()) });
    asks(&Deregister {
        service: "web".parse().unwrap(),
        rev: "r1".parse().unwrap(),
        horde: "edge".parse().unwrap(),
    });
}

#[test]
fn answers_arrive_as_they_were() {
    answers::<GetLeader>(&None);
    answers::<GetLeader>(&Some(testing::leader()));
    answers::<GetMembers>(&testing::members());
    let (accepted, failed) = (vec![Principal([1; 32])], vec![Principal([3; 32])]);
    answers::<LeaderPing>(&LeaderPinged { leader: testing::leader(), accepted, failed });
    let Service { path, instance, net_id, .. } = testing::services().remove(0);
    answers::<Register>(&Registered { path, instance, net_id });
    answers::<Resolve>(&testing::services()[0]);
    answers::<Forget>(&Principal([3; 32]));
    answers::<Doctor>(&testing::checks());
    let nothing = Resolve::answer_from_wire(&v1::ResolveResponse { service: None });
    assert_eq!(nothing.unwrap_err().kind(), Kind::Internal);
}
