//! The testnet's own commands, run as a person runs them.

use std::io::{BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crux_testnet::process::procfs;
use crux_testnet::wait::{self, Seen};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{WITHIN, exe, ok};

/// Runs to the end, for at most `within`; returns the exit code and standard output.
#[expect(clippy::print_stdout, reason = "a failed test shows what the program said")]
async fn run(args: &[&str], within: Duration) -> (Option<i32>, String) {
    let mut command = tokio::process::Command::new(exe());
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(within, command.output())
        .await
        .unwrap_or_else(|_| panic!("{args:?} did not end in {within:?}"))
        .expect("the program runs");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        println!("{}", String::from_utf8_lossy(&output.stderr));
    }
    (output.status.code(), stdout)
}

#[tokio::test]
async fn the_demo_ends_well() {
    let (code, told) = run(&["demo"], Duration::from_secs(120)).await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("everything held"), "{told}");
}

#[tokio::test]
#[ignore = "takes more than a minute"]
async fn the_demo_of_a_target_ends_well() {
    let (code, told) = run(&["demo", "--target"], Duration::from_secs(600)).await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("everything held"), "{told}");
}

/// Three services on three nodes, all of which run when it says that the flock has formed.
#[tokio::test]
async fn up_with_a_target_runs_three_services() {
    let args = ["up", "--target", "demo", "--nodes", "3", "--once", "--json"];
    let (code, stdout) = run(&args, Duration::from_secs(90)).await;
    assert_eq!(code, Some(0));
    let formed: Value = serde_json::from_str(&stdout).expect("one JSON document");
    let nodes = formed["nodes"].as_array().expect("nodes");
    let runs = nodes.iter().flat_map(|node| node["runs"].as_array().expect("a list"));
    let mut services = std::collections::BTreeMap::new();
    for it in runs.filter(|it| it["state"] == "up") {
        let count = it["instances"].as_u64().expect("a number");
        *services.entry(it["service"].as_str().expect("a name")).or_insert(0) += count;
    }
    let expected = [("api", 1), ("job", 2), ("web", 3)];
    assert_eq!(services, expected.into(), "{formed:#}");
}

#[tokio::test]
async fn up_once_writes_one_json_document_and_stops() {
    let home = tempfile::tempdir().expect("a directory");
    let dir = home.path().display().to_string();
    let args = ["up", "--nodes", "3", "--once", "--json", "--dir", &dir];
    let (code, stdout) = run(&args, Duration::from_secs(60)).await;
    assert_eq!(code, Some(0));
    let first: Value = serde_json::from_str(&stdout).expect("one JSON document");
    assert_eq!(first["nodes"].as_array().map(Vec::len), Some(3));
    assert!(first["state_digest"].is_string() && first["leader"].is_string(), "{first}");

    // The directory stays, and the same flock comes up again at the same addresses.
    let (code, stdout) = run(&args, Duration::from_secs(60)).await;
    assert_eq!(code, Some(0));
    let again: Value = serde_json::from_str(&stdout).expect("one JSON document");
    assert_eq!(again["flock_id"], first["flock_id"]);
    for at in 0..3 {
        assert_eq!(again["nodes"][at]["principal"], first["nodes"][at]["principal"]);
        assert_eq!(again["nodes"][at]["listen"], first["nodes"][at]["listen"]);
    }
}

#[tokio::test]
async fn a_killed_testnet_leaves_no_orphan() {
    let mut up = Command::new(exe())
        .args(["up", "--nodes", "2", "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let formed = tokio::task::spawn_blocking(move || (read_document(&mut up), up));
    let (formed, mut up) =
        tokio::time::timeout(WITHIN, formed).await.expect("it forms in time").expect("it forms");
    let home = formed["dir"].as_str().expect("a directory").to_owned();
    let pids: Vec<Pid> = formed["nodes"]
        .as_array()
        .expect("nodes")
        .iter()
        .filter_map(|node| node["pid"].as_i64())
        .filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?))
        .collect();
    assert_eq!(pids.len(), 2);
    let below = pids.iter().flat_map(|pid| procfs::children(*pid)).collect::<Vec<_>>();
    assert_eq!(below.len(), 2, "each node is two processes");
    let pids = [pids, below].concat();

    kill_process(Pid::from_child(&up), Signal::KILL).expect("it can be killed");
    up.wait().expect("it is reaped");
    let gone = wait::until("no node runs", WITHIN, async || {
        let left: Vec<_> = pids.iter().filter(|pid| procfs::is_running(**pid)).collect();
        Ok(Seen::when(left.is_empty(), (), |()| format!("  {left:?} run")))
    });
    ok(gone.await);
    std::fs::remove_dir_all(home).expect("what a killed program could not remove");
}

/// Reads one JSON document from a program that continues to run.
fn read_document(up: &mut Child) -> Value {
    let stdout = BufReader::new(up.stdout.take().expect("a pipe"));
    let mut documents = serde_json::Deserializer::from_reader(stdout.take(1 << 20)).into_iter();
    documents.next().expect("a document").expect("JSON")
}
