//! Connections that say nothing keep no member and no newcomer out.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crux_testnet::liar::Lie;

use crate::support::{WITHIN, flock, lies, measured, ok, spec, until_alive};

/// A member that starts again is back at once without them.
const BACK_WITHIN: Duration = Duration::from_secs(2);
/// A newcomer is in within a second without them.
const IN_WITHIN: Duration = Duration::from_secs(5);

async fn from(ip: [u8; 4]) {
    let mut cluster = flock(3, &[]).await;
    let mut spec = spec(&cluster, Lie::Silent);
    spec.count = 160;
    spec.listen.set_ip(IpAddr::from(ip));
    let liar = lies(&spec, "opened 480 connections").await;

    let began = Instant::now();
    ok(cluster.node(2).kill());
    ok(cluster.node(2).start());
    ok(cluster.until_agreed(WITHIN).await);
    let back = began.elapsed();
    measured(format_args!("A4, from {ip:?}: a member is back after {back:.1?}"));
    let began = Instant::now();
    ok(ok(cluster.add()).start());
    until_alive(&mut cluster, 4).await;
    let joined = began.elapsed();
    measured(format_args!("A4, from {ip:?}: a newcomer is in after {joined:.1?}"));
    drop(liar);
    for node in cluster.nodes() {
        assert!(!node.log().contains("another secret"), "{}", node.log());
    }
    assert!(back < BACK_WITHIN, "a member was back after {back:?}");
    assert!(joined < IN_WITHIN, "a newcomer was in after {joined:?}");
}

#[tokio::test]
async fn silent_connections_keep_nobody_out() {
    from([127, 0, 0, 66]).await;
}

/// A bound for each address does not help against those that have the members' own.
#[tokio::test]
async fn silent_connections_from_where_members_are_keep_nobody_out() {
    from([127, 0, 0, 1]).await;
}
