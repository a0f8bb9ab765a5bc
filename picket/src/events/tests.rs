use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crux_protocol::time::Instant;
use proptest::prelude::*;

use super::event::{GAP, SUPPRESSED};
use super::file::{Append, Real};
use super::*;
use crate::clock::Moment;

fn ms(ms: u64) -> Moment {
    Moment { at: Instant::ORIGIN + Duration::from_millis(ms), unix_ms: 1_796_000_000_000 + ms }
}

fn open(dir: &Path, boot: &str) -> Events {
    Events::open(dir, boot, ms(0)).unwrap()
}

fn draft(kind: &str, service: &str) -> Draft {
    let detail = [("service".to_owned(), service.into())].into_iter().collect();
    Draft {
        kind: kind.to_owned(),
        node: "n1".to_owned(),
        text: "x".to_owned(),
        detail,
        principal: None,
    }
}

/// Keeps so many events, ten milliseconds apart, and writes each.
fn fill(events: &Events, count: u64) {
    for n in 0..count {
        events.push(draft("plugin.up", "web"), ms(n * 20));
        events.write(ms(n * 20)).unwrap();
    }
}

fn read(events: &Events, query: EventQuery) -> Vec<Item> {
    let (mut cursor, mut all) = (events.read(query), Vec::new());
    loop {
        let items = events.next(&mut cursor).unwrap();
        if items.is_empty() {
            return all;
        }
        all.extend(items);
    }
}

fn after(after: u64) -> EventQuery {
    EventQuery { after: Some(after), ..EventQuery::default() }
}

fn numbers(items: &[Item]) -> Vec<u64> {
    let number = |item: &Item| match item {
        Item::Event(event) => Some(event.seq),
        Item::Gap { .. } => None,
    };
    items.iter().filter_map(number).collect()
}

#[derive(Debug)]
struct Refusing(Arc<AtomicBool>);

impl Append for Refusing {
    fn append(&mut self, file: &mut fs::File, bytes: &[u8]) -> io::Result<()> {
        if self.0.load(Ordering::Relaxed) {
            // Some of it got there.
            Real.append(file, &bytes[..bytes.len() / 2])?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        Real.append(file, bytes)
    }
}

#[test]
fn events_are_read_by_number_kind_service_and_time() {
    let dir = tempfile::tempdir().unwrap();
    let events = open(dir.path(), "a");
    for n in 0..10 {
        let kind = if n % 2 == 0 { "plugin.up" } else { "member.dead" };
        events.push(draft(kind, if n < 5 { "web" } else { "api" }), ms(n * 1000));
        if n != 9 {
            events.write(ms(n * 1000)).unwrap();
        }
    }
    let all = read(&events, EventQuery::default());
    assert_eq!(numbers(&all), (1..=10).collect::<Vec<_>>());
    let Item::Event(event) = &all[2] else { panic!() };
    assert_eq!((event.at, event.up_ms, &*event.boot), (ms(2000).unix_ms, 2000, "a"));
    assert_eq!((&*event.kind, &*event.node, event.service()), ("plugin.up", "n1", Some("web")));
    assert_eq!(numbers(&read(&events, after(7))), [8, 9, 10]);
    let kind = Some("plugin.*".to_owned());
    assert_eq!(numbers(&read(&events, EventQuery { kind, ..after(2) })), [3, 5, 7, 9]);
    let service = Some("api".to_owned());
    assert_eq!(numbers(&read(&events, EventQuery { service, ..after(0) })), [6, 7, 8, 9, 10]);
    let since_ms = Some(ms(7000).unix_ms);
    assert_eq!(numbers(&read(&events, EventQuery { since_ms, ..after(0) })), [8, 9, 10]);
}

#[tokio::test]
async fn a_follower_gets_each_event_once_over_compactions() {
    let dir = tempfile::tempdir().unwrap();
    let events = open(dir.path(), "a");
    let mut cursor = events.read(EventQuery::default());
    let mut changes = events.changes();
    let mut got = Vec::new();
    for n in 0..12_000_u64 {
        events.push(draft("plugin.up", "web"), ms(n * 20));
        if n % 7 == 0 {
            events.write(ms(n * 20)).unwrap();
        }
        if n % 100 < 3 {
            changes.changed().await.unwrap();
            got.extend(events.next(&mut cursor).unwrap());
        }
    }
    got.extend(events.next(&mut cursor).unwrap());
    assert_eq!(numbers(&got).len(), got.len(), "no gap");
    assert_eq!(numbers(&got), (1..=12_000).collect::<Vec<_>>());
}

#[test]
fn a_cursor_that_is_too_old_gets_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let events = open(dir.path(), "a");
    fill(&events, 10_000);
    let all = read(&events, EventQuery::default());
    assert!((EVENTS_KEPT..=EVENTS_KEPT + 1025).contains(&all.len()), "{}", all.len());
    let first = numbers(&all)[0];
    assert_eq!(numbers(&all), (first..=10_000).collect::<Vec<_>>());
    let until = first - 1;
    assert_eq!(read(&events, after(7))[0], Item::Gap { after: 7, until });
    assert_eq!(read(&events, after(7)).len(), all.len() + 1);
    assert_eq!(read(&events, after(until)), all);
    assert_eq!(read(&events, after(until - 1))[0], Item::Gap { after: until - 1, until });
    // Of another node, or from before the directory was put back.
    assert_eq!(read(&events, after(20_000)), [Item::Gap { after: 20_000, until: 10_000 }]);
    let bytes = fs::metadata(dir.path().join("events")).unwrap().len();
    assert!(bytes < 8 << 20);
}

#[test]
fn numbers_never_restart_and_an_orderly_end_leaves_no_gap() {
    let dir = tempfile::tempdir().unwrap();
    let events = open(dir.path(), "a");
    fill(&events, 5);
    events.close(ms(0)).unwrap();
    let events = open(dir.path(), "b");
    fill(&events, 5);
    assert_eq!(numbers(&read(&events, after(0))), (1..=10).collect::<Vec<_>>());
    assert_eq!(read(&events, after(0)).len(), 10);
    // Killed, in the same boot: what may have waited is skipped.
    drop(events);
    let events = open(dir.path(), "b");
    fill(&events, 1);
    assert_eq!(numbers(&read(&events, after(9))), [10, 4102]);
    assert_eq!(read(&events, after(9)).len(), 2);
    // Power lost: there may have been more.
    drop(events);
    let events = open(dir.path(), "c");
    fill(&events, 1);
    let items = read(&events, after(4102));
    assert!(matches!(items[0], Item::Gap { after: 4102, until: 8197.. }), "{items:?}");
    let next = numbers(&items)[0];
    // The file is gone, the numbers are not.
    drop(events);
    fs::remove_file(dir.path().join("events")).unwrap();
    let events = open(dir.path(), "c");
    fill(&events, 1);
    assert!(matches!(read(&events, after(next))[0], Item::Gap { .. }));
    assert!(numbers(&read(&events, after(next)))[0] > next);
}

#[test]
fn a_crash_at_each_byte_costs_the_last_events_at_most() {
    let dir = tempfile::tempdir().unwrap();
    let events = open(dir.path(), "a");
    fill(&events, 6);
    drop(events);
    let (path, numbers_path) = (dir.path().join("events"), dir.path().join("events.seq"));
    let (whole, reserved) = (fs::read(&path).unwrap(), fs::read(&numbers_path).unwrap());
    for boot in ["a", "b"] {
        for len in 0..=whole.len() {
            fs::write(&path, &whole[..len]).unwrap();
            fs::write(&numbers_path, &reserved).unwrap();
            let events = open(dir.path(), boot);
            fill(&events, 2);
            let items = read(&events, after(0));
            let seen = numbers(&items);
            let lines = whole[..len].iter().filter(|b| **b == b'\n').count() as u64;
            let old: Vec<u64> = (1..=lines).collect();
            assert_eq!(seen[..seen.len() - 2], old, "{len}");
            assert!(seen[seen.len() - 2] > 6, "no number twice: {seen:?}");
            assert!(seen.is_sorted());
            // A reader that had all six misses nothing without being told.
            let later = read(&events, after(6));
            assert_eq!(numbers(&later).len(), 2);
            if boot == "b" {
                assert!(matches!(later[0], Item::Gap { after: 6, .. }), "{later:?}");
            }
        }
    }
    // The reservation itself, at each byte.
    for len in 0..=reserved.len() {
        fs::write(&path, &whole).unwrap();
        fs::write(&numbers_path, &reserved[..len]).unwrap();
        let events = open(dir.path(), "b");
        fill(&events, 1);
        assert!(numbers(&read(&events, after(6)))[0] > 4096 || len == reserved.len());
        drop(events);
        // A file that a loss of power may leave beside it.
        fs::write(dir.path().join(".events.seq.new"), &reserved[..len]).unwrap();
        open(dir.path(), "c");
    }
}

#[test]
fn a_disk_that_refuses_is_said_once_and_what_is_lost_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let full = Arc::new(AtomicBool::new(false));
    let events = Events::open_on(dir.path(), "a", ms(0), Box::new(Refusing(full.clone()))).unwrap();
    fill(&events, 10);
    full.store(true, Ordering::Relaxed);
    let mut errors = 0;
    for n in 0..1000_u64 {
        events.push(draft("plugin.up", "web"), ms(n * 20));
        errors += u32::from(events.write(ms(n * 20)).is_err());
    }
    assert_eq!(errors, 1);
    let during = read(&events, after(5));
    assert_eq!(numbers(&during)[..5], [6, 7, 8, 9, 10]);
    assert!(matches!(during[5], Item::Gap { after: 10, until: 755 }), "{:?}", during[5]);
    assert_eq!(*numbers(&during).last().unwrap(), 1010);
    full.store(false, Ordering::Relaxed);
    assert!(events.wants_write(ms(30_000).at));
    events.write(ms(30_000)).unwrap();
    assert_eq!(read(&events, after(5)), during, "the same from the file");
    let text = fs::read_to_string(dir.path().join("events")).unwrap();
    assert_eq!(text.lines().count(), 10 + 256);
    assert_eq!(text.matches("\"kind\":\"gap\"").count(), 1, "{GAP}");
}

#[test]
fn a_flood_of_one_kind_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let events = open(dir.path(), "a");
    (0..1000).for_each(|_| events.push(draft("plugin.exited", "web"), ms(10)));
    events.push(draft("plugin.up", "web"), ms(10));
    assert_eq!(events.deadline(), Some(ms(1010).at));
    events.tick(ms(1010));
    assert_eq!(events.deadline(), None);
    let items = read(&events, after(0));
    assert_eq!(items.len(), 102);
    let Item::Event(last) = &items[101] else { panic!() };
    assert_eq!((&*last.kind, &*last.node), (SUPPRESSED, "n1"));
    assert_eq!(last.text, "900 more events of kind plugin.exited within a second");
    assert_eq!(last.detail["count"], 900);
}

#[test]
fn damage_is_told_as_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let events = open(dir.path(), "a");
    fill(&events, 20);
    drop(events);
    let path = dir.path().join("events");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() / 2;
    bytes[at..at + 40].fill(0);
    fs::write(&path, bytes).unwrap();
    let events = open(dir.path(), "a");
    let items = read(&events, after(0));
    let seen = numbers(&items);
    assert!((17..20).contains(&seen.len()), "{seen:?}");
    assert_eq!(items.len(), seen.len() + 1, "and a gap");
}

#[test]
fn long_texts_and_details_are_shortened() {
    let dir = tempfile::tempdir().unwrap();
    let events = open(dir.path(), "a");
    let mut long = draft("plugin.exited", &"s".repeat(10_000));
    long.text = "€".repeat(2000);
    events.push(long, ms(0));
    let items = read(&events, after(0));
    let Item::Event(event) = &items[0] else { panic!() };
    assert_eq!(event.text, "€".repeat(341));
    assert_eq!(serde_json::to_string(&event.detail).unwrap(), "{\"omitted\":10014}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever restarts there are: no number twice, and each reader gets what the file has.
    #[test]
    fn no_number_is_given_twice(
        runs in proptest::collection::vec((0..3_u8, 0..200_u64, any::<bool>(), 0..2000_usize), 1..8),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut given = BTreeSet::new();
        let mut boot = 0;
        for (end, count, write, lost) in runs {
            let events = open(dir.path(), &boot.to_string());
            let mut cursor = events.read(after(given.last().copied().unwrap_or(0)));
            for n in 0..count {
                events.push(draft("plugin.up", "web"), ms(n * 20));
                if write {
                    events.write(ms(n * 20)).unwrap();
                }
            }
            loop {
                let items = events.next(&mut cursor).unwrap();
                if items.is_empty() {
                    break;
                }
                for seq in numbers(&items) {
                    prop_assert!(given.last().is_none_or(|last| *last < seq));
                    given.insert(seq);
                }
            }
            match end {
                0 => events.close(ms(0)).unwrap(),
                // Killed.
                1 => {}
                _ => {
                    // A loss of power takes the end of what was not flushed.
                    boot += 1;
                    let path = dir.path().join("events");
                    let bytes = fs::read(&path).unwrap();
                    fs::write(&path, &bytes[..bytes.len().saturating_sub(lost)]).unwrap();
                }
            }
        }
    }
}
