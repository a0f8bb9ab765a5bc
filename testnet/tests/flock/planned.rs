//! Targets that people look at before they apply them, and follow until they are so.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

use crux_testnet::process::Finished;
use serde_json::Value;

use crate::examples::python;
use crate::placed::{counts, start, until_up};
use crate::support::WITHIN;
use crate::targets::{Flock, NODES, done, kind};

/// The exit codes of a command that is refused, of one that is over in time, and of a plan that changes something.
const REFUSED: i32 = 5;
const CHANGES: i32 = 2;

async fn plan(flock: &Flock, at: usize) -> Finished {
    flock.run(at, &["plan", &flock.path("site"), "--exit-code"]).await
}

fn steps(plan: &Value) -> BTreeSet<String> {
    let text = |it: &Value, field: &str| it[field].as_str().expect("a text").to_owned();
    let step = |it: &Value| {
        let [action, service, node] = ["action", "service", "node"].map(|field| text(it, field));
        format!("{action} {} {service} {node}", it["count"])
    };
    plan["steps"].as_array().expect("a list").iter().map(step).collect()
}

fn json(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).expect("one JSON document")
}

fn set(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|it| (*it).to_owned()).collect()
}

/// Applies the site as it was planned, and waits until it is so.
async fn apply_planned(flock: &Flock, at: usize, id: &str) -> Finished {
    let site = flock.path("site");
    let within = format!("{}s", WITHIN.as_secs() / 2);
    let args = ["apply", &site, "--plan", id, "--wait", &within, "--timeout", "20s"];
    flock.signed(at, "alice", &args).await
}

#[tokio::test]
async fn a_plan_is_what_then_happens_and_the_wait_ends_when_it_is_so() {
    let flock = start().await;
    flock.write("site/main.khan", "pick(web, 2, (\"n1\", \"n2\"))\npick(job, 1, (\"n3\"))\n");
    // Every node plans the same, whether or not it leads.
    let plans = [plan(&flock, 0).await, plan(&flock, 1).await, plan(&flock, 2).await];
    assert!(plans.iter().all(|it| it.code() == Some(CHANGES)), "{plans:?}");
    let first = json(&plans[0]);
    let all = plans.iter().map(json);
    assert!(all.into_iter().all(|it| it == first), "{plans:?}");
    assert_eq!(steps(&first), set(&["start 1 job n3", "start 1 web n1", "start 1 web n2"]));
    let id = first["id"].as_str().expect("an id").to_owned();
    assert_eq!(done(&apply_planned(&flock, 1, &id).await)["generation"], 1);
    // The wait was for programs that run, by their processes and answers.
    let there = |pids: &[_]| counts(pids, "web") == [1, 1, 0] && counts(pids, "job") == [0, 0, 1];
    until_up(&flock, "what was planned", there).await;
    for at in 0..NODES {
        let status = done(&flock.run(at, &["status", "--target"]).await);
        let service = |name| {
            let all = status["services"].as_array().expect("a list");
            let it = all.iter().find(|it| it["service"] == name).expect("it is there");
            (it["state"].as_str(), it["wanted"].as_u64(), it["ready"].as_u64())
        };
        assert_eq!(service("web"), (Some("settled"), Some(2), Some(2)), "{status}");
        assert_eq!(service("job"), (Some("settled"), Some(1), Some(1)), "{status}");
        assert_eq!(status["state"], "settled", "{status}");
        let same = plan(&flock, at).await;
        assert_eq!((same.code(), steps(&json(&same))), (Some(0), set(&[])), "{same:?}");
    }
    // That plan was for a flock without a target.
    let stale = apply_planned(&flock, 0, &id).await;
    assert_eq!(kind(&stale), (Some(REFUSED), "conflict".to_owned()));
    let why = done(&flock.run(2, &["why", "job", "n1"]).await);
    assert_eq!(why["nodes"][0]["reasons"][0], "not in the set", "{why}");
    check_goals(&flock).await;
}

/// Stock grpcio asks the node what has to change.
async fn check_goals(flock: &Flock) {
    let Some(python) = python().await else {
        let why = "Left out: no python3 here has grpcio and grpcio-tools; PYTHON names another.";
        // Not printed: what a test that passes prints is not shown.
        writeln!(std::io::stderr(), "{why}").expect("standard error");
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../client/examples/python/goals.py");
    let data_dir = &flock.cluster.nodes()[0].spec().data_dir;
    let mut command = tokio::process::Command::new(python);
    command.arg(script).arg(data_dir).kill_on_drop(true);
    let ran = tokio::time::timeout(WITHIN, command.output()).await.expect("in time");
    let ran = ran.expect("python runs");
    let out = String::from_utf8(ran.stdout).expect("text");
    assert!(ran.status.success(), "{out} {}", String::from_utf8_lossy(&ran.stderr));
    // Of what runs nothing; of nothing the one that is wanted.
    assert_eq!(out.matches("generation 1, plan ").count(), 2, "{out}");
    assert_eq!(
        (out.matches("add 1 of web ").count(), out.matches("delete").count()),
        (1, 0),
        "{out}"
    );
    assert!(out.contains("web says every 200 ms that it is alive"), "{out}");
}
