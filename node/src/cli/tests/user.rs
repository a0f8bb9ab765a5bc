//! Users: their keys, and what the operator grants and revokes.

use std::os::unix::fs::PermissionsExt as _;

use crux_crdt::canon::Canonical as _;
use crux_crdt::document::{Grant, Key};

use super::document::{ALICE, BOB, Flock, OPERATOR, done, identity, key, public, refused};
use super::*;
use crate::secret::{UserKey, UserPublic};
use crate::view::testing::principal;

fn is(exit: u8, kind: &str) -> (u8, String) {
    (exit, kind.to_owned())
}

/// The rows of `user ls`: name, state, documents and permissions.
fn users(flock: &Flock) -> Vec<String> {
    let all = done(flock.run("user ls --json")).json();
    let word = |user: &serde_json::Value| {
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let grants: Vec<_> = user["grants"].as_array().unwrap().iter().map(text).collect();
        format!(
            "{} {} {} {}",
            text(&user["name"]),
            text(&user["state"]),
            user["documents"],
            grants.join(",")
        )
    };
    all.as_array().unwrap().iter().map(word).collect()
}

#[test]
fn keygen_prints_the_public_line_and_keeps_the_key_private() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("alice.key");
    let line = format!("user keygen --out {}", path.display());
    let ran = run_in(&dir, &[], &line);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let key: UserKey = std::fs::read_to_string(&path).unwrap().parse().unwrap();
    assert_eq!(ran.out, format!("{}\n", key.public()));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!ran.shown().contains(&key.expose()[12..22]), "{}", ran.shown());
    let again = run_in(&dir, &[], &format!("{line} --json"));
    assert_eq!(refused(&again), is(5, "already_exists"));
    let kept = run_in(&dir, &[], &format!("{line} --if-missing --json"));
    assert_eq!((kept.exit, &kept.json()["key"]), (0, &key.public().to_string().into()));
    assert_eq!(kept.json()["principal"], key.public().0.to_string());
    let ran = run_in(&dir, &[], "user keygen --out - --json");
    assert_eq!(refused(&ran), is(2, "invalid_argument"));
    // Another file is not kept as a key.
    std::fs::write(&path, "no key").unwrap();
    assert_ne!(run_in(&dir, &[], &format!("{line} --if-missing")).exit, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_granted_something_once() {
    let flock = Flock::start();
    let ran = flock.add("alice", ALICE, "--role deployer:main");
    insta::assert_snapshot!("user_add", ran.shown());
    let same = flock.add("alice", ALICE, "--role deployer:main --json").json();
    assert_eq!((&same["changed"], &same["grants_version"]), (&false.into(), &1.into()));
    let before = flock.list();
    assert_eq!(before.len(), 1);
    let grants = "--grant read --grant rules --documents 3 --json";
    let json = flock.add("bob", BOB, grants).json();
    insta::assert_snapshot!("json_user_add", serde_json::to_string_pretty(&json).unwrap());
    insta::assert_snapshot!("user_ls", done(flock.run("user ls")).shown());
    let json = done(flock.run("user ls --json")).json();
    insta::assert_snapshot!("json_user_ls", serde_json::to_string_pretty(&json).unwrap());
    // Other permissions replace those that there were, and what was written stays in effect or not by them.
    let file = flock.file("f", "x");
    done(flock.bob(&format!("doc put rule/a {file}")));
    let json = flock.add("bob", BOB, "--role viewer --json").json();
    assert_eq!((&json["generation"], &json["changed"]), (&2.into(), &true.into()));
    assert_eq!(users(&flock)[1], "bob active 64 read");
    assert!(flock.list().contains(&"rule/a void 1 1 bob".to_owned()), "{:?}", flock.list());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_user_is_named() {
    let flock = Flock::with_alice();
    let before = flock.list();
    let (alice, bob) = (public(ALICE), public(BOB));
    let node = UserPublic(principal("n2"));
    let viewer = "--role viewer";
    let private = std::fs::read_to_string(flock.path("bob.key")).unwrap();
    let many = (0..65).map(|n| format!("--grant deploy:h{n}")).collect::<Vec<_>>().join(" ");
    for (line, exit, kind) in [
        (format!("alice --key {bob} {viewer}"), 5, "name_taken"),
        (format!("alicia --key {alice} {viewer}"), 5, "already_exists"),
        (format!("operator --key {bob} {viewer}"), 2, "invalid_name"),
        (format!("Bob --key {bob} {viewer}"), 2, "invalid_name"),
        (format!("bob --key {} {viewer}", public(OPERATOR)), 2, "invalid_argument"),
        (format!("bob --key {private} {viewer}"), 2, "invalid_secret"),
        (format!("bob --key {} {viewer}", &bob[..30]), 2, "invalid_secret"),
        (format!("bob --key {} {viewer}", bob.replacen("-end", "2-end", 1)), 2, "invalid_secret"),
        (format!("bob --key {bob} --role king"), 2, "invalid_argument"),
        (format!("bob --key {bob} --grant everything"), 2, "invalid_argument"),
        (format!("bob --key {bob} --grant grants"), 2, "invalid_argument"),
        (format!("bob --key {bob} {many}"), 2, "invalid_argument"),
        (format!("bob --key {bob} {viewer} --documents 16385"), 2, "invalid_argument"),
        (format!("bob --key {bob} {viewer} --documents 16384"), 5, "limit_reached"),
    ] {
        let ran = flock.operator(&format!("user add {line} --json"));
        assert_eq!(refused(&ran), is(exit, kind), "{line} {}", ran.err);
        assert!(!ran.err.contains(&private[12..22]), "{}", ran.err);
    }
    // A node's key may be on the curve or not; the line of one that is not is no key.
    let ran = flock.operator(&format!("user add bob --key {node} {viewer} --json"));
    assert_eq!(ran.exit, 2, "{ran:?}");
    for line in [
        format!("user add bob --key {bob}"),
        format!("user add bob --key {bob} --role viewer --grant read"),
        "user add bob --role viewer".to_owned(),
    ] {
        assert_eq!(flock.operator(&line).exit, 2, "{line}");
    }
    assert_eq!(flock.list(), before);
    assert_eq!(refused(&flock.operator("user rm carol --json")), is(3, "not_found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nodes_key_is_not_a_users() {
    let flock = Flock::start();
    let node = flock.node.views.borrow().clone();
    let mut members = node.members.clone();
    members[1].principal = identity(BOB).principal();
    flock.node.views.send_replace(Arc::new(View { members, ..View::clone(&node) }));
    let ran = flock.operator(&format!("user add bob --key {} --role viewer --json", public(BOB)));
    assert_eq!(refused(&ran), is(2, "invalid_argument"));
    assert!(ran.err.contains("node n2"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_users_documents_become_the_operators() {
    let flock = Flock::with_alice();
    flock.add("bob", BOB, "--grant rules");
    let file = flock.file("f", "x");
    for put in ["target/main", "secret/main/a", "secret/main/b"] {
        done(flock.alice(&format!("doc put {put} {file}")));
    }
    done(flock.alice("doc rm secret/main/b"));
    done(flock.bob(&format!("doc put rule/a {file}")));
    let before = flock.list();
    let ran = done(flock.operator("user rm alice --without secret/main/a --dry-run"));
    insta::assert_snapshot!("user_rm_dry_run", ran.shown());
    assert_eq!(flock.list(), before);
    let ran = done(flock.operator("user rm alice --without secret/main/a"));
    insta::assert_snapshot!("user_rm", ran.shown());
    let mut list = flock.list();
    list.retain(|it| !it.starts_with("grant/"));
    assert_eq!(
        list,
        [
            "rule/a current 1 1 bob",
            "secret/main/a void 1 1 alice",
            "secret/main/b deleted 3 2 operator",
            "target/main current 2 2 operator",
        ]
    );
    let deploys = "read,deploy:main,secrets:main/";
    assert_eq!(
        users(&flock),
        [format!("alice revoked 3 {deploys}"), "bob active 64 rules".to_owned()]
    );
    let ran = flock.alice(&format!("doc put target/main {file} --json"));
    assert_eq!(refused(&ran), is(5, "not_granted"));
    // Bob goes on, under the greater version.
    done(flock.bob(&format!("doc put rule/a {file}")));
    assert!(flock.list().contains(&"rule/a current 2 2 bob".to_owned()));
    // The same again raises nothing, and keeps what was left out.
    let again = done(flock.operator("user rm alice --json")).json();
    let kept = serde_json::json!({ "grants_version": 2, "rewritten": ["secret/main/a"] });
    assert_eq!(again, kept);
    let nothing = done(flock.operator("user rm alice --json")).json();
    assert_eq!(nothing, serde_json::json!({ "grants_version": 2, "rewritten": [] }));
    // The name is free, and the key may come back.
    flock.add("alice", BOB + 1, "--role viewer");
    let ran =
        flock.operator(&format!("user add alice --key {} --role viewer --json", public(ALICE)));
    assert_eq!(refused(&ran), is(5, "name_taken"));
    flock.add("alicia", ALICE, "--role viewer");
    assert_eq!(users(&flock)[1], "alicia active 64 read");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_revocation_is_finished_by_the_next() {
    let flock = Flock::with_alice();
    flock.add("bob", BOB, "--grant rules");
    let file = flock.file("f", "x");
    done(flock.alice(&format!("doc put target/main {file}")));
    // Its first document only.
    let revoked = Grant { revoked: true, ..flock.grant(ALICE).unwrap() };
    let grant = Key::grant(&identity(ALICE).principal());
    flock.hold(OPERATOR, &grant, (2, 2), Some(&revoked.to_canonical()));
    assert_eq!(users(&flock)[1], "bob void 64 rules");
    let ran = flock.bob(&format!("doc put rule/a {file} --json"));
    assert_eq!(refused(&ran), is(5, "not_granted"));
    let finished = done(flock.operator("user rm alice --json")).json();
    assert_eq!(finished, serde_json::json!({ "grants_version": 2, "rewritten": ["target/main"] }));
    assert_eq!(users(&flock)[1], "bob active 64 rules");
    done(flock.bob(&format!("doc put rule/a {file}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_void_before_a_revocation_stays_so() {
    let flock = Flock::with_alice();
    let file = flock.file("f", "x");
    done(flock.alice(&format!("doc put target/main {file}")));
    flock.add("alice", ALICE, "--grant secrets:main/");
    done(flock.alice(&format!("doc put secret/main/a {file}")));
    let removed = done(flock.operator("user rm alice --json")).json();
    assert_eq!(removed["rewritten"], serde_json::json!(["secret/main/a"]));
    assert!(flock.list().contains(&"target/main void 1 1 alice".to_owned()), "{:?}", flock.list());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_of_a_revoked_user_is_settled_and_told() {
    let flock = Flock::with_alice();
    flock.add("bob", BOB, "--grant deploy:main");
    for seed in [ALICE, BOB] {
        flock.hold(seed, &key("target/main"), (1, 1), Some(&[b'0' + seed]));
    }
    let shown = done(flock.run("doc show target/main --json")).json();
    let winner = shown["signer"]["name"].as_str().unwrap().to_owned();
    let ran = done(flock.operator(&format!("user rm {winner}")));
    assert!(ran.err.contains("In conflict") && ran.err.contains("target/main"), "{}", ran.err);
    let now = done(flock.run("doc show target/main --json")).json();
    assert_eq!((&now["content"], &now["rival"]), (&shown["content"], &serde_json::Value::Null));
}
