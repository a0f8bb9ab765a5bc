//! `apply`, `diff` and `target`: files, and a node that holds what is signed.

use std::fs;

use crux_crdt::blob::{BlobId, Descriptor, Root};
use crux_crdt::document::{EARLIER_MAX, Target};
use crux_crdt::name::Label;
use crux_crdt::record::{Offer, SlotKind as _};
use serde_json::{Value, json};

use super::document::{ALICE, BOB, Flock, OPERATOR, done, key, refused};
use super::*;
use crate::view::Said;
use crate::view::testing::principal;

fn is(exit: u8, kind: &str) -> (u8, String) {
    (exit, kind.to_owned())
}

/// A site in the node's directory: `main.khan`, and programs of services as files.
pub(super) struct Site<'a>(&'a Flock);

impl<'a> Site<'a> {
    pub(super) fn new(flock: &'a Flock) -> Self {
        let site = Self(flock);
        fs::create_dir(flock.path("site")).unwrap();
        flock.file("prog", "#!/bin/sh\nexec sleep 1000\n");
        site.program("web := pick(web, 2, ALL)\npick(cache, 1, web)\n");
        site.document("web", "");
        site.document("cache", "");
        site
    }

    pub(super) fn program(&self, text: &str) {
        self.0.file("site/main.khan", text);
    }

    pub(super) fn document(&self, name: &str, rest: &str) {
        let image = self.0.path("prog");
        self.document_of(name, &format!("\"{image}\""), rest);
    }

    pub(super) fn document_of(&self, name: &str, image: &str, rest: &str) {
        let text = format!("name = \"{name}\"\nimage = {image}\n{rest}");
        self.0.file(&format!("site/{name}.toml"), text);
    }

    pub(super) fn path(&self) -> String {
        self.0.path("site")
    }

    /// Applies it, signed by Alice.
    pub(super) fn apply(&self, more: &str) -> Ran {
        self.0.alice(format!("apply {} {more}", self.path()).trim_end())
    }

    /// Changes the argument of web, and applies it.
    fn next(&self, arg: &str) -> Ran {
        self.document("web", &format!("args = [\"{arg}\"]\n"));
        done(self.apply("--json"))
    }
}

/// The lines of `target history`: generation, signer, note, and a mark on the current one.
fn history(flock: &Flock) -> Vec<String> {
    let json = done(flock.run("target history --json")).json();
    let word = |it: &Value| {
        let mark = if it["current"] == true { " *" } else { "" };
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        format!("{} {} {}{mark}", it["generation"], text(&it["by"]["name"]), text(&it["note"]))
    };
    json.as_array().unwrap().iter().map(word).collect()
}

fn shown(flock: &Flock) -> Value {
    done(flock.run("target show --json")).json()
}

fn blobs(flock: &Flock) -> Vec<Value> {
    done(flock.run("blob ls --json")).json().as_array().unwrap().clone()
}

/// A snapshot without what differs from run to run.
fn plain(flock: &Flock, ran: &Ran) -> String {
    ran.shown().replace(&flock.node.dir.path().display().to_string(), "DIR")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_is_applied_shown_and_taken_back() {
    let flock = Flock::with_alice();
    let site = Site::new(&flock);
    let ran = done(site.apply("--note first"));
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("Applied target/main, generation 1\n", ""));
    insta::assert_snapshot!("target_show", done(flock.run("target show")).shown());
    let json = serde_json::to_string_pretty(&shown(&flock)).unwrap();
    insta::assert_snapshot!("json_target_show", json);
    let written = site.next("b").json();
    assert_eq!(written["generation"], 2);
    assert_eq!(written["id"].as_str().unwrap().len(), 64);
    assert_eq!(shown(&flock)["services"]["web"]["args"], json!(["b"]));
    assert_eq!(history(&flock), ["2 alice  *", "1 alice first"]);

    let ran = done(flock.alice("target rollback"));
    assert_eq!(ran.out, "Went back to generation 1: target/main, generation 3\n");
    assert_eq!(shown(&flock)["services"]["web"]["args"], json!([]));
    // Going back can be taken back.
    assert_eq!(done(flock.alice("target rollback --json")).json()["generation"], 4);
    assert_eq!(shown(&flock)["services"]["web"]["args"], json!(["b"]));
    done(flock.alice("target rollback 1 --note again"));
    assert_eq!(shown(&flock)["services"]["web"]["args"], json!([]));
    let all = ["5 alice again *", "4 alice back to generation 2", "3 alice back to generation 1"];
    assert_eq!(history(&flock)[..3], all);
    insta::assert_snapshot!("target_history", done(flock.run("target history")).shown());
    assert_eq!(refused(&flock.alice("target rollback 5 --json")), is(2, "invalid_argument"));
    assert_eq!(refused(&flock.alice("target rollback 9 --json")), is(3, "not_found"));
    // The document that `show` prints reads back to the same.
    let toml = done(flock.run("target show --service web")).out;
    flock.file("site/web.toml", toml);
    let diff = done(flock.run(&format!("diff {}", site.path()))).out;
    assert_eq!(diff, "No difference to generation 5.\n");
    let ran = flock.run("target show --service db --json");
    assert_eq!(refused(&ran), is(3, "not_found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_are_kept_as_blobs_while_the_target_names_them() {
    let flock = Flock::with_alice();
    let site = Site::new(&flock);
    for n in 0..EARLIER_MAX + 2 {
        site.next(&n.to_string());
    }
    let history = history(&flock);
    assert_eq!(history.len(), EARLIER_MAX + 1, "the oldest one is left out");
    let pinned: Vec<_> = blobs(&flock).into_iter().filter(|it| it["pinned"] == true).collect();
    assert_eq!(pinned.len(), history.len());
    // The image is not pinned: the node whose service it is keeps it.
    assert_eq!(blobs(&flock).len(), history.len() + 2);
    let oldest = format!("target rollback {} --json", 2);
    done(flock.alice(&oldest));
    assert_eq!(shown(&flock)["services"]["web"]["args"], json!(["1"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_content_that_nobody_has_is_not_gone_back_to() {
    let flock = Flock::with_alice();
    let site = Site::new(&flock);
    site.next("a");
    let blob = Target::read(&Label::main_horde(), &content(&flock)).unwrap().blob();
    site.next("b");
    done(flock.run(&format!("blob rm {blob} --yes")));
    let before = flock.list();
    let ran = flock.alice("target rollback --json");
    assert_eq!(refused(&ran), is(3, "blob_unknown"));
    assert!(ran.err.contains("generation 1") && ran.err.contains("Start the node"), "{}", ran.err);
    assert_eq!(flock.list(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_changes_nothing() {
    let flock = Flock::with_alice();
    let site = Site::new(&flock);
    done(site.apply(""));
    let (before, held) = (flock.list(), blobs(&flock));
    let refuse = |what: &str, (exit, kind): (u8, &str), place: &str| {
        let ran = site.apply("--json");
        assert_eq!(refused(&ran), is(exit, kind), "{what}: {}", ran.err);
        let error: Value = serde_json::from_str(ran.err.lines().last().unwrap()).unwrap();
        let field = |name: &str| error["fields"][name].as_str().unwrap_or_default().to_owned();
        let file = field("file").rsplit('/').next().unwrap_or_default().to_owned();
        let found = format!("{file}:{}:{}", field("line"), field("column"));
        assert_eq!(found.trim_matches(':'), place, "{what}");
        assert_eq!(flock.list(), before, "{what}");
        assert_eq!(blobs(&flock), held, "{what}");
    };
    site.program("web := pick(web, 2, ALL)\npick(cache, 1, wbe)\n");
    refuse("an unbound name", (2, "invalid_config"), "main.khan:2:16");
    site.program("pick(web, 2, ALL)\npick(cache, 1, ALL)\n  pick(db, 1, ALL)\n");
    refuse("a pick without a document", (2, "invalid_config"), "main.khan:3:3");
    site.program("pick(web, 2, ALL)\npick(cache, 1, ALL)\n");
    site.document("web", "colour = 1\n");
    refuse("an unknown key", (2, "invalid_config"), "web.toml:3:1");
    site.document_of("web", &format!("\"{}\"", "ab".repeat(32)), "");
    refuse("an image that nobody holds", (3, "blob_unknown"), "web.toml:2:1");
    site.document_of("web", &format!("{{ x86_64 = \"{}\" }}", flock.path("none")), "");
    refuse("a program that is not there", (2, "invalid_config"), "web.toml:2:11");
    site.document("web", "");
    let arg = format!("args = [\"{}\"]\n", "x".repeat(40 * 1024));
    flock.file("prog", "another program");
    site.document("web", &arg);
    site.document("cache", &arg);
    refuse("more than a document holds", (5, "target_too_large"), "");
    site.document("web", "");
    site.document("cache", "");
    fs::remove_file(flock.path("site/main.khan")).unwrap();
    refuse("no program", (3, "not_found"), "");
    site.program("pick(web, 2, ALL)\npick(cache, 1, ALL)\n");
    let long = "n".repeat(257);
    let ran = site.apply(&format!("--json --note {long}"));
    assert_eq!(refused(&ran), is(2, "invalid_argument"));
    let ran = flock.bob(&format!("apply {} --json", site.path()));
    assert_eq!(refused(&ran), is(5, "not_granted"));
    flock.add("bob", BOB, "--role deployer:edge");
    let ran = flock.bob(&format!("apply {} --json", site.path()));
    assert_eq!(refused(&ran), is(5, "not_granted"), "another horde's grant");
    for line in ["target rollback", "target upgrade */*/*/web */*/*/web/v2"] {
        assert_eq!(refused(&flock.bob(&format!("{line} --json"))), is(5, "not_granted"), "{line}");
    }
    assert_eq!(blobs(&flock), held, "no image is put for what is refused");
    assert_eq!(shown(&flock)["generation"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_shown_to_people_and_counted_for_scripts() {
    let flock = Flock::with_alice();
    let site = Site::new(&flock);
    site.program("web := pick(web, 2, dbs)\npick(cache, 1, web)\n");
    site.document("web", "colour = \"red\"\n");
    insta::assert_snapshot!("apply_refused", plain(&flock, &site.apply("")));
    let ran = site.apply("--json");
    let error: Value = serde_json::from_str(&ran.err).unwrap();
    let errors: Value = serde_json::from_str(error["fields"]["errors"].as_str().unwrap()).unwrap();
    let kinds: Vec<_> = errors.as_array().unwrap().iter().map(|it| &it["kind"]).collect();
    assert_eq!(kinds, ["unbound", "config"]);
    for field in ["file", "line", "column", "end", "message", "help"] {
        assert!(!errors[0].get(field).unwrap().is_null() || field == "help", "{field}: {errors}");
    }
    site.program("pick(web, 2, ALL)\n");
    site.document("web", "");
    insta::assert_snapshot!("apply_warned", plain(&flock, &done(site.apply(""))));
    let ran = done(site.apply("--json"));
    let warning: Value = serde_json::from_str(ran.err.lines().next().unwrap()).unwrap();
    assert_eq!(warning["warning"]["kind"], "not_picked");
    assert_eq!(ran.json()["generation"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn images_are_files_blobs_of_the_node_or_of_live_members() {
    let flock = Flock::with_alice();
    let site = Site::new(&flock);
    let put = done(flock.run(&format!("blob put {} --json", flock.path("prog")))).json();
    let here = put["id"].as_str().unwrap().to_owned();
    let there = BlobId([0xab; 32]);
    site.document_of("web", &format!("\"{}\"", &here[..8]), "");
    site.document_of("cache", &format!("\"{there}\""), "");
    assert_eq!(refused(&site.apply("--json")), is(3, "blob_unknown"));
    let offer = Offer(Descriptor { blob: there, root: Root([1; 32]), size: 1 });
    let view = flock.node.views.borrow().clone();
    let said = |by: &str| {
        let mut said = Said::default();
        said.add(principal(by), &Arc::new(offer.into_slot()));
        flock.node.views.send_replace(Arc::new(View { said, ..View::clone(&view) }));
    };
    said("n4");
    assert_eq!(refused(&site.apply("--json")), is(3, "blob_unknown"), "n4 is dead");
    said("n2");
    done(site.apply(""));
    let services = &shown(&flock)["services"];
    assert_eq!(
        (&services["web"]["image"], &services["cache"]["image"]),
        (&json!(here), &json!(there.to_string()))
    );
    let nobody = "cd".repeat(32);
    site.document_of("web", &format!("\"{nobody}\""), "");
    done(site.apply("--allow-missing"));
    assert_eq!(shown(&flock)["services"]["web"]["image"], nobody);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_and_a_comparison_change_nothing() {
    let flock = Flock::with_alice();
    let site = Site::new(&flock);
    let (before, none) = (flock.list(), Vec::<Value>::new());
    let ran = done(site.apply("--dry-run"));
    assert!(ran.out.starts_with("Would sign target/main as alice ("), "{}", ran.out);
    let diff = |more: &str| done(flock.run(&format!("diff {}{more}", site.path())));
    insta::assert_snapshot!(
        "diff_first",
        plain(&flock, &diff("")).replace(&image(&flock), "IMAGE")
    );
    assert_eq!((flock.list(), blobs(&flock)), (before, none));
    done(site.apply(""));
    assert_eq!(diff("").out, "No difference to generation 1.\n");
    site.program("pick(web, 3, ALL)\npick(db, 1, ALL)\n");
    site.document("web", "rev = \"v2\"\n");
    site.document("db", "");
    fs::remove_file(flock.path("site/cache.toml")).unwrap();
    insta::assert_snapshot!("diff", plain(&flock, &diff("")).replace(&image(&flock), "IMAGE"));
    let json = diff(" --json").json();
    let changes: Vec<_> = json["services"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (&it["service"], &it["change"]))
        .collect();
    let expected = [("cache", "removed"), ("db", "added"), ("web", "changed")]
        .map(|(a, b)| (json!(a), json!(b)));
    assert_eq!(changes, expected.iter().map(|(a, b)| (a, b)).collect::<Vec<_>>());
    assert_eq!((&json["generation"], &json["unchanged"]), (&json!(1), &json!([])));
}

/// The blob that the program is.
fn image(flock: &Flock) -> String {
    let mut hasher = crux_crdt::blob::BlobHasher::default();
    hasher.update(&fs::read(flock.path("prog")).unwrap());
    hasher.finish().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_changes_revisions_by_image_or_by_what_was() {
    let flock = Flock::with_alice();
    let site = Site::new(&flock);
    done(site.apply(""));
    let first = image(&flock);
    flock.file("prog2", "another program");
    let image = flock.path("prog2");
    let web = |rev: &str| format!("*/main/*/web/{rev}");
    let upgrade = |from: &str, to: &str, more: &str| {
        flock.alice(format!("target upgrade {from} {to} {more}").trim_end())
    };
    let ran = upgrade(&web("v1"), &web("v2"), "--json");
    assert_eq!(refused(&ran), is(3, "not_found"), "no generation had v2");
    let ran = done(upgrade(&web("v1"), &web("v2"), &format!("--image {image}")));
    assert_eq!(ran.out, "Upgraded target/main, generation 2\n");
    let web_of = |field: &str| shown(&flock)["services"]["web"][field].clone();
    assert_eq!(web_of("rev"), "v2");
    assert_ne!(web_of("image"), json!(first));
    assert_eq!(shown(&flock)["services"]["cache"]["rev"], "v1");
    done(upgrade("/dev/main/*/web", "/dev/main/*/web/v1", ""));
    assert_eq!((web_of("rev"), web_of("image")), (json!("v1"), json!(first)));
    let note = "3 alice /dev/main/*/web to /dev/main/*/web/v1 *";
    assert_eq!(history(&flock)[0], note);
    for (from, to, exit, kind) in [
        (web("v1"), web("v1"), 5, "already_exists"),
        (web("v7"), web("v8"), 3, "not_found"),
        (web("v1"), web("v8"), 3, "not_found"),
        (web("v1"), "*/main/*/web".to_owned(), 2, "invalid_argument"),
        (web("v1"), "*/main/*/db/v2".to_owned(), 2, "invalid_argument"),
        (web("v1"), "*/edge/*/web/v2".to_owned(), 2, "invalid_argument"),
        ("*/main/n1/web/v1".to_owned(), web("v2"), 2, "invalid_argument"),
        ("/other/main/*/web/v1".to_owned(), "/other/main/*/web/v2".to_owned(), 3, "not_found"),
        ("we*".to_owned(), web("v2"), 2, "invalid_path"),
    ] {
        let ran = upgrade(&from, &to, "--json");
        assert_eq!(refused(&ran), is(exit, kind), "{from} {to} {}", ran.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_is_ended_by_the_next_target() {
    let flock = Flock::with_alice();
    flock.add("bob", BOB, "--grant deploy:*");
    let site = Site::new(&flock);
    site.next("a");
    let content = content(&flock);
    flock.hold(BOB, &key("target/main"), (1, 1), Some(&content));
    assert_eq!(shown(&flock)["conflict"], true);
    let ran = done(site.apply(""));
    assert!(ran.err.contains("was in conflict, which this ends"), "{}", ran.err);
    assert_eq!((history(&flock).len(), &shown(&flock)["conflict"]), (2, &json!(false)));
}

/// The content of the target.
fn content(flock: &Flock) -> Vec<u8> {
    let shown = done(flock.run("doc show target/main --json")).json();
    let content = shown["content_base64"].as_str().unwrap();
    data_encoding::BASE64.decode(content.as_bytes()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_has_no_effect_is_not_a_target() {
    let flock = Flock::with_alice();
    let site = Site::new(&flock);
    let show = || refused(&flock.run("target show --json"));
    let none = |why: &str| {
        assert_eq!(show(), is(3, "not_found"), "{why}");
        assert_eq!(history(&flock), [""; 0], "{why}");
        assert_eq!(refused(&flock.alice("target rollback --json")), is(3, "not_found"), "{why}");
    };
    none("there is none");
    flock.hold(ALICE, &key("target/main"), (1, 1), Some(b"not a target"));
    none("another content");
    let ran = done(site.apply(""));
    assert!(ran.err.contains("it has no history"), "{}", ran.err);
    assert_eq!(history(&flock), ["2 alice  *"]);
    assert_eq!(
        refused(&flock.alice("target rollback --json")),
        is(3, "not_found"),
        "nothing before"
    );
    done(flock.alice("doc rm target/main"));
    none("it is deleted");
    done(site.apply(""));
    assert_eq!(history(&flock), ["4 alice  *"]);
    // Alice may not write it any longer, and nobody signed it again.
    done(flock.operator("user rm alice --without target/main"));
    assert_eq!(show(), is(3, "not_found"));
    assert_eq!(history(&flock), [""; 0]);
    let line = format!("apply {} --operator-key {}", site.path(), flock.path("operator.key"));
    let ran = done(flock.run(&line));
    assert!(ran.err.contains("was void"), "{}", ran.err);
    assert_eq!(history(&flock), ["5 operator  *"]);
    let newer = [&[9][..], b"what comes later"].concat();
    flock.hold(OPERATOR, &key("target/main"), (9, 9), Some(&newer));
    assert_eq!(refused(&flock.run(&format!("{line} --json"))), is(1, "unsupported"));
}
