//! `plan`, `apply --plan`, `apply --wait`, `status --target` and `why`, where nobody plans: a fake fulcrum shows members,
//! documents, and the plan that the test makes.

use std::fs;

use crux_crdt::document::Target;
use crux_crdt::name::Label;
use crux_crdt::record::{Amount, Pass, PlanKey};
use crux_protocol::proctor::planner::{self, Newest};
use serde_json::{Value, json};

use super::document::{Flock, done, refused};
use super::target::Site;
use super::*;
use crate::view::Leads;
use crate::view::testing::principal;

fn is(exit: u8, kind: &str) -> (u8, String) {
    (exit, kind.to_owned())
}

/// Digits, which are others in each run, as `…`.
fn plain(flock: &Flock, ran: &Ran) -> String {
    let shown = ran.shown().replace(&flock.node.dir.path().display().to_string(), "DIR");
    let hex = |word: &str| {
        let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        word.len() >= 8 && word.chars().all(is_hex)
    };
    let word = |word: &str| {
        let bare = word.trim_end_matches([',', '.', ')', '\n']);
        if hex(bare) { word.replace(bare, "…") } else { word.to_owned() }
    };
    shown
        .split_inclusive(' ')
        .map(|it| {
            let (text, space) = it.strip_suffix(' ').map_or((it, ""), |text| (text, " "));
            let lines: Vec<_> = text.split('\n').map(word).collect();
            format!("{}{space}", lines.join("\n"))
        })
        .collect()
}

fn plan(flock: &Flock, site: &Site<'_>, more: &str) -> Ran {
    flock.run(format!("plan {} {more}", site.path()).trim_end())
}

fn field(ran: &Ran, name: &str) -> Value {
    let error: Value = serde_json::from_str(ran.err.lines().last().unwrap()).unwrap();
    error["fields"][name].clone()
}

/// The leader's plan is in force: the target as it is, with so many of `web` on n1.
fn plan_in_force(flock: &Flock, web: u16) {
    let view = flock.node.views.borrow().clone();
    let document = view.documents.target(&Label::main_horde()).unwrap();
    let target = Target::of(document).unwrap().unwrap();
    let spec = target.services()[&"web".parse().unwrap()].spec_tag();
    let pass = Pass { term: 7, leader: principal("n2"), pass: 3 };
    let key = PlanKey { service: "web".parse().unwrap(), spec, first: pass.into() };
    let entries = [(key, Amount::new(web, web).unwrap())].into();
    let newest = Newest {
        pass,
        target: document.marker(),
        failed: Default::default(),
        entries: [(principal("n1"), entries)].into(),
        holds: Default::default(),
        problems: Default::default(),
    };
    let node = |name: &str| {
        let node =
            planner::Node { name: name.to_owned(), is_alive: true, ..planner::Node::default() };
        (principal(name), node)
    };
    let nodes = planner::View { nodes: ["n1", "n2"].map(node).into() };
    let leads = Some(Arc::new(Leads { term: 7, nodes, newest: Some(newest) }));
    flock.node.views.send_replace(Arc::new(View { leads, ..View::clone(&view) }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_has_steps_with_reasons_and_changes_nothing() {
    let flock = Flock::with_alice();
    let site = Site::new(&flock);
    let before = flock.list();
    insta::assert_snapshot!("plan_first", plain(&flock, &done(plan(&flock, &site, ""))));
    let json = done(plan(&flock, &site, "--json")).json();
    let fields: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["base", "exact", "id", "problems", "steps", "unchanged"]);
    assert_eq!(json["base"], Value::Null);
    let step = json!({
        "action": "start", "service": "cache", "node": "n1", "count": 1, "from": null, "to": null,
        "why": "no constraints",
    });
    assert_eq!(json["steps"][0], step);
    assert_eq!(done(plan(&flock, &site, "--json")).json(), json);
    assert_eq!((flock.list(), plan(&flock, &site, "--exit-code").exit), (before, 2));
    // A service without room, and one whose conditions do not hold.
    site.program("pick(web, 9, ALL, max = 2)\npick(cache, 1, ALL)\nstart cache after web\n");
    insta::assert_snapshot!("plan_open", plain(&flock, &done(plan(&flock, &site, ""))));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_changes_a_plan_says_so() {
    let flock = Flock::with_alice();
    let site = Site::new(&flock);
    site.program("pick(web, 2, (\"n1\"))\n");
    fs::remove_file(flock.path("site/cache.toml")).unwrap();
    done(site.apply(""));
    plan_in_force(&flock, 2);
    let ran = plan(&flock, &site, "--exit-code");
    assert_eq!(ran.exit, 0, "{ran:?}");
    insta::assert_snapshot!("plan_same", plain(&flock, &ran));
    let json = done(plan(&flock, &site, "--json")).json();
    assert_eq!((&json["steps"], &json["unchanged"]), (&json!([]), &json!(["web"])));
    assert_eq!(json["base"]["generation"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_applied_while_it_is_the_same_and_refused_with_the_difference() {
    let flock = Flock::with_alice();
    let site = Site::new(&flock);
    let id = |more: &str| {
        let json = done(plan(&flock, &site, &format!("--json {more}"))).json();
        json["id"].as_str().unwrap().to_owned()
    };
    let first = id("");
    assert_eq!(done(site.apply(&format!("--plan {first} --json"))).json()["generation"], 1);
    let apply = |id: &str| site.apply(&format!("--plan {id} --json"));
    let ran = apply(&first);
    assert_eq!(refused(&ran), is(5, "conflict"));
    assert_eq!(field(&ran, "differs"), "base");
    assert!(ran.err.contains("the target is generation 1 now"), "{}", ran.err);
    assert_eq!(field(&ran, "plan"), id(""));
    let second = id("");
    site.program("web := pick(web, 1 + 1, ALL)\npick(cache, 1, web)\n");
    assert_eq!(field(&apply(&second), "differs"), "target");
    site.program("web := pick(web, 2, ALL)\npick(cache, 1, web)\n");
    let view = flock.node.views.borrow().clone();
    let mut members = view.members.clone();
    members.retain(|it| it.node.as_str() != "n1");
    flock.node.views.send_replace(Arc::new(View { members, ..View::clone(&view) }));
    let ran = apply(&second);
    assert_eq!(field(&ran, "differs"), "steps");
    assert!(ran.err.contains("start 1 of 'web' on n2"), "{}", ran.err);
    for bad in ["xyz", "ab", &"A".repeat(64)] {
        assert_eq!(refused(&apply(bad)), is(2, "invalid_argument"), "{bad}");
    }
    assert_eq!(done(flock.run("target show --json")).json()["generation"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_refused_as_apply_is() {
    let flock = Flock::with_alice();
    let site = Site::new(&flock);
    site.program("pick(web, 2, wbe)\n");
    assert_eq!(refused(&plan(&flock, &site, "--json")), is(2, "invalid_config"));
    site.program("pick(web, 2, ALL)\n");
    site.document_of("web", &format!("\"{}\"", "ab".repeat(32)), "");
    assert_eq!(refused(&plan(&flock, &site, "--json")), is(3, "blob_unknown"));
    done(plan(&flock, &site, "--json --allow-missing"));
    // Nobody may sign, and a plan needs nobody's key.
    assert_eq!(refused(&flock.bob(&format!("apply {} --json", site.path()))), is(5, "not_granted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_a_target_is_shown_and_waited_for() {
    let flock = Flock::with_alice();
    for line in ["status --target --json", "why web --json"] {
        assert_eq!(refused(&flock.run(line)), is(3, "not_found"), "{line}");
    }
    let site = Site::new(&flock);
    site.program("pick(web, 2, (\"n1\"))\n");
    fs::remove_file(flock.path("site/cache.toml")).unwrap();
    let ran = site.apply("--wait 100ms --json");
    assert_eq!((ran.exit, ran.json()["generation"].clone()), (6, json!(1)), "{ran:?}");
    assert!(ran.err.contains("web changing: 0 of 2 ready"), "{}", ran.err);
    plan_in_force(&flock, 2);
    insta::assert_snapshot!("status_target", plain(&flock, &done(flock.run("status --target"))));
    let json = done(flock.run("status --target --json")).json();
    let fields: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["fence", "generation", "leader", "leaving", "pass", "services", "state"]);
    assert_eq!(
        (&json["fence"], &json["pass"], &json["state"]),
        (&json!(7), &json!(3), &json!("changing"))
    );
    let service: Vec<_> =
        json["services"][0].as_object().unwrap().keys().map(String::as_str).collect();
    let expected =
        ["failed", "holds", "ready", "running", "service", "state", "versions", "wanted"];
    assert_eq!(service, expected);
    assert_eq!(refused(&flock.run("status --watch --json")).0, 2, "of what it is, nothing goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn reasons_are_shown_for_each_node() {
    let flock = Flock::with_alice();
    let site = Site::new(&flock);
    site.program("web := pick(web, 1, (\"n1\", \"n2\"))\npick(cache, 1, web)\n");
    done(site.apply(""));
    insta::assert_snapshot!("why", plain(&flock, &done(flock.run("why web"))));
    let json = done(flock.run("why web n3 --json")).json();
    let node = json!({ "node": "n3", "present": 0, "wanted": 0, "reasons": ["not in the set"] });
    assert_eq!(json, json!({ "service": "web", "wanted": 1, "problem": null, "nodes": [node] }));
    for (line, kind) in [
        ("why db --json", is(3, "not_found")),
        ("why web n77 --json", is(3, "not_found")),
        ("why We:b --json", is(2, "invalid_name")),
    ] {
        assert_eq!(refused(&flock.run(line)), kind, "{line}");
    }
}
