//! Leaving, being forgotten, stopping.

use crux_client::model::MemberState;

use crate::support::{WITHIN, agreed, flock, ok, until, until_member};

#[tokio::test]
async fn a_node_that_leaves_is_shown_left_and_counts_nowhere() {
    let mut cluster = flock(3).await;
    ok(cluster.client(2).leave().await);
    let status = ok(cluster.node(2).until_ended(WITHIN).await);
    assert!(status.success(), "{status}");

    agreed(&mut cluster).await;
    until(&mut cluster, "no alarm is raised", |all| all.all_count_dead(0)).await;
    for at in 0..2 {
        let client = cluster.client(at).clone();
        until_member(&client, "n3", MemberState::Left).await;
    }
}

#[tokio::test]
async fn a_dead_node_is_forgotten_on_request() {
    let mut cluster = flock(3).await;
    ok(cluster.node(2).kill());
    until(&mut cluster, "one is dead", |all| all.all_count_dead(1)).await;
    ok(cluster.client(0).forget("n3").await);
    until(&mut cluster, "none is dead", |all| all.all_count_dead(0)).await;
    let client = cluster.client(1).clone();
    until_member(&client, "n3", MemberState::Retired).await;

    // It was not evicted: should it live after all, it comes back by itself.
    ok(cluster.node(2).start());
    agreed(&mut cluster).await;
}

#[tokio::test]
async fn a_node_stops_when_its_standard_input_closes() {
    let mut cluster = flock(2).await;
    cluster.node(1).close_stdin();
    let status = ok(cluster.node(1).until_ended(WITHIN).await);
    assert!(status.success(), "{status}");
    assert!(!cluster.nodes()[1].spec().socket().exists(), "the socket was removed");
    until(&mut cluster, "the other one misses it", |all| all.all_count_dead(1)).await;
}

#[tokio::test]
async fn a_paused_node_is_dead_and_a_resumed_one_alive_again() {
    let mut cluster = flock(3).await;
    ok(cluster.nodes()[2].pause());
    let watcher = cluster.client(0).clone();
    until_member(&watcher, "n3", MemberState::Dead).await;
    ok(cluster.nodes()[2].resume());
    agreed(&mut cluster).await;
}
