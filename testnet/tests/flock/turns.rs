//! Each of five nodes is killed in turn, while targets are applied one after the other.
//!
//! Every generation gives its number to all revisions, as in `g7`, so that the picket's events say of each start which
//! generation it is of. A user without the permission tries others all the while.

use std::collections::BTreeMap;
use std::time::Duration;

use crux_crdt::service::Step;
use crux_testnet::output::say;
use crux_testnet::process::{Cluster, ClusterOptions, Home, NodeSpec};
use crux_testnet::site::{Census, Diary, Document, Site};
use crux_testnet::wait::{self, Seen};
use tokio::time::sleep;

use crate::support::{agreed, exe, ok};

const NODES: usize = 5;
const SERVICES: [(&str, usize); 2] = [("web", 3), ("job", NODES)];
/// How many targets are applied while a node is down.
const APPLIED: usize = 4;
/// How long any one condition may take on a loaded machine.
const WITHIN: Duration = Duration::from_secs(60);

/// A site with another generation each time, and when each was signed.
struct Applier {
    site: Site,
    applied: BTreeMap<u64, u64>,
}

impl Applier {
    fn generation(&self) -> u64 {
        self.applied.keys().next_back().copied().unwrap_or_default()
    }

    /// Applies the next generation on a node that has the last one.
    async fn next(&mut self, node: &NodeSpec) {
        let last = self.generation();
        if last > 0 {
            ok(self.site.until_shown(node, last).await);
        }
        let next = last + 1;
        for (service, _) in SERVICES {
            ok(self.site.put(&all_at_once(&self.site, service, &format!("g{next}"))));
        }
        // No node can run it before it is signed.
        self.applied.insert(next, Diary::now());
        assert_eq!(ok(self.site.apply(node).await), next);
    }
}

/// A version that all nodes get at once: none then gets the one before, which is signed, too.
fn all_at_once(site: &Site, service: &str, rev: &str) -> Document {
    Document { step: Step::Percent(100), ..site.document(service, rev) }
}

/// A user who may deploy in another horde, and what he would like to run.
struct Bob {
    dir: String,
    key: String,
}

impl Bob {
    async fn come(site: &Site, node: &NodeSpec) -> Self {
        let dir = site.dir().with_file_name("forged");
        std::fs::create_dir(&dir).expect("made");
        std::fs::write(dir.join("main.khan"), "pick(web, 5, ALL)\n").expect("written");
        let key = dir.join("bob.key").to_string_lossy().into_owned();
        let made = ok(site.run(node, &["user", "keygen", "--out", &key]).await);
        let line = made["key"].as_str().expect("a public key");
        let add = ["user", "add", "bob", "--key", line, "--role", "deployer:edge", "--sync", "4"];
        ok(site.signed(node, &add).await);
        Self { dir: dir.to_string_lossy().into_owned(), key }
    }

    /// He tries, and is refused.
    async fn tries(&self, site: &Site, node: &NodeSpec, number: usize) {
        let text = site.document("web", &format!("forged{number}")).text();
        std::fs::write(format!("{}/web.toml", self.dir), text).expect("written");
        let tried = site.run(node, &["apply", &self.dir, "--identity", &self.key]).await;
        let error = tried.expect_err("he has no permission").to_string();
        assert!(error.contains("not_granted"), "{error}");
    }
}

#[tokio::test]
#[ignore = "takes more than a minute"]
async fn nothing_unsigned_or_older_runs_while_each_node_is_killed_under_apply() {
    let home = ok(Home::temporary());
    let site = ok(Site::make(&exe(), &home, "test").await);
    let options = ClusterOptions { exe: exe(), home, flock: "test".to_owned() };
    let mut cluster = ok(Cluster::with_nodes(options, NODES).await);
    ok(cluster.start_all());
    agreed(&mut cluster).await;
    let specs: Vec<_> = cluster.nodes().iter().map(|node| node.spec().clone()).collect();
    let bob = Bob::come(&site, &specs[0]).await;
    ok(site.program("pick(web, 3, ALL)\npick(job, 5, ALL)\n"));
    let mut applier = Applier { site, applied: BTreeMap::new() };
    applier.next(&specs[0]).await;
    until_settled(&cluster, 1).await;

    for victim in 0..NODES {
        let other = |turn: usize| &specs[(victim + 1 + turn % (NODES - 1)) % NODES];
        // At another moment of an `apply` each time.
        let moment = Duration::from_millis(60 * victim as u64);
        let kill = async {
            sleep(moment).await;
            ok(cluster.node(victim).kill());
        };
        tokio::join!(applier.next(other(0)), kill);
        for turn in 1..=APPLIED {
            applier.next(other(turn)).await;
            until_begun(&cluster, applier.generation()).await;
        }
        bob.tries(&applier.site, other(victim), victim).await;
        ok(cluster.node(victim).start());
        applier.next(other(0)).await;
        ok(cluster.until_agreed(WITHIN).await);
    }
    applier.next(&specs[0]).await;
    let last = applier.generation();
    let census = until_settled(&cluster, last).await;
    let diary = ok(Diary::with(&cluster, &census).await);
    let number = |rev: &str| rev.strip_prefix('g')?.parse().ok();
    let judged = diary.only_newer(number, &applier.applied);
    if judged.is_err() {
        cluster.keep_home();
    }
    let starts = ok(judged);
    assert!(starts > 2 * NODES * APPLIED, "{starts} starts prove little");
    say(format_args!("{starts} starts of {last} generations, each signed and none older"));
}

/// Waits until some node runs this generation.
async fn until_begun(cluster: &Cluster, generation: u64) {
    let rev = format!("g{generation}");
    let what = format!("some node runs {rev}");
    let seen = wait::until(&what, WITHIN, async || {
        let diary = Diary::read(cluster)?;
        let revs: Vec<_> = diary.starts().map(|it| it.rev.clone()).collect();
        Ok(Seen::when(revs.contains(&rev), (), |()| format!("  {:?}", revs.last())))
    });
    ok(seen.await);
}

/// Waits until everything runs in this generation.
async fn until_settled(cluster: &Cluster, generation: u64) -> Census {
    let rev = format!("g{generation}");
    let holds = |it: &Census| it.counts(&SERVICES) && it.all.iter().all(|it| it.rev == rev);
    ok(Census::until(cluster, &format!("all runs {rev}"), WITHIN, holds).await)
}
