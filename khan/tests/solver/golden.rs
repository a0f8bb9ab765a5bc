//! The golden cases, each by its `judge`.

use crux_khan::pass::{Plan, pass};
use crux_khan::solve::{Cost, solve};
use crux_khan::world::{Scene, read};
use serde_json::{Map, Value};

use crate::case::compile;
use crate::rules;

const GOLDEN: &str = include_str!("golden.json");

/// The keys of a case that belong to the world; the rest is the program, and what is expected.
const OF_WORLD: [&str; 4] = ["present", "usage", "room", "weights"];

fn scene(nodes: &Value, case: &Value) -> Scene {
    let of_world = OF_WORLD.map(|key| (key.to_owned(), case[key].clone()));
    let mut world: Map<String, Value> = of_world.into_iter().collect();
    world.insert("nodes".to_owned(), nodes.clone());
    read(&Value::Object(world).to_string()).unwrap()
}

fn cost(plan: &Value) -> Cost {
    let field = |name: &str| u32::try_from(plan["cost"][name].as_u64().unwrap()).unwrap();
    Cost {
        unsolved: field("unsolved"),
        missing: field("missing"),
        starts: field("starts"),
        crowd: field("crowd"),
    }
}

#[test]
fn golden_cases_have_their_plans() {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 11);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let checked = compile(case["program"].as_str().unwrap());
        let Scene { world, stages } = scene(&golden["nodes"], case);
        let plan: Plan = pass(&checked, &world, &stages);
        match case["judge"].as_str().unwrap() {
            "plan" => assert_eq!(serde_json::to_value(&plan).unwrap(), case["plan"], "{name}"),
            "cost" => assert!(plan.cost <= cost(&case["plan"]), "{name}: {:?}", plan.cost),
            other => panic!("{name}: no judge {other}"),
        }
        rules::check(&checked, &world, &solve(&checked, &world));
    }
}
