//! Nodes that are drained under a target, with real programs: what replaces an instance is up before it ends.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use crux_testnet::process::{Finished, procfs};
use crux_testnet::sample;
use serde_json::Value;

use crate::placed::{Pids, all_of, apply, counts, plans, start, until_planned, until_up};
use crate::support::{agreed, ok};
use crate::targets::{Flock, NODES, done};

/// The exit code of a command whose time is over.
const TIMED_OUT: i32 = 6;

impl Flock {
    fn name(&self, at: usize) -> String {
        self.cluster.nodes()[at].name().to_owned()
    }

    /// Runs a command about a node, signed by the operator, on another node.
    async fn order(&self, command: &str, at: usize, more: &[&str]) -> Finished {
        let (name, key) = (self.name(at), self.path("secret.operator"));
        let args = [&[command, &name, "--operator-key", &key, "--sync", "2"], more].concat();
        self.run((at + 1) % NODES, &args).await
    }

    /// The use of each node, as one of them shows it.
    async fn uses(&self, at: usize) -> Vec<String> {
        let members = ok(self.cluster.client(at).members().await);
        let of = |at: usize| {
            let member = members.iter().find(|it| it.node.as_str() == self.name(at));
            member.expect("a member").node_use.to_string()
        };
        (0..NODES).map(of).collect()
    }

    /// The events of `web` that a node saw: kind, and milliseconds since the machine started.
    async fn events(&self, at: usize) -> Vec<(String, u64)> {
        let finished = self.run(at, &["events", "--service", "web"]).await;
        assert!(finished.status.success(), "{finished:?}");
        let event = |line: &str| {
            let event: Value = serde_json::from_str(line).expect("a document a line");
            let kind = event["kind"].as_str().expect("a kind").to_owned();
            (kind, event["up_ms"].as_u64().expect("a time"))
        };
        finished.stdout.lines().map(event).collect()
    }
}

fn time_of(events: &[(String, u64)], kind: &str) -> u64 {
    let found = events.iter().find(|(it, _)| it == kind);
    found.unwrap_or_else(|| panic!("no {kind} in {events:?}")).1
}

fn pids_at(of: &[Pids], at: usize) -> BTreeSet<u32> {
    all_of(&of[at..=at], "web")
}

/// Has `web` take half a second until it is up: an instance that ended beside its replacement would be gone by then.
fn slow(flock: &Flock) {
    flock.write("slow", &format!("#!/bin/sh\nsleep 0.5\nexec {} slow\n", flock.path("sample")));
    let mut mode = std::fs::metadata(flock.path("sample")).expect("it is there").permissions();
    mode.set_mode(0o755);
    std::fs::set_permissions(flock.path("sample"), mode).expect("set");
    let text = format!(
        "name = \"web\"\nimage = \"{}\"\nports = {{ http = \"auto\" }}\n\
         check = [{{ http = \"/\" }}]\nperiod = \"200ms\"\ndrain = \"0s\"\n",
        flock.path("slow")
    );
    flock.write("site/web.toml", &text);
}

/// One of three nodes is free, and takes what the drained one ran.
#[tokio::test]
async fn a_drained_node_ends_empty_and_gets_nothing_back_by_itself() {
    let mut flock = start().await;
    slow(&flock);
    apply(&flock, 0, "pick(web, 2, ALL)\n").await;
    let two = |pids: &[Pids]| all_of(pids, "web").len() == 2;
    let before = until_up(&flock, "two of web", two).await;
    let counted = counts(&before, "web");
    let mut of = (0..NODES).filter(|at| counted[*at] == 1);
    let (drained, stays) = (of.next().unwrap(), of.next().unwrap());
    let free = (0..NODES).find(|at| counted[*at] == 0).unwrap();

    let answer = done(&flock.order("drain", drained, &["--wait=25s"]).await);
    assert_eq!((&answer["use"], &answer["changed"]), (&"drained".into(), &true.into()));
    for pid in pids_at(&before, drained) {
        assert!(!procfs::is_running(ok(sample::pid(pid))), "{pid} runs on a drained node");
    }
    let after = until_up(&flock, "two of web elsewhere", two).await;
    assert_eq!((counts(&after, "web")[drained], counts(&after, "web")[free]), (0, 1));
    assert_eq!(pids_at(&after, stays), pids_at(&before, stays), "what stays is not touched");
    let (up, ended) = (flock.events(free).await, flock.events(drained).await);
    let (up, ended) = (time_of(&up, "plugin.up"), time_of(&ended, "plugin.stopped"));
    assert!(up <= ended, "the replacement was up at {up} ms, and the one before ended at {ended}");

    // Two of web run as the program wants it, so a node more changes nothing.
    let plans = plans(&flock);
    let answer = done(&flock.order("uncordon", drained, &[]).await);
    assert_eq!(answer["use"], "open");
    // A generation with the same program has the leader say what it plans with the node back.
    apply(&flock, stays, "pick(web, 2, ALL)\n").await;
    until_planned(&flock, plans).await;
    agreed(&mut flock.cluster).await;
    assert_eq!(until_up(&flock, "two of web", two).await, after);
    assert_eq!(flock.uses(stays).await, ["open"; NODES]);
}

/// What each of two nodes runs could only go to the other one, so both keep it, but for a deadline.
#[tokio::test]
async fn two_drains_that_could_only_take_from_each_other_settle() {
    let mut flock = start().await;
    let names = [flock.name(0), flock.name(1)];
    let program = format!("pick(web, 2, (\"{}\", \"{}\"), max = 1)\n", names[0], names[1]);
    apply(&flock, 0, &program).await;
    let both = |pids: &[Pids]| counts(pids, "web") == [1, 1, 0];
    let before = until_up(&flock, "one of web on both", both).await;
    for at in [0, 1] {
        let plans = plans(&flock);
        let answer = done(&flock.order("drain", at, &[]).await);
        assert_eq!((&answer["use"], &answer["generation"]), (&"draining".into(), &1.into()));
        until_planned(&flock, plans).await;
    }
    agreed(&mut flock.cluster).await;
    let over = flock.order("drain", 0, &["--wait=2s"]).await;
    assert_eq!(over.code(), Some(TIMED_OUT), "{over:?}");
    assert!(over.stderr.contains("left: 1 of web"), "{over:?}");
    assert_eq!(flock.uses(2).await, ["draining", "draining", "open"]);
    assert_eq!(until_up(&flock, "one of web on both", both).await, before);

    done(&flock.order("uncordon", 1, &[]).await);
    let answer = done(&flock.order("drain", 0, &["--deadline=1s", "--wait=25s"]).await);
    assert_eq!((&answer["use"], &answer["generation"]), (&"drained".into(), &2.into()));
    let after = until_up(&flock, "one is left", |pids| counts(pids, "web") == [0, 1, 0]).await;
    assert_eq!(all_of(&after, "web"), pids_at(&before, 1));
}
