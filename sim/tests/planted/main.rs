//! The simulator catches mistakes: each one that is planted, by a seed of a scenario that holds without
//! it.
//!
//!     cargo test -p crux-testnet --features planted --test planted
//!
//! replays, for each, the seed that caught it. A change of the engines may have another seed catch it: with
//! `-- --ignored --nocapture` each is searched for, as every night, and the row to write is printed.

use crux_crdt::planted::{Bug, plant};
use crux_sim::scenario::{Scenario, by_name};
use crux_sim::{Options, run};

/// How many seeds may be needed.
const SEEDS_MAX: u64 = 40;

/// The invariant that one seed breaks, with the mistake. Without it the seed must hold.
fn violation(bug: Bug, scenario: &Scenario, seed: u64) -> Option<String> {
    let play = |bug| {
        plant(bug);
        let report = run(scenario, Options { seed, nodes: None, log: false });
        plant(None);
        report
    };
    let sound = play(None);
    assert!(sound.violation.is_none(), "without {bug:?}: {sound}");
    play(Some(bug)).violation.map(|violation| violation.to_string())
}

/// Replays the seed that caught it.
fn is_caught(bug: Bug, scenario: &str, seed: u64) {
    let scenario = by_name(scenario).expect("a known name");
    assert!(
        violation(bug, &scenario, seed).is_some(),
        "{bug:?} is not caught by seed {seed} of {}; search with -- --ignored --nocapture",
        scenario.name
    );
}

/// Tries seeds until one catches it.
fn search(bug: Bug, scenario: &str) {
    let scenario = by_name(scenario).expect("a known name");
    for seed in 0..SEEDS_MAX {
        if let Some(violation) = violation(bug, &scenario, seed) {
            let name = scenario.name;
            println!("{bug:?} in \"{name}\" by {seed}; caught by seed {seed}: {violation}");
            return;
        }
    }
    panic!("{bug:?} was not caught by {SEEDS_MAX} seeds of {}", scenario.name);
}

/// Two tests each, so that they are told apart.
macro_rules! planted {
    ($($name:ident: $bug:ident in $scenario:literal by $seed:literal;)*) => {
        $(#[test]
        fn $name() {
            is_caught(Bug::$bug, $scenario, $seed);
        })*

        mod search {
            use super::Bug;

            $(#[test]
            #[ignore = "long: the nightly run searches, the gate replays"]
            fn $name() {
                super::search(Bug::$bug, $scenario);
            })*
        }

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
    arrival_order: ArrivalOrder in "day" by 0;
    headers_only: HeadersOnly in "chaos" by 13;
    digest_ignores_records: DigestIgnoresRecords in "heal" by 0;
    departure_forgotten: DepartureForgotten in "leave" by 0;
    skip_last: SkipLast in "heal" by 0;
    no_repair: NoRepair in "pair" by 1;
    incarnation_reused: IncarnationReused in "wipe" by 0;
    removal_forgotten: RemovalForgotten in "day" by 0;
    smallest_leads: SmallestLeads in "kill" by 0;
    fence_order: FenceOrder in "claim" by 1;
    fence_forgotten: FenceForgotten in "claim" by 0;
    eager_claim: EagerClaim in "kill" by 0;
    no_refutation: NoRefutation in "slow" by 0;
    silence_is_nothing: SilenceIsNothing in "silent" by 0;
    sleeper_accuses: SleeperAccuses in "pair" by 0;
    restart_is_death: RestartIsDeath in "announced" by 0;
    health_forgotten: HealthForgotten in "unwell" by 0;
    spawns_unrecorded: SpawnsUnrecorded in "picket" by 0;
    spawns_unsealed: SpawnsUnsealed in "picket" by 13;
    signals_registered: SignalsRegistered in "picket" by 5;
    shares_place: SharesPlace in "picket" by 1;
    registers_starting: RegistersStarting in "picket" by 0;
    restarts_unbounded: RestartsUnbounded in "picket" by 6;
    starts_before_adoption: StartsBeforeAdoption in "picket" by 10;
    forgets_running: ForgetsRunning in "picket" by 0;
    tries_refused: TriesRefused in "picket" by 9;
    never_fails: NeverFails in "picket" by 6;
    never_kills: NeverKills in "picket" by 0;
    done_forgotten: DoneForgotten in "picket" by 11;
    older_goals: OlderGoals in "goals" by 3;
    takes_over: TakesOver in "goals" by 7;
    unnamed_stays: UnnamedStays in "goals" by 1;
    enacts_unsaved: EnactsUnsaved in "goals" by 0;
    period_unused: PeriodUnused in "goals" by 14;
    stopping_unreported: StoppingUnreported in "goals" by 0;
    rival_by_marker: RivalByMarker in "revoked" by 0;
    granted_at_merge: GrantedAtMerge in "revoked" by 0;
    revoked_wins: RevokedWins in "revoked" by 0;
    deletion_forgets_generation: DeletionForgetsGeneration in "rivals" by 0;
    bound_in_all: BoundInAll in "rivals" by 0;
    arrival_places: ArrivalPlaces in "power" by 0;
    assigned_forgotten: AssignedForgotten in "power" by 0;
    fence_without_leader: FenceWithoutLeader in "two-targets" by 0;
    gates_stops: GatesStops in "chains" by 0;
    minority_replaces: MinorityReplaces in "parted" by 11;
    surplus_by_name: SurplusByName in "moved" by 18;
    failure_forgotten: FailureForgotten in "way-back" by 1;
    unsolved_stops: UnsolvedStops in "drains" by 0;
    step_of_none: StepOfNone in "parted" by 0;
    mixed_plan: MixedPlan in "churn" by 1;
}
