//! A term that only a liar names ends nobody's leadership.

use std::time::Duration;

use crux_testnet::liar::Lie;
use crux_testnet::process::FlockStatus;

use crate::support::{WITHIN, failed_checks, flock, lies, measured, ok, spec, took, until_alive};

/// The next leader may take its turn, and claim once more: both within seconds.
const LEADS_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test]
async fn the_next_leader_is_obeyed_whatever_term_a_member_named() {
    let mut cluster = flock(4, &[]).await;
    let liar = lies(&spec(&cluster, Lie::Fence), "told 4 members").await;
    let seen = until_alive(&mut cluster, 5).await;
    let old = seen.leader().expect("one leader").clone();
    let at = cluster.position(old.node.as_str()).expect("one of ours");
    ok(cluster.node(at).kill());

    let another = |seen: &FlockStatus| seen.leader().is_some_and(|leader| *leader != old);
    ok(cluster.until("another one leads", WITHIN, another).await);
    let asked = cluster.client((at + 1) % 4).clone();
    let pinged = async || match asked.leader_ping().await {
        Ok(ping) if ping.accepted.len() >= 3 => Ok(()),
        other => Err(format!("{other:?}")),
    };
    let first = took("`leader ping` works while it lies", LEADS_WITHIN, pinged).await;
    // Nor did it leave anything behind.
    drop(liar);
    until_alive(&mut cluster, 3).await;
    let second = took("`leader ping` works after it", LEADS_WITHIN, pinged).await;
    for node in cluster.nodes().iter().filter(|node| node.is_started()) {
        let failed = failed_checks(node.client()).await;
        assert!(failed.is_empty(), "{}: {failed:?}", node.name());
    }
    measured(format_args!(
        "A2: `leader ping` works {first:.1?} after the change, {second:.1?} after the liar"
    ));
}

#[tokio::test]
async fn a_term_that_a_member_stated_ends_with_it() {
    let mut cluster = flock(3, &[]).await;
    let liar = lies(&spec(&cluster, Lie::Term), "told 3 members").await;
    let leads =
        |seen: &FlockStatus| seen.leader().is_some_and(|leader| leader.term == (1 << 48) - 1);
    ok(cluster
        .until("the liar leads, as whoever states the greatest term does", WITHIN, leads)
        .await);
    drop(liar);
    let dropped = std::time::Instant::now();
    let client = cluster.client(0).clone();
    took("`leader ping` works after it", LEADS_WITHIN, async || match client.leader_ping().await {
        Ok(ping) if ping.accepted.len() == 3 => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    let dead = dropped.elapsed();
    measured(format_args!("A2, its record stated that term: obeyed {dead:.1?} after its end"));
}
