//! Documents, users and settings on real nodes, whose operator and users keep their keys elsewhere.
//!
//! The nodes are called n0 to n3. A proxy in front of each makes the partitions: n0 and n1 on the left, n2 and n3 on
//! the right.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crux_client::model::{Member, MemberState};
use crux_crdt::document::Key;
use crux_sim::scenario::{Cut, Hosts};
use crux_testnet::chaos::{Fault, Rig};
use crux_testnet::process::{Finished, Home, NodeClient, run_node_command_on};
use crux_testnet::wait::{self, Seen};
use futures::future::join_all;
use serde_json::Value;

use crate::support::{WITHIN, exe, ok};

const ALL: Range<usize> = 0..4;
const LEFT: Range<usize> = 0..2;
const RIGHT: Range<usize> = 2..4;

/// The exit code of a command that is refused.
const REFUSED: i32 = 5;

/// The signer with the operator's key.
const OPERATOR: &str = "operator";

/// Four nodes behind proxies.
struct Flock {
    rig: Rig,
    /// Files with keys and contents, beside the data directories.
    dir: PathBuf,
    /// The operator's key: on no disk.
    operator: String,
}

impl Flock {
    /// All nodes are up and one flock. Each gives itself the label `zone=a`.
    async fn start() -> Self {
        let home = ok(Home::temporary());
        let (dir, secret) = (home.path().to_owned(), home.secret());
        let args = ["keygen", "--flock", "test", "--out", &secret.to_string_lossy()];
        let made = ok(run_node_command_on(&exe(), &args, "", WITHIN).await);
        assert!(made.status.success(), "{made:?}");
        let key = dir.join("secret.operator");
        let operator = std::fs::read_to_string(&key).expect("keygen wrote it");
        std::fs::remove_file(key).expect("removed");
        let mut rig = ok(Rig::new(exe(), home, ALL.len()).await);
        for host in ALL {
            let spec = rig.cluster().node(host).spec_mut();
            spec.flags.extend(["--label", "zone=a"].map(str::to_owned));
            ok(rig.start(host));
        }
        let mut flock = Self { rig, dir, operator };
        flock.until_one().await;
        flock
    }

    /// The same with Alice and Bob, who may deploy in every horde.
    async fn with_users() -> Self {
        let flock = Self::start().await;
        for name in ["alice", "bob"] {
            let out = flock.path(&format!("{name}.key"));
            let key = done(&flock.run(0, &["user", "keygen", "--out", &out], "").await);
            let line = text(&key["key"]);
            let add = ["user", "add", name, "--key", line, "--role", "deployer:*", "--sync", "3"];
            flock.operator(0, &add).await;
        }
        flock
    }

    fn path(&self, name: &str) -> String {
        self.dir.join(name).to_string_lossy().into_owned()
    }

    /// Runs a command of a node, with this on standard input.
    async fn run(&self, at: usize, args: &[&str], input: &str) -> Finished {
        let data_dir = self.path(&format!("n{at}"));
        let args = [args, &["--json", "--data-dir", &data_dir]].concat();
        ok(run_node_command_on(&exe(), &args, input, WITHIN).await)
    }

    /// Runs a command of the operator at a node, and returns its answer.
    async fn operator(&self, at: usize, args: &[&str]) -> Value {
        let args = [args, &["--operator-key", "-"]].concat();
        done(&self.run(at, &args, &self.operator).await)
    }

    /// Has a signer write a text at a node, without a verdict on how that ends.
    async fn try_put(&self, at: usize, signer: &str, (key, content): (&str, &str)) -> Finished {
        let (file, identity) = (self.path("content"), self.path(&format!("{signer}.key")));
        std::fs::write(&file, content).expect("written");
        let (signed, input) = match signer {
            OPERATOR => (["--operator-key", "-"], self.operator.as_str()),
            _ => (["--identity", &identity], ""),
        };
        // One other member is within reach, whatever the network is like.
        let args = [&["doc", "put", key, &file, "--sync", "1"][..], &signed].concat();
        self.run(at, &args, input).await
    }

    /// Has a signer write a text at a node, and returns the document's id.
    async fn put(&self, at: usize, signer: &str, document: (&str, &str)) -> String {
        let written = done(&self.try_put(at, signer, document).await);
        text(&written["id"]).to_owned()
    }

    /// What a node shows under a key, in short; if nothing, the kind of its error.
    async fn shown(&self, at: usize, key: &str) -> String {
        let finished = self.run(at, &["doc", "show", key, "--rival"], "").await;
        if finished.status.success() { words(&done(&finished)) } else { kind(&finished) }
    }

    /// Waits until these nodes show this under a key.
    async fn until_shown(&self, by: Range<usize>, key: &str, expected: &str) {
        let what = format!("the nodes {by:?} show {key} as {expected:?}");
        let seen = wait::until(&what, WITHIN, async || {
            let shown = join_all(by.clone().map(|at| self.shown(at, key))).await;
            let all = shown.iter().all(|shown| shown == expected);
            Ok(Seen::when(all, (), |()| format!("  {shown:?}")))
        });
        ok(seen.await);
    }

    /// Two fields of each user or setting that a node lists.
    async fn list(&self, at: usize, what: &str, fields: [&str; 2]) -> Vec<String> {
        let listed = done(&self.run(at, &[what, "ls"], "").await);
        let words = |it: &Value| fields.map(|field| text(&it[field])).join(" ");
        listed.as_array().expect("a list").iter().map(words).collect()
    }

    /// Waits until every node shows this of each: its name, the zone that it gives itself, and the signed one.
    async fn until_zones(&self, expected: [&str; 4]) {
        let clients = self.rig.clients();
        let seen = wait::until("every node shows both labels", WITHIN, async || {
            let asked = join_all(clients.iter().map(NodeClient::members)).await;
            let members: Vec<_> = asked.into_iter().collect::<Result<_, _>>()?;
            let zones: Vec<_> = members.iter().map(|members| zones(members)).collect();
            let all = zones.iter().all(|zones| *zones == expected);
            Ok(Seen::when(all, (), |()| format!("  {zones:?}")))
        });
        ok(seen.await);
    }

    /// Waits until a member is in such a state for these nodes; none: they do not list it.
    async fn until_state(
        &self,
        by: Range<usize>,
        name: &str,
        is: impl Fn(Option<MemberState>) -> bool,
    ) {
        let clients = self.rig.clients();
        let what = format!("the nodes {by:?} show another state of {name}");
        let seen = wait::until(&what, WITHIN, async || {
            let asked = join_all(clients[by.clone()].iter().map(NodeClient::members)).await;
            let members: Vec<_> = asked.into_iter().collect::<Result<_, _>>()?;
            let state = |all: &Vec<Member>| {
                all.iter().find(|it| it.node.as_str() == name).map(|it| it.state)
            };
            let states: Vec<_> = members.iter().map(state).collect();
            let all = states.iter().all(|state| is(*state));
            Ok(Seen::when(all, (), |()| format!("  {states:?}")))
        });
        ok(seen.await);
    }

    /// Waits until every node logged this.
    async fn until_logged(&mut self, words: &str) {
        let nodes = self.rig.cluster().nodes();
        let what = format!("every node logs {words:?}");
        let seen = wait::until(&what, WITHIN, async || {
            let silent = nodes.iter().find(|node| !node.log().contains(words));
            Ok(silent.map_or(Seen::Done(()), |node| Seen::NotYet(node.log())))
        });
        ok(seen.await);
    }

    /// Nothing passes between left and right.
    fn part(&mut self, how: Cut) {
        let [from, to] = [LEFT, RIGHT].map(|hosts| Hosts(hosts.collect()));
        ok(self.rig.begin(&Fault::Cut { how, from, to, both: true }));
    }

    async fn heal(&mut self) {
        ok(self.rig.end_those(|_| true));
        self.until_one().await;
    }

    /// Waits until all nodes see each other and hold the same.
    async fn until_one(&mut self) {
        let cluster = self.rig.cluster();
        let one = cluster.until("all hold the same", WITHIN, |all| {
            all.digest().is_some() && all.meeting() == ALL.len()
        });
        ok(one.await);
    }
}

/// The answer of a command that succeeded.
#[track_caller]
fn done(finished: &Finished) -> Value {
    assert!(finished.status.success(), "{finished:?}");
    serde_json::from_str(&finished.stdout).expect("one JSON document")
}

/// The kind of error with which a command ended.
fn kind(finished: &Finished) -> String {
    let error = finished.stderr.lines().last().unwrap_or_default();
    let error: Value = serde_json::from_str(error).unwrap_or_default();
    error["kind"].as_str().unwrap_or(&finished.stderr).to_owned()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// `current: x by alice (1/2)`: state, content, signer, version of the grants and generation. A rival is behind that.
fn words(shown: &Value) -> String {
    let one = |it: &Value| {
        let [content, signer] = [&it["content"], &it["signer"]["name"]].map(text);
        format!("{content} by {signer} ({}/{})", it["grants_version"], it["generation"])
    };
    let rival = match &shown["rival"] {
        Value::Null => String::new(),
        rival if rival["counts"] == true => format!(", rival {}", one(rival)),
        rival => format!(", void rival {}", one(rival)),
    };
    format!("{}: {}{rival}", text(&shown["state"]), one(shown))
}

fn zones(members: &[Member]) -> Vec<String> {
    let zone = |labels: &BTreeMap<String, String>| {
        labels.get("zone").map_or("-", String::as_str).to_owned()
    };
    let words =
        |it: &Member| format!("{} {} {}", it.node, zone(&it.labels), zone(&it.signed_labels));
    let mut zones: Vec<_> = members.iter().map(words).collect();
    zones.sort();
    zones
}

#[tokio::test]
async fn writes_on_two_sides_of_a_partition_are_a_conflict_until_the_next_write() {
    let mut flock = Flock::with_users().await;
    let key = "target/main";
    flock.part(Cut::Refused);
    let left = flock.put(0, "alice", (key, "left")).await;
    let right = flock.put(2, "bob", (key, "right")).await;
    flock.until_shown(LEFT, key, "current: left by alice (1/1)").await;
    flock.until_shown(RIGHT, key, "current: right by bob (1/1)").await;

    flock.heal().await;
    let mut both = [(left, "left by alice (1/1)"), (right, "right by bob (1/1)")];
    both.sort();
    let [(_, rival), (_, winner)] = both;
    flock.until_shown(ALL, key, &format!("conflict: {winner}, rival {rival}")).await;

    flock.put(1, "alice", (key, "agreed")).await;
    flock.until_shown(ALL, key, "current: agreed by alice (1/2)").await;
}

#[tokio::test]
async fn a_revocation_on_one_side_of_a_partition_holds_on_both() {
    let mut flock = Flock::with_users().await;
    // Of what Alice wrote, the keys with the smallest digests stay: as many as there were where she was revoked.
    let mut keys = ["target/a", "target/b", "target/c", "target/d"];
    keys.sort_by_key(|key| key.parse::<Key>().expect("a key").digest());
    let [late, before, both, beyond] = keys;
    flock.put(0, "alice", (before, "old")).await;
    flock.until_shown(ALL, before, "current: old by alice (1/1)").await;

    flock.part(Cut::Silent);
    flock.put(0, "alice", (both, "left")).await;
    let removed = flock.operator(0, &["user", "rm", "alice", "--sync", "1"]).await;
    let mut rewritten = [before, both];
    rewritten.sort_unstable();
    assert_eq!(removed, serde_json::json!({ "grants_version": 2, "rewritten": rewritten }));
    let refused = flock.try_put(1, "alice", (late, "refused")).await;
    assert_eq!((refused.code(), kind(&refused).as_str()), (Some(REFUSED), "not_granted"));
    // Nobody has heard of it on the right.
    for document in [(before, "new"), (late, "late"), (beyond, "beyond")] {
        flock.put(3, "alice", document).await;
    }
    flock.put(2, "bob", (both, "first")).await;
    flock.put(2, "bob", (both, "right")).await;
    flock.until_shown(LEFT, both, "current: left by operator (2/2)").await;
    flock.until_shown(RIGHT, both, "current: right by bob (1/2)").await;
    flock.until_shown(RIGHT, late, "current: late by alice (1/1)").await;

    flock.heal().await;
    let of_both = "conflict: left by operator (2/2), rival right by bob (1/2)";
    flock.until_shown(ALL, both, of_both).await;
    let of_before = "conflict: old by operator (2/2), void rival new by alice (1/2)";
    flock.until_shown(ALL, before, of_before).await;
    flock.until_shown(ALL, late, "void: late by alice (1/1)").await;
    flock.until_shown(ALL, beyond, "not_found").await;
    for at in ALL {
        let users = ["alice revoked", "bob active"];
        assert_eq!(flock.list(at, "user", ["name", "state"]).await, users, "n{at}");
        let refused = flock.try_put(at, "alice", (both, "refused")).await;
        assert_eq!((refused.code(), kind(&refused).as_str()), (Some(REFUSED), "not_granted"));
    }

    flock.put(3, "bob", (both, "agreed")).await;
    flock.put(1, OPERATOR, (before, "agreed")).await;
    flock.until_shown(ALL, both, "current: agreed by bob (2/3)").await;
    flock.until_shown(ALL, before, "current: agreed by operator (2/3)").await;
}

#[tokio::test]
async fn a_document_on_one_disk_is_on_every_node_after_all_were_killed() {
    let mut flock = Flock::with_users().await;
    let key = "target/main";
    let file = flock.path("content");
    std::fs::write(&file, "kept").expect("written");
    let identity = flock.path("alice.key");
    // It is durable where it was written, and the others may have heard of it or not.
    flock.part(Cut::Silent);
    done(&flock.run(2, &["doc", "put", key, &file, "--identity", &identity], "").await);
    ALL.for_each(|host| ok(flock.rig.kill(host)));
    ok(flock.rig.end_those(|_| true));
    ALL.for_each(|host| ok(flock.rig.start(host)));

    flock.until_one().await;
    flock.until_shown(ALL, key, "current: kept by alice (1/1)").await;
    flock.put(0, "alice", (key, "next")).await;
    flock.until_shown(ALL, key, "current: next by alice (1/2)").await;
}

#[tokio::test]
async fn settings_have_effect_on_every_node() {
    let mut flock = Flock::start().await;
    flock.operator(0, &["setting", "set", "labels/n2", "zone=b"]).await;
    flock.operator(1, &["setting", "set", "forget_after", "36h"]).await;
    flock.operator(2, &["setting", "set", "log", "warn,crux_node=info"]).await;
    flock.until_zones(["n0 a -", "n1 a -", "n2 a b", "n3 a -"]).await;
    flock.until_logged("logging as the flock's setting/log says").await;

    flock.until_one().await;
    for at in ALL {
        let expected = ["forget_after 36h", "labels/n2 zone=b", "log warn,crux_node=info"];
        assert_eq!(flock.list(at, "setting", ["name", "value"]).await, expected, "n{at}");
    }
    flock.operator(3, &["setting", "unset", "log"]).await;
    flock.until_logged("the flock has no setting/log").await;
    flock.operator(3, &["setting", "unset", "labels/n2"]).await;
    flock.until_zones(["n0 a -", "n1 a -", "n2 a -", "n3 a -"]).await;
}

/// By itself a node waits for 72 hours.
#[tokio::test]
async fn the_dead_are_forgotten_after_the_time_that_the_operator_sets() {
    let after = Duration::from_secs(10);
    let mut flock = Flock::start().await;
    let left = 0..3;
    flock.operator(1, &["setting", "set", "forget_after", "10s", "--sync", "3"]).await;
    let since = Instant::now();
    ok(flock.rig.kill(3));
    flock.until_state(left.clone(), "n3", |state| state == Some(MemberState::Dead)).await;
    flock.until_state(left, "n3", |state| matches!(state, None | Some(MemberState::Retired))).await;
    let took = since.elapsed();
    assert!(took >= after, "{took:?}");

    // It was not told to go for good.
    ok(flock.rig.start(3));
    flock.until_one().await;
    flock.until_state(ALL, "n3", |state| state == Some(MemberState::Alive)).await;
}
