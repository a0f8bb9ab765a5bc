//! The reader of worlds: nothing panics it, and it takes only what has bounds.
//!
//! `PROPTEST_CASES=100000 cargo test --workspace fuzz` looks for longer than the gate does.

use crux_khan::pass::pass;
use crux_khan::solve::solve;
use crux_khan::world::{bounds, read};
use proptest::prelude::*;

use crate::case::compile;
use crate::rules;

const WORLD: &str = r#"{
  "nodes": [
    {"name": "n0", "labels": ["a"]},
    {"name": "n1", "labels": {"zone": "eu", "a": ""}, "room": [2000, null, 8]},
    {"name": "n2"}
  ],
  "present": {"web": {"n0": 1, "n1": {"count": 2, "rank": 7}}, "other": {"n2": 3}},
  "usage": {"n2": "keep"},
  "room": [4000, 512, 4],
  "weights": {"web": [500, 256, 1], "db": [100, 0, 1]},
  "priorities": {"db": -3},
  "stages": {"web": {"ready": 1, "start": 2}}
}"#;

const PROGRAM: &str = "a := pick(web, SIZE(ALL), ALL, spread = zone)\npick(db, SIZE(a) / SIZE(LABEL(a)), a)\n\
                       start db after 50% of web";

/// Every world that reads is solved, whatever it is, and all rules hold.
fn check(text: &str) {
    let Ok(scene) = read(text) else { return };
    assert!(scene.world.nodes().len() <= bounds::NODES_MAX);
    let checked = compile(PROGRAM);
    rules::check(&checked, &scene.world, &solve(&checked, &scene.world));
    let plan = pass(&checked, &scene.world, &scene.stages);
    assert!(serde_json::to_string(&plan).is_ok());
}

#[test]
fn the_world_that_is_changed_below_is_one() {
    assert!(read(WORLD).is_ok(), "{:?}", read(WORLD));
    check(WORLD);
}

/// Words of a world, which say nothing together.
const WORDS: [&str; 26] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"nodes\"",
    "\"name\"",
    "\"n0\"",
    "\"labels\"",
    "\"present\"",
    "\"usage\"",
    "\"keep\"",
    "\"room\"",
    "\"weights\"",
    "\"stages\"",
    "\"ready\"",
    "null",
    "0",
    "1",
    "-1",
    "1e9",
    "true",
    "4294967296",
    "18446744073709551616",
    "\"\\ud800\"",
];

fn words() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&WORDS[..]), 0..40).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fuzz_any_text(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn fuzz_any_words(text in words()) {
        check(&text);
    }

    /// A world of which a piece is replaced.
    #[test]
    fn fuzz_a_changed_world(at in 0..WORLD.len(), length in 0_usize..30, new in "[-0-9a-z\\[\\]{}\",: .]{0,12}") {
        let end = (at + length).min(WORLD.len());
        check(&[&WORLD[..at], &new, &WORLD[end..]].concat());
    }

    /// A world in which a number is another.
    #[test]
    fn fuzz_a_world_with_other_numbers(which in 0_usize..16, number in prop_oneof![any::<u64>(), 0_u64..200_000, Just((1 << 31) - 1)]) {
        let digits = |c: char| c.is_ascii_digit();
        let numbers: Vec<_> = WORLD.match_indices(digits).filter(|(at, _)| !WORLD[..*at].ends_with(digits)).collect();
        let (at, _) = numbers[which % numbers.len()];
        let rest = WORLD[at..].trim_start_matches(digits);
        check(&[&WORLD[..at], &number.to_string(), rest].concat());
    }
}
