//! Helpers that the tests share.

use std::path::PathBuf;
use std::time::Duration;

use crux_client::model::CheckResult;
use crux_testnet::Error;
use crux_testnet::liar::{LiarProcess, LiarSpec, Lie};
use crux_testnet::process::{Cluster, ClusterOptions, FlockStatus, Home, NodeClient, NodeProcess};
use crux_testnet::wait::{self, Seen};

/// How long any one condition may take that no test is about: far above the goals, for a loaded machine.
pub(crate) const WITHIN: Duration = Duration::from_secs(30);

/// The program under test, which is the liar, too.
pub(crate) fn exe() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_crux-testnet"))
}

/// A flock of `count` nodes that agree, each with these further flags of `run`.
pub(crate) async fn flock(count: usize, flags: &[&str]) -> Cluster {
    let home = ok(Home::temporary());
    let options = ClusterOptions { exe: exe(), home, flock: "liars".to_owned() };
    let mut cluster = ok(Cluster::with_nodes(options, count).await);
    for at in 0..count {
        cluster.node(at).spec_mut().flags = flags.iter().map(ToString::to_string).collect();
    }
    ok(cluster.start_all());
    ok(cluster.until_still(WITHIN).await);
    cluster
}

/// The settings of a liar of one key, that knows all nodes.
pub(crate) fn spec(cluster: &Cluster, lie: Lie) -> LiarSpec {
    LiarSpec {
        lie,
        secret: cluster.home().secret(),
        listen: ([127, 0, 0, 1], 0).into(),
        targets: cluster.nodes().iter().map(|node| node.spec().listen).collect(),
        keys: 1,
        count: 1,
        bytes: 0,
        log: cluster.home().path().join("liar.log"),
    }
}

/// Starts a liar, and waits until it says that it does what it is for.
pub(crate) async fn lies(spec: &LiarSpec, words: &str) -> LiarProcess {
    let mut liar = ok(LiarProcess::start(&exe(), spec));
    ok(liar.until_said(words, WITHIN).await);
    liar
}

/// Waits until every started node counts so many members alive, and returns what they say.
pub(crate) async fn until_alive(cluster: &mut Cluster, alive: u32) -> FlockStatus {
    let what = format!("all count {alive} alive");
    let holds = |seen: &FlockStatus| {
        seen.all().is_some_and(|all| all.iter().all(|status| status.members.alive == alive))
    };
    ok(cluster.until(&what, WITHIN, holds).await)
}

/// How much memory each node has resident, in MiB.
pub(crate) fn resident(cluster: &Cluster) -> Vec<u64> {
    let nodes = cluster.nodes().iter();
    nodes.filter_map(NodeProcess::resident_bytes).map(|bytes| bytes >> 20).collect()
}

/// How much of the disk each database takes, in MiB.
pub(crate) fn on_disk(cluster: &Cluster) -> Vec<u64> {
    let size = |path: PathBuf| std::fs::metadata(path).map_or(0, |file| file.len() >> 20);
    cluster.nodes().iter().map(|node| size(node.spec().database())).collect()
}

/// Says what a test measured: a line of the threat model's table.
#[expect(clippy::print_stdout, reason = "shown with --nocapture, and when the test fails")]
pub(crate) fn measured(what: std::fmt::Arguments<'_>) {
    println!("{what}");
}

/// The checks of `doctor` that fail.
pub(crate) async fn failed_checks(client: &NodeClient) -> Vec<String> {
    let checks = ok(client.doctor().await);
    let failed = checks.into_iter().filter(|check| check.result == CheckResult::Fail);
    failed.map(|check| format!("{}: {}", check.name, check.detail)).collect()
}

/// Looks until it holds; returns how long that took.
pub(crate) async fn took(
    what: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> Result<(), String>,
) -> Duration {
    let began = std::time::Instant::now();
    let seen = wait::until(what, within, async || {
        Ok(match look().await {
            Ok(()) => Seen::Done(()),
            Err(why) => Seen::NotYet(why),
        })
    });
    ok(seen.await);
    began.elapsed()
}

/// The value, or a panic with the whole story: a flock's error is worth reading.
#[track_caller]
pub(crate) fn ok<T>(result: Result<T, Error>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}
