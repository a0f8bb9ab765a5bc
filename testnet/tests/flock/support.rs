//! What the tests share.

use std::path::PathBuf;
use std::time::Duration;

use crux_client::model::MemberState;
use crux_crdt::Principal;
use crux_testnet::Error;
use crux_testnet::process::{Cluster, ClusterOptions, FlockStatus, Home, NodeClient};
use crux_testnet::wait::{self, Seen};

/// How long any one condition may take: far above the goals, for a loaded machine.
pub(crate) const WITHIN: Duration = Duration::from_secs(30);

/// The program under test.
pub(crate) fn exe() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_crux-testnet"))
}

/// A cluster of `count` nodes, none of them started.
pub(crate) async fn cluster(count: usize) -> Cluster {
    let home = Home::temporary().expect("a temporary directory");
    let options = ClusterOptions { exe: exe(), home, flock: "test".to_owned() };
    Cluster::with_nodes(options, count).await.expect("a secret and ports")
}

/// A flock of `count` nodes that agree.
pub(crate) async fn flock(count: usize) -> Cluster {
    let mut cluster = cluster(count).await;
    cluster.start_all().expect("nodes start");
    agreed(&mut cluster).await;
    cluster
}

/// Waits until all started nodes agree and nothing changes any more.
pub(crate) async fn agreed(cluster: &mut Cluster) -> FlockStatus {
    ok(cluster.until_still(WITHIN).await)
}

/// Waits until the statuses of all started nodes satisfy `holds`.
pub(crate) async fn until(
    cluster: &mut Cluster,
    what: &str,
    holds: impl FnMut(&FlockStatus) -> bool,
) -> FlockStatus {
    ok(cluster.until(what, WITHIN, holds).await)
}

/// Waits until a node shows a member of this name in this state; returns the member's principal.
pub(crate) async fn until_member(client: &NodeClient, name: &str, state: MemberState) -> Principal {
    let what = format!("{name} is shown {state}");
    let seen = wait::until(&what, WITHIN, async || {
        let members = client.members().await?;
        let found =
            members.iter().find(|member| member.node.as_str() == name && member.state == state);
        Ok(match found {
            Some(member) => Seen::Done(member.principal),
            None => Seen::NotYet(format!("  {members:?}")),
        })
    });
    ok(seen.await)
}

/// The value, or a panic with the whole story: a flock's error is worth reading.
#[track_caller]
pub(crate) fn ok<T>(result: Result<T, Error>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}
