//! The processes of a node: which is which, and which end with which.

use crux_testnet::process::{NodeProcess, procfs};
use crux_testnet::sample;
use crux_testnet::wait::{self, Seen};
use rustix::process::Pid;

use crate::support::{WITHIN, agreed, flock, ok, until};

fn pid(number: u32) -> Pid {
    ok(sample::pid(number))
}

/// Starts a service; returns its process and its keeper.
async fn program(node: &NodeProcess) -> [Pid; 2] {
    let settled = ok(sample::add(node, "hello").await);
    let program = pid(settled.pid.expect("it is up"));
    let mut keepers = node.keepers().into_iter();
    let keeper = keepers.find_map(|keeper| {
        let keeper = Pid::from_raw(keeper.pid)?;
        procfs::children(keeper).contains(&program).then_some(keeper)
    });
    [program, keeper.expect("it has a keeper")]
}

async fn until_ended(pids: [Pid; 2]) {
    let ended = wait::until("no program is left", WITHIN, async || {
        let left: Vec<_> = pids.iter().filter(|pid| procfs::is_running(**pid)).collect();
        Ok(Seen::when(left.is_empty(), (), |()| format!("  {left:?} run")))
    });
    ok(ended.await);
}

/// Faults are for the process that a node names.
#[tokio::test]
async fn a_node_says_which_process_is_its_fulcrum_and_which_its_picket() {
    let mut cluster = flock(2).await;
    let said = ok(cluster.client(1).status().await);
    let node = &cluster.nodes()[1];
    assert_eq!(Some(pid(said.pid)), node.fulcrum());
    assert_eq!(said.picket_pid.map(pid), node.pid());
    assert_eq!(node.pids().len(), 2);

    ok(node.kill_fulcrum());
    assert!(!procfs::is_running(pid(said.pid)));
    let back = until(&mut cluster, "the fulcrum is back", |all| {
        all.is_agreed() && all.all().is_some_and(|all| all[1].pid != said.pid)
    });
    let back = back.await;
    let again = back.0[1].said.as_ref().expect("it answers");
    assert_eq!(again.picket_pid, said.picket_pid);
    assert_eq!(again.incarnation, said.incarnation + 1);
}

#[tokio::test]
async fn a_killed_node_takes_its_programs_along_and_a_killed_picket_does_not() {
    let mut cluster = flock(1).await;
    let first = program(&cluster.nodes()[0]).await;

    ok(cluster.node(0).kill_picket());
    assert!(first.into_iter().all(procfs::is_running), "both outlive it");
    ok(cluster.node(0).start());
    agreed(&mut cluster).await;
    let again = program(&cluster.nodes()[0]).await;
    assert_eq!(again[0], first[0], "adding the same again is nothing new");
    assert_eq!(again[1], first[1]);

    ok(cluster.node(0).kill());
    // The second picket adopted both: neither is its child.
    let left: Vec<_> = first.into_iter().filter(|pid| procfs::is_running(*pid)).collect();
    assert!(left.is_empty(), "{left:?} are left");
}

/// A testnet that was killed closes its nodes' standard input; they stop, and what they run.
#[tokio::test]
async fn programs_stop_in_order_with_a_node_whose_testnet_is_gone() {
    let mut cluster = flock(1).await;
    let pids = program(&cluster.nodes()[0]).await;
    cluster.node(0).close_stdin();
    let status = ok(cluster.node(0).until_ended(WITHIN).await);
    assert!(status.success(), "{status}");
    until_ended(pids).await;
}
