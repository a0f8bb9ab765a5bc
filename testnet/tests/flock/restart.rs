//! Crashes, lost disks and recreated containers.

use crux_client::model::MemberState;
use crux_testnet::process::Registration;

use crate::support::{agreed, flock, ok, until, until_member};

#[tokio::test]
async fn kill_and_restart_in_any_order_keeps_every_registration() {
    let mut cluster = flock(5).await;
    for at in 0..5 {
        let service = Registration::new("kept", format!("r{at}"), "127.0.0.1:9");
        ok(cluster.client(at).register(&service).await);
    }
    ok(cluster.client(4).deregister("kept", "r4").await);
    until(&mut cluster, "all know four services", |all| all.all_count_services(4)).await;

    // One after the other, each while the one before is still coming back.
    for at in [2, 0, 4, 1, 3] {
        ok(cluster.node(at).kill());
        ok(cluster.node(at).start());
    }
    agreed(&mut cluster).await;
    until(&mut cluster, "the four are back", |all| all.all_count_services(4)).await;

    // All at once, and back in another order.
    for at in 0..5 {
        ok(cluster.node(at).kill());
    }
    for at in [3, 1, 4, 0, 2] {
        ok(cluster.node(at).start());
    }
    agreed(&mut cluster).await;
    until(&mut cluster, "the four are back again", |all| all.all_count_services(4)).await;
    let found = ok(cluster.client(0).services("*/*/*/kept/*", false).await);
    let mut revs: Vec<_> = found.iter().map(|service| service.path.rev.as_str()).collect();
    revs.sort_unstable();
    assert_eq!(revs, ["r0", "r1", "r2", "r3"], "what was removed stays removed");
}

#[tokio::test]
async fn a_leader_that_comes_back_does_not_take_over() {
    let mut cluster = flock(3).await;
    let old = agreed(&mut cluster).await.leader().cloned().expect("agreed");
    let at = cluster.position(old.node.as_str()).expect("one of ours");
    ok(cluster.node(at).kill());
    let next = until(&mut cluster, "another leads", |all| {
        all.is_agreed() && all.leader() != Some(&old) && all.all_count_dead(1)
    })
    .await;
    let new = next.leader().cloned().expect("agreed");
    assert!(new.term > old.term);

    ok(cluster.node(at).start());
    let back = agreed(&mut cluster).await;
    assert_eq!(back.leader(), Some(&new));
    let ping = ok(cluster.client(at).leader_ping().await);
    assert_eq!(ping.leader, new);
    assert_eq!(ping.accepted.len(), 3, "all stored the claim; failed: {:?}", ping.failed);
}

#[tokio::test]
async fn a_node_that_lost_its_database_and_kept_its_key_goes_on() {
    let mut cluster = flock(3).await;
    let service = Registration::new("mine", "v1", "127.0.0.1:9");
    ok(cluster.client(2).register(&service).await);
    until(&mut cluster, "all know the service", |all| all.all_count_services(1)).await;
    let before = ok(cluster.client(2).status().await);

    ok(cluster.node(2).kill());
    ok(cluster.node(2).wipe_database());
    ok(cluster.node(2).start());
    agreed(&mut cluster).await;
    until(&mut cluster, "its registration is back", |all| all.all_count_services(1)).await;
    let after = ok(cluster.client(2).status().await);
    assert_eq!(after.principal, before.principal);
    assert!(
        after.incarnation > before.incarnation,
        "{} must be greater than {}",
        after.incarnation,
        before.incarnation
    );

    // It can write again, and nobody takes its new records for old ones.
    ok(cluster.client(2).register(&Registration::new("mine", "v2", "127.0.0.1:9")).await);
    until(&mut cluster, "all know both services", |all| all.all_count_services(2)).await;
}

#[tokio::test]
async fn a_recreated_container_takes_its_old_name_back() {
    let mut cluster = flock(3).await;
    let old = ok(cluster.client(2).status().await).principal;

    // No data, same name and address, and the old one was alive a moment ago.
    ok(cluster.node(2).kill());
    ok(cluster.node(2).wipe_everything());
    ok(cluster.node(2).start());
    agreed(&mut cluster).await;

    let new = ok(cluster.client(2).status().await);
    assert_ne!(new.principal, old);
    assert_eq!(new.node.as_str(), "n3");
    for at in 0..3 {
        let client = cluster.client(at).clone();
        assert_eq!(until_member(&client, "n3", MemberState::Alive).await, new.principal);
    }
    until(&mut cluster, "no ghost counts", |all| all.all_count_dead(0)).await;
}
