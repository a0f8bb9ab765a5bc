//! Starts that are refused: exit code not 0, a reason with a way out, nothing changed.

use std::net::TcpListener;
use std::path::Path;

use crux_testnet::process::{Cluster, Finished, NodeSpec, run_node_command};

use crate::support::{WITHIN, agreed, cluster, flock, ok};

/// Runs a node that should refuse to start.
async fn refused(cluster: &Cluster, spec: &NodeSpec) -> Finished {
    let finished = ok(run_node_command(cluster.exe(), &spec.run_args(), WITHIN).await);
    assert!(!finished.status.success(), "it ended well: {finished:?}");
    finished
}

fn expect_said(finished: &Finished, words: &[&str]) {
    let said = finished.stderr.to_lowercase();
    for word in words {
        assert!(said.contains(word), "{word:?} is not said in\n{}", finished.stderr);
    }
}

fn entries(dir: &Path) -> usize {
    std::fs::read_dir(dir).map_or(0, Iterator::count)
}

#[tokio::test]
async fn a_second_process_on_one_data_directory_is_refused() {
    let mut cluster = flock(1).await;
    let mut second = cluster.nodes()[0].spec().clone();
    second.listen.set_port(0);
    let finished = refused(&cluster, &second).await;
    expect_said(&finished, &["n1"]);
    agreed(&mut cluster).await;
}

#[tokio::test]
async fn a_port_in_use_is_refused() {
    let cluster = cluster(1).await;
    let spec = cluster.nodes()[0].spec();
    let _taken = TcpListener::bind(spec.listen).expect("the port is reserved for us");
    let finished = refused(&cluster, spec).await;
    expect_said(&finished, &[&spec.listen.port().to_string(), "in use"]);
    assert!(!spec.database().exists(), "no database was made");
}

#[tokio::test]
async fn a_corrupted_database_is_refused_with_how_to_set_it_aside() {
    let mut cluster = flock(1).await;
    ok(cluster.stop_all().await);
    let spec = cluster.nodes()[0].spec();
    let garbage = vec![0x5a; 64 * 1024];
    std::fs::write(spec.database(), &garbage).expect("written");
    let before = entries(&spec.data_dir);

    let finished = refused(&cluster, spec).await;
    expect_said(&finished, &["crux.redb", "aside"]);
    assert_eq!(std::fs::read(spec.database()).expect("still there"), garbage, "it was left alone");
    assert_eq!(entries(&spec.data_dir), before);
}

#[tokio::test]
async fn a_damaged_secret_is_refused() {
    let cluster = cluster(1).await;
    let mut spec = cluster.nodes()[0].spec().clone();
    let secret = std::fs::read_to_string(&spec.secret).expect("a secret");
    let cut = cluster.home().path().join("cut");
    std::fs::write(&cut, &secret[..secret.trim_end().len() - 3]).expect("written");
    spec.secret = cut;
    let finished = refused(&cluster, &spec).await;
    assert!(!finished.stderr.contains(secret.trim()), "the secret is never told");
    assert!(!spec.database().exists(), "no database was made");
}

#[tokio::test]
async fn a_socket_path_too_long_is_refused_before_anything_is_made() {
    let cluster = cluster(1).await;
    let mut spec = cluster.nodes()[0].spec().clone();
    spec.data_dir = cluster.home().path().join("x".repeat(120));
    let finished = refused(&cluster, &spec).await;
    expect_said(&finished, &["control socket", "shorter data directory"]);
    assert!(!spec.data_dir.exists(), "nothing was made");
}
