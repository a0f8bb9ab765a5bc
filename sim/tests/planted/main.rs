//! The simulator catches mistakes: each one that is planted, by the first seeds of a scenario that
//! holds without it.
//!
//!     cargo test -p crux-testnet --features planted --test planted

use crux_crdt::planted::{Bug, plant};
use crux_sim::scenario::by_name;
use crux_sim::{Options, Report, run};

/// How many seeds may be needed.
const SEEDS_MAX: u64 = 40;

/// Runs seeds until one does not hold, with the mistake; the same ones must hold without it.
fn caught(bug: Bug, scenario: &str) {
    let scenario = by_name(scenario).expect("a known name");
    let play = |bug, seed| -> Report {
        plant(bug);
        let report = run(&scenario, Options { seed, nodes: None, log: false });
        plant(None);
        report
    };
    for seed in 0..SEEDS_MAX {
        let sound = play(None, seed);
        assert!(sound.violation.is_none(), "without {bug:?}: {sound}");
        let wrong = play(Some(bug), seed);
        if let Some(violation) = wrong.violation {
            println!("{bug:?}: caught by seed {seed} of {}: {violation}", scenario.name);
            return;
        }
    }
    panic!("{bug:?} was not caught by {SEEDS_MAX} seeds of {}", scenario.name);
}

/// One test each, so that they are told apart.
macro_rules! planted {
    ($($name:ident: $bug:ident in $scenario:literal;)*) => {
        $(#[test]
        fn $name() {
            caught(Bug::$bug, $scenario);
        })*

        #[test]
        fn every_mistake_has_a_test() {
            let tested = [$(Bug::$bug),*];
            for bug in Bug::ALL {
                assert!(tested.contains(&bug), "{bug:?} has no test");
            }
        }
    };
}

planted! {
    arrival_order: ArrivalOrder in "day";
    headers_only: HeadersOnly in "chaos";
    digest_ignores_records: DigestIgnoresRecords in "heal";
    departure_forgotten: DepartureForgotten in "leave";
    skip_last: SkipLast in "heal";
    no_repair: NoRepair in "pair";
    incarnation_reused: IncarnationReused in "wipe";
    removal_forgotten: RemovalForgotten in "day";
    smallest_leads: SmallestLeads in "kill";
    fence_order: FenceOrder in "claim";
    fence_forgotten: FenceForgotten in "claim";
    eager_claim: EagerClaim in "kill";
    no_refutation: NoRefutation in "slow";
    silence_is_nothing: SilenceIsNothing in "silent";
    sleeper_accuses: SleeperAccuses in "pair";
}
