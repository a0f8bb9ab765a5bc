//! A service from its first command to the stop of its node: found, killed, kept over every part of Crux.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::processes::code;
use super::{STOPS_WITHIN, log_of};
use crate::node::{LIMIT, Node, program};

/// A web server that everybody has: the system's Python, and not a script in PATH that only leads to one.
fn python() -> &'static str {
    let all = ["/usr/bin/python3", "/usr/local/bin/python3"];
    all.into_iter().find(|path| std::path::Path::new(path).exists()).unwrap_or("python3")
}

/// The one line of `ps`; null while there is none, or the picket does not answer.
fn ps(node: &Node) -> Value {
    let output = node.ask(&["ps", "--json"]);
    let all: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    all[0].clone()
}

fn process(row: &Value) -> Option<Pid> {
    Pid::from_raw(i32::try_from(row["pid"].as_i64()?).unwrap())
}

fn is_up(row: &Value) -> bool {
    row["state"] == "up"
}

/// Whether a web server answers at a port.
fn answers(port: u64) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", u16::try_from(port).unwrap())) else {
        return false;
    };
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut head = [0; 5];
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").is_ok()
        && stream.read_exact(&mut head).is_ok()
        && head == *b"HTTP/"
}

fn runs(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.is_ok_and(|stat| !stat.rsplit_once(") ").unwrap().1.starts_with('Z'))
}

fn started(node: &mut Node) {
    let command = log_of(node);
    node.start(command);
}

/// The error of a command: the last line, after those on its progress.
fn error_of(stderr: &[u8]) -> Value {
    let text = std::str::from_utf8(stderr).unwrap();
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

/// Adds the web server, and says what the answer was.
fn add(node: &Node) -> Value {
    let service = ["service", "add", "web", "--port", "http=auto", "--json", "--", python()];
    let output = node.ask_first(&[&service[..], &["-m", "http.server", "${port.http}"]].concat());
    assert!(output.status.success(), "{output:?}\n{}", node.log());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Follows the log of the service, until it is dropped.
struct Follower(Child);

impl Follower {
    fn start(node: &Node) -> Self {
        let mut command = program();
        command.args(["logs", "web", "-f", "--data-dir"]).arg(node.path("d"));
        Self(command.stdout(Stdio::piped()).spawn().unwrap())
    }

    /// Reads on until a line has this text.
    fn until(&mut self, text: &str) {
        let begun = Instant::now();
        let out = self.0.stdout.as_mut().unwrap();
        let mut lines = BufReader::with_capacity(1, out).lines();
        while !lines.next().expect("it goes on").unwrap().contains(text) {
            assert!(begun.elapsed() < LIMIT, "no line with {text}");
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn a_program_stays_up_over_the_death_of_every_part() {
    let mut node = Node::new();
    started(&mut node);
    let added = add(&node);
    assert_eq!((&added["state"], &added["rev"]), (&"up".into(), &"v1".into()), "{added}");
    let port = added["ports"]["http"].as_u64().unwrap();
    assert!((27_200..28_000).contains(&port) && answers(port), "{added}");
    let row = ps(&node);
    assert!(is_up(&row) && row["instance"] == added["instance"], "{row}");
    assert!(row["memory"].as_u64().unwrap() > 1_000_000 && row["sealed"] == true, "{row}");
    assert_eq!(add(&node)["pid"], added["pid"], "the same again changes nothing");

    // It is registered, and found at once.
    let output = node.ask(&["resolve", "web", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(found.to_string().contains(&format!("127.0.0.1:{port}")), "{found}");

    // What it writes.
    let mut follower = Follower::start(&node);
    assert!(answers(port));
    follower.until("GET / HTTP/1.0");

    // Killed: another one, at once.
    let first = process(&row).unwrap();
    kill_process(first, Signal::KILL).unwrap();
    node.until("another one is up", |node| {
        let row = ps(node);
        is_up(&row) && process(&row) != Some(first)
    });
    let row = ps(&node);
    let port = row["ports"]["http"].as_u64().unwrap();
    assert!(answers(port) && row["restarts"] == 1, "{row}");
    follower.until("GET / HTTP/1.0");
    drop(follower);

    // The fulcrum: nobody notices.
    let second = process(&row);
    let fulcrum = node.fulcrum();
    kill_process(fulcrum, Signal::KILL).unwrap();
    assert_eq!(process(&ps(&node)), second, "the picket answers meanwhile");
    node.until("another fulcrum", |node| {
        node.status().status.success() && node.fulcrum() != fulcrum
    });
    assert!(answers(port) && process(&ps(&node)) == second);

    // The picket: the next one takes over what runs.
    node.signal(Signal::KILL);
    node.child.take().unwrap().wait().unwrap();
    assert!(answers(port), "its keeper keeps it");
    started(&mut node);
    node.until("it is taken over", |node| is_up(&ps(node)));
    let row = ps(&node);
    assert_eq!((process(&row), &row["restarts"]), (second, &0.into()), "{row}");
    assert!(answers(port));

    // In order: nothing is left, and it is still wanted.
    assert!(node.stop(STOPS_WITHIN).success());
    assert!(!runs(second.unwrap()) && !answers(port));
    assert!(!node.path("d").join("picket.sock").exists());
    started(&mut node);
    node.until("it is up again", |node| is_up(&ps(node)));
    assert!(node.stop(STOPS_WITHIN).success());
}

/// Somebody puts back the database of a node that left, while this one serves: the next fulcrum refuses. No other one is
/// tried, services stop, and neither is started by the next `run`.
#[test]
fn a_fulcrum_that_is_refused_at_its_restart_ends_the_node_and_its_services() {
    let mut node = Node::new();
    let database = node.path("d").join("crux.redb");
    started(&mut node);
    assert!(node.stop(STOPS_WITHIN).success());
    let member = std::fs::read(&database).unwrap();
    started(&mut node);
    assert!(node.ask(&["leave", "--yes"]).status.success());
    assert_eq!(code(&mut node), Some(0), "{}", node.log());
    let left = std::fs::read(&database).unwrap();
    std::fs::write(&database, member).unwrap();
    started(&mut node);
    add(&node);
    let running = process(&ps(&node)).unwrap();

    let fulcrum = node.fulcrum();
    node.signal(Signal::STOP);
    kill_process(fulcrum, Signal::KILL).unwrap();
    let begun = Instant::now();
    while runs(fulcrum) {
        assert!(begun.elapsed() < LIMIT);
        std::thread::sleep(Duration::from_millis(2));
    }
    std::fs::write(&database, left).unwrap();
    node.signal(Signal::CONT);
    assert_eq!(code(&mut node), Some(5), "{}", node.log());
    let log = node.log();
    assert_eq!(log.matches("it is started again").count(), 1, "after the kill: {log}");
    assert_eq!(log.matches("Error: this node left its flock").count(), 1, "{log}");
    assert!(log.contains("run --rejoin") && log.contains(": stopped"), "what to do: {log}");
    assert!(!runs(running), "{log}");

    // As a supervisor does, which does not know.
    let again = node.command().arg("--json").output().unwrap();
    assert_eq!(again.status.code(), Some(5), "{again:?}");
    let error = error_of(&again.stderr);
    assert_eq!(error["kind"], "refused", "{error}");
    let log = String::from_utf8(again.stderr).unwrap();
    assert!(!log.contains(": started: process"), "its program was not started: {log}");
}

#[test]
fn a_program_that_does_not_start_says_why_with_its_last_words() {
    let mut node = Node::new();
    started(&mut node);
    let script = node.path("bad.sh");
    std::fs::write(&script, "#!/bin/sh\necho 'no such table' >&2\nexit 3\n").unwrap();
    let begun = Instant::now();
    let output =
        node.ask(&["service", "add", "bad", "--json", "--image", script.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let error = error_of(&output.stderr);
    assert_eq!(error["kind"], "start_failed", "{error}");
    assert!(error["fields"]["log"].as_str().unwrap().contains("no such table"), "{error}");
    assert!(begun.elapsed() < LIMIT, "it does not wait for the time-out");
    // Not a program at all: its cause by name.
    std::fs::write(&script, "just text").unwrap();
    let output =
        node.ask(&["service", "add", "text", "--json", "--image", script.to_str().unwrap()]);
    let error = error_of(&output.stderr);
    assert_eq!(error["kind"], "image_unusable", "{error}");
    assert!(node.stop(STOPS_WITHIN).success());
}
