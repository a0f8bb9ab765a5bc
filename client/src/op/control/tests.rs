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
        ordinal: 3,
        labels: [("zone".to_owned(), "b".to_owned())].into(),
        sync_within_ms: Some(700),
    }
}

#[test]
fn a_register_round_trips() {
    let register = Register::from_wire(&wire()).unwrap();
    assert_eq!(register.key.to_string(), "main/ntp3/r1#3");
    assert_eq!(register.labels["zone"], "b");
    assert_eq!(register.lease, Some(Duration::from_millis(1500)));
    assert_eq!(register.sync_within, Some(Duration::from_millis(700)));
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
    for nowhere in ["0.0.0.0:80", "[::]:80", "[::ffff:0.0.0.0]:80"] {
        let err = register(&v1::RegisterRequest { address: nowhere.to_owned(), ..wire() });
        assert_eq!(err.kind(), Kind::InvalidPath, "{nowhere}");
        assert!(err.hint().is_some_and(|hint| hint.contains("clients reach")), "{err}");
    }
    let err = register(&v1::RegisterRequest { horde: "A".to_owned(), ..wire() });
    assert_eq!(err.kind(), Kind::InvalidName);
    let err = register(&v1::RegisterRequest { lease_ms: Some(0), ..wire() });
    assert_eq!(err.kind(), Kind::InvalidArgument);
    let err = register(&v1::RegisterRequest { ordinal: 65_536, ..wire() });
    assert_eq!(
        (err.kind(), err.to_string().as_str()),
        (Kind::InvalidArgument, "invalid ordinal 65536")
    );
    assert_eq!(parse::query("a*").unwrap_err().kind(), Kind::InvalidPath);
    assert_eq!(parse::node("").unwrap_err().kind(), Kind::InvalidName);
}

#[test]
fn labels_have_rules_and_each_is_named_that_breaks_one() {
    let with = |labels: Vec<(String, String)>| {
        Register::from_wire(&v1::RegisterRequest { labels: labels.into_iter().collect(), ..wire() })
    };
    let label = |key: &str, value: &str| with(vec![(key.to_owned(), value.to_owned())]);
    let many = |count| (0..count).map(|n| (format!("k{n}"), String::new())).collect::<Vec<_>>();
    assert!(label("zone", "").is_ok() && label(&"k".repeat(63), &"v".repeat(255)).is_ok());
    assert_eq!(with(many(16)).map(|register| register.labels.len()), Ok(16));
    let refused = |result: Result<Register, Error>| {
        let err = result.unwrap_err();
        assert_eq!(err.kind(), Kind::InvalidArgument);
        assert!(err.hint().is_some());
        err.to_string()
    };
    assert_eq!(refused(with(many(17))), "more than 16 labels");
    assert_eq!(refused(label("a b", "")), "invalid key \"a b\" of a label");
    assert_eq!(refused(label(&"k".repeat(64), "")).len(), "invalid key \"\" of a label".len() + 64);
    for value in ["\x1b[2J", "a\nb", "\u{202e}x", &"v".repeat(256)] {
        assert_eq!(refused(label("zone", value)), "invalid value of the label zone");
    }
    assert_eq!(parse::label_pair("zone=b=c"), Ok(("zone".to_owned(), "b=c".to_owned())));
    assert_eq!(parse::label_pair("zone").unwrap_err().kind(), Kind::InvalidArgument);
    let twice = ["a=1", "a=2"].map(|pair| parse::label_pair(pair).unwrap());
    assert_eq!(parse::labels(twice).unwrap_err().to_string(), "the label a is given twice");
}

#[test]
fn a_bare_word_is_a_service() {
    let query = |s: &str| parse::query(s).map(|query| query.to_string());
    assert_eq!(query("web").as_deref(), Ok("/*/*/*/web/*"));
    assert_eq!(query("/web").as_deref(), Ok("/web/*/*/*/*"));
    assert_eq!(query("lab/main").as_deref(), Ok("/lab/main/*/*/*"));
    assert_eq!(query("*").as_deref(), Ok("/*/*/*/*/*"));
    assert_eq!(query("").as_deref(), Ok("/*/*/*/*/*"));
    assert_eq!(query("3").unwrap_err().kind(), Kind::InvalidName);
    // The client sends a path, so that the node understands it as the client does.
    let op = GetServices { query: parse::query("web").unwrap(), all: false };
    assert_eq!(GetServices::from_wire(&op.to_wire()), Ok(op));
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
    asks(&Resolve { name: "ntp".to_owned(), on: None });
    for on in [NodeRef::Principal(Principal([3; 32])), NodeRef::Name("n3".parse().unwrap())] {
        asks(&Resolve { name: "ntp".to_owned(), on: Some(on) });
    }
    asks(&Forget { node: NodeRef::Principal(Principal([3; 32])) });
    asks(&Forget { node: NodeRef::Name("n3".parse().unwrap()) });
    asks(&Deregister { key: parse::service_key("edge", "web", "r1", 65_535).unwrap() });
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
