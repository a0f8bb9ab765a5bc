//! What a newcomer meets in the first half hour.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::node::{LIMIT, Node, program};

/// A command of a user with this directory of nodes, who names none.
fn found(home: &Path, args: &[&str]) -> Output {
    program().args(args).env("XDG_RUNTIME_DIR", home).env("HOME", home).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// `run`, of a user with a home of its own.
fn at_home(node: &Node, home: &Path) -> Command {
    let mut command = node.command();
    command.env("XDG_RUNTIME_DIR", home).env("HOME", home).env_remove("XDG_STATE_HOME");
    command.stderr(node.log_file());
    command
}

/// Waits until a node ended by itself.
fn ended(node: &mut Node) -> Option<i32> {
    let begun = Instant::now();
    let mut child = node.child.take().unwrap();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        assert!(begun.elapsed() < LIMIT, "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_command_right_after_the_start_is_answered() {
    for _ in 0..5 {
        let mut node = Node::new();
        node.child = Some(node.command().stderr(node.log_file()).spawn().unwrap());
        let status = node.ask(&["status", "--json"]);
        assert!(status.status.success(), "{}\n{}", said(&status), node.log());
        let status = String::from_utf8(status.stdout).unwrap();
        assert!(status.contains("\"alive\":1,"), "it shows itself: {status}");
        assert!(node.stop(super::STOPS_WITHIN).success());
    }
}

#[test]
fn a_command_where_no_node_is_says_so_soon() {
    let node = Node::new();
    let begun = Instant::now();
    let status = node.ask(&["status", "--timeout", "60s"]);
    assert_eq!(status.status.code(), Some(4), "{}", said(&status));
    assert!(begun.elapsed() < LIMIT / 2, "{:?}", begun.elapsed());
}

#[test]
fn the_only_node_of_a_user_needs_no_name() {
    let home = tempfile::tempdir().unwrap();
    let (mut one, mut two) = (Node::new(), Node::new());
    let command = at_home(&one, home.path());
    one.start(command);
    let status = found(home.path(), &["status", "--json"]);
    assert!(status.status.success(), "{}", said(&status));
    let command = at_home(&two, home.path());
    two.start(command);
    let status = found(home.path(), &["status"]);
    assert_eq!(status.status.code(), Some(2), "{}", said(&status));
    for node in [&one, &two] {
        let dir = node.path("d").canonicalize().unwrap();
        assert!(said(&status).contains(&dir.display().to_string()), "{}", said(&status));
    }
    assert!(two.stop(super::STOPS_WITHIN).success());
    assert!(found(home.path(), &["leader"]).status.success());
    assert!(one.stop(super::STOPS_WITHIN).success());
    assert_eq!(found(home.path(), &["status"]).status.code(), Some(4));
    let left = std::fs::read_dir(home.path().join("crux/nodes")).unwrap().count();
    assert_eq!(left, 0, "a node that stopped is not listed");
}

#[test]
fn who_left_stays_away_until_it_is_told_to_rejoin() {
    let mut node = Node::new();
    let run = |node: &Node, more: &[&str]| {
        let mut command = node.command();
        command.args(more).stderr(node.log_file());
        command
    };
    let command = run(&node, &[]);
    node.start(command);
    assert!(node.ask(&["leave", "--yes"]).status.success());
    assert_eq!(ended(&mut node), Some(0), "{}", node.log());
    for _ in 0..2 {
        node.child = Some(run(&node, &[]).spawn().unwrap());
        assert_eq!(ended(&mut node), Some(5), "{}", node.log());
    }
    assert!(node.log().contains("--rejoin"), "{}", node.log());
    let command = run(&node, &["--rejoin"]);
    node.start(command);
    assert!(node.stop(super::STOPS_WITHIN).success());
    // From then on it is a member as before.
    let command = run(&node, &[]);
    node.start(command);
    // And may leave again.
    assert!(node.ask(&["leave", "--yes"]).status.success());
    assert_eq!(ended(&mut node), Some(0), "{}", node.log());
    node.child = Some(run(&node, &[]).spawn().unwrap());
    assert_eq!(ended(&mut node), Some(5), "{}", node.log());
}

/// A supervisor starts it again and again: nobody is to find it meanwhile.
#[test]
fn a_node_that_left_is_not_listed_while_its_start_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let list = home.path().join("crux/nodes");
    let changed = || std::fs::metadata(&list).unwrap().modified().unwrap();
    let mut node = Node::new();
    let command = at_home(&node, home.path());
    node.start(command);
    assert_eq!(std::fs::read_dir(&list).unwrap().count(), 1);
    assert!(node.ask(&["leave", "--yes"]).status.success());
    assert_eq!(ended(&mut node), Some(0), "{}", node.log());
    let before = changed();
    node.child = Some(at_home(&node, home.path()).spawn().unwrap());
    assert_eq!(ended(&mut node), Some(5), "{}", node.log());
    assert_eq!(changed(), before, "a link was made and removed");
}

/// The node takes connections, and ends before it serves: the write was never done, and the error knows.
#[test]
fn a_write_that_waits_for_a_start_that_is_refused_was_not_done() {
    let mut node = Node::new();
    let dir = node.path("d");
    std::fs::create_dir(&dir).unwrap();
    let socket = dir.join("control.sock");
    let listens = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let write = program()
        .args(["register", "web", "r1", "127.0.0.1:80", "--json", "--data-dir"])
        .arg(&dir)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // What a node does whose start is refused: it has the socket for a moment.
    let (mut taken, _) = listens.accept().unwrap();
    taken.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut sent = Vec::new();
    // Until it waits for an answer.
    taken.read_to_end(&mut sent).unwrap_err();
    assert!(sent.starts_with(b"PRI * HTTP/2.0"), "it sent its call");
    drop((taken, listens));
    std::fs::remove_file(&socket).unwrap();
    let write = write.wait_with_output().unwrap();
    let error = said(&write);
    assert_eq!(write.status.code(), Some(4), "{error}");
    assert!(
        error.contains("\"state_changed\":\"no\"") && error.contains("its log says why"),
        "{error}"
    );
    // And a write to a node that serves is done.
    let command = node.command();
    node.start(command);
    let write = node.ask(&["register", "web", "r1", "127.0.0.1:80"]);
    assert!(write.status.success(), "{}", said(&write));
    assert!(node.stop(super::STOPS_WITHIN).success());
}

/// The page shows what the command prints.
#[test]
fn the_first_page_shows_all_checks_of_doctor() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/start/first-flock.md");
    let page = std::fs::read_to_string(page).unwrap();
    let names = |text: &str| -> Vec<String> {
        let lines = text.lines().skip_while(|line| !line.starts_with("RESULT")).skip(1);
        let lines = lines.take_while(|line| *line != "```").filter(|line| !line.starts_with(' '));
        lines.filter_map(|line| line.split_whitespace().nth(1).map(str::to_owned)).collect()
    };
    let mut node = Node::new();
    let command = node.command();
    node.start(command);
    let printed = node.ask(&["doctor"]);
    let printed = names(&String::from_utf8(printed.stdout).unwrap());
    assert!(printed.len() > 2, "{printed:?}");
    assert_eq!(names(page.split_once("crux-node doctor").unwrap().1), printed);
    assert!(node.stop(super::STOPS_WITHIN).success());
}

#[test]
fn a_secret_that_others_may_read_is_named_and_one_that_all_may_write_refused() {
    let mut node = Node::new();
    let secret = node.path("secret");
    let chmod = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    chmod(&secret, 0o644);
    let mut command = node.command();
    command.stderr(node.log_file());
    node.start(command);
    let advice = |path: &Path| format!("chmod 600 {}", path.display());
    assert!(node.log().contains(&advice(&secret)), "{}", node.log());
    assert!(!node.log().contains(&advice(&node.path("d/principal.key"))), "{}", node.log());
    let doctor = String::from_utf8(node.ask(&["doctor"]).stdout).unwrap();
    assert!(doctor.contains(&advice(&secret)), "{doctor}");
    assert!(node.stop(super::STOPS_WITHIN).success());
    chmod(&node.path("d/principal.key"), 0o640);
    let mut command = node.command();
    command.stderr(node.log_file());
    node.start(command);
    assert!(node.log().contains(&advice(&node.path("d/principal.key"))), "{}", node.log());
    assert!(node.stop(super::STOPS_WITHIN).success());
    for (file, mode) in [("secret", 0o606), ("d/principal.key", 0o662)] {
        chmod(&node.path(file), mode);
        let mut command = node.command();
        node.child = Some(command.stderr(node.log_file()).spawn().unwrap());
        assert_eq!(ended(&mut node), Some(5), "{file}: {}", node.log());
        chmod(&node.path(file), 0o600);
    }
}
