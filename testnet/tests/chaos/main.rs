//! A short run of chaos on real processes, and a scenario. The long amount is a command, in docs/develop/testing.md.

use std::path::PathBuf;
use std::time::Duration;

use crux_sim::scenario::{self, Cut, Hosts, Op};
use crux_testnet::chaos::history::{Outcome, State};
use crux_testnet::chaos::{Fault, Options, Plan, Planned, Ran, Report, picture, run, run_script};
use crux_testnet::process::Home;

const NODES: usize = 5;

/// Faults of each kind that a short run has time for, one upon the other.
fn plan() -> Plan {
    let hosts = |list: &[usize]| Hosts(list.iter().copied().collect());
    let planned = |from, lasts, fault| Planned {
        from: Duration::from_millis(from),
        to: Duration::from_millis(from + lasts),
        fault,
    };
    let (from, to) = (hosts(&[0, 4]), hosts(&[1, 2, 3]));
    let (delay, jitter) = (Duration::from_millis(20), Duration::from_millis(40));
    let faults = vec![
        planned(1_000, 6_000, Fault::Slow { of: hosts(&[0, 1, 2, 3, 4]), delay, jitter }),
        planned(1_500, 1_500, Fault::Kill(2)),
        planned(2_000, 2_500, Fault::Fill(3)),
        planned(3_500, 0, Fault::Reset(hosts(&[1]))),
        planned(4_000, 4_000, Fault::Cut { how: Cut::Refused, from, to, both: true }),
        planned(4_500, 1_500, Fault::Freeze(1)),
        planned(6_500, 1_000, Fault::Kill(4)),
        planned(7_000, 0, Fault::KillFulcrum(1)),
        planned(8_000, 1_500, Fault::HalfOpen { believer: 0, other: 3 }),
    ];
    Plan { faults }
}

fn options() -> Options {
    Options {
        exe: PathBuf::from(env!("CARGO_BIN_EXE_crux-testnet")),
        nodes: NODES,
        clients: 3,
        pause_max: Duration::from_millis(200),
        seed: 1,
    }
}

/// On a violation the logs stay.
fn judge(mut ran: Ran) -> (Ran, Report) {
    let report = Report::new(&ran);
    if !report.violations.is_empty() {
        ran.home.keep();
        panic!("{report}\nlogs are kept in {}", ran.home.path().display());
    }
    (ran, report)
}

#[tokio::test]
async fn nothing_is_lost_in_a_short_chaos() {
    let plan = plan();
    let mut begun = Vec::new();
    let told = |_, what: &str| begun.push(what.to_owned());
    let ran = run(&options(), Home::temporary().expect("a directory"), &plan, told).await;
    let (ran, report) = judge(ran.expect("the testnet runs"));

    // The planned faults took place, and were felt.
    let planned: Vec<_> = plan.faults.iter().map(|planned| planned.fault.to_string()).collect();
    let expected: Vec<_> = ["one flock".to_owned()]
        .into_iter()
        .chain(planned)
        .chain(["all healed".to_owned()])
        .collect();
    assert_eq!(begun, expected);
    let history = &ran.history;
    assert_eq!(history.spans.len(), plan.faults.len());
    let calls = |which: fn(&Outcome) -> bool| {
        history.calls.iter().filter(|call| which(&call.outcome)).count()
    };
    assert!(calls(|outcome| *outcome == Outcome::Done) > 50, "{report}");
    assert!(calls(|outcome| matches!(outcome, Outcome::Failed(_))) > 0, "{report}");
    let silent = |state, host| {
        let span = history.spans.iter().find(|span| span.state == Some(state)).expect("it was");
        history
            .samples
            .iter()
            .any(|sample| sample.host == host && sample.look.is_none() && sample.at >= span.from)
    };
    assert!(silent(State::Down, 2) && silent(State::Frozen, 1), "{report}");
    // Its picket brought it back.
    let life = |at: usize| {
        let looks = history.samples.iter().filter(|sample| sample.host == at);
        looks.filter_map(|sample| Some(sample.look.as_ref()?.incarnation)).max()
    };
    assert_eq!((life(0), life(1)), (Some(1), Some(2)), "{report}");
    assert!(ran.stats.resets > 0 && ran.stats.bytes > 100_000, "{report}");
    let svg = picture(history, ran.healed, "chaos");
    assert!(svg.contains(">n4<") && svg.contains("cut refused"));
}

/// The text that the simulator reads, on processes: a kill shows, and the next leader stays.
#[tokio::test]
async fn a_scenario_holds_on_processes() {
    let kill = scenario::by_name("kill").expect("it comes with the program");
    let options = Options { nodes: 3, ..options() };
    let steps = kill.draw(options.nodes, scenario::seed_of(1));
    let mut begun = 0;
    let told = |_, _: &str| begun += 1;
    let home = Home::temporary().expect("a directory");
    let ran = run_script(&options, home, &kill, &steps, told).await;
    let (ran, report) = judge(ran.expect("the testnet runs"));

    assert_eq!(begun, steps.len());
    let killed = steps.iter().filter(|step| matches!(step, Op::Kill(_))).count();
    let down = ran.history.spans.iter().filter(|span| span.state == Some(State::Down));
    let silent = down.filter(|span| {
        let of_it = |at, host| at >= span.from && at <= span.to && span.hosts.contains(&host);
        let mut samples = ran.history.samples.iter();
        samples.any(|sample| of_it(sample.at, sample.host) && sample.look.is_none())
    });
    assert_eq!((killed, silent.count()), (2, 2), "{report}");
}
