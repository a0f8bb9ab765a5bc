use crate::model::{LogStream, testing};

use super::*;

fn name() -> ServiceName {
    "web".parse().unwrap()
}

fn untils() -> impl Iterator<Item = Until> {
    Goal::ALL.into_iter().zip([None, Some(0), Some(7)]).map(|(goal, generation)| Until {
        goal,
        within: Duration::from_millis(1500),
        generation,
    })
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
    for until in untils() {
        asks(&AddService { config: testing::config(), until });
        let service = name();
        let update = |new| UpdateService { service: service.clone(), new, until };
        asks(&update(New::Config(Box::new(testing::config()))));
        let blob = "ab".repeat(32).parse().unwrap();
        let (argv0, rev) = (Some("/bin/x".to_owned()), Some("v2".parse().unwrap()));
        asks(&update(New::Image { blob, argv0, rev }));
        asks(&update(New::Image { blob, argv0: None, rev: None }));
        asks(&RollBackService { service: service.clone(), until });
        asks(&StartService { service: service.clone(), until });
        asks(&StopService { service: service.clone(), until });
        asks(&RestartService { service: service.clone(), until });
        asks(&RemoveService { service, until });
    }
    asks(&GetPicket);
    asks(&ListInstances::default());
    asks(&ListInstances { service: Some(name()), all: true });
    asks(&InspectService { service: name() });
    asks(&ShowService { service: name() });
}

#[test]
fn requests_for_streams_arrive_as_they_were() {
    let bare = ReadLogs {
        service: name(),
        follow: false,
        tail: None,
        since: None,
        until_exit: false,
        stream: None,
    };
    let full = ReadLogs {
        follow: true,
        tail: Some(0),
        since: Some(Duration::from_secs(9)),
        until_exit: true,
        stream: Some(LogStream::Stderr),
        ..bare.clone()
    };
    for op in [bare, full] {
        assert_eq!(ReadLogs::from_wire(&op.to_wire()), Ok(op));
    }
    let full = ReadEvents {
        follow: true,
        after: Some(0),
        since: Some(Duration::from_secs(9)),
        kind: Some("plugin.*".parse().unwrap()),
        service: Some(name()),
    };
    for op in [ReadEvents::default(), full] {
        assert_eq!(ReadEvents::from_wire(&op.to_wire()), Ok(op));
    }
}

#[test]
fn answers_arrive_as_they_were() {
    testing::settled().iter().for_each(answers::<AddService>);
    testing::settled().iter().for_each(answers::<RemoveService>);
    testing::inspected().iter().for_each(answers::<InspectService>);
    answers::<ListInstances>(&testing::instances());
    answers::<ShowService>(&Shown { config: testing::config(), generation: 7 });
}

#[test]
fn what_is_left_out_is_as_by_default() {
    let wire = v1::ServiceRequest { service: "web".to_owned(), until: None };
    assert_eq!(StartService::from_wire(&wire).unwrap().until, Until::default());
    let until = Some(v1::Until { what: String::new(), within_ms: None, generation: Some(3) });
    let op = StartService::from_wire(&v1::ServiceRequest { until, ..wire }).unwrap();
    assert_eq!(op.until, Until { generation: Some(3), ..Until::default() });
}

#[test]
fn what_breaks_the_rules_is_named() {
    let until = Some(v1::Until { what: "happy".to_owned(), within_ms: None, generation: None });
    let wire = v1::ServiceRequest { service: "web".to_owned(), until };
    let err = StopService::from_wire(&wire).unwrap_err();
    assert_eq!((err.kind(), err.hint().is_some()), (Kind::InvalidArgument, true));
    let wire = v1::ServiceRequest { service: "3".to_owned(), until: None };
    assert_eq!(StopService::from_wire(&wire).unwrap_err().kind(), Kind::InvalidName);
    let wire = v1::UpdateServiceRequest { service: "web".to_owned(), change: None, until: None };
    assert_eq!(UpdateService::from_wire(&wire).unwrap_err().kind(), Kind::InvalidArgument);
    let wire = v1::AddServiceRequest { config: b"{\"nmae\": 1}".to_vec(), until: None };
    let err = AddService::from_wire(&wire).unwrap_err();
    assert_eq!((err.kind(), err.hint().is_some()), (Kind::InvalidConfig, true));
    let wire = v1::EventsRequest { kind: "a b".to_owned(), ..v1::EventsRequest::default() };
    assert_eq!(ReadEvents::from_wire(&wire).unwrap_err().kind(), Kind::InvalidArgument);
    let wire = v1::LogsRequest {
        service: "web".to_owned(),
        stream: "note".to_owned(),
        ..v1::LogsRequest::default()
    };
    assert_eq!(ReadLogs::from_wire(&wire).unwrap_err().kind(), Kind::InvalidArgument);
}
