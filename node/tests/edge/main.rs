//! The edge of the process: what clients, readers of the log and signals do to a node.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod first;
mod memory;
mod node;
mod processes;
mod services;

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use node::Node;
use rustix::process::Signal;

/// In how long a node stops, whatever goes on around it; `docker stop` kills after 10 s.
const STOPS_WITHIN: Duration = Duration::from_secs(8);

fn log_of(node: &Node) -> Command {
    let mut command = node.command();
    command.stderr(node.log_file());
    command
}

#[test]
fn silent_connections_keep_no_command_waiting() {
    let mut node = Node::new();
    node.start(log_of(&node));
    let mut silent = Vec::new();
    for i in 0..600 {
        let mut stream = UnixStream::connect(node.path("d").join("control.sock")).unwrap();
        if i % 2 == 0 {
            stream.write_all(b"PRI * H").unwrap();
        }
        silent.push(stream);
    }
    for _ in 0..3 {
        let status = node.status();
        assert!(status.status.success(), "{status:?}");
    }
    assert!(node.stop(STOPS_WITHIN).success());
    drop(silent);
}

/// The pipe is full; later somebody reads it. So is a terminal that is stopped.
#[test]
fn a_log_that_nobody_reads_stops_nobody() {
    let mut node = Node::new();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = node.command();
    command.args(["--log", "trace"]).stderr(writer);
    node.start(command);
    let log_check = |node: &Node| {
        let doctor = String::from_utf8(node.ask(&["doctor"]).stdout).unwrap();
        doctor.lines().find(|line| line.contains(" log ")).unwrap().to_owned()
    };
    node.until("the log is full", |node| {
        let check = log_check(node);
        check.starts_with("warn") && !check.contains(" 0 lines were dropped")
    });
    node.until("nobody reads", |node| log_check(node).contains("nobody has read it for"));
    let read = std::thread::spawn(move || {
        let (mut all, mut buf) = (Vec::new(), [0; 65536]);
        while !String::from_utf8_lossy(&all).contains("missing here") {
            let n = reader.read(&mut buf).unwrap();
            assert!(n > 0, "it ended without a word about what is missing");
            all.extend_from_slice(&buf[..n]);
        }
        reader
    });
    node.until("it says what is missing", |node| {
        node.status().status.success() && read.is_finished()
    });
    // And now it is full again.
    let _reader = read.join().unwrap();
    node.until("the log is full again", |node| log_check(node).contains("nobody has read it for"));
    assert!(node.stop(STOPS_WITHIN).success());
}

#[test]
fn a_log_whose_reader_is_gone_stops_nobody() {
    let mut node = Node::new();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = node.command();
    command.args(["--log", "debug"]).stderr(writer);
    drop(reader);
    node.start(command);
    for _ in 0..3 {
        assert!(node.status().status.success());
    }
    assert!(node.stop(STOPS_WITHIN).success());
}

/// The error that ends a node goes the same way as its log.
#[test]
fn an_error_that_nobody_reads_ends_the_node_all_the_same() {
    let mut node = Node::new();
    let (_reader, mut writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    while writer.write(&[b'x'; 4096]).is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    std::fs::write(node.path("d"), "in the way").unwrap();
    let mut command = node.command();
    node.child = Some(command.stderr(writer).spawn().unwrap());
    let begun = std::time::Instant::now();
    let status = loop {
        if let Some(status) = node.child.as_mut().unwrap().try_wait().unwrap() {
            break status;
        }
        assert!(begun.elapsed() < node::LIMIT, "it waits for a reader");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.code().map(|code| code > 0), Some(true));
}

#[test]
fn a_hang_up_reads_the_settings_again() {
    let mut node = Node::new();
    let settings = node.path("crux.toml");
    std::fs::write(&settings, "name = 'a'\n").unwrap();
    let mut command = log_of(&node);
    command.arg("--config").arg(&settings);
    node.start(command);
    let lines = |node: &Node, text: &str| node.log().matches(text).count();

    std::fs::write(&settings, "name = 'b'\nlog = 'warn,crux_node=debug'\n").unwrap();
    node.signal(Signal::HUP);
    node.until("it read them again", |node| lines(node, "SIGHUP: read the settings again") == 1);
    let log = node.log();
    let restart = log.lines().find(|line| line.contains("takes a restart")).unwrap();
    assert!(restart.contains("setting=\"name\""), "{restart}");
    assert!(log.contains("warn,crux_node=debug"));

    std::fs::write(&settings, "nonsense = 1\n").unwrap();
    node.signal(Signal::HUP);
    node.until("it says what is wrong", |node| lines(node, "SIGHUP: the settings are wrong") == 1);
    assert!(node.log().contains("nonsense"));
    assert!(node.status().status.success(), "and goes on");

    // What differs is named by the filter that was; what comes after that, by the new one.
    std::fs::write(&settings, "name = 'c'\nlog = 'error'\n").unwrap();
    node.signal(Signal::HUP);
    node.until("it read them", |node| lines(node, "takes a restart") == 2);
    std::fs::write(&settings, "nonsense = 1\n").unwrap();
    node.signal(Signal::HUP);
    node.until("it says so", |node| lines(node, "SIGHUP: the settings are wrong") == 2);
    assert_eq!(lines(&node, "SIGHUP: read the settings again"), 1, "errors only");
    assert!(node.stop(STOPS_WITHIN).success());
    assert!(!node.path("d").join("control.sock").exists());
}

/// The pipe gave its secret once, and nobody writes into it again.
#[test]
fn a_hang_up_waits_for_no_pipe() {
    let mut node = Node::new();
    let pipe = node.path("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let (line, to) = (std::fs::read(node.path("secret")).unwrap(), pipe.clone());
    let gives = std::thread::spawn(move || std::fs::write(to, line).unwrap());
    let mut command = node.bare_command();
    command.arg("--secret-file").arg(&pipe).stderr(node.log_file());
    node.start(command);
    gives.join().unwrap();
    for count in 1..=2 {
        node.signal(Signal::HUP);
        node.until("it read the settings again", |node| {
            node.log().matches("SIGHUP: read the settings again").count() == count
        });
    }
    assert!(node.stop(STOPS_WITHIN).success());
}

/// As under `nohup`.
#[test]
fn signals_that_mean_nothing_do_nothing() {
    let mut node = Node::new();
    let inner = log_of(&node);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(inner.get_program());
    command.args(inner.get_args()).stderr(node.log_file());
    node.start(command);
    for signal in [Signal::HUP, Signal::USR1, Signal::USR2, Signal::PIPE] {
        node.signal(signal);
        assert!(node.status().status.success(), "{signal:?}");
    }
    assert!(node.stop(STOPS_WITHIN).success());
}

#[test]
fn a_quit_stops_in_order_and_dumps_nothing() {
    let mut node = Node::new();
    node.start(log_of(&node));
    let processes = [node.pid(), node.fulcrum()];
    let limits = processes.map(|pid| format!("/proc/{}/limits", pid.as_raw_nonzero()));
    for limits in limits.iter().flat_map(std::fs::read_to_string) {
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        // The parent process may have set the first of the two.
        let limits: Vec<_> = core.split_whitespace().skip(4).take(2).collect();
        assert_eq!(limits, ["0", "0"], "{core}");
    }
    node.signal(Signal::QUIT);
    let ended = node.child.take().unwrap().wait().unwrap();
    assert!(ended.success(), "{ended}");
    assert!(!node.path("d").join("control.sock").exists());
}
