//! The examples of `crux-client`, against real nodes.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crux_testnet::process::{Cluster, Registration};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::support::{WITHIN, flock, ok};

#[expect(dead_code, reason = "their mains are for those who run them")]
#[path = "../../../client/examples/blobs.rs"]
mod blobs;
#[expect(dead_code, reason = "their mains are for those who run them")]
#[path = "../../../client/examples/register.rs"]
mod register;
#[expect(dead_code, reason = "their mains are for those who run them")]
#[path = "../../../client/examples/watch.rs"]
mod watch;

fn dir(cluster: &Cluster, at: usize) -> PathBuf {
    cluster.nodes()[at].spec().data_dir.clone()
}

#[tokio::test]
async fn a_service_is_registered_and_found() {
    let cluster = flock(1).await;
    let found = register::register(&dir(&cluster, 0)).await.expect("it works");
    assert_eq!(found, "/test/main/n1/greeter/v1 is at 127.0.0.1:8080");
}

#[tokio::test]
async fn a_blob_of_one_node_is_got_at_another() {
    let cluster = flock(2).await;
    let got = blobs::blobs(&dir(&cluster, 0), &dir(&cluster, 1), "hello").await;
    assert_eq!(got.expect("it works"), b"hello");
}

#[tokio::test]
async fn changes_are_printed_as_they_come() {
    let cluster = flock(1).await;
    let (line, mut lines) = mpsc::channel(8);
    let data_dir = dir(&cluster, 0);
    let print = move |text| line.try_send(text).is_ok();
    let watching = tokio::spawn(async move { watch::watch(&data_dir, print).await });
    let mut next = async || timeout(WITHIN, lines.recv()).await.expect("in time").expect("a line");
    assert_eq!(next().await, "0 services");
    ok(cluster.client(0).register(&Registration::new("greeter", "v1", "127.0.0.1:9")).await);
    assert_eq!(next().await, "+ /test/main/n1/greeter/v1 up");
    ok(cluster.client(0).deregister("greeter", "v1").await);
    assert_eq!(next().await, "- /test/main/n1/greeter/v1");
    watching.abort();
}

/// The Python that has grpcio and grpcio-tools, if there is one: `PYTHON`, or `python3`.
pub(crate) async fn python() -> Option<String> {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut has = tokio::process::Command::new(&python);
    has.args(["-c", "import grpc, grpc_tools"]).stdin(Stdio::null()).stderr(Stdio::null());
    has.status().await.is_ok_and(|status| status.success()).then_some(python)
}

/// Stock grpcio reads changes from the node's socket.
#[tokio::test]
async fn changes_are_printed_from_python() {
    let Some(python) = python().await else {
        let why = "Left out: no python3 here has grpcio and grpcio-tools; PYTHON names another.";
        // Not printed: what a test that passes prints is not shown.
        writeln!(std::io::stderr(), "{why}").expect("standard error");
        return;
    };
    let cluster = flock(1).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../client/examples/python/watch.py");
    let mut command = tokio::process::Command::new(python);
    command.arg(script).arg(dir(&cluster, 0)).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().expect("python runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let until = async |lines: &mut tokio::io::Lines<_>, words: &str| loop {
        let line: Option<String> = lines.next_line().await.expect("text");
        if line.expect("it goes on").contains(words) {
            return;
        }
    };
    timeout(WITHIN, until(&mut lines, "snapshot")).await.expect("a snapshot in time");
    ok(cluster.client(0).register(&Registration::new("greeter", "v1", "127.0.0.1:9")).await);
    timeout(WITHIN, until(&mut lines, "added")).await.expect("a change in time");
    timeout(WITHIN, until(&mut lines, "/test/main/n1/greeter/v1")).await.expect("its path");
    timeout(Duration::from_secs(5), child.kill()).await.expect("it ends").expect("it is ours");
}
