//! How nodes become one flock, in every order, and how others do not.

use std::collections::BTreeSet;

use crux_crdt::Principal;
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

#[tokio::test]
async fn a_node_with_another_secret_never_gets_in_and_is_told_why() {
    let mut ours = flock(3).await;
    let before = agreed(&mut ours).await;

    // The same flock name and another secret; it knows where to knock.
    let mut stranger = cluster(1).await;
    stranger.node(0).spec_mut().join = vec![ours.nodes()[0].spec().listen];
    ok(stranger.start_all());
    let told = wait::until("the stranger is told why", WITHIN, async || {
        stranger.statuses().await?;
        let node = stranger.node(0);
        let said = node.log();
        let told = said.contains("another flock or another secret");
        Ok(Seen::when(told, (), |()| said))
    });
    ok(told.await);

    let alone = agreed(&mut stranger).await;
    assert_ne!(
        alone.all().expect("answered")[0].flock_id,
        before.all().expect("answered")[0].flock_id
    );
    // The digest may be another one: under load another node leads, and says so in its record.
    let after = agreed(&mut ours).await;
    let principals = |seen: &FlockStatus| -> BTreeSet<Principal> {
        seen.all().expect("answered").iter().map(|status| status.principal).collect()
    };
    assert_eq!(principals(&after), principals(&before));
    for at in 0..3 {
        let members = ok(ours.client(at).members().await);
        let members: BTreeSet<_> = members.iter().map(|member| member.principal).collect();
        assert_eq!(members, principals(&before), "the stranger is inside");
    }
}
