//! Commands against a real API server with a real store.

use std::fs;
use std::path::Path;

use crate::api::tests::FakeNode;
use crate::cli::tests::{Ran, run};
use crate::view::testing::view;

const ABC: &str = "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532";

fn file(node: &FakeNode, name: &str, content: &[u8]) -> String {
    let path = node.dir.path().join(name);
    fs::write(&path, content).unwrap();
    path.display().to_string()
}

fn done(ran: Ran) -> Ran {
    assert_eq!(ran.exit, 0, "{ran:?}");
    ran
}

fn read(path: &str) -> Vec<u8> {
    fs::read(path).unwrap()
}

fn kind(ran: &Ran) -> String {
    let error = ran.err.lines().last().unwrap();
    let error: serde_json::Value = serde_json::from_str(error).unwrap();
    error["kind"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_is_got() {
    let node = FakeNode::start(view());
    let large: Vec<u8> = (0..3_000_007_u32).map(|n| (n % 251) as u8).collect();
    let (abc, big, none) =
        (file(&node, "abc", b"abc"), file(&node, "big", &large), file(&node, "none", b""));
    let ran = done(run(&node, &format!("blob put {abc} {big} {none} --json")));
    let lines: Vec<serde_json::Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0], serde_json::json!({ "id": ABC, "size": 3 }));
    assert_eq!((lines[1]["size"].as_u64(), lines[2]["size"].as_u64()), (Some(3_000_007), Some(0)));
    let progress: serde_json::Value =
        serde_json::from_str(ran.err.lines().next().unwrap()).unwrap();
    assert!(progress["progress"]["what"].is_string(), "{}", ran.err);
    for (line, path) in lines.iter().zip([&abc, &big, &none]) {
        let out = format!("{path}.out");
        let id = line["id"].as_str().unwrap();
        let got = done(run(&node, &format!("blob get {id} --out {out} --json")));
        assert_eq!(got.json()["size"], line["size"]);
        assert_eq!(read(&out), read(path));
        let path = done(run(&node, &format!("blob path {id} --json"))).json();
        assert!(path["path"].as_str().unwrap().ends_with(id));
    }
    assert_eq!(done(run(&node, "status --json")).json()["blobs"], 3);
    let text = done(run(&node, &format!("blob put {abc}"))).out;
    assert_eq!(text, format!("{ABC}  DIR/abc\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_put_and_got() {
    let node = FakeNode::start(view());
    let at = |name: &str| node.dir.path().join(name).display().to_string();
    fs::create_dir_all(at("tree/sub")).unwrap();
    fs::write(at("tree/sub/f"), "hello").unwrap();
    let put = done(run(&node, &format!("blob put --dir {} --json", at("tree")))).json();
    let get = format!("blob get {} --dir --out {} --json", put["id"].as_str().unwrap(), at("out"));
    done(run(&node, &get));
    assert_eq!(read(&at("out/sub/f")), b"hello");
    let again = run(&node, &get);
    assert_eq!((again.exit, kind(&again).as_str()), (5, "already_exists"));
    let abc = file(&node, "abc", b"abc");
    done(run(&node, &format!("blob put {abc}")));
    let ran = run(&node, &format!("blob get {ABC} --dir --out {} --json", at("no")));
    assert_eq!((ran.exit, kind(&ran).as_str()), (5, "unsafe_archive"));
    assert!(!Path::new(&at("no")).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_are_listed_kept_and_removed() {
    let node = FakeNode::start(view());
    let abc = file(&node, "abc", b"abc");
    done(run(&node, &format!("blob register {abc}")));
    done(run(&node, &format!("blob pin {ABC}")));
    done(run(&node, &format!("blob reserve {ABC} --for 2m")));
    let listed = done(run(&node, "blob ls --json")).json()[0].clone();
    assert_eq!(
        (&listed["id"], &listed["pinned"], &listed["sealed"]),
        (&ABC.into(), &true.into(), &true.into())
    );
    assert!(listed["reserved_for_ms"].is_u64() && listed["registered"].is_string());
    insta::assert_snapshot!(done(run(&node, "blob ls")).out);
    let refused = run(&node, &format!("blob rm {ABC} --json"));
    assert_eq!((refused.exit, kind(&refused).as_str()), (2, "not_confirmed"));
    assert!(refused.err.contains("is pinned") && refused.err.contains("--yes"), "{refused:?}");
    assert_eq!(done(run(&node, "blob ls --json")).json().as_array().map(Vec::len), Some(1));
    done(run(&node, &format!("blob unpin {ABC}")));
    insta::assert_snapshot!(done(run(&node, "blob scrub")).out);
    fs::write(&abc, b"abd").unwrap();
    let ran = run(&node, "blob scrub --json");
    assert_eq!((ran.exit, kind(&ran).as_str()), (1, "blob_damaged"));
    let ran = run(&node, &format!("blob rm {ABC} --json"));
    assert_eq!((ran.exit, kind(&ran).as_str()), (3, "blob_unknown"));
    let more = node.dir.path().join("more");
    let added = done(run(&node, &format!("blob add-dir {} --scan --json", more.display())));
    assert_eq!(added.json(), serde_json::json!({ "blobs": 0 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_got_goes_to_standard_output_too() {
    let node = FakeNode::start(view());
    let abc = file(&node, "abc", b"abc");
    done(run(&node, &format!("blob put {abc}")));
    let ran = done(run(&node, &format!("blob get {ABC} --out -")));
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("abc", "Wrote standard output (3 bytes)\n"));
    let ran = done(run(&node, &format!("blob get {ABC} --out - --json")));
    let told: serde_json::Value = serde_json::from_str(ran.err.lines().last().unwrap()).unwrap();
    assert_eq!((ran.out.as_str(), &told["size"]), ("abc", &3.into()));
    let ran = run(&node, &format!("blob get {ABC} --dir --out - --json"));
    assert_eq!((ran.exit, kind(&ran).as_str()), (2, "invalid_argument"));
    assert!(!Path::new("-").exists());
    let dir = node.dir.path().display();
    let ran = run(&node, &format!("blob get {ABC} --out {dir} --json"));
    assert_eq!((ran.exit, kind(&ran).as_str()), (5, "already_exists"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_is_named() {
    let node = FakeNode::start(view());
    let dir = node.dir.path().display().to_string();
    let unknown = "ab".repeat(32);
    let cases = [
        (format!("blob get {unknown} --out {dir}/x"), 3, "blob_unknown"),
        (format!("blob path {unknown}"), 3, "blob_unknown"),
        (format!("blob pin {unknown}"), 3, "blob_unknown"),
        ("blob rm abc".to_owned(), 2, "invalid_argument"),
        (format!("blob put {dir}/missing"), 3, "not_found"),
        (format!("blob put {dir}"), 2, "invalid_argument"),
        (format!("blob put --dir {dir}/missing"), 3, "not_found"),
        (format!("blob register {dir}"), 2, "invalid_argument"),
    ];
    for (line, exit, expected) in cases {
        let ran = run(&node, &format!("{line} --json"));
        assert_eq!((ran.exit, kind(&ran).as_str()), (exit, expected), "{line}: {ran:?}");
        assert_eq!(ran.out, "", "{line}");
    }
    let left: Vec<_> = fs::read_dir(node.dir.path().join("blobs/partial")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_blob_goes_with_a_yes_and_another_without() {
    let node = FakeNode::start(view());
    let abc = file(&node, "abc", b"abc");
    done(run(&node, &format!("blob put {abc}")));
    done(run(&node, &format!("blob pin {ABC}")));
    assert_eq!(run(&node, &format!("blob rm {ABC}")).exit, 2);
    assert_eq!(done(run(&node, &format!("blob rm {ABC} --yes"))).out, format!("Removed {ABC}\n"));
    done(run(&node, &format!("blob put {abc}")));
    done(run(&node, &format!("blob rm {ABC}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_digits_of_a_blob_will_do() {
    let node = FakeNode::start(view());
    let abc = file(&node, "abc", b"abc");
    done(run(&node, &format!("blob put {abc}")));
    let out = node.dir.path().join("out").display().to_string();
    let got = done(run(&node, &format!("blob get 3a985da7 --out {out} --json"))).json();
    assert_eq!((&got["id"], read(&out).as_slice()), (&ABC.into(), b"abc".as_slice()));
    assert!(done(run(&node, "blob path 3a98")).out.trim_end().ends_with(ABC));
    for (line, said) in [
        ("blob pin 3a985", "Pinned"),
        ("blob unpin 3a985", "Unpinned"),
        ("blob reserve 3a98 --for 1m", "Reserved"),
        ("blob rm 3a98", "Removed"),
    ] {
        let ran = done(run(&node, line));
        assert!(ran.out.starts_with(&format!("{said} {ABC}")), "{line}: {ran:?}");
    }
    let gone = run(&node, "blob rm 3a98 --json");
    assert_eq!((gone.exit, kind(&gone).as_str()), (3, "blob_unknown"));
    let short = run(&node, "blob rm 3a9 --json");
    assert_eq!((short.exit, kind(&short).as_str()), (2, "invalid_argument"));
}
