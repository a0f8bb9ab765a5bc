//! Targets on real nodes: applied at one, shown by another, taken back at a third.
//!
//! The operator and a user keep their keys beside the nodes, which are called n0 to n2.

use std::path::PathBuf;

use crux_testnet::process::{Cluster, ClusterOptions, Finished, Home, run_node_command_on};
use crux_testnet::wait::{self, Seen};
use futures::future::join_all;
use serde_json::Value;

use crate::support::{WITHIN, agreed, exe, ok};

pub(crate) const NODES: usize = 3;
/// The exit code of a command that is refused.
const REFUSED: i32 = 5;
/// The exit code of a command that names what is not there.
const NOT_FOUND: i32 = 3;
/// The exit code of a command whose input is wrong.
const USAGE: i32 = 2;

/// Nodes, and the files of a target.
pub(crate) struct Flock {
    pub(crate) cluster: Cluster,
    pub(crate) dir: PathBuf,
}

impl Flock {
    /// All nodes agree; Alice may deploy in the horde `main`, and Bob only in another.
    pub(crate) async fn start() -> Self {
        let home = ok(Home::temporary());
        let (dir, secret) = (home.path().to_owned(), home.secret());
        let args = ["keygen", "--flock", "test", "--out", &secret.to_string_lossy()];
        let made = ok(run_node_command_on(&exe(), &args, "", WITHIN).await);
        assert!(made.status.success(), "{made:?}");
        let options = ClusterOptions { exe: exe(), home, flock: "test".to_owned() };
        let mut cluster = ok(Cluster::with_nodes(options, NODES).await);
        ok(cluster.start_all());
        agreed(&mut cluster).await;
        let flock = Self { cluster, dir };
        for (name, role) in [("alice", "deployer:main"), ("bob", "deployer:edge")] {
            let out = flock.path(&format!("{name}.key"));
            let key = done(&flock.run(0, &["user", "keygen", "--out", &out]).await);
            let line = key["key"].as_str().expect("a public key");
            let operator = flock.path("secret.operator");
            let add = ["user", "add", name, "--key", line, "--role", role, "--sync", "2"];
            let add = [&add[..], &["--operator-key", &operator]].concat();
            done(&flock.run(0, &add).await);
        }
        std::fs::create_dir(flock.dir.join("site")).expect("made");
        flock.write("prog", "#!/bin/sh\nexec sleep 1000\n");
        flock.write("site/main.khan", "web := pick(web, 2, ALL)\n");
        flock.document("first");
        flock
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.dir.join(name).to_string_lossy().into_owned()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.dir.join(name), text).expect("written");
    }

    /// Writes the document of the service with an argument.
    fn document(&self, arg: &str) {
        let image = self.path("prog");
        let text = format!("name = \"web\"\nimage = \"{image}\"\nargs = [\"{arg}\"]\n");
        self.write("site/web.toml", &text);
    }

    pub(crate) async fn run(&self, at: usize, args: &[&str]) -> Finished {
        let data_dir = self.cluster.nodes()[at].spec().data_dir.to_string_lossy().into_owned();
        let args = [args, &["--json", "--data-dir", &data_dir]].concat();
        ok(run_node_command_on(&exe(), &args, "", WITHIN).await)
    }

    /// Runs a command that a user signs.
    async fn signed(&self, at: usize, user: &str, args: &[&str]) -> Finished {
        let identity = self.path(&format!("{user}.key"));
        self.run(at, &[args, &["--identity", &identity]].concat()).await
    }

    pub(crate) async fn apply(&self, at: usize, user: &str) -> Finished {
        self.signed(at, user, &["apply", &self.path("site"), "--sync", "2"]).await
    }

    /// What a node shows: the generation, and the argument of the service; none: it has no target.
    async fn shown(&self, at: usize) -> Option<(u64, String)> {
        let finished = self.run(at, &["target", "show"]).await;
        let shown = finished.status.success().then(|| done(&finished))?;
        let arg = shown["services"]["web"]["args"][0].as_str()?.to_owned();
        Some((shown["generation"].as_u64()?, arg))
    }

    async fn until_shown(&self, generation: u64, arg: &str) {
        let expected = Some((generation, arg.to_owned()));
        let what = format!("every node shows {expected:?}");
        let seen = wait::until(&what, WITHIN, async || {
            let shown = join_all((0..NODES).map(|at| self.shown(at))).await;
            let all = shown.iter().all(|shown| *shown == expected);
            Ok(Seen::when(all, (), |()| format!("  {shown:?}")))
        });
        ok(seen.await);
    }
}

#[track_caller]
pub(crate) fn done(finished: &Finished) -> Value {
    assert!(finished.status.success(), "{finished:?}");
    serde_json::from_str(&finished.stdout).expect("one JSON document")
}

/// The exit code, and the kind of error with which a command ended.
fn kind(finished: &Finished) -> (Option<i32>, String) {
    let error = finished.stderr.lines().last().unwrap_or_default();
    let error: Value = serde_json::from_str(error).unwrap_or_default();
    (finished.code(), error["kind"].as_str().unwrap_or(&finished.stderr).to_owned())
}

#[tokio::test]
async fn a_target_applied_on_one_node_is_shown_on_all_and_taken_back_on_another() {
    let flock = Flock::start().await;
    let refused = flock.apply(0, "bob").await;
    assert_eq!(kind(&refused), (Some(REFUSED), "not_granted".to_owned()));
    flock.write("site/main.khan", "web := pick(web, 2, dbs)\n");
    let refused = flock.apply(0, "alice").await;
    assert_eq!(kind(&refused), (Some(USAGE), "invalid_config".to_owned()));
    assert_eq!(flock.shown(0).await, None, "what is refused changes nothing");

    flock.write("site/main.khan", "web := pick(web, 2, ALL)\n");
    assert_eq!(done(&flock.apply(0, "alice").await)["generation"], 1);
    flock.until_shown(1, "first").await;
    flock.document("second");
    assert_eq!(done(&flock.apply(1, "alice").await)["generation"], 2);
    flock.until_shown(2, "second").await;

    // The content is on the nodes where the two were applied, and a third one fetches it.
    let refused = flock.signed(2, "bob", &["target", "rollback"]).await;
    assert_eq!(kind(&refused), (Some(REFUSED), "not_granted".to_owned()));
    done(&flock.signed(2, "alice", &["target", "rollback", "--sync", "2"]).await);
    flock.until_shown(3, "first").await;
    let history = done(&flock.run(0, &["target", "history"]).await);
    let generations: Vec<_> = history.as_array().expect("a list").iter().collect();
    assert_eq!(generations.len(), 3);
    assert_eq!(
        (&generations[0]["current"], &generations[0]["generation"]),
        (&true.into(), &3.into())
    );
    assert!(generations.iter().all(|it| it["by"]["name"] == "alice"), "{history}");
}

/// The image of the target is on another node than the one where it is applied.
#[tokio::test]
async fn an_image_has_to_be_on_a_live_member() {
    let mut flock = Flock::start().await;
    let document = |id: &str| format!("name = \"web\"\nimage = \"{id}\"\nargs = [\"x\"]\n");
    let [asked, lost] = ["asked", "lost"].map(|text| (flock.path(text), text));
    let mut ids = Vec::new();
    for (path, text) in [&asked, &lost] {
        flock.write(text, text);
        let put = done(&flock.run(2, &["blob", "put", path]).await);
        ids.push(put["id"].as_str().expect("an id").to_owned());
    }
    flock.write("site/web.toml", &document(&"ab".repeat(32)));
    let refused = flock.apply(0, "alice").await;
    assert_eq!(kind(&refused), (Some(NOT_FOUND), "blob_unknown".to_owned()));
    // Nobody offers it in the registry, so n0 asks the others.
    flock.write("site/web.toml", &document(&ids[0]));
    done(&flock.apply(0, "alice").await);

    ok(flock.cluster.node(2).kill());
    flock.write("site/web.toml", &document(&ids[1]));
    let apply = ["apply", &flock.path("site")];
    let refused = flock.signed(0, "alice", &apply).await;
    assert_eq!(kind(&refused), (Some(NOT_FOUND), "blob_unknown".to_owned()));
    let apply = [&apply[..], &["--allow-missing"]].concat();
    done(&flock.signed(0, "alice", &apply).await);
    assert_eq!(flock.shown(0).await, Some((2, "x".to_owned())));
}
