//! The peers that benchmarks compare with; nothing is tested where they are not installed.

use std::time::{Duration, Instant};

use crux_testnet::peer::etcd::Members;
use crux_testnet::peer::serf::Agents;
use crux_testnet::process::Home;

use crate::support::{WITHIN, exe, ok};

#[tokio::test]
async fn a_serf_event_is_seen_by_all_agents() {
    let home = ok(Home::temporary());
    let Some(mut agents) = ok(Agents::start(&exe(), 3, home.path()).await) else { return };
    ok(agents.listen_events().await);
    let mut caller = ok(agents.connect(0).await);
    let since = Instant::now();
    ok(caller.fire(7).await);
    assert_eq!(ok(agents.until_seen(7, since, WITHIN).await).len(), 3);
}

#[tokio::test]
async fn a_killed_serf_agent_is_failed_to_the_others_and_comes_back() {
    let home = ok(Home::temporary());
    let Some(mut agents) = ok(Agents::start(&exe(), 3, home.path()).await) else { return };
    ok(agents.listen_failures().await);
    let since = ok(agents.kill(1));
    let took = ok(agents.until_seen(1, since, WITHIN).await);
    assert_eq!(took.len(), 2);
    ok(agents.bring_back(1).await);
    assert_eq!(agents.pids().len(), 3);
}

#[tokio::test]
async fn etcd_takes_writes_again_after_its_leader_is_killed() {
    let home = ok(Home::temporary());
    let Some(mut members) = ok(Members::start(&exe(), home.path()).await) else { return };
    let (took, killed) = ok(members.kill_leader().await);
    assert!(took > Duration::from_millis(10), "an election takes time: {took:?}");
    ok(members.bring_back(killed).await);
    assert_eq!(members.pids().len(), 3);
}
