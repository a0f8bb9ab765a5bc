//! How nodes become one flock, in every order, and how others do not.

use crux_testnet::process::{FlockStatus, Registration};
use crux_testnet::wait::{self, Seen};

use crate::support::{WITHIN, agreed, cluster, flock, ok, until};

#[tokio::test]
async fn five_nodes_with_one_secret_form_one_flock_with_one_digest_and_one_leader() {
    let mut cluster = cluster(5).await;
    ok(cluster.start_all());
    let statuses = agreed(&mut cluster).await;
    assert_eq!(statuses.0.len(), 5);

    let all = statuses.all().expect("all answered");
    assert!(all.iter().all(|status| status.flock_id == all[0].flock_id));
    assert!(all.iter().all(|status| status.members.dead == 0));
    let mut principals: Vec<_> = all.iter().map(|status| &status.principal).collect();
    principals.sort();
    principals.dedup();
    assert_eq!(principals.len(), 5, "each node has a principal of its own");
}

/// As the README starts them: each of the others is told of the first, and none waits for it.
#[tokio::test]
async fn a_clean_first_start_of_three_warns_of_nothing() {
    let mut cluster = cluster(3).await;
    let first = cluster.nodes()[0].spec().listen;
    for at in 0..3 {
        cluster.node(at).spec_mut().join = if at == 0 { vec![] } else { vec![first] };
    }
    starts_without_a_warning(cluster).await;
}

/// As the compose file does: all are told of all, themselves among them, and dial each other at once.
#[tokio::test]
async fn a_clean_first_start_of_five_that_are_told_of_all_warns_of_nothing() {
    let mut cluster = cluster(5).await;
    let all: Vec<_> = cluster.nodes().iter().map(|node| node.spec().listen).collect();
    for at in 0..5 {
        cluster.node(at).spec_mut().join.clone_from(&all);
    }
    starts_without_a_warning(cluster).await;
}

async fn starts_without_a_warning(mut cluster: crux_testnet::process::Cluster) {
    ok(cluster.start_all());
    agreed(&mut cluster).await;
    ok(cluster.stop_all().await);
    for node in cluster.nodes() {
        let log = node.log();
        assert!(log.contains("started") && log.contains("stopped"), "{log}");
        let loud = |line: &&str| line.contains(" WARN ") || line.contains(" ERROR ");
        let loud: Vec<_> = log.lines().filter(loud).collect();
        assert!(loud.is_empty(), "{}: {loud:#?}", node.name());
    }
}

#[tokio::test]
async fn five_that_were_alone_become_one_flock_when_they_are_connected_later() {
    let mut cluster = cluster(5).await;
    for at in 0..5 {
        cluster.node(at).spec_mut().join.clear();
        cluster.node(at).spec_mut().discover = false;
        ok(cluster.node(at).start());
    }
    let each_alone = |statuses: &crux_testnet::process::FlockStatus| {
        statuses.all().is_some_and(|all| {
            all.iter().all(|status| {
                let leads = status.leader.as_ref().is_some_and(|l| l.principal == status.principal);
                leads && status.members.alive == 1
            })
        })
    };
    until(&mut cluster, "each leads itself", each_alone).await;
    for at in 0..5 {
        let service = Registration::new("alone", format!("r{at}"), "127.0.0.1:9");
        ok(cluster.client(at).register(&service).await);
    }

    ok(cluster.stop_all().await);
    cluster.join_seeds();
    ok(cluster.start_all());
    agreed(&mut cluster).await;
    until(&mut cluster, "all know all five services", |all| all.all_count_services(5)).await;
}

/// How often the stranger knocks at most. Under load another node may take the lead meanwhile, and says so in its
/// record: what the stranger changed shows only where nobody did.
const KNOCKS: usize = 3;

#[tokio::test]
async fn a_node_with_another_secret_never_gets_in_and_is_told_why() {
    let mut ours = flock(3).await;
    // The same flock name and another secret; it knows where to knock.
    let mut stranger = cluster(1).await;
    stranger.node(0).spec_mut().join = vec![ours.nodes()[0].spec().listen];
    for knock in 1..=KNOCKS {
        let before = agreed(&mut ours).await;
        ok(stranger.start_all());
        let told = wait::until("the stranger is told why", WITHIN, async || {
            stranger.statuses().await?;
            let said = stranger.node(0).log();
            let told = said.matches("another flock or another secret").count() >= knock;
            Ok(Seen::when(told, (), |()| said))
        });
        ok(told.await);
        let alone = agreed(&mut stranger).await;
        assert_ne!(
            alone.all().expect("answered")[0].flock_id,
            before.all().expect("answered")[0].flock_id
        );
        let after = agreed(&mut ours).await;
        for at in 0..3 {
            assert_eq!(ok(ours.client(at).members().await).len(), 3);
        }
        let term = |seen: &FlockStatus| {
            let leader = seen.all().expect("answered")[0].leader.clone();
            leader.expect("they agreed on one").term
        };
        if term(&after) == term(&before) {
            assert_eq!(after.digest(), before.digest(), "nothing changed inside");
            return;
        }
        ok(stranger.stop_all().await);
    }
    panic!("another node took the lead at each of {KNOCKS} knocks");
}
