//! Examples, one for each rule.

use std::collections::BTreeMap;

use crux_khan::checked::PickId;
use crux_khan::pass::{Plan, Stages, gate, pass, why};
use crux_khan::solve::{Problem, solve};
use crux_khan::syntax::Stage;
use crux_khan::world::{Amounts, Node, Present, Room, Scene, Service, World, read};

use crate::case::{Case, compile};

/// The plan of a program in a world as JSON.
fn plan(program: &str, world: &str) -> Plan {
    let Scene { world, stages } = read(world).unwrap();
    pass(&compile(program), &world, &stages)
}

fn wanted(plan: &Plan, service: &str) -> Vec<(String, u32)> {
    plan.wanted
        .get(service)
        .into_iter()
        .flatten()
        .map(|(node, count)| (node.clone(), *count))
        .collect()
}

fn nodes(plan: &Plan, service: &str) -> String {
    let all = wanted(plan, service);
    all.iter()
        .map(|(node, count)| {
            format!("{node}{}", if *count > 1 { format!("×{count}") } else { String::new() })
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// Two nodes with room for 3, and two services that take 2 and 1.
pub(crate) fn bins() -> Case {
    let node = |name: &str| Node {
        name: name.to_owned(),
        room: Room([None, None, Some(3)]),
        ..Node::default()
    };
    let mut world = World::new(vec![node("n0"), node("n1")]).unwrap();
    for (service, weight) in [("s0", 2), ("s1", 1)] {
        world
            .describe(
                service.parse().unwrap(),
                Service { weight: Amounts([0, 0, weight]), priority: 0 },
            )
            .unwrap();
    }
    let program = "pick(s1, 4, ALL)\npick(s0, 1, ALL)\n".to_owned();
    Case { checked: compile(&program), program, world }
}

const THREE: &str = r#"{"nodes": [{"name": "n0"}, {"name": "n1"}, {"name": "n2"}]}"#;

#[test]
fn a_number_is_rounded_up_and_a_cap_follows_from_it() {
    assert_eq!(nodes(&plan("pick(web, SIZE(ALL) / 2, ALL)", THREE), "web"), "n0 n1");
    assert_eq!(nodes(&plan("pick(web, 7, ALL)", THREE), "web"), "n0×3 n1×2 n2×2");
    assert_eq!(nodes(&plan("pick(web, 7, ALL, max = 1.5)", THREE), "web"), "n0×2 n1×2 n2×2");
    assert_eq!(nodes(&plan("pick(web, 0, LABEL(gpu))", THREE), "web"), "");
}

#[test]
fn what_has_no_value_stays_as_it_runs_with_all_that_rests_on_it() {
    let world = r#"{"nodes": [{"name": "n0"}, {"name": "n1"}], "present": {"a": {"n0": 2}, "b": {"n1": 1}, "c": {"n0": 1}}}"#;
    let program = "a := pick(a, 1 / SIZE(LABEL(x)), ALL)\npick(b, 1, !a)\npick(c, 1, !(\"n0\"))\npick(d, 1, b)\nb := LABEL(y)";
    let plan = plan(program, world);
    let problems: Vec<String> = plan.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "arithmetic: 'a': division by zero: `SIZE(LABEL(x))` is 0; it stays as it runs",
            "blocked: 'b' rests on 'a'; it stays as it runs",
            "empty: the set of 'd' has no node; it stays as it runs",
        ]
    );
    assert_eq!(
        (nodes(&plan, "a"), nodes(&plan, "b"), nodes(&plan, "c")),
        ("n0×2".into(), "n1".into(), "n1".into())
    );
    assert_eq!(plan.cost.unsolved, 3);
}

#[test]
fn counts_out_of_range_are_arithmetic() {
    let why = |program: &str| match &plan(program, THREE).problems[..] {
        [Problem::Arithmetic { why, .. }] => why.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(why("pick(a, SIZE(ALL) - 5, ALL)"), "-2 instances; from 0 to 100000 are possible");
    assert_eq!(why("pick(a, 100001, ALL)"), "100001 instances; from 0 to 100000 are possible");
    assert_eq!(
        why("pick(a, 99999, ALL)\npick(b, 2, ALL)"),
        "2 instances, after 99999 of others; 100000 in all are possible"
    );
}

#[test]
fn a_spread_fills_the_least_filled_value_first() {
    let world = r#"{"nodes": [
        {"name": "n0", "labels": {"zone": "a"}}, {"name": "n1", "labels": {"zone": "a"}},
        {"name": "n2", "labels": {"zone": "b"}}, {"name": "n3", "labels": {"zone": "b"}}, {"name": "n4"}]}"#;
    assert_eq!(nodes(&plan("pick(web, 3, ALL, spread = zone)", world), "web"), "n0 n2 n4");
    assert_eq!(nodes(&plan("pick(web, 4, ALL, spread = zone)", world), "web"), "n0 n1 n2 n4");
    let running = world.replace("]}", r#"], "present": {"web": {"n0": 1, "n1": 1, "n2": 1}}}"#);
    // The fullest value first, and its last name.
    assert_eq!(nodes(&plan("pick(web, 2, ALL, spread = zone)", &running), "web"), "n0 n2");
    assert_eq!(nodes(&plan("pick(web, 4, ALL, spread = zone)", &running), "web"), "n0 n1 n2 n4");
}

/// Dropped first: nodes that get nothing new; the node with most; the youngest; the last name.
#[test]
fn surplus_is_dropped_in_an_order() {
    let drop = |present: &str, usage: &str| {
        let world = format!(
            r#"{{"nodes": [{{"name": "n0"}}, {{"name": "n1"}}, {{"name": "n2"}}],
                "present": {{"web": {{{present}}}}}, "usage": {{{usage}}}}}"#
        );
        nodes(&plan("pick(web, 2, ALL)", &world), "web")
    };
    assert_eq!(drop(r#""n0": 1, "n1": 1, "n2": 1"#, ""), "n0 n1");
    assert_eq!(drop(r#""n0": 1, "n1": 1, "n2": 1"#, r#""n0": "keep""#), "n1 n2");
    assert_eq!(
        drop(
            r#""n0": {"count": 1, "rank": 2}, "n1": {"count": 1, "rank": 1}, "n2": {"count": 1, "rank": 1}"#,
            ""
        ),
        "n1 n2"
    );
    assert_eq!(drop(r#""n0": {"count": 2, "rank": 9}, "n1": {"count": 1}"#, ""), "n0 n1");
    let world = r#"{"nodes": [{"name": "n0"}, {"name": "n1"}],
        "present": {"web": {"n0": {"count": 2, "rank": 1}, "n1": {"count": 1, "rank": 2}}}}"#;
    assert_eq!(nodes(&plan("pick(web, 2, (\"n0\", \"n1\"), max = 2)", world), "web"), "n0 n1");
}

#[test]
fn new_instances_go_to_the_least_loaded_node() {
    let world = r#"{"nodes": [{"name": "n0"}, {"name": "n1", "room": [null, 400, null]}, {"name": "n2"}],
        "room": [1000, 1000, null], "present": {"db": {"n0": 1}, "other": {"n2": 1}},
        "weights": {"db": [100, 600, 1], "other": [700, 0, 1], "web": [10, 10, 1]}}"#;
    assert_eq!(nodes(&plan("pick(web, 1, ALL)", world), "web"), "n1");
    // 60 % of n0 and 70 % of n2 are used.
    assert_eq!(nodes(&plan("pick(web, 2, ALL)", world), "web"), "n0 n1");
}

#[test]
fn a_higher_priority_is_placed_first_and_pushes_nobody_out() {
    let world = |present: &str| {
        format!(
            r#"{{"nodes": [{{"name": "n0"}}], "room": [null, null, 1], "weights": {{"low": [0, 0, 1], "high": [0, 0, 1]}},
                "priorities": {{"high": 5}}, "present": {{{present}}}}}"#
        )
    };
    let program = "pick(low, 1, ALL)\npick(high, 1, ALL)";
    let plan = |present: &str| plan(program, &world(present));
    assert_eq!(
        (nodes(&plan(""), "low"), nodes(&plan(""), "high")),
        (String::new(), "n0".to_owned())
    );
    let runs = plan(r#""low": {"n0": 1}"#);
    assert_eq!((nodes(&runs, "low"), nodes(&runs, "high")), ("n0".to_owned(), String::new()));
}

#[test]
fn an_instance_moves_so_that_another_finds_a_node() {
    let world = r#"{"nodes": [{"name": "n0", "labels": ["gpu"]}, {"name": "n1"}], "room": [null, null, 1],
        "weights": {"web": [0, 0, 1], "ml": [0, 0, 1]}, "present": {"web": {"n0": 1}}}"#;
    let plan = plan("pick(web, 1, ALL)\npick(ml, 1, LABEL(gpu))", world);
    assert_eq!((nodes(&plan, "web"), nodes(&plan, "ml")), ("n1".to_owned(), "n0".to_owned()));
    assert_eq!(
        plan.explain,
        [
            "stop 1 of 'web' on n0; moves, so that others find a node",
            "start 1 of 'web' on n1; no constraints",
            "start 1 of 'ml' on n0; no constraints",
        ]
    );
    assert!(plan.exact);
}

#[test]
fn reasons_are_counted() {
    let world = r#"{"nodes": [{"name": "n0"}, {"name": "n1", "labels": ["a"]}, {"name": "n2", "labels": ["a"]},
            {"name": "n3", "labels": ["a"]}, {"name": "n4", "labels": ["a"]}],
        "room": [1000, 100, null], "usage": {"n1": "out", "n2": "keep"}, "present": {"db": {"n3": 1}},
        "weights": {"db": [0, 80, 0], "web": [600, 30, 0]}}"#;
    let plan = plan("pick(web, 3, LABEL(a))\npick(db, 1, (\"n3\"))", world);
    assert_eq!(plan.problems.len(), 1);
    assert_eq!(
        plan.problems[0].to_string(),
        "short: 2 of 'web' find no room; drained or lost: 1, not in the set: 1, cordoned or away: 1, \
         has 1 already: 1, no room: cpu: 1, no room: memory: 1"
    );
}

#[test]
fn gates_count_what_is_started_and_ask_for_shares_of_what_is_wanted() {
    let Scene { world, .. } = read(THREE).unwrap();
    let checked = compile(
        "db := pick(db, 3, ALL)\npick(web, 1, ALL)\npick(job, 1, ALL)\npick(none, 1, LABEL(x))\n\
         start web after db\nstart job after SIZE(db) of db.start 34% of db 1 of db.unknown\n\
         start job after 10% of none",
    );
    let solution = solve(&checked, &world);
    let mut stages = Stages::default();
    let counts = [(Stage::Start, 1), (Stage::Ready, 1), (Stage::Unknown, 1)];
    stages.put("db".parse().unwrap(), BTreeMap::from(counts));
    let gate = |service: &str| {
        gate(&checked, &world, &solution, checked.pick_of(service).unwrap(), &stages)
    };
    assert_eq!((gate("db").open, &*gate("db").why), (true, "no constraints"));
    assert_eq!(
        (gate("web").open, &*gate("web").why),
        (false, "bad[db.ready: actual(33.3%) < target(100.0%)]")
    );
    assert_eq!(
        gate("job").why,
        "bad[db.start: actual(2) < target(3)] bad[db.ready: actual(33.3%) < target(34.0%)] \
         good[db.unknown: actual(1) >= target(1)] bad[none.ready: actual(0.0%) < target(10.0%)]"
    );
    assert!(!gate("job").open);
}

#[test]
fn a_share_of_what_has_no_value_is_not_met() {
    let plan =
        plan("pick(a, 1 / SIZE(LABEL(x)), ALL)\npick(b, 1, ALL)\nstart b after 0% of a", THREE);
    assert_eq!(
        plan.explain,
        ["start no instances of 'b' on n0; bad[a.ready: the number wanted has no value]"]
    );
}

#[test]
fn it_says_why_not_here() {
    let Scene { world, .. } = read(
        r#"{"nodes": [{"name": "n0"}, {"name": "n1", "room": [null, 5, null]}, {"name": "n2", "labels": ["db"]}, {"name": "n3"}],
            "weights": {"web": [0, 10, 0]}}"#,
    )
    .unwrap();
    let checked = compile("pick(web, 1, !LABEL(db))\npick(db, 1, LABEL(nowhere))");
    let solution = solve(&checked, &world);
    let line = |service: &str, node: usize| {
        why(&checked, &world, &solution, checked.pick_of(service).unwrap(), node).to_string()
    };
    assert_eq!(line("web", 0), "1 wanted here, 0 present; has 1 already");
    assert_eq!(line("web", 1), "0 wanted here, 0 present; no room: memory");
    assert_eq!(line("web", 2), "0 wanted here, 0 present; not in the set");
    assert_eq!(
        line("web", 3),
        "0 wanted here, 0 present; 1 wanted in all, and they are where less has to change"
    );
    assert_eq!(
        line("db", 0),
        "0 wanted here, 0 present; empty: the set of 'db' has no node; it stays as it runs"
    );
}

/// A pick that rests on another prefers what runs: `a` goes where `b` is.
#[test]
fn picks_prefer_nodes_where_what_rests_on_them_runs() {
    let world = r#"{"nodes": [{"name": "n0"}, {"name": "n1"}, {"name": "n2"}], "present": {"b": {"n2": 1}}}"#;
    let plan = plan("a := pick(a, 1, ALL)\npick(b, 1, a)", world);
    assert_eq!((nodes(&plan, "a"), plan.cost.starts, plan.exact), ("n2".to_owned(), 1, true));
}

/// The room that a moved instance leaves is seen by the picks that rest on it.
#[test]
fn sets_follow_instances_that_move_later() {
    // `b` is placed last and takes the place of `a`, which moves; `c` rests on where `a` is then.
    let world = r#"{"nodes": [{"name": "n0", "labels": ["x"]}, {"name": "n1"}], "room": [null, null, 1],
        "weights": {"a": [0, 0, 1], "b": [0, 0, 1]}}"#;
    let Scene { world, .. } = read(world).unwrap();
    let checked = compile(
        "q := pick(q, 1, ALL)\na := pick(a, 1, ALL)\npick(b, 1, LABEL(x) & (q | !q))\npick(c, 1, a)",
    );
    let solution = solve(&checked, &world);
    crate::rules::check(&checked, &world, &solution);
    assert_eq!(solution.problems, []);
}

#[test]
fn a_solution_is_asked_by_pick() {
    let Scene { mut world, .. } = read(THREE).unwrap();
    world.run("web".parse().unwrap(), "n1", Present::of(1)).unwrap();
    let checked = compile("pick(web, 1, ALL)");
    assert_eq!(solve(&checked, &world).of(PickId::new(0)).wanted, [0, 1, 0]);
}

/// One node with three places, on two of which `s2` runs.
const TWO_OF_THREE: &str = r#"{
  "nodes": [{"name": "n0"}], "room": [null, null, 3], "present": {"s2": {"n0": 2}},
  "weights": {"s0": [0, 0, 1], "s1": [0, 0, 1], "s2": [0, 0, 1]}
}"#;

#[test]
fn the_place_of_what_goes_is_taken_in_the_same_plan() {
    let program = "p := pick(s0, 1, ALL)\npick(s1, 1, p)\npick(s2, 0, p)\n";
    let plan = plan(program, TWO_OF_THREE);
    assert_eq!(plan.problems, []);
    assert_eq!((nodes(&plan, "s0"), nodes(&plan, "s1")), ("n0".into(), "n0".into()));
}

/// With `s1` there, `s2` would have no solution and had to keep both places. So the one that goes makes room later.
#[test]
fn the_place_of_what_would_have_to_stay_is_taken_in_the_next_plan() {
    let program = "p := pick(s0, 1, ALL)\nq := pick(s1, 1, p)\npick(s2, 1, p & !q)\n";
    let first = plan(program, TWO_OF_THREE);
    let problems: Vec<String> = first.problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems, ["short: 1 of 's1' find no room; room comes free with this plan: 1"]);
    assert_eq!((nodes(&first, "s0"), nodes(&first, "s2")), ("n0".into(), "n0".into()));
    let there = TWO_OF_THREE.replace(r#""s2": {"n0": 2}"#, r#""s0": {"n0": 1}, "s2": {"n0": 1}"#);
    let next = plan(program, &there);
    assert_eq!(next.explain, ["start 1 of 's1' on n0; no constraints"]);
    assert!(matches!(&next.problems[..], [Problem::Empty { service }] if service == "s2"));
}
