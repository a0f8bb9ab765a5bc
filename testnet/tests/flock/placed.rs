//! Targets that nodes run: the leader plans, each node enacts its part, and programs start, move and stay.
//!
//! `web` is the sample, which answers with its process number; `job` is a shell script without ports. Both are
//! lost with a node that is dead for a second.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};

use crux_client::model::{Instance, InstanceState};
use crux_testnet::process::{NodeProcess, procfs};
use crux_testnet::sample;
use crux_testnet::wait::{self, Seen};

use crate::support::{WITHIN, agreed, ok};
use crate::targets::{Flock, NODES, done};

/// The processes of each service on a node.
pub(crate) type Pids = BTreeMap<String, BTreeSet<u32>>;

/// A flock with the files of both services.
pub(crate) async fn start() -> Flock {
    let flock = Flock::start().await;
    std::fs::write(flock.dir.join("sample"), sample::PROGRAM).expect("written");
    web(&flock, "\"first\"", "1m");
    let image = flock.path("prog");
    flock.write(
        "site/job.toml",
        &format!("name = \"job\"\nimage = \"{image}\"\nmove = {{ replace_after = \"1s\" }}\n"),
    );
    flock
}

/// Writes the document of `web` with these arguments, which has so long to be ready.
fn web(flock: &Flock, args: &str, deadline: &str) {
    let image = flock.path("sample");
    let text = format!(
        "name = \"web\"\nimage = \"{image}\"\nargs = [{args}]\nports = {{ http = \"auto\" }}\n\
         check = [{{ http = \"/\" }}]\nperiod = \"200ms\"\ndrain = \"100ms\"\n\
         rollout = {{ step = 1, deadline = \"{deadline}\" }}\nmove = {{ replace_after = \"1s\" }}\n"
    );
    flock.write("site/web.toml", &text);
}

pub(crate) async fn apply(flock: &Flock, at: usize, program: &str) {
    flock.write("site/main.khan", program);
    done(&flock.apply(at, "alice").await);
}

/// The instances of each started node.
async fn instances(flock: &Flock) -> Vec<Vec<Instance>> {
    let mut all = Vec::new();
    for node in flock.cluster.nodes() {
        let listed = if node.is_started() { node.client().instances().await } else { Ok(vec![]) };
        all.push(ok(listed));
    }
    all
}

/// The processes of each node; none: something is on its way.
fn settled(all: &[Vec<Instance>]) -> Option<Vec<Pids>> {
    let of_node = |all: &Vec<Instance>| {
        let mut pids = Pids::new();
        for it in all {
            let pid = it.pid.filter(|_| it.state == InstanceState::Up)?;
            pids.entry(it.service.to_string()).or_default().insert(pid);
        }
        Some(pids)
    };
    all.iter().map(of_node).collect()
}

/// Waits until all that runs is up, and is as `holds` says; returns the processes, each of which runs, and answers
/// if it is one of `web`.
pub(crate) async fn until_up(
    flock: &Flock,
    what: &str,
    holds: impl Fn(&[Pids]) -> bool,
) -> Vec<Pids> {
    let seen = wait::until(what, WITHIN, async || {
        let all = instances(flock).await;
        let pids = settled(&all).filter(|pids| holds(pids));
        Ok(match pids {
            Some(pids) => Seen::Done((all, pids)),
            None => Seen::NotYet(story(&all)),
        })
    });
    let (all, pids) = ok(seen.await);
    for instance in all.iter().flatten() {
        let pid = instance.pid.expect("it is up");
        assert!(procfs::is_running(ok(sample::pid(pid))), "{instance:?}");
        if let Some(port) = instance.ports.get(sample::PORT) {
            let answer = ok(sample::call(SocketAddr::from((Ipv4Addr::LOCALHOST, *port))).await);
            assert_eq!(answer.pid, pid, "{instance:?}");
        }
    }
    pids
}

/// How many plans the nodes made, by their logs.
pub(crate) fn plans(flock: &Flock) -> usize {
    let logs = flock.cluster.nodes().iter().map(NodeProcess::log);
    logs.map(|log| log.lines().filter(|line| line.contains(" planned ")).count()).sum()
}

/// Waits until a leader made another plan than so many.
pub(crate) async fn until_planned(flock: &Flock, before: usize) {
    let seen = wait::until("another plan is made", WITHIN, async || {
        let now = plans(flock);
        Ok(Seen::when(now > before, (), |()| format!("  {now} plans, as before")))
    });
    ok(seen.await);
}

fn story(all: &[Vec<Instance>]) -> String {
    let line = |it: &Instance| format!("{} {:?} {} {:?}", it.service, it.pid, it.state, it.reason);
    let node = |(at, all): (usize, &Vec<Instance>)| {
        format!("  n{at}: {}", all.iter().map(line).collect::<Vec<_>>().join(", "))
    };
    all.iter().enumerate().map(node).collect::<Vec<_>>().join("\n")
}

fn count(of: &Pids, service: &str) -> usize {
    of.get(service).map_or(0, BTreeSet::len)
}

/// How many instances of a service each node runs.
pub(crate) fn counts(of: &[Pids], service: &str) -> Vec<usize> {
    of.iter().map(|of| count(of, service)).collect()
}

/// All processes of a service.
pub(crate) fn all_of(of: &[Pids], service: &str) -> BTreeSet<u32> {
    of.iter().filter_map(|of| of.get(service)).flatten().copied().collect()
}

/// The node that leads.
async fn leader(flock: &Flock) -> usize {
    let status = ok(flock.cluster.client(0).status().await);
    let leader = status.leader.expect("somebody leads").node;
    flock.cluster.position(leader.as_str()).expect("it is one of them")
}

#[tokio::test]
async fn services_run_where_the_target_has_them_and_another_count_changes_nothing_else() {
    let flock = start().await;
    let program = |web| format!("pick(web, {web}, (\"n1\", \"n2\"))\npick(job, 1, (\"n3\"))\n");
    apply(&flock, 0, &program(4)).await;
    let placed = |web: [usize; 2]| {
        move |pids: &[Pids]| {
            counts(pids, "web") == [web[0], web[1], 0] && counts(pids, "job") == [0, 0, 1]
        }
    };
    let first = until_up(&flock, "four of web and one job", placed([2, 2])).await;
    apply(&flock, 1, &program(6)).await;
    let second = until_up(&flock, "two more of web", placed([3, 3])).await;
    assert!(all_of(&first, "web").is_subset(&all_of(&second, "web")), "{first:?} {second:?}");
    apply(&flock, 2, &program(2)).await;
    let third = until_up(&flock, "the younger four are gone", placed([1, 1])).await;
    assert!(all_of(&third, "web").is_subset(&all_of(&first, "web")), "{first:?} {third:?}");
    let jobs = [&first, &second, &third].map(|pids| all_of(pids, "job"));
    assert!(jobs.iter().all(|job| *job == jobs[0]), "{jobs:?}");
    // Where nothing is wanted any more, nothing runs.
    apply(&flock, 0, "pick(job, 1, (\"n3\"))\n").await;
    until_up(&flock, "no web", |pids| counts(pids, "web") == [0; NODES]).await;
}

/// The leader dies, if it runs some of it; another node leads, continues its plan, and replaces what was lost. One
/// of three nodes is free for that: the dead one is in the set for a while, and of two instances at most one is on
/// each node of it.
#[tokio::test]
async fn what_is_lost_with_a_node_runs_elsewhere() {
    let mut flock = start().await;
    apply(&flock, 0, "pick(web, 2, ALL)\npick(job, 2, ALL)\n").await;
    let has_all = |pids: &[Pids]| ["web", "job"].iter().all(|it| all_of(pids, it).len() == 2);
    let before = until_up(&flock, "two of both", has_all).await;
    let runs: Vec<_> = (0..NODES).filter(|at| !before[*at].is_empty()).collect();
    let leader = leader(&flock).await;
    let lost = if runs.contains(&leader) { leader } else { runs[0] };
    ok(flock.cluster.node(lost).kill());
    let after = until_up(&flock, "two of both on the other nodes", has_all).await;
    for at in (0..NODES).filter(|at| *at != lost) {
        for (service, pids) in &before[at] {
            assert!(pids.is_subset(&after[at][service]), "{service}: {before:?} {after:?}");
        }
    }
}

#[tokio::test]
async fn a_version_that_fails_is_taken_back() {
    let mut flock = start().await;
    let program = "pick(web, 3, ALL)\n";
    apply(&flock, 0, program).await;
    let is_even = |pids: &[Pids]| counts(pids, "web") == [1; NODES];
    let before = until_up(&flock, "each node runs web", is_even).await;
    web(&flock, "\"exit\", \"3\"", "2s");
    apply(&flock, 1, program).await;
    let seen = wait::until("the leader marks the version", WITHIN, async || {
        let mut logs = flock.cluster.nodes().iter().map(NodeProcess::log);
        let is_marked = logs.any(|log| log.contains("a version of a service failed"));
        Ok(Seen::when(is_marked, (), |()| "  no log says that it failed".to_owned()))
    });
    ok(seen.await);
    let after = until_up(&flock, "each node runs web again", is_even).await;
    assert_eq!(after, before, "the version before never stopped serving");
    // The next generation begins without marks.
    web(&flock, "\"third\"", "1m");
    apply(&flock, 2, program).await;
    let all_new =
        |pids: &[Pids]| is_even(pids) && all_of(pids, "web").is_disjoint(&all_of(&before, "web"));
    until_up(&flock, "each node runs the third version", all_new).await;
    agreed(&mut flock.cluster).await;
}
