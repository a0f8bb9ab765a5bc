//! Plans of leaders: what is planned is what is read, one change is one slot, a mix is refused, and every bound.

use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::canon::Canonical as _;
use crux_crdt::document::Marker;
use crux_crdt::hash::sha3;
use crux_crdt::record::{
    Amount, FAILED_MAX, Failure, First, Hold, NOTE_TEXT_BYTES_MAX, NOTES_MAX, Notes, PASS_LIMIT,
    Pass, Plan, PlanEntries, PlanError, PlanHead, PlanKey, PlanPlace, PlanText, PlanTooLarge,
    Problem, ProblemKind, ROWS, Record, RecordError, SLOT_BYTES_MAX, SLOTS_MAX, Slot, SlotKey,
    SlotSet,
};
use crux_crdt::service::SpecTag;
use crux_crdt::{Digest, Principal};
use proptest::prelude::*;

use crate::flock::{self, record_of};
use crate::values::{plan_entries, plan_heads};

fn head(pass: u64) -> PlanHead {
    let target = Marker { grants_version: 1, generation: 1, id: Digest([1; 32]) };
    PlanHead::new("main".parse().unwrap(), 3, pass, target, Digest([2; 32]))
}

fn node(n: usize) -> Principal {
    Principal(sha3("node", &[&n.to_be_bytes()]).0)
}

fn key(service: &str, spec: u8, pass: u64) -> PlanKey {
    let first = First { term: 3, leader: [5; 8], pass };
    PlanKey { service: service.parse().unwrap(), spec: SpecTag([spec; 8]), first }
}

fn amount(count: u16) -> Amount {
    Amount::new(count, count).unwrap()
}

/// So many nodes with so many entries each.
fn entries(nodes: usize, each: usize) -> PlanEntries {
    let of = |n: usize| {
        (0..each).map(move |at| (key(&format!("service-{}", n % 20 + at), 1, 7), amount(1)))
    };
    (0..nodes).map(|n| (node(n), of(n).collect())).collect()
}

fn record(set: &SlotSet) -> Record {
    record_of(0, set.slots().cloned()).unwrap()
}

/// All entries of a record's plan, as they were planned.
fn read(record: &Record) -> PlanEntries {
    let plan = Plan::of(record).unwrap().unwrap();
    let mut all = PlanEntries::new();
    for (node, it) in plan.entries() {
        let key = PlanKey { service: it.service.clone(), spec: it.spec, first: it.first };
        assert_eq!(all.entry(node).or_default().insert(key, it.amount), None, "once each");
    }
    all
}

fn parts(set: &SlotSet) -> BTreeMap<SlotKey, Digest> {
    set.slots().map(|slot| (slot.key().unwrap(), slot.id())).collect()
}

proptest! {
    #[test]
    fn what_is_planned_is_what_is_read(head in plan_heads(), entries in plan_entries()) {
        let set = head.clone().slots(&entries).unwrap();
        let record = record(&set);
        let mut planned = entries.clone();
        planned.retain(|_, entries| !entries.is_empty());
        prop_assert_eq!(read(&record), planned);
        let plan = Plan::of(&record).unwrap().unwrap();
        let pass = Pass { term: head.term, leader: record.author(), pass: head.pass };
        prop_assert_eq!(plan.pass(), pass);
        let of = |head: &PlanHead| (head.horde.clone(), head.target, head.view, head.failed.clone());
        prop_assert_eq!(of(plan.head()), of(&head));
        prop_assert_eq!((&plan.head().holds, &plan.head().problems), (&head.holds, &head.problems));
        for (node, own) in &entries {
            let of_node = plan.entries_of(node).map(|it| {
                (PlanKey { service: it.service.clone(), spec: it.spec, first: it.first }, it.amount)
            });
            prop_assert!(of_node.eq(own.iter().map(|(key, amount)| (key.clone(), *amount))));
        }
        prop_assert_eq!(plan.entries_of(&Principal([0xee; 32])).count(), 0);
    }

    /// Plans are ordered by the fence of their leader, then by the pass; and what they first assigned likewise.
    #[test]
    fn passes_are_in_order(a: (u8, [u8; 32], u8), b: (u8, [u8; 32], u8)) {
        let of = |it: (u8, [u8; 32], u8)| {
            Pass { term: it.0.into(), leader: Principal(it.1), pass: it.2.into() }
        };
        let (x, y) = (of(a), of(b));
        let order = a.0.cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2));
        prop_assert_eq!(x.cmp(&y), order);
        prop_assert_eq!(x.to_canonical().cmp(&y.to_canonical()), order);
        let prefix = |it: (u8, [u8; 32], u8)| (it.0, <[u8; 8]>::try_from(&it.1[..8]).unwrap(), it.2);
        prop_assert_eq!(First::from(x).cmp(&First::from(y)), prefix(a).cmp(&prefix(b)));
    }

    #[test]
    fn texts_are_cut_and_shown(text in "(\\PC|[\\x00-\\x20]|é){0,120}") {
        let shown = PlanText::of(&text);
        prop_assert!(shown.as_str().len() <= NOTE_TEXT_BYTES_MAX);
        prop_assert_eq!(PlanText::from_canonical(&shown.to_canonical()), Ok(shown.clone()));
        if text.len() <= NOTE_TEXT_BYTES_MAX && text.chars().all(crux_crdt::text::is_plain) {
            prop_assert_eq!(shown.as_str(), text);
        }
    }
}

#[test]
fn one_step_changes_one_part_and_the_head() {
    let before = entries(1000, 3);
    let mut after = before.clone();
    let moved = node(77);
    after.get_mut(&moved).unwrap().insert(key("other", 9, 8), amount(2));
    let (old, new) = (head(7).slots(&before).unwrap(), head(8).slots(&after).unwrap());
    let (old, new) = (parts(&old), parts(&new));
    assert!(old.len() > 16, "{} slots", old.len());
    let changed: Vec<_> = new.iter().filter(|(key, id)| old.get(key) != Some(id)).collect();
    let head = SlotKey::PlanSlot(PlanPlace::Head);
    assert!(changed.len() == 2 && changed.iter().any(|(key, _)| **key == head), "{changed:?}");
    // A pass that changes nothing changes the head alone.
    let same = parts(&self::head(9).slots(&after).unwrap());
    let changed: Vec<_> = same.iter().filter(|(key, id)| new.get(key) != Some(id)).collect();
    assert!(matches!(&changed[..], [(SlotKey::PlanSlot(PlanPlace::Head), _)]), "{changed:?}");
}

/// The parts of one pass under the head of another, and every other mix that an author can sign.
#[test]
fn a_mix_of_passes_is_refused() {
    let (before, after) = (entries(300, 3), entries(301, 3));
    let slots = |set: SlotSet| -> BTreeMap<SlotKey, Slot> {
        set.slots().map(|slot| (slot.key().unwrap(), slot.clone())).collect()
    };
    let (old, new) =
        (slots(head(7).slots(&before).unwrap()), slots(head(8).slots(&after).unwrap()));
    assert_eq!(old.len(), new.len(), "as many parts");
    let mixed = |all: Vec<Slot>| {
        let record = record_of(0, all).unwrap();
        Plan::of(&record).map(|plan| plan.map(|plan| plan.pass().pass))
    };
    let all = |from: &BTreeMap<SlotKey, Slot>| from.values().cloned().collect::<Vec<_>>();
    assert_eq!((mixed(all(&old)), mixed(all(&new))), (Ok(Some(7)), Ok(Some(8))));
    let place = SlotKey::PlanSlot(PlanPlace::Head);
    let changed: Vec<_> = new.keys().filter(|key| old[key] != new[key] && **key != place).collect();
    assert!(!changed.is_empty());
    let mut wrong = old.clone();
    wrong.insert(place.clone(), new[&place].clone());
    assert_eq!(mixed(all(&wrong)), Err(PlanError::Mixed), "an old part under the new head");
    let mut wrong = new.clone();
    wrong.insert(place.clone(), old[&place].clone());
    assert_eq!(mixed(all(&wrong)), Err(PlanError::Mixed), "a new part under the old head");
    for key in new.keys().filter(|key| **key != place) {
        let mut wrong = new.clone();
        wrong.remove(key);
        assert_eq!(mixed(all(&wrong)), Err(PlanError::Mixed), "without {key:?}");
    }
    let bare = head(8).slots(&PlanEntries::new()).unwrap();
    let with_parts = new.values().filter(|slot| slot.key() != Some(place.clone()));
    let wrong: Vec<_> = bare.slots().chain(with_parts.clone()).cloned().collect();
    assert_eq!(mixed(wrong), Err(PlanError::Mixed), "parts that the head does not name");
    assert_eq!(mixed(with_parts.cloned().collect()), Ok(None), "parts without a head");
    assert_eq!(mixed(vec![]), Ok(None));
    assert_eq!(mixed(bare.slots().cloned().collect()), Ok(Some(8)), "nothing is planned");
    // The same parts under a head with another k. Kind, tag, horde, term, pass, target, view, and k.
    let mut other = new[&place].to_canonical();
    let bits = 2 + 4 + "main".len() + 2 * 8 + 48 + 32;
    let SlotKey::PlanSlot(PlanPlace::Part(last)) = new.keys().last().unwrap() else { panic!() };
    assert_eq!((1 << other[bits]) - 1, *last, "that byte is k");
    other[bits] += 1;
    let mut wrong = new.clone();
    wrong.insert(place.clone(), Slot::from_canonical(&other).unwrap());
    assert_eq!(mixed(all(&wrong)), Err(PlanError::Mixed), "another k");
    // A plan in more parts beside one in fewer: two of them have one key.
    let few = slots(head(8).slots(&entries(1, 1)).unwrap());
    let both: Vec<_> = few.values().chain(new.values().skip(1)).cloned().collect();
    assert!(matches!(record_of(0, both), Err(RecordError::DuplicateKey(_))) || new.len() < 3);
}

#[test]
fn a_plan_has_as_few_parts_as_fit() {
    for (nodes, each) in [(0, 0), (1, 1), (40, 3), (100, 3), (700, 2), (3000, 4)] {
        let entries = entries(nodes, each);
        let set = head(7).slots(&entries).unwrap();
        let len = set.slots().count() - 1;
        let least =
            set.slots().map(|slot| slot.to_canonical().len()).sum::<usize>() / SLOT_BYTES_MAX;
        assert!(len <= 64 && len >= least, "{len} parts for {nodes} nodes");
        // Twice as many as needed by the bytes alone, at most: parts are not equally full.
        assert!(
            len <= 1 || len <= 4 * (least + 1),
            "{len} parts for {nodes} nodes, {least} are least"
        );
        assert!(set.slots().all(Slot::is_within_bounds));
        assert_eq!(read(&record(&set)), entries);
    }
}

/// Fills one part: nodes whose hash begins alike.
fn crowded(nodes: usize) -> PlanEntries {
    let is_first = |node: &Principal| sha3("crux/plan-node/1", &[&node.0]).0[0] < 4;
    let all = (0..).map(node).filter(is_first).take(nodes);
    all.map(|node| (node, [(key("web", 1, 7), amount(1))].into())).collect()
}

#[test]
fn a_plan_that_fits_no_record_says_by_how_much() {
    // bits, index, one version of "web" (15 + 4), one fence (16 + 4), the count of nodes, and 52 for each node.
    let bytes = |nodes: usize| 2 + 2 + 19 + 20 + 4 + 52 * nodes;
    let most = (SLOT_BYTES_MAX - bytes(0)) / 52;
    let set = head(7).slots(&crowded(most)).unwrap();
    let fullest = set.slots().map(|slot| slot.to_canonical().len()).max().unwrap();
    assert_eq!(fullest, bytes(most));
    let too_large = head(7).slots(&crowded(most + 1)).unwrap_err();
    assert_eq!(too_large, PlanTooLarge::Entries { bytes: bytes(most + 1) });
    let over = bytes(most + 1) - SLOT_BYTES_MAX;
    let said = format!(
        "the plan does not fit 64 slots: the fullest has {} bytes, {over} more than fit",
        bytes(most + 1)
    );
    assert!(too_large.to_string().starts_with(&said), "{too_large}");
    // To the byte: a longer name.
    let room = SLOT_BYTES_MAX - bytes(most);
    let named = |len: usize| {
        let mut entries = crowded(most);
        entries.values_mut().for_each(|it| *it = [(key(&"w".repeat(len), 1, 7), amount(1))].into());
        head(7).slots(&entries).map(|_| ())
    };
    assert_eq!(named(3 + room), Ok(()));
    assert_eq!(named(4 + room), Err(PlanTooLarge::Entries { bytes: SLOT_BYTES_MAX + 1 }));
}

#[test]
fn the_longest_head_fits_a_slot_and_no_longer_one_is_made() {
    let long = "x".repeat(63);
    let why = PlanText::of(&"y".repeat(200));
    assert_eq!(why.as_str().len(), NOTE_TEXT_BYTES_MAX);
    let mut full = head(PASS_LIMIT - 1);
    full.horde = long.parse().unwrap();
    full.failed =
        (0..FAILED_MAX as u64).map(|n| (SpecTag(n.to_be_bytes()), Failure::Wedged)).collect();
    let hold = Hold { service: long.parse().unwrap(), why: why.clone() };
    full.holds = Notes::of(vec![hold; NOTES_MAX + 5]);
    let kind = ProblemKind::Short;
    let problem = Problem { service: long.parse().unwrap(), kind, missing: u32::MAX, why };
    full.problems = Notes::of(vec![problem; NOTES_MAX]);
    assert_eq!((full.holds.len(), full.holds.first().len()), (NOTES_MAX + 5, NOTES_MAX));
    assert_eq!((full.problems.len(), full.problems.is_empty()), (NOTES_MAX, false));
    let set = full.clone().slots(&entries(3000, 4)).unwrap();
    assert!(set.slots().all(Slot::is_within_bounds));
    let with = |change: fn(&mut PlanHead)| {
        let mut head = full.clone();
        change(&mut head);
        head.slots(&PlanEntries::new()).map(|_| ()).unwrap_err()
    };
    let failed = with(|it| _ = it.failed.insert(SpecTag([0xff; 8]), Failure::Deadline));
    assert_eq!(failed, PlanTooLarge::Failed(FAILED_MAX + 1));
    let numbers: [fn(&mut PlanHead); 4] =
        [|it| it.term = 0, |it| it.pass = 0, |it| it.term = PASS_LIMIT, |it| it.pass = PASS_LIMIT];
    assert_eq!(numbers.map(with), [PlanTooLarge::Numbers; 4]);
}

/// More notes are counted only where as many are there as can be.
#[test]
fn notes_are_left_out_only_where_there_is_no_room() {
    let mut bytes = Notes::<Hold>::default().to_canonical();
    *bytes.last_mut().unwrap() = 1;
    assert!(Notes::<Hold>::from_canonical(&bytes).is_err());
    let hold = Hold { service: "a".parse().unwrap(), why: PlanText::of("") };
    for (len, is_valid) in [(NOTES_MAX, true), (NOTES_MAX - 1, false)] {
        let mut bytes = Notes::of(vec![hold.clone(); len]).to_canonical();
        *bytes.last_mut().unwrap() = 1;
        assert_eq!(Notes::<Hold>::from_canonical(&bytes).is_ok(), is_valid, "{len}");
    }
}

#[test]
fn amounts_are_within_their_bounds() {
    for (count, released, is_valid) in
        [(1, 0, true), (1, 1, true), (64, 64, true), (0, 0, false), (65, 0, false), (2, 3, false)]
    {
        let amount = Amount::new(count, released);
        assert_eq!(amount.is_some(), is_valid, "{count} {released}");
        let bytes = [count.to_be_bytes(), released.to_be_bytes()].concat();
        assert_eq!(Amount::from_canonical(&bytes).ok(), amount);
        if let Some(amount) = amount {
            assert_eq!((amount.count(), amount.released()), (count, released));
        }
    }
}

/// Bytes that no build writes.
#[test]
fn what_is_not_a_part_is_refused() {
    let set = head(7).slots(&entries(200, 2)).unwrap();
    let parts: Vec<_> =
        set.slots().filter(|it| it.key() != Some(SlotKey::PlanSlot(PlanPlace::Head))).collect();
    assert!(parts.len() > 1);
    let bytes = parts[1].to_canonical();
    assert!(Slot::from_canonical(&bytes).is_ok());
    let with = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        Slot::from_canonical(&bytes).is_ok()
    };
    // Slot kind, tag, bits, index.
    let (bits, index) = (bytes[2], bytes[3]);
    assert!(!with(1, 2) && !with(2, 7) && !with(2, bits + 1) && !with(3, index ^ 1));
    assert!(index == 1 && !with(2, bits - 1), "nodes of another part");
    // A part without nodes, and one with a version that no entry has.
    assert!(Slot::from_canonical(&[4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
    let one = head(7).slots(&entries(1, 1)).unwrap();
    let one =
        one.slots().find(|it| it.key() == Some(SlotKey::PlanSlot(PlanPlace::Part(0)))).unwrap();
    let mut unused = one.to_canonical();
    unused[7] = 2;
    let version = [&[0, 0, 0, 1][..], b"a", &[0; 8]].concat();
    unused.splice(8..8, version);
    assert!(Slot::from_canonical(&unused).is_err());
}

/// The bounds of all kinds, those of the design that are not built yet included, fit a record.
#[test]
fn later_kinds_have_room() {
    let known: usize = ROWS.iter().map(|row| row.most).sum();
    let (seats, wraps, audit) = (8, 240, 1);
    assert!(known + seats + wraps + audit <= SLOTS_MAX, "{known}");
    let numbers: BTreeSet<_> = ROWS.iter().map(|row| row.number).collect();
    assert_eq!(numbers.len(), ROWS.len());
}

/// A leader that died is still read, and one that departed has no plan.
#[test]
fn a_departed_leader_has_no_plan() {
    let set = head(7).slots(&entries(10, 1)).unwrap();
    let record = record(&set);
    assert!(Plan::of(&record).unwrap().is_some());
    assert!(Plan::of(&record.stripped()).unwrap().is_none());
    assert_eq!(record.author(), flock::principal(0));
}
