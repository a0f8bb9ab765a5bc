//! Logs of services that are removed.

use std::collections::BTreeSet;
use std::time::SystemTime;

use crux_crdt::name::ServiceName;

use super::*;

fn name(text: &str) -> ServiceName {
    text.parse().unwrap()
}

fn write(logs: &Logs, service: &str, text: &str) -> Arc<ServiceLog> {
    let log = logs.service(&name(service), LOG_MAX).unwrap();
    Input::new(log.clone(), "i").feed(Stream::Stdout, text.as_bytes(), ms(0));
    logs.flush();
    log
}

fn is_kept(dir: &Path, service: &str) -> bool {
    dir.join(service).exists()
}

#[test]
fn a_follower_comes_to_the_end_when_the_service_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let logs = Logs::new(dir.path().to_owned());
    let log = write(&logs, "web", "one\n");
    let follows = || Query { follow: true, ..Query::default() };
    let mut reader = Reader::open(log, follows()).unwrap();
    let mut changes = reader.changes();
    assert_eq!(read(&mut reader).0, ["one"]);
    assert!(matches!(reader.step().unwrap(), Step::Wait));
    changes.borrow_and_update();
    let log = logs.service(&name("web"), LOG_MAX).unwrap();
    let mut last = Input::new(log, "i");
    last.feed(Stream::Stdout, b"two\n", ms(0));
    logs.end(&name("web"));
    assert!(changes.has_changed().unwrap(), "it is told");
    assert_eq!(read(&mut reader).0, ["two"]);
    assert!(matches!(reader.step().unwrap(), Step::Wait), "there may be more in a pipe");
    last.feed(Stream::Stdout, b"three\n", ms(0));
    changes.borrow_and_update();
    last.finish(ms(0));
    assert!(changes.has_changed().unwrap(), "it is told");
    logs.flush();
    assert_eq!(read(&mut reader).0, ["three"]);
    assert!(matches!(reader.step().unwrap(), Step::End));
    // The log that it left is read as long as it is kept, and followed again once there is such a service again.
    let left = logs.left(&name("web")).unwrap().unwrap();
    let mut reader = Reader::open(left, follows()).unwrap();
    assert_eq!(read(&mut reader).0, ["one", "two", "three"]);
    assert!(matches!(reader.step().unwrap(), Step::End));
    let log = write(&logs, "web", "four\n");
    let mut reader = Reader::open(log, follows()).unwrap();
    assert_eq!(read(&mut reader).0, ["one", "two", "three", "four"]);
    assert!(matches!(reader.step().unwrap(), Step::Wait));
}

#[test]
fn the_logs_that_were_written_last_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let logs = Logs::new(dir.path().to_owned());
    for n in 0..30_u64 {
        let service = format!("s{n}");
        write(&logs, &service, "x\n");
        logs.end(&name(&service));
        let file = fs::File::options().append(true).open(path_of(&dir.path().join(service), 0));
        file.unwrap().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1000 + n)).unwrap();
    }
    // A removal that was cut off, and what is nobody's.
    fs::create_dir_all(dir.path().join(".removed/old")).unwrap();
    fs::create_dir_all(dir.path().join("not a name")).unwrap();
    fs::write(dir.path().join("notes"), "of a person").unwrap();
    // Another picket, which has opened one of them again and knows one more.
    let logs = Logs::new(dir.path().to_owned());
    logs.service(&name("s1"), 123).unwrap();
    logs.prune(&[name("s0")].into()).unwrap();
    let kept: Vec<u64> = (0..30).filter(|n| is_kept(dir.path(), &format!("s{n}"))).collect();
    let most = u64::try_from(REMOVED_MAX).unwrap();
    let expected: Vec<u64> = [0, 1].into_iter().chain(30 - most..30).collect();
    assert_eq!(kept, expected);
    assert!(!is_kept(dir.path(), ".removed") && is_kept(dir.path(), "not a name"));
    assert!(is_kept(dir.path(), "notes"));
    assert_eq!(logs.left(&name("s2")).unwrap().map(drop), None);
    logs.prune(&BTreeSet::new()).unwrap();
    assert!(!is_kept(dir.path(), "s0") && is_kept(dir.path(), "s1"), "one is in use");
}

#[test]
fn a_log_that_somebody_reads_or_writes_is_kept_until_then() {
    let dir = tempfile::tempdir().unwrap();
    let logs = Logs::new(dir.path().to_owned());
    let names: Vec<ServiceName> =
        (0..REMOVED_MAX + 5).map(|n| name(&format!("web{n:02}"))).collect();
    for (n, name) in names.iter().enumerate() {
        write(&logs, name.as_str(), "a line\n");
        let path = path_of(&dir.path().join(name.as_str()), 0);
        let file = fs::File::options().append(true).open(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1000 + n as u64)).unwrap();
    }
    // The oldest one is wanted, somebody reads the next, and somebody writes to the one after that.
    let wanted = BTreeSet::from([names[0].clone()]);
    let reader = Reader::open(logs.get(&names[1]).unwrap(), Query::default()).unwrap();
    let writer = Input::new(logs.get(&names[2]).unwrap(), "i");
    assert!(logs.end_others(&wanted));
    logs.prune(&wanted).unwrap();
    let left = || -> Vec<&ServiceName> {
        names.iter().filter(|name| is_kept(dir.path(), name.as_str())).collect()
    };
    assert_eq!(left()[..3], [&names[0], &names[1], &names[2]]);
    assert_eq!(left()[3..], names[5..].iter().collect::<Vec<_>>(), "and the newest");
    assert!(logs.end_others(&wanted), "two are open");
    drop((reader, writer));
    logs.prune(&wanted).unwrap();
    assert!(!logs.end_others(&wanted) && logs.get(&names[0]).is_some(), "all but one are closed");
    assert_eq!(left()[1..], names[5..].iter().collect::<Vec<_>>());
}

#[test]
fn who_only_reads_a_log_does_not_change_its_bound() {
    let dir = tempfile::tempdir().unwrap();
    let logs = Logs::new(dir.path().to_owned());
    let max = |logs: &Logs| logs.get(&name("web")).map(|log| log.max());
    assert_eq!(max(&logs), None);
    logs.service(&name("web"), 1 << 30).unwrap();
    logs.left(&name("web")).unwrap();
    assert_eq!(max(&logs), Some(1 << 30));
}

/// Files of so many bytes in all, whenever the bound changes.
#[test]
fn a_bound_that_changes_holds_from_the_next_file_on() {
    let dir = tempfile::tempdir().unwrap();
    let logs = Logs::new(dir.path().to_owned());
    let log = write(&logs, "web", "");
    log.set_max(0);
    let size = || -> u64 {
        let all = (0..=OLD_FILES).map(|age| path_of(&dir.path().join("web"), age));
        all.filter_map(|path| fs::metadata(path).ok()).map(|meta| meta.len()).sum()
    };
    let text = format!("{}\n", "x".repeat(1000)).repeat(100);
    for _ in 0..20 {
        write_to(&log, &text);
    }
    assert!(size() < 2_000_000 / 2, "{}", size());
}

fn write_to(log: &Arc<ServiceLog>, text: &str) {
    Input::new(log.clone(), "i").feed(Stream::Stdout, text.as_bytes(), ms(0));
    log.flush(ms(0));
}
