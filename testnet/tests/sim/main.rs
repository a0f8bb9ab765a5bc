//! The seeded loop: formation, partition and heal, restarts, in virtual time.

use crux_testnet::sim::{Options, SCENARIOS, run};

fn hold(scenario: &str, seeds: std::ops::Range<u64>) {
    let scenario = SCENARIOS.iter().find(|known| known.name == scenario).expect("a known name");
    for seed in seeds {
        let report = run(scenario, Options { seed, nodes: None, log: false });
        assert!(report.violation.is_none(), "{report}\nreproduce: {}", report.command());
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let twice = [0, 1].map(|_| run(&SCENARIOS[0], Options { seed: 7, nodes: None, log: true }));
    assert!(twice[0].log.len() > 10_000, "the log holds the whole history");
    assert_eq!(twice[0].log, twice[1].log);
    let other = run(&SCENARIOS[0], Options { seed: 8, nodes: None, log: true });
    assert_ne!(twice[0].log, other.log);
}

#[test]
fn flocks_form() {
    hold("form", 0..20);
}

#[test]
fn days_end_well() {
    hold("day", 0..20);
}
