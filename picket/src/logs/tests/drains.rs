//! Pipes, with a runtime.

use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use crux_crdt::name::ServiceName;

use super::*;

fn name(name: &str) -> ServiceName {
    name.parse().unwrap()
}

/// Runs a shell script whose output goes into a log.
async fn run(logs: &Arc<Logs>, script: &str) {
    let web = name("web");
    let log = logs.service(&web, LOG_MAX).unwrap();
    let mut shell = Command::new("sh")
        .args(["-c", script])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let out = OwnedFd::from(shell.stdout.take().unwrap());
    let err = OwnedFd::from(shell.stderr.take().unwrap());
    let input = Input::new(log, "web-1");
    let writer = tokio::spawn(logs.clone().write(|_, notice| panic!("{notice:?}")));
    drain(input, out, err, std::future::pending(), || logs.kick(&web)).await.unwrap();
    writer.abort();
    shell.wait().unwrap();
    logs.flush();
}

#[tokio::test]
async fn both_outputs_of_a_program_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let logs = Arc::new(Logs::new(dir.path().to_owned()));
    run(&logs, "echo out; echo err >&2; printf 'no end'").await;
    let text = on_disk(&dir.path().join("web"));
    let mut lines: Vec<&str> = text.lines().map(|line| &line[25..]).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["web-1 e err", "web-1 o no end", "web-1 o out"]);
}

#[tokio::test]
async fn a_program_that_writes_a_lot_never_blocks_and_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let logs = Arc::new(Logs::new(dir.path().to_owned()));
    let begun = std::time::Instant::now();
    run(&logs, "yes 0123456789012345678901234567890123456789 | head -c 410000000").await;
    let took = begun.elapsed();
    println!("{:.0} MB/s", 410.0 / took.as_secs_f64());
    let text = on_disk(&dir.path().join("web"));
    let (mut kept, mut dropped) = (0, 0);
    for line in text.lines().map(|line| Line::parse(line.as_bytes()).unwrap()) {
        if line.stream == Stream::Crux {
            dropped += std::str::from_utf8(line.text)
                .unwrap()
                .split(' ')
                .next()
                .unwrap()
                .parse::<u64>()
                .unwrap();
        } else {
            kept += 1;
        }
    }
    assert_eq!(kept + dropped, 10_000_000, "{kept} {dropped}");
    assert!(kept >= 80_000, "the burst passes");
}

#[tokio::test]
async fn an_instance_that_is_stopped_is_read_to_its_end_although_others_hold_the_pipe() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), 0);
    let (out, mut writer) = io::pipe().unwrap();
    let (err, _held) = io::pipe().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let input = Input::new(log.clone(), "web");
    let task = tokio::spawn(drain(
        input,
        out.into(),
        err.into(),
        async { stopped.await.unwrap_or(()) },
        || {},
    ));
    tokio::task::yield_now().await;
    io::Write::write_all(&mut writer, &b"x".repeat(50_000)).unwrap();
    stop.send(()).unwrap();
    task.await.unwrap().unwrap();
    assert_eq!(all(&log, Query::default()).concat().len(), 50_000);
}

#[tokio::test]
async fn a_follower_wakes_up() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), 0);
    let mut input = Input::new(log.clone(), "web");
    let mut reader = Reader::open(log, Query { follow: true, ..Query::default() }).unwrap();
    let mut changes = reader.changes();
    assert_eq!(read(&mut reader).0.len(), 0);
    input.feed(Stream::Stdout, b"a\n", ms(0));
    changes.changed().await.unwrap();
    assert_eq!(read(&mut reader).0, ["a"]);
}
