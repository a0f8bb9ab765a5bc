//! Keys that answer late keep no honest node from what another one wrote.

use std::time::{Duration, Instant};

use crux_client::model::Status;
use crux_testnet::liar::Lie;
use crux_testnet::process::{FlockStatus, Registration};

use crate::support::{WITHIN, flock, lies, measured, ok, spec};

const KEYS: usize = 16;
const ROUNDS: usize = 3;
/// From the start of a node to one digest: some 200 ms without them.
const AGREE_WITHIN: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_node_that_missed_a_write_has_it_soon_though_sixteen_keys_answer_late() {
    let mut cluster = flock(3, &[]).await;
    let mut spec = spec(&cluster, Lie::Slow);
    spec.keys = KEYS;
    let liar = lies(&spec, "holds a session").await;
    let many = |seen: &FlockStatus| {
        let alive = |status: &Status| status.members.alive;
        seen.all().is_some_and(|all| all.iter().all(|status| alive(status) > 3))
    };
    ok(cluster.until("every node is linked with liars", WITHIN, many).await);

    let mut slowest = Duration::ZERO;
    for round in 0..ROUNDS {
        ok(cluster.node(2).kill());
        let rev = format!("r{round}");
        let written = Registration::new("written", rev, "127.0.0.1:9");
        ok(cluster.client(0).register(&written).await);
        ok(cluster.client(1).register(&written).await);
        let began = Instant::now();
        ok(cluster.node(2).start());
        let all = 2 * (round as u64 + 1);
        let agree = |seen: &FlockStatus| seen.digest().is_some() && seen.all_count_services(all);
        ok(cluster.until("the honest nodes have one digest", WITHIN, agree).await);
        slowest = slowest.max(began.elapsed());
    }
    drop(liar);
    measured(format_args!("A5: one digest after {slowest:.1?} at most, in {ROUNDS} rounds"));
    assert!(slowest < AGREE_WITHIN, "they agreed after {slowest:?}");
}
