//! Settings of the whole flock.

use super::document::{Flock, OPERATOR, done, key, refused};
use crate::view::testing::principal;

fn is(exit: u8, kind: &str) -> (u8, String) {
    (exit, kind.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_set_listed_and_unset() {
    let flock = Flock::start();
    let ran = done(flock.operator("setting set forget_after 24h"));
    insta::assert_snapshot!("setting_set", ran.shown());
    done(flock.operator("setting set log info,crux=debug"));
    let json = done(flock.operator("setting set labels/n2 zone=b,rack=7 --json")).json();
    // The name is the node's now; the key stays that node's.
    let labels = format!("setting/labels/{}", principal("n2"));
    assert_eq!(json["key"], labels);
    insta::assert_snapshot!("setting_ls", done(flock.run("setting ls")).shown());
    let json = done(flock.run("setting ls --json")).json();
    insta::assert_snapshot!("json_setting_ls", serde_json::to_string_pretty(&json).unwrap());
    let content = done(flock.run(&format!("doc show {labels} --json"))).json();
    assert_eq!(content["content"], "rack=7\nzone=b\n");
    done(flock.operator("setting unset labels/n2"));
    let ran = flock.operator("setting unset labels/n2 --json");
    assert_eq!(refused(&ran), is(3, "not_found"));
    done(flock.operator("setting unset forget_after"));
    let left = done(flock.run("setting ls --json")).json();
    assert_eq!((left.as_array().unwrap().len(), &left[0]["name"]), (1, &"log".into()));
    // A node that is not here yet, by its principal.
    let other = "ab".repeat(32);
    done(flock.operator(&format!("setting set labels/{other} zone=c")));
    let ls = done(flock.run("setting ls")).out;
    assert!(ls.contains(&format!("labels/{other}")), "{ls}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_makes_no_sense_is_not_signed() {
    let flock = Flock::with_alice();
    let before = flock.list();
    let many = (0..33).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
    for (line, exit, kind) in [
        ("forget_after 1s".to_owned(), 2, "invalid_argument"),
        ("forget_after 24".to_owned(), 2, "invalid_argument"),
        ("forget_after 400d".to_owned(), 2, "invalid_argument"),
        ("log info,crux=loud".to_owned(), 2, "invalid_argument"),
        ("labels/n2 zone".to_owned(), 2, "invalid_argument"),
        ("labels/n2 zone=a,zone=b".to_owned(), 2, "invalid_argument"),
        (format!("labels/n2 {many}"), 2, "invalid_argument"),
        ("labels/n99 zone=a".to_owned(), 3, "not_found"),
        ("labels/N zone=a".to_owned(), 2, "invalid_name"),
        ("labels zone=a".to_owned(), 2, "invalid_argument"),
        ("colour red".to_owned(), 2, "invalid_argument"),
    ] {
        let ran = flock.operator(&format!("setting set {line} --json"));
        assert_eq!(refused(&ran), is(exit, kind), "{line} {}", ran.err);
    }
    // Settings are the operator's.
    let ran =
        flock.run(&format!("setting set log info --operator-key {}", flock.path("alice.key")));
    assert_eq!(ran.exit, 2, "{ran:?}");
    assert_eq!(flock.list(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_of_another_version_is_listed_as_unknown() {
    let flock = Flock::start();
    flock.hold(OPERATOR, &key("setting/colour"), (1, 1), Some(b"red"));
    flock.hold(OPERATOR, &key("setting/forget_after"), (1, 1), Some(b"soon"));
    let json = done(flock.run("setting ls --json")).json();
    let states: Vec<_> = json.as_array().unwrap().iter().map(|it| &it["state"]).collect();
    assert_eq!(states, ["unknown", "unknown"]);
    // It can be taken back all the same.
    done(flock.operator("setting unset colour"));
    assert_eq!(done(flock.run("setting ls --json")).json().as_array().unwrap().len(), 1);
}
