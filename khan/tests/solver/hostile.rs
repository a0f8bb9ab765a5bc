//! Programs and worlds that are made to be expensive. Each ends, because searches are bounded by steps.

use crux_khan::checked::PickId;
use crux_khan::solve::solve;
use crux_khan::world::{Amounts, Node, Present, Room, Service, World, WorldError, bounds, read};

use crate::case::compile;
use crate::rules;

fn world(nodes: usize, room: Room) -> World {
    let node = |at: usize| Node {
        name: format!("n{at:05}"),
        labels: [(format!("c{}", at % 3), String::new())].into(),
        room,
        ..Node::default()
    };
    World::new((0..nodes).map(node).collect()).unwrap()
}

fn picks(count: usize, pick: impl Fn(usize) -> String) -> String {
    (0..count).map(pick).collect()
}

/// Names that double the work each, if each is evaluated wherever it is mentioned.
#[test]
fn names_are_evaluated_once() {
    let mut program =
        "a0 := LABEL(c0) | LABEL(c1)\nb0 := pick(q, 2, ALL)\nx0 := SIZE(a0)\n".to_owned();
    for at in 1..13 {
        let before = at - 1;
        program += &format!("a{at} := a{before} | (a{before} & a{before} & !a{before})\n");
        program += &format!("b{at} := b{before} | (b{before} & b{before} & !b{before})\n");
        program += &format!(
            "x{at} := x{before} + x{before} + x{before} + x{before} - x{before} - x{before} - x{before}\n"
        );
    }
    program += "pick(s, x12, a12)\npick(t, 1, b12 & a12)\n";
    let checked = compile(&program);
    let solution = solve(&checked, &world(30, Room::default()));
    // 20 of `s`, and `t` on one of the two nodes of `q`.
    assert_eq!((solution.cost.starts, solution.problems.len()), (23, 0));
}

/// No solution, and each pick is crowded: all rounds are made, with all paths.
#[test]
fn a_search_without_an_end_is_given_up() {
    let mut world = world(600, Room([None, None, Some(2)]));
    let program = picks(250, |at| {
        format!(
            "p{at} := pick(s{at}, {}, {})\n",
            3 + at % 5,
            match at % 4 {
                0 => "ALL".to_owned(),
                1 => "LABEL(c0)".to_owned(),
                2 => format!("!p{}", at - 1),
                _ => format!("LABEL(c1) & (p{} | !p{})", at - 3, at - 1),
            }
        )
    });
    for at in 0..250 {
        let weight = Amounts([0, 0, 1]);
        world.describe(format!("s{at}").parse().unwrap(), Service { weight, priority: 0 }).unwrap();
    }
    let checked = compile(&program);
    let solution = solve(&checked, &world);
    rules::check(&checked, &world, &solution);
    assert!(!solution.exact && !solution.problems.is_empty());
}

#[test]
fn many_instances_on_few_nodes_are_placed() {
    let world = world(3, Room::default());
    let program = picks(250, |at| format!("pick(s{at}, 400, ALL)\n"));
    let solution = solve(&compile(&program), &world);
    assert_eq!((solution.cost.starts, solution.exact), (100_000, true));
}

#[test]
fn a_horde_without_nodes_has_empty_sets() {
    let checked = compile("pick(a, 1, ALL)\npick(b, 0, ALL)\npick(c, SIZE(ALL), ALL)");
    let world = World::new(vec![]).unwrap();
    let solution = solve(&checked, &world);
    rules::check(&checked, &world, &solution);
    assert_eq!(solution.problems.len(), 1);
}

/// More than fits may run, as after a change of limits: it stays, and nothing arrives.
#[test]
fn what_is_overfull_stays_and_gets_nothing() {
    let mut world = world(2, Room([None, Some(100), None]));
    let name: crux_crdt::name::ServiceName = "s0".parse().unwrap();
    let weight = Amounts([0, bounds::AMOUNT_MAX, 0]);
    world.describe(name.clone(), Service { weight, priority: 0 }).unwrap();
    world.run(name, "n00000", Present::of(bounds::COUNT_MAX - 1)).unwrap();
    let checked = compile("pick(s0, 99999, (\"n00000\"))\npick(s1, 1, ALL)");
    let solution = solve(&checked, &world);
    assert_eq!(solution.of(PickId::new(0)).wanted, [99_999, 0]);
    assert_eq!(solution.of(PickId::new(1)).wanted, [0, 1]);
}

#[test]
fn worlds_have_bounds() {
    let nodes = |count: usize| vec![Node::default(); count];
    assert_eq!(
        World::new(nodes(bounds::NODES_MAX + 1)),
        Err(WorldError::Nodes { found: bounds::NODES_MAX + 1 })
    );
    assert_eq!(World::new(nodes(2)), Err(WorldError::Twice { node: String::new() }));
    let room = Room([Some(1 << 31), None, None]);
    assert!(matches!(
        World::new(vec![Node { room, ..Node::default() }]),
        Err(WorldError::Amount { .. })
    ));
    let mut world = world(1, Room::default());
    for at in 0..bounds::SERVICES_MAX {
        let name: crux_crdt::name::ServiceName = format!("s{at}").parse().unwrap();
        world.describe(name.clone(), Service::default()).unwrap();
        world.run(name, "n00000", Present::of(1)).unwrap();
    }
    let more: crux_crdt::name::ServiceName = "more".parse().unwrap();
    assert_eq!(world.describe(more.clone(), Service::default()), Err(WorldError::Services));
    assert_eq!(world.run(more.clone(), "n00000", Present::of(1)), Err(WorldError::Services));
    assert_eq!(
        world.run(more.clone(), "n1", Present::of(1)),
        Err(WorldError::Unknown { node: "n1".into() })
    );
    assert_eq!(
        world.run(more, "n00000", Present::of(100_001)),
        Err(WorldError::Count { found: 100_001 })
    );
}

/// Errors of the reader say where.
#[test]
fn worlds_that_are_wrong_say_where() {
    let error = |text: &str| read(text).unwrap_err().to_string();
    assert_eq!(error("{"), "EOF while parsing an object at line 1 column 1");
    assert_eq!(error("{}"), "missing field `nodes` at line 1 column 2");
    assert_eq!(
        error("{\n \"node\": []}"),
        "unknown field `node`, expected one of `nodes`, `present`, `usage`, `room`, `weights`, `priorities`, `stages` \
         at line 2 column 7"
    );
    let with = |rest: &str| error(&format!(r#"{{"nodes": [{{"name": "n0"}}], {rest}}}"#));
    assert_eq!(with(r#""present": {"a": {"n1": 1}}"#), "present.a.n1: there is no node `n1`");
    assert_eq!(
        with(r#""present": {"a": {"n0": 100001}}"#),
        "present.a.n0: 100001 instances on one node; at most 100000 are possible"
    );
    assert_eq!(
        with(r#""present": {"3a": {"n0": 1}}"#),
        "present.3a: invalid name of a service: it starts with '3'; it must start with a letter"
    );
    assert_eq!(
        with(r#""present": {"a": {"n0": 1, "n0": 2}}"#),
        "\"n0\" is there twice at line 1 column 59"
    );
    assert_eq!(
        with(r#""present": {"a": {"n0": -1}}"#),
        "invalid type: integer `-1`, expected a number of instances, or an object with `count` and `rank` at line 1 column 54"
    );
    assert_eq!(
        with(r#""present": {"a": {"n0": 4294967296}}"#),
        "more instances than are possible at line 1 column 62"
    );
    assert_eq!(with(r#""usage": {"n1": "keep"}"#), "usage.n1: there is no node `n1`");
    assert_eq!(
        with(r#""usage": {"n0": "kept"}"#),
        "unknown variant `kept`, expected one of `open`, `keep`, `out` at line 1 column 50"
    );
    assert_eq!(
        with(r#""room": [1, 2]"#),
        "invalid length 2, expected an array of length 3 at line 1 column 42"
    );
    assert_eq!(
        with(r#""weights": {"a": [2147483648, 0, 0]}"#),
        "weights.a: an amount of `a` is greater than 2147483647"
    );
    assert_eq!(
        with(r#""stages": {"a": {"redy": 1}}"#),
        "unknown variant `redy`, expected one of `start`, `ready`, `done`, `unknown` at line 1 column 51"
    );
    assert_eq!(
        error(r#"{"nodes": [{"name": ""}]}"#),
        "nodes[0].name: the name of a node has 1 to 255 bytes"
    );
    assert_eq!(
        error(r#"{"nodes": [{"name": "a"}, {"name": "a"}]}"#),
        "nodes: there are two nodes `a`; names of nodes must differ"
    );
    assert_eq!(
        error(r#"{"nodes": [{"name": "a", "labels": ["x", "x"]}]}"#),
        "\"x\" is there twice at line 1 column 45"
    );
    let large = " ".repeat(16 * 1024 * 1024 + 1);
    assert_eq!(error(&large), "16777217 bytes; a world has at most 16777216");
}
