//! The seeded loop: what happens to a flock in virtual time, and what must hold.

mod goals;
mod picket;
mod targets;

use crux_sim::scenario::{Scenario, by_name, library};
use crux_sim::{Options, choose, run};

fn hold(scenario: &Scenario, options: Options) {
    let report = run(scenario, options);
    let (log, command) = (&report.log, report.command());
    assert!(report.violation.is_none(), "{log}{report}\nreproduce: {command}");
}

fn hold_named(name: &str, seeds: std::ops::Range<u64>) {
    let scenario = by_name(name).expect("a known name");
    for seed in seeds {
        hold(&scenario, Options { seed, nodes: None, log: false });
    }
}

/// Seeds that showed something once.
fn hold_sized(name: &str, nodes: usize, seeds: &[u64]) {
    let scenario = by_name(name).expect("a known name");
    for seed in seeds {
        hold(&scenario, Options { seed: *seed, nodes: Some(nodes), log: false });
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let day = by_name("day").expect("a known name");
    let log = |seed| run(&day, Options { seed, nodes: None, log: true }).log;
    let twice = [log(7), log(7)];
    assert!(twice[0].len() > 10_000, "the log holds the whole history");
    assert_eq!(twice[0], twice[1]);
    assert_ne!(twice[0], log(8));
}

#[test]
fn what_does_not_hold_is_told_with_its_history() {
    // Somebody that runs is not stopped.
    let text = "nodes 3\nform\nexpect stopped n1 within 1s\n";
    let scenario = Scenario::parse("wrong", text).expect("it reads");
    let report = run(&scenario, Options { seed: 1, nodes: None, log: false });
    assert!(report.violation.is_some());
    assert!(report.log.lines().count() >= 100, "the last part of the history is kept");
    assert!(report.log.ends_with("VIOLATION not within 1s: stopped n1: n1 runs\n"));
    assert_eq!(report.command(), "crux-testnet sim --reproduce 1 --scenario wrong --nodes 3");
    let scenario = Scenario { file: Some("./my own/wrong.scenario".to_owned()), ..scenario };
    let command = run(&scenario, Options { seed: 1, nodes: None, log: false }).command();
    let file = "--scenario './my own/wrong.scenario' --nodes 3";
    assert_eq!(command, format!("crux-testnet sim --reproduce 1 {file}"));
}

fn violation_of(text: &str) -> String {
    let scenario = Scenario::parse("wrong", text).expect("it reads");
    let report = run(&scenario, Options { seed: 1, nodes: None, log: false });
    report.violation.expect("it does not hold").to_string()
}

/// Each is stopped for long enough to be dead, whoever leads among them.
const LONG_STALLS: &str = "each a from all {\nfreeze a\nwait 8s\nresume a\nwait 4s\n}\n";

#[test]
fn another_leader_is_seen_though_all_settle_again() {
    let text = format!("nodes 4\nform\nwait 5s\nwatch same-leader\n{LONG_STALLS}");
    assert!(violation_of(&text).starts_with("watched: same-leader: "));
}

#[test]
fn who_is_shown_dead_for_a_while_is_seen() {
    let text = format!("nodes 4\nform\nwait 5s\nwatch shown all not-dead by all\n{LONG_STALLS}");
    assert!(violation_of(&text).starts_with("watched: shown n0 n1 n2 n3 not-dead "));
}

/// The same three seconds away.
#[test]
fn a_restart_is_a_death_unless_it_was_announced() {
    let story = |announced: &str| {
        let away = "kill n1\nwait 3s\nstart n1\nwait 5s\n";
        let watch = "let rest = all but n1\nwatch shown n1 not-dead by rest\n";
        format!("nodes 5\nform\nwait 5s\n{watch}{announced}{away}")
    };
    assert!(violation_of(&story("")).starts_with("watched: shown n1 not-dead "));
    let announced = story("ask n1 restart within 10s\nwait 250ms\n");
    let scenario = Scenario::parse("announced", &announced).expect("it reads");
    for seed in 0..20 {
        hold(&scenario, Options { seed, nodes: None, log: false });
    }
    // Of one that said that it would be back sooner nobody knows more after that.
    let late = story("ask n1 restart within 1s\nwait 250ms\n");
    assert!(violation_of(&late).starts_with("watched: shown n1 not-dead "));
}

#[test]
fn clients_are_told_that_they_wrote() {
    let day = by_name("day").expect("a known name");
    let report = run(&day, Options { seed: 7, nodes: None, log: false });
    assert!(report.writes.acknowledged > 5, "{report}");
}

#[test]
fn of_a_node_and_its_copy_one_stops() {
    hold_named("twins", 0..24);
}

#[test]
fn two_who_come_up_under_one_name_are_told_apart() {
    hold_named("namesake", 0..12);
}

#[test]
fn who_found_nobody_takes_no_name_from_an_established_flock() {
    hold_named("side", 0..16);
}

#[test]
fn short_stalls_of_some_of_many_disturb_nobody() {
    hold_sized("stall", 25, &[0, 1]);
}

#[test]
fn many_dead_hide_nobody() {
    // Six live of fifty that were admitted.
    hold_sized("ghosts", 50, &[0]);
}

#[test]
fn a_second_link_whose_other_gate_is_closed_as_well_is_found_out() {
    hold_sized("chaos", 2, &[7443]);
}

#[test]
fn whom_faults_upon_faults_cut_off_obeys_as_soon_as_they_end() {
    hold_sized("chaos", 5, &[673, 1994, 2534]);
}

#[test]
fn a_leader_below_a_claim_that_only_another_member_obeyed_is_outbid() {
    hold_sized("claim", 8, &[1475]);
}

#[test]
fn what_is_removed_before_a_lost_life_is_found_stays_removed() {
    // It had been restarted meanwhile.
    hold_sized("wipe", 5, &[8145]);
}

#[test]
fn who_left_and_lost_its_disk_comes_back() {
    // It heard of its leaving only then, and stayed departed for good.
    hold_sized("chaos", 5, &[58, 105, 108]);
    hold_named("leave", 0..12);
}

#[test]
fn how_services_are_is_shown_alike_by_all() {
    hold_named("unwell", 0..30);
}

#[test]
fn two_writes_of_one_document_are_shown_alike_by_all() {
    hold_named("rivals", 0..20);
}

#[test]
fn a_revocation_counts_on_both_sides_of_a_partition() {
    hold_named("revoked", 0..20);
}

#[test]
fn what_people_write_outlives_all_faults() {
    hold_named("documents", 0..15);
}

#[test]
fn what_a_grant_did_not_allow_is_fetched_once_another_one_does() {
    hold_sized("documents", 5, &[16, 62, 93, 131, 138]);
}

fn hold_chosen(seeds: std::ops::Range<u64>) {
    let library = library();
    for seed in seeds {
        let (scenario, nodes) = choose(&library, seed);
        hold(scenario, Options { seed, nodes: Some(nodes), log: false });
    }
}

#[test]
fn whatever_the_seed_chooses_holds() {
    hold_chosen(0..100);
}

#[test]
fn whatever_other_seeds_choose_holds() {
    hold_chosen(100..200);
}

#[test]
fn a_node_that_stalled_shows_a_stopped_one_dead_in_time() {
    // Its local health once kept it from what all others had seen.
    hold_named("quarter", 3..4);
}

#[test]
fn one_of_many_alone_sees_all_others_dead() {
    hold_named("cut-one", 0..1);
}

#[test]
fn a_container_made_anew_has_its_name_though_its_old_self_died_after_it_came() {
    hold_named("anew-early", 0..5);
}

#[test]
fn who_is_made_anew_alone_and_found_by_its_flock_does_not_lead_it() {
    // The first node, told of nobody but itself, led alone, and its claim was the greater of equals.
    hold_sized("anew", 6, &[1178, 2080]);
}

#[test]
fn a_handshake_does_not_outlive_a_cut_that_began_in_its_middle() {
    hold_sized("pair", 2, &[177, 1534]);
}

#[test]
fn two_beats_that_a_closed_connection_takes_with_it_make_no_suspect() {
    hold_sized("pair", 2, &[9275]);
}

#[test]
fn a_leader_reaches_whom_it_is_not_linked_to() {
    hold_sized("cut-one", 25, &[605, 849, 1437]);
}

#[test]
fn a_leader_has_authority_though_it_observes_none_of_its_observers() {
    hold_sized("quarter", 25, &[5013]);
    hold_sized("cut-five", 25, &[9224]);
}

#[test]
fn who_slept_shows_those_dead_who_died_meanwhile() {
    hold_sized("quarter", 25, &[3025, 3820, 6315, 8975]);
}

#[test]
fn who_is_suspected_right_after_its_return_answers() {
    hold_sized("quarter", 25, &[7931]);
}

#[test]
fn who_slept_is_told_what_refuted_the_suspicions_that_it_reads() {
    hold_sized("quarter", 25, &[216, 2529, 3558]);
}

#[test]
fn a_beacon_that_was_held_up_says_nothing_of_now() {
    hold_sized("quarter", 25, &[375, 493]);
}

#[test]
fn who_slept_hears_of_those_who_came_back_meanwhile() {
    hold_sized("quarter", 25, &[752]);
}

#[test]
fn a_beacon_from_before_a_death_that_comes_late_brings_nobody_back() {
    hold_sized("quarter", 25, &[5570]);
}

#[test]
fn what_a_run_promised_beside_its_clone_may_end_with_it() {
    hold_sized("clone", 7, &[4852]);
}

#[test]
fn a_disk_that_was_full_takes_a_fenced_command_at_once() {
    hold_sized("slow", 9, &[2282]);
}

#[test]
fn who_announces_a_restart_is_dead_to_nobody_meanwhile() {
    hold_named("announced", 0..40);
}

#[test]
fn flocks_form() {
    hold_named("form", 0..20);
}

#[test]
fn what_a_lost_disk_held_comes_back() {
    hold_named("wipe", 0..40);
}

/// Another member retired it while it was down, so that what it registered is on the others' disks only.
#[test]
fn what_a_retired_member_registered_is_handed_back_to_it_without_its_disk() {
    hold_named("retired", 0..40);
}

#[test]
fn an_old_copy_of_a_disk_hides_nothing() {
    hold_named("old", 0..20);
}

#[test]
fn days_end_well() {
    hold_named("day", 0..20);
}

#[test]
fn a_write_that_is_held_is_taken_again_only_if_it_counts() {
    hold_sized("documents", 7, &[2201, 6546]);
    hold_sized("documents", 9, &[4629]);
    hold_sized("documents", 2, &[6409]);
    hold_sized("documents", 8, &[8666]);
}

/// While a document was being written the version of the grants went on. It counts all the same, so its
/// writer is told that it is done, and not that it came late.
#[test]
fn a_write_that_counts_in_the_end_is_not_late() {
    hold_sized("documents", 2, &[3352]);
    hold_sized("documents", 3, &[5107]);
    hold_sized("documents", 5, &[1214, 7170]);
}

/// A disk went back to a copy of it while a cut kept its node from those who hold what is newer. What it promised since
/// is gone.
#[test]
fn nobody_owes_what_a_copy_of_a_disk_does_not_have_behind_a_cut() {
    hold_sized("chaos", 3, &[1938]);
}
