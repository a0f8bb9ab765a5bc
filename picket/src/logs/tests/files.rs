//! Rotation, full disks, remarks.

use super::*;

#[test]
fn lines_are_on_disk_as_the_page_says() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), LOG_MAX);
    let mut input = Input::new(log.clone(), "web-v1-0-aa");
    input.feed(Stream::Stdout, b"one\ntwo", ms(0));
    input.feed(Stream::Stderr, b"bad\x1b[2J\n", ms(1));
    input.feed(Stream::Stdout, b" and a half\n", ms(2));
    assert_eq!(log.flush(ms(2)), None);
    let head = |ms: u64| format!("2023-11-14T22:13:20.{ms:03}Z web-v1-0-aa");
    let expected = [
        head(0),
        " o one\n".into(),
        head(1),
        " e bad\x1b[2J\n".into(),
        head(2),
        " o two and a half\n".into(),
    ];
    assert_eq!(on_disk(dir.path()), expected.concat());
}

#[test]
fn all_files_together_keep_to_the_maximum() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), 512 * 1024);
    let mut input = Input::new(log.clone(), "web");
    for n in 0..400 {
        // Long and short lines, one of them longer than what is kept of a line.
        let line = format!("{n} {}\n", "x".repeat(n * 97 % 20_000));
        input.feed(Stream::Stdout, line.as_bytes(), ms(n as u64 * 50));
        log.flush(ms(n as u64 * 50));
        let sum: u64 =
            fs::read_dir(dir.path()).unwrap().map(|of| of.unwrap().metadata().unwrap().len()).sum();
        assert!(sum <= 512 * 1024, "{sum}");
    }
    let text = on_disk(dir.path());
    assert!(text.len() > 300 * 1024, "{}", text.len());
    assert!(text.lines().all(|line| Line::parse(line.as_bytes()).is_some()));
    assert!(text.lines().last().unwrap().contains(" o "));
}

#[test]
fn a_flood_is_counted_and_what_passes_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), LOG_MAX);
    let mut input = Input::new(log.clone(), "web");
    let chunk = "a line of output\n".repeat(4000);
    for n in 0..1000 {
        input.feed(Stream::Stdout, chunk.as_bytes(), ms(n));
        log.flush(ms(n));
    }
    input.finish(ms(1000));
    log.flush(ms(1000));
    let text = on_disk(dir.path());
    let (remarks, lines): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.contains(" web c "));
    let missing: u64 =
        remarks.iter().map(|line| line.split(' ').nth(3).unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(missing + lines.len() as u64, 4_000_000);
    assert!(remarks.len() <= 5, "{remarks:#?}");
    assert!(lines.iter().all(|line| line.ends_with(" o a line of output")));
    assert!(
        remarks[0].contains(" lines (")
            && remarks[0].ends_with(" bytes) dropped: more than 1 MiB/s")
    );
}

#[test]
fn a_flood_that_ends_is_remarked_on_within_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), LOG_MAX);
    let mut input = Input::new(log.clone(), "web");
    input.feed(Stream::Stdout, &b"a line of output\n".repeat(400_000), ms(0));
    let due = input.deadline().unwrap();
    assert!(due <= ms(1000).at);
    input.tick(Moment { at: due, unix_ms: 0 });
    assert_eq!(input.deadline(), None);
    log.flush(ms(1000));
    assert_eq!(on_disk(dir.path()).matches(" web c ").count(), 1);
}

#[test]
fn a_full_disk_is_said_once_and_the_last_lines_stay() {
    let dir = tempfile::tempdir().unwrap();
    let (log, room) = open_full(dir.path(), 100_000);
    let mut input = Input::new(log.clone(), "web");
    let mut notices = Vec::new();
    for n in 0..10_000_u64 {
        input.feed(Stream::Stdout, format!("line {n:05} {}\n", "x".repeat(60)).as_bytes(), ms(n));
        notices.extend(log.flush(ms(n)));
        assert!(log.state().tail.cost() < REFUSED_BYTES_MAX + 100 * 1024);
    }
    assert!(matches!(&*notices, [Notice::Refused(_)]), "{notices:?}");
    let texts = all(&log, Query::default());
    assert!(texts.last().unwrap().starts_with("line 09999"), "what waits is read, too");

    room.store(u64::MAX, Ordering::Relaxed);
    assert_eq!(log.flush(ms(10_000)), None, "a moment later it is not tried yet");
    let Some(Notice::Writable { dropped }) = log.flush(ms(12_000)) else { panic!() };
    let text = on_disk(dir.path());
    let kept: Vec<&str> = text.lines().filter(|line| line.contains(" o line ")).collect();
    assert_eq!(kept.len() as u64 + dropped, 10_000);
    let remarks: Vec<&str> = text
        .lines()
        .filter(|line| line.contains(" - c "))
        .chain(text.lines().filter(|line| line.contains(" web c ")))
        .collect();
    // The first one fitted into what was left of the disk, so that another holds the place of what came after it.
    assert_eq!(remarks.len(), 2, "{remarks:?}");
    let said = |remark: &&str| remark.split(' ').nth(3).unwrap().parse::<u64>().unwrap();
    assert_eq!(remarks.iter().map(said).sum::<u64>(), dropped, "{remarks:?}");
    assert!(remarks.iter().all(|remark| remark.ends_with("dropped: the disk takes nothing")));
    assert_eq!(
        texts,
        text.lines().map(|line| line.splitn(4, ' ').nth(3).unwrap()).collect::<Vec<_>>()
    );
}

#[test]
fn what_waits_in_all_logs_is_bounded() {
    let budget = Budget::default();
    let dir = tempfile::tempdir().unwrap();
    let mut inputs: Vec<Input> = (0..20)
        .map(|n| {
            let dir = dir.path().join(n.to_string());
            let log = ServiceLog::open(&dir, LOG_MAX, budget.clone(), Instant::ORIGIN).unwrap();
            Input::new(Arc::new(log), "web")
        })
        .collect();
    let chunk = b"a line of output that is a little longer than the others\n".repeat(1000);
    for _ in 0..200 {
        inputs.iter_mut().for_each(|input| input.feed(Stream::Stdout, &chunk, ms(0)));
    }
    let waits: usize = inputs.iter().map(|input| input.log().state().tail.cost()).sum();
    assert!(waits <= 72 << 20, "{waits}");
    assert!(waits >= 40 << 20, "{waits}");
    let logs: Vec<_> = inputs.iter().map(|input| input.log().clone()).collect();
    drop(inputs);
    logs.iter().for_each(|log| assert_eq!(log.flush(ms(1)), None));
    assert_eq!(logs.iter().map(|log| log.state().tail.cost()).max(), Some(128));
}

#[test]
fn two_instances_share_a_log() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), LOG_MAX);
    let mut old = Input::new(log.clone(), "web-1");
    let mut new = Input::new(log.clone(), "web-2");
    old.feed(Stream::Stdout, b"a\nhalf", ms(0));
    new.feed(Stream::Stdout, b"b\n", ms(0));
    old.finish(ms(1));
    assert_eq!(all(&log, Query::default()), ["a", "b", "half"]);
    let of = |instance: &str| Query { instance: Some(instance.to_owned()), ..Query::default() };
    assert_eq!(all(&log, of("web-1")), ["a", "half"]);
    drop(new);
}
