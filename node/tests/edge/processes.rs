//! The two processes of a node: what happens when one of them ends, and what signals mean to either.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;

use super::{STOPS_WITHIN, log_of};
use crate::node::{LIMIT, Node, program};

/// What `status` says, once the node answers.
fn status(node: &mut Node) -> Value {
    let mut answer = Value::Null;
    node.until("it answers", |node| {
        let output = node.ask(&["status", "--json", "--timeout", "5s"]);
        answer = serde_json::from_slice(&output.stdout).unwrap_or_default();
        output.status.success()
    });
    answer
}

fn pid(status: &Value, key: &str) -> Pid {
    Pid::from_raw(i32::try_from(status[key].as_i64().unwrap()).unwrap()).unwrap()
}

/// The fulcrum of a node that answers.
fn fulcrum(node: &mut Node) -> Pid {
    pid(&status(node), "pid")
}

/// Whether a process is there and has not ended.
fn runs(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.is_ok_and(|stat| !stat.rsplit_once(") ").unwrap().1.starts_with('Z'))
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < LIMIT, "not within {LIMIT:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until the node ended, and says with which code.
pub(super) fn code(node: &mut Node) -> Option<i32> {
    let mut ended = None;
    eventually("it ends", || {
        ended = node.child.as_mut().unwrap().try_wait().unwrap();
        ended.is_some()
    });
    // Until then it is killed with the test.
    node.child = None;
    ended.unwrap().code()
}

fn lines(node: &Node, text: &str) -> usize {
    node.log().matches(text).count()
}

fn started(node: &mut Node) {
    let command = log_of(node);
    node.start(command);
}

#[test]
fn a_fulcrum_that_is_killed_comes_back_as_the_same_node() {
    let mut node = Node::new();
    started(&mut node);
    let register = node.ask(&["register", "web", "r1", "127.0.0.1:9000"]);
    assert!(register.status.success(), "{register:?}");
    let first = status(&mut node);
    assert_eq!(pid(&first, "picket_pid"), node.pid(), "the picket is what was started");
    assert_ne!(pid(&first, "pid"), node.pid());
    let mut last = pid(&first, "pid");
    for ends in 1..=3 {
        kill_process(last, Signal::KILL).unwrap();
        node.until("another one answers", |node| fulcrum(node) != last);
        let again = status(&mut node);
        for same in ["principal", "picket_pid", "flock_id", "services"] {
            assert_eq!(again[same], first[same], "{same}");
        }
        assert_eq!(again["incarnation"].as_u64(), Some(1 + ends), "it says that it was away");
        last = pid(&again, "pid");
    }
    assert_eq!(
        lines(&node, "was ended by signal 9; it is started again at once"),
        1,
        "{}",
        node.log()
    );
    assert_eq!(lines(&node, "was ended by signal 9; it is started again in 200ms"), 1);
    assert_eq!(lines(&node, "startup: started"), 4, "{}", node.log());
    assert!(node.stop(STOPS_WITHIN).success());
    assert!(!runs(last));
}

#[test]
fn a_picket_that_is_killed_takes_the_fulcrum_with_it() {
    let mut node = Node::new();
    for _ in 0..3 {
        started(&mut node);
        let fulcrum = fulcrum(&mut node);
        // Also one that is stopped.
        kill_process(fulcrum, Signal::STOP).unwrap();
        node.signal(Signal::KILL);
        assert!(!node.child.take().unwrap().wait().unwrap().success());
        // At once, as a supervisor does.
        node.child = Some(log_of(&node).spawn().unwrap());
        eventually("the fulcrum ends", || !runs(fulcrum));
        status(&mut node);
        assert!(node.stop(STOPS_WITHIN).success(), "{}", node.log());
    }
    assert!(!node.log().contains("ERROR") && !node.log().contains("Error"), "{}", node.log());
}

#[test]
fn a_signal_to_stop_ends_both_in_order() {
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT] {
        let mut node = Node::new();
        started(&mut node);
        let fulcrum = fulcrum(&mut node);
        node.signal(signal);
        assert_eq!(code(&mut node), Some(0), "{}", node.log());
        assert!(test_kill_process(fulcrum).is_err(), "it was reaped before the picket ended");
        assert!(!node.path("d").join("control.sock").exists());
        let log = node.log();
        let at = |text: &str| log.find(text).unwrap_or_else(|| panic!("{text}: {log}"));
        assert!(at(" stopping") < at(" stopped"), "{log}");
        assert!(!log.contains("WARN") && !log.contains("Error"), "{log}");
    }
}

/// A terminal signals both, and so does many a supervisor. Only the picket acts.
#[test]
fn the_fulcrum_leaves_signals_to_the_picket() {
    let mut node = Node::new();
    started(&mut node);
    let fulcrum = fulcrum(&mut node);
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT, Signal::HUP, Signal::USR1] {
        kill_process(fulcrum, signal).unwrap();
    }
    node.signal(Signal::HUP);
    node.until("it read the settings again", |node| lines(node, "read the settings again") > 0);
    assert_eq!(lines(&node, "SIGHUP"), 1, "once for both: {}", node.log());
    assert_eq!(pid(&status(&mut node), "pid"), fulcrum);
    assert!(node.stop(STOPS_WITHIN).success());
}

#[test]
fn a_second_run_is_refused_before_it_starts_anything() {
    let mut node = Node::new();
    started(&mut node);
    let before = status(&mut node);
    for services in ["on", "off"] {
        let second = node.command().args(["--services", services, "--json"]).output().unwrap();
        assert_eq!(second.status.code(), Some(5));
        let said = String::from_utf8(second.stderr).unwrap();
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("data_dir_in_use"), "{said}");
    }
    assert_eq!(status(&mut node)["pid"], before["pid"]);
    assert!(node.stop(STOPS_WITHIN).success());
}

#[test]
fn standard_input_that_closes_stops_both() {
    let mut node = Node::new();
    let mut command = log_of(&node);
    command.arg("--stop-with-stdin").stdin(Stdio::piped());
    node.start(command);
    let fulcrum = fulcrum(&mut node);
    let mut stdin = node.child.as_mut().unwrap().stdin.take().unwrap();
    stdin.write_all(b"it reads and continues\n").unwrap();
    assert!(node.status().status.success());
    drop(stdin);
    assert_eq!(code(&mut node), Some(0), "{}", node.log());
    assert!(!runs(fulcrum));
}

/// The process that meets an error prints it, and nobody else does.
#[test]
fn an_error_that_ends_the_node_is_printed_once() {
    let node = Node::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().to_string();
    for json in [false, true] {
        let mut command = program();
        command.args(["run", "--listen", &port, "--data-dir"]).arg(node.path("d"));
        command.arg("--secret-file").arg(node.path("secret")).args(json.then_some("--json"));
        let refused = command.output().unwrap();
        assert_eq!(refused.status.code(), Some(5));
        let said = String::from_utf8(refused.stderr).unwrap();
        let error = if json { "\"kind\":\"port_in_use\"" } else { "Error:" };
        assert_eq!(said.matches(error).count(), 1, "{said}");
        assert_eq!(said.matches("in use").count(), 1, "{said}");
        assert!(refused.stdout.is_empty());
    }
    // The picket's own: settings that are wrong.
    let refused = node.command().args(["--stop-timeout", "0s"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(String::from_utf8(refused.stderr).unwrap().matches("--stop-timeout").count(), 1);
}

/// A fulcrum that is refused is not started again, although the one before it was ready.
/// Its services would run meanwhile, and a person may mend it.
#[test]
fn a_database_that_was_damaged_meanwhile_is_tried_again_until_it_is_whole() {
    let mut node = Node::new();
    started(&mut node);
    let first = fulcrum(&mut node);
    node.signal(Signal::STOP);
    kill_process(first, Signal::KILL).unwrap();
    eventually("it ends", || !runs(first));
    let database = node.path("d").join("crux.redb");
    let whole = std::fs::read(&database).unwrap();
    std::fs::write(&database, [0x5a; 65536]).unwrap();
    node.signal(Signal::CONT);
    node.until("it was tried twice", |node| lines(node, "Error:") >= 2);
    std::fs::write(&database, whole).unwrap();
    node.until("it serves again", |node| node.status().status.success());
    assert!(node.stop(STOPS_WITHIN).success(), "{}", node.log());
}

#[test]
fn without_services_the_node_is_one_process() {
    let mut node = Node::new();
    let mut command = log_of(&node);
    command.args(["--services", "off"]);
    node.start(command);
    let status = status(&mut node);
    assert_eq!((pid(&status, "pid"), &status["picket_pid"]), (node.pid(), &Value::Null));
    node.signal(Signal::HUP);
    node.until("it read the settings again", |node| lines(node, "read the settings again") == 1);
    assert!(node.stop(STOPS_WITHIN).success());
}

/// The settings came through a pipe, and the secret through the environment: both are there once.
#[test]
fn a_fulcrum_that_is_started_again_has_the_settings_and_the_keys() {
    let mut node = Node::new();
    let pipe = node.path("pipe");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let mut command = node.bare_command();
    let secret = std::fs::read_to_string(node.path("secret")).unwrap();
    command.arg("--config").arg(&pipe).stderr(node.log_file());
    command.env("CRUX_SECRET", secret.trim());
    node.child = Some(command.spawn().unwrap());
    std::fs::write(&pipe, "name = 'piped'\nlabels = { site = \"lab\" }\n").unwrap();
    let first = status(&mut node);
    assert_eq!(first["node"], "piped");
    for pid in [pid(&first, "pid"), node.pid()] {
        let environ = std::fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero()));
        // Only root reads that of a private process.
        let environ = String::from_utf8(environ.unwrap_or_default()).unwrap();
        assert!(!environ.contains("CRUX_SECRET="), "{environ}");
    }
    std::fs::remove_file(node.path("secret")).unwrap();
    kill_process(pid(&first, "pid"), Signal::KILL).unwrap();
    node.until("another one answers", |node| status(node)["pid"] != first["pid"]);
    let again = status(&mut node);
    assert_eq!((&again["node"], &again["flock_id"]), (&first["node"], &first["flock_id"]));
    assert!(node.stop(STOPS_WITHIN).success());
}

/// What SIGHUP read is what the next fulcrum gets.
#[test]
fn a_fulcrum_that_is_started_again_has_the_settings_that_were_right_last() {
    let mut node = Node::new();
    let settings = node.path("crux.toml");
    std::fs::write(&settings, "name = 'a'\n").unwrap();
    let mut command = log_of(&node);
    command.arg("--config").arg(&settings);
    node.start(command);
    std::fs::write(&settings, "name = 'b'\n").unwrap();
    node.signal(Signal::HUP);
    node.until("it read them", |node| lines(node, "read the settings again") == 1);
    std::fs::write(&settings, "nonsense = 1\n").unwrap();
    node.signal(Signal::HUP);
    node.until("it says what is wrong", |node| lines(node, "the settings are wrong") == 1);
    let first = status(&mut node);
    assert_eq!(first["node"], "a");
    kill_process(pid(&first, "pid"), Signal::KILL).unwrap();
    node.until("another one answers", |node| status(node)["pid"] != first["pid"]);
    assert_eq!(status(&mut node)["node"], "b", "{}", node.log());
    assert!(node.stop(STOPS_WITHIN).success());
}

#[test]
fn a_fulcrum_that_does_not_stop_is_killed() {
    let mut node = Node::new();
    let mut command = log_of(&node);
    command.args(["--stop-timeout", "1s"]);
    node.start(command);
    let fulcrum = fulcrum(&mut node);
    kill_process(fulcrum, Signal::STOP).unwrap();
    let begun = Instant::now();
    node.signal(Signal::TERM);
    assert_eq!(code(&mut node), Some(6), "{}", node.log());
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(lines(&node, "did not stop within 1s and was killed"), 1, "{}", node.log());
    assert!(!runs(fulcrum));
}

#[test]
fn a_second_signal_ends_both_at_once() {
    let mut node = Node::new();
    let mut command = log_of(&node);
    command.args(["--stop-timeout", "1h"]);
    node.start(command);
    let fulcrum = fulcrum(&mut node);
    kill_process(fulcrum, Signal::STOP).unwrap();
    node.signal(Signal::TERM);
    node.until("it stops", |node| lines(node, " stopping") == 1);
    // Less than a second after the first it is taken for the same.
    std::thread::sleep(Duration::from_millis(1100));
    node.signal(Signal::TERM);
    assert_eq!(code(&mut node), Some(1), "{}", node.log());
    assert_eq!(lines(&node, "told to stop twice"), 1);
    eventually("the fulcrum ends", || !runs(fulcrum));
}

/// A shell that becomes the node leaves its children to it, and in a container all orphans fall to it. They are
/// reaped, and otherwise left alone.
#[test]
fn children_of_others_are_reaped_and_not_touched() {
    let mut node = Node::new();
    let inner = log_of(&node);
    let mut command = Command::new("sh");
    // One that ends, and one that stays.
    command.args(["-c", "sleep 0.1 & sleep 60 & exec \"$0\" \"$@\""]);
    command.arg(inner.get_program()).args(inner.get_args()).stderr(node.log_file());
    node.start(command);
    let picket = node.pid();
    let children = || -> Vec<(PathBuf, String)> {
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        let stats = all.filter_map(|entry| {
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            let (_, rest) = stat.rsplit_once(") ")?;
            let mut fields = rest.split(' ').map(str::to_owned);
            let (state, parent) = (fields.next()?, fields.next()?);
            (parent == picket.as_raw_nonzero().to_string()).then_some((entry.path(), state))
        });
        stats.collect()
    };
    eventually("what ended is reaped", || {
        let children = children();
        children.len() == 2 && children.iter().all(|(_, state)| state != "Z")
    });
    let fulcrum = fulcrum(&mut node);
    let sleeps = children().into_iter().filter_map(|(path, _)| {
        let number = path.file_name()?.to_str()?.parse().ok()?;
        Pid::from_raw(number).filter(|pid| *pid != fulcrum)
    });
    let sleeps: Vec<Pid> = sleeps.collect();
    assert!(node.stop(STOPS_WITHIN).success());
    assert_eq!(sleeps.len(), 1);
    for pid in sleeps {
        assert!(runs(pid), "it is somebody else's");
        kill_process(pid, Signal::KILL).unwrap();
    }
}

#[test]
fn nobody_but_run_starts_a_fulcrum() {
    for stdin in [Stdio::null(), Stdio::piped()] {
        let output = program().args(["fulcrum", "--", "run"]).stdin(stdin).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("is started by `run`"), "{said}");
    }
    let help = program().arg("--help").output().unwrap();
    assert!(!String::from_utf8(help.stdout).unwrap().contains("fulcrum"));
}
