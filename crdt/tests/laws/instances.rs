//! Statements of nodes about the instances of a target.

use std::collections::BTreeMap;

use crux_crdt::canon::{Canonical as _, DecodeError};
use crux_crdt::record::{
    First, InstanceKey, InstanceReport, NameTag, SLOT_BYTES_MAX, Slot, SlotKind as _, Stage,
};
use crux_crdt::service::SpecTag;

use crate::values::instances_bytes;

fn key(service: u64, stage: Stage, first: First) -> InstanceKey {
    InstanceKey { service: NameTag(service.to_be_bytes()), spec: SpecTag([1; 8]), stage, first }
}

fn first(term: u64, pass: u64) -> First {
    First { term, leader: [9; 8], pass }
}

#[test]
fn a_statement_has_what_was_stated() {
    let all: BTreeMap<_, _> = [
        (key(1, Stage::Ready, first(2, 7)), 3),
        (key(1, Stage::Ready, first(3, 1)), 1),
        (key(1, Stage::Failed, first(3, 1)), 0),
        (key(2, Stage::Done, first(2, 7)), 1),
    ]
    .into();
    let stated = InstanceReport::new(all.clone()).unwrap().unwrap();
    let lines: BTreeMap<_, _> = stated.lines().collect();
    assert_eq!(lines, all.into_iter().filter(|(_, count)| *count > 0).collect());
    assert_eq!(InstanceReport::new(BTreeMap::new()), Ok(None));
    let none = [(key(1, Stage::Failed, first(3, 1)), 0)].into();
    assert_eq!(InstanceReport::new(none), Ok(None), "nothing runs");
}

#[test]
fn the_longest_statement_fits_a_slot_and_no_line_is_left_out() {
    let many = |lines: u64, terms: u64| {
        let all = (0..lines).map(|n| (key(n, Stage::Ready, first(n % terms, n)), u16::MAX));
        InstanceReport::new(all.collect())
    };
    let full = many(256, 60).unwrap().unwrap();
    let slot = full.clone().into_slot();
    assert!(slot.is_within_bounds());
    assert!(slot.to_canonical().len() > SLOT_BYTES_MAX - 200);
    assert_eq!(full.lines().len(), 256);
    assert!(full.lines().all(|(key, _)| key.first.pass > 0 || key.service == NameTag([0; 8])));
    let error = many(257, 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "this node has 256 groups of a target's instances, which is the limit"
    );
    // Of more terms the oldest count as one: what is young stays young.
    let merged = many(256, 100).unwrap().unwrap();
    assert!(merged.clone().into_slot().is_within_bounds());
    let terms: Vec<_> = merged.lines().map(|(key, _)| (key.first.term, key.first.pass)).collect();
    assert_eq!(terms.len(), 256);
    for (n, (term, pass)) in (0..256).zip(terms) {
        let expected = if n % 100 < 40 { (40, 0) } else { (n % 100, n) };
        assert_eq!((term, pass), expected, "{n}");
    }
    // Lines that become one are added up.
    let both = [(key(1, Stage::Ready, first(0, 1)), 2), (key(1, Stage::Ready, first(1, 1)), 3)];
    let others = (2..62).map(|n| (key(n, Stage::Ready, first(n, 1)), 1));
    let merged = InstanceReport::new(both.into_iter().chain(others).collect()).unwrap().unwrap();
    let (line, count) = merged.lines().next().unwrap();
    assert_eq!((line.first, count), (first(2, 0), 5));
    assert_eq!(merged.lines().len(), 61);
}

#[test]
fn bytes_that_no_build_writes_are_refused() {
    let read = |all: Vec<_>| InstanceReport::from_canonical(&instances_bytes(all));
    let line = |service: u8, stage, term| (([service; 8], 1, stage, first(term, 1)), 1_u16);
    assert!(read(vec![line(1, 2, 0), line(1, 3, 0)]).is_ok());
    let invalid = |what| Err(DecodeError::Invalid(what));
    assert_eq!(read(vec![]), invalid("list of a target's instances"));
    let order = "order of a target's instances";
    assert_eq!(read(vec![line(1, 3, 0), line(1, 2, 0)]), invalid(order));
    assert_eq!(read(vec![line(1, 2, 0), line(1, 2, 0)]), invalid(order));
    assert_eq!(read(vec![line(1, 2, 1), line(1, 2, 0)]), invalid(order));
    assert_eq!(read(vec![line(1, 0, 0)]), invalid("stage of an instance"));
    assert_eq!(read(vec![(([1; 8], 1, 2, first(0, 1)), 0)]), invalid("number of instances"));
    assert_eq!(read(vec![line(1, 2, 1 << 48)]), invalid("term"));
    let late = (([1; 8], 1, 2, first(0, 1 << 48)), 1);
    assert_eq!(read(vec![late]), invalid("pass of an instance"));
    let mut bytes = instances_bytes(vec![line(1, 2, 0)]);
    let fence = bytes.len() - 11;
    bytes[fence] = 1;
    assert_eq!(InstanceReport::from_canonical(&bytes), invalid("fence of an instance"));
    // A fence that no line has.
    let two = instances_bytes(vec![line(1, 2, 0), line(2, 2, 1)]);
    let mut unused = two.clone();
    unused[4 + 32 + 3] = 1;
    unused.truncate(two.len() - 28);
    assert_eq!(InstanceReport::from_canonical(&unused), invalid("list of a target's instances"));
    let many = |lines: u64| {
        let lines = (0..lines).map(|n| ((n.to_be_bytes(), 1, 2, first(0, 1)), 1));
        read(lines.collect())
    };
    assert!(many(256).is_ok());
    assert!(matches!(many(257), Err(DecodeError::TooLarge { found: 257, limit: 256, .. })));
    let terms =
        |terms: u64| read((0..terms).map(|n| ((n.to_be_bytes(), 1, 2, first(n, 1)), 1)).collect());
    assert!(terms(60).is_ok());
    assert!(matches!(terms(61), Err(DecodeError::TooLarge { found: 61, limit: 60, .. })));
}

/// A stage of a later build is kept, and is one of something that runs and is not ready.
#[test]
fn a_later_stage_is_kept() {
    let bytes = instances_bytes(vec![(([1; 8], 1, 200, first(0, 1)), 1)]);
    let read = InstanceReport::from_canonical(&bytes).unwrap();
    assert_eq!(read.to_canonical(), bytes);
    let (line, _) = read.lines().next().unwrap();
    assert!(matches!(line.stage, Stage::Later(_)) && line.stage.is_running());
    assert!(line.stage != Stage::Ready);
    let runs = [Stage::Starting, Stage::Ready, Stage::Wedged, Stage::Stopping];
    let rests = [Stage::Done, Stage::Failed, Stage::Blocked];
    assert!(runs.iter().all(|it| it.is_running()) && !rests.iter().any(|it| it.is_running()));
    assert!(matches!(read.into_slot(), Slot::InstanceReport(_)));
}
