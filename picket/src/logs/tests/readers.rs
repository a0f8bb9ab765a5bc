//! Readers: tails, times, streams, following.

use super::*;

/// Numbered lines, a second apart, in small files.
fn numbered(dir: &Path, lines: u64) -> (Arc<ServiceLog>, Input) {
    let log = open(dir, 0);
    let mut input = Input::new(log.clone(), "web");
    for n in 0..lines {
        write(&mut input, n);
        if n % 7 == 0 {
            log.flush(ms(n * 1000));
        }
    }
    (log, input)
}

fn write(input: &mut Input, n: u64) {
    let stream = if n.is_multiple_of(2) { Stream::Stdout } else { Stream::Stderr };
    input.feed(stream, format!("{n}\n").as_bytes(), ms(n * 1000));
}

fn numbers(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

#[test]
fn all_lines_the_last_lines_and_those_since_a_time() {
    let dir = tempfile::tempdir().unwrap();
    // Some 200 KiB in four files, some of the last lines in memory.
    let (log, _input) = numbered(dir.path(), 5000);
    assert!(path_of(dir.path(), 2).exists());
    assert_eq!(all(&log, Query::default()), numbers(0..5000));
    for tail in [0, 1, 2, 3, 6, 7, 8, 100, 3000, 4999, 5000, 6000] {
        let query = Query { tail: Some(tail), ..Query::default() };
        assert_eq!(all(&log, query), numbers(5000_u64.saturating_sub(tail)..5000), "{tail}");
    }
    let since_ms = Some(ms(4_321_000).unix_ms);
    assert_eq!(all(&log, Query { since_ms, ..Query::default() }), numbers(4321..5000));
    let tail = Some(9);
    assert_eq!(all(&log, Query { since_ms, tail, ..Query::default() }), numbers(4991..5000));
    let tail = Some(1000);
    assert_eq!(all(&log, Query { since_ms, tail, ..Query::default() }), numbers(4321..5000));
    let stream = Some(Stream::Stderr);
    let odd: Vec<String> = numbers(0..5000).into_iter().skip(1).step_by(2).collect();
    assert_eq!(all(&log, Query { stream, ..Query::default() }), odd);
    let tail = Some(1200);
    assert_eq!(all(&log, Query { stream, tail, ..Query::default() }), odd[1300..]);
}

#[test]
fn a_log_is_read_after_the_picket_started_again() {
    let dir = tempfile::tempdir().unwrap();
    let (log, input) = numbered(dir.path(), 3000);
    drop(input);
    log.flush(ms(0));
    drop(log);
    let log = open(dir.path(), 0);
    let mut input = Input::new(log.clone(), "web");
    let tail = Some(5);
    let mut follow =
        Reader::open(log.clone(), Query { tail, follow: true, ..Query::default() }).unwrap();
    assert_eq!(read(&mut follow), (numbers(2995..3000), 0));
    (3000..3010).for_each(|n| write(&mut input, n));
    assert_eq!(read(&mut follow), (numbers(3000..3010), 0));
    assert_eq!(all(&log, Query::default()), numbers(0..3010));
}

#[test]
fn a_follower_that_falls_behind_reads_on_from_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), 8 << 20);
    let mut input = Input::new(log.clone(), "web");
    let mut follow = Reader::open(log.clone(), Query { follow: true, ..Query::default() }).unwrap();
    assert_eq!(read(&mut follow), (vec![], 0));
    // More than is kept in memory, over two rotations.
    let text = |n: u64| format!("{n} {}", "x".repeat(100));
    for n in 0..25_000 {
        input.feed(Stream::Stdout, format!("{}\n", text(n)).as_bytes(), ms(n));
        if n % 100 == 0 {
            log.flush(ms(n));
        }
    }
    assert!(path_of(dir.path(), 2).exists());
    let (texts, lost) = read(&mut follow);
    assert_eq!((texts.len(), lost), (25_000, 0));
    assert!((0..).zip(&texts).all(|(n, line)| *line == text(n)));
}

#[test]
fn a_follower_that_is_too_slow_is_told_how_many_lines_it_lost() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), 0);
    let mut input = Input::new(log.clone(), "web");
    let mut follow = Reader::open(log.clone(), Query { follow: true, ..Query::default() }).unwrap();
    read(&mut follow);
    let mut next = 0;
    for round in 1..6 {
        for n in next..round * 20_000 {
            write(&mut input, n);
            if n % 50 == 0 {
                log.flush(ms(n * 1000));
            }
        }
        let (texts, lost) = read(&mut follow);
        assert!(lost > 1000, "{lost}");
        assert_eq!(texts, numbers(next + lost..round * 20_000));
        next = round * 20_000;
    }
}

#[test]
fn a_reader_of_old_files_that_is_too_slow_is_told_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let (log, input) = numbered(dir.path(), 6000);
    drop((log, input));
    // Their lines were not counted by this process.
    let log = open(dir.path(), 0);
    let first: u64 = all(&log, Query { tail: None, ..Query::default() })[0].parse().unwrap();
    let mut input = Input::new(log.clone(), "web");
    let mut reader = Reader::open(log.clone(), Query { follow: true, ..Query::default() }).unwrap();
    for n in 5995..15_000 {
        write(&mut input, n);
        log.flush(ms(n * 1000));
    }
    let (texts, lost) = read(&mut reader);
    assert!(lost > 1000);
    assert_eq!(texts.last().unwrap(), "14999");
    // A few of the first were in memory when the first process ended.
    let there = 15_000 - first;
    assert!((there - 5..=there + 5).contains(&(texts.len() as u64 + lost)), "{lost}");
}

#[test]
fn a_follower_ends_with_the_instance() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), 0);
    let mut old = Input::new(log.clone(), "web-1");
    let mut new = Input::new(log.clone(), "web-2");
    let until_exit = Some("web-1".to_owned());
    let query = Query { follow: true, until_exit, ..Query::default() };
    let mut follow = Reader::open(log.clone(), query.clone()).unwrap();
    old.feed(Stream::Stdout, b"a\n", ms(0));
    assert_eq!(read(&mut follow).0, ["a"]);
    assert!(matches!(follow.step().unwrap(), Step::Wait));
    new.feed(Stream::Stdout, b"b\n", ms(0));
    old.feed(Stream::Stdout, b"last words", ms(0));
    old.finish(ms(0));
    new.feed(Stream::Stdout, b"c\n", ms(0));
    assert_eq!(read(&mut follow).0, ["b", "last words"]);
    assert!(matches!(follow.step().unwrap(), Step::End));
    // One that comes later ends at once, with what there is.
    assert_eq!(all(&log, query), ["a", "b", "last words"]);
    let unknown = Query { follow: true, until_exit: Some("web-0".to_owned()), ..Query::default() };
    assert_eq!(all(&log, unknown), ["a", "b", "last words", "c"]);
}

#[test]
fn a_follower_of_a_full_disk_reads_each_line_once() {
    let dir = tempfile::tempdir().unwrap();
    let (log, room) = open_full(dir.path(), 0);
    let mut input = Input::new(log.clone(), "web");
    let mut follow = Reader::open(log.clone(), Query { follow: true, ..Query::default() }).unwrap();
    let mut got = Vec::new();
    for n in 0..60_000_u64 {
        input.feed(Stream::Stdout, format!("{n}\n").as_bytes(), ms(n));
        match n % 20_000 {
            0 => room.store(0, Ordering::Relaxed),
            // Between these two, more comes than stays in memory.
            5000 | 17_000 => got.extend(read(&mut follow).0),
            15_000 => room.store(u64::MAX, Ordering::Relaxed),
            _ => {}
        }
        log.flush(ms(n));
    }
    got.extend(read(&mut follow).0);
    let (mut next, mut dropped) = (0, 0);
    for text in got {
        match text.split_once(" lines (") {
            // The remark counts some that this reader had.
            Some((lines, _)) => dropped += lines.parse::<u64>().unwrap(),
            None => {
                let n: u64 = text.parse().unwrap();
                assert!(n >= next && n <= next + dropped, "{n} after {next}, {dropped} dropped");
                next = n + 1;
            }
        }
    }
    assert_eq!(next, 60_000);
}

#[test]
fn damage_is_counted_and_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let (log, input) = numbered(dir.path(), 20);
    drop(input);
    log.flush(ms(0));
    drop(log);
    let path = path_of(dir.path(), 0);
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[100..300].fill(0);
    bytes.extend_from_slice(&vec![0; 300_000]);
    bytes.extend_from_slice(b"\n");
    bytes.extend_from_within(0..70);
    fs::write(&path, &bytes).unwrap();
    assert!(end > 300);
    let log = open(dir.path(), 0);
    let mut reader = Reader::open(log, Query::default()).unwrap();
    let (mut damaged, mut lines) = (0, 0);
    while let Step::Lines(batch) = reader.step().unwrap() {
        damaged += batch.damaged;
        lines += batch.lines().count();
    }
    assert!((2..=5).contains(&damaged), "{damaged}");
    assert!((12..=20).contains(&lines), "{lines}");
}

#[test]
fn readers_are_bounded_and_give_back_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), 0);
    let readers: Vec<_> =
        (0..READERS_MAX).map(|_| Reader::open(log.clone(), Query::default()).unwrap()).collect();
    let refused = Reader::open(log.clone(), Query::default()).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::QuotaExceeded);
    drop(readers);
    assert_eq!(log.state().followers, 0);
    Reader::open(log, Query::default()).unwrap();
}
