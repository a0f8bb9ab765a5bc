//! What a newcomer meets in the first half hour.

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
