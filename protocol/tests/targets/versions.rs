//! How versions change in a plan: in place, step by step, back, and remembered beyond the leader.

use std::time::Duration;

use crux_crdt::record::{Failure, Stage};
use crux_crdt::service::{Config, Step};
use crux_protocol::proctor::planner::{Action, Timers};

use super::rig::*;

/// A version of `web` that comes on two nodes at a time, in at most a minute.
fn web(version: u8) -> Vec<Config> {
    let rollout = |it: &mut crux_crdt::service::Fields<_>| {
        (it.rollout.step, it.rollout.deadline) = (Step::Nodes(2), Duration::from_secs(60));
    };
    vec![config("web", version, rollout)]
}

const FOUR: &str = "pick(web, 4, ALL)";

fn settled() -> Site {
    let mut site = Site::new(4, FOUR, web(1));
    assert_eq!(site.settle(), "n0:web1@1 n1:web1@1 n2:web1@1 n3:web1@1");
    site
}

/// Says that the version fails on its nodes.
fn fail(site: &mut Site, version: u8, stage: Stage) {
    for number in 0..4 {
        let entries = site.newest.as_ref().unwrap().entries[&node(number)].clone();
        let has = entries.keys().any(|key| key.spec == spec("web", version));
        if has {
            site.node(number).runs = report(&[("web", version, stage, 1, 1)]);
        }
    }
}

#[test]
fn a_version_comes_by_steps_in_place() {
    let mut site = settled();
    site.apply(FOUR, web(2));
    let rolls = site.look().steps;
    assert!(rolls.iter().all(|step| step.action == Action::Roll) && rolls.len() == 2);
    assert_eq!(site.plan(), "n0:web2@1 n1:web2@1 n2:web1@1 n3:web1@1");
    assert_eq!(site.plan(), "n0:web2@1 n1:web2@1 n2:web1@1 n3:web1@1", "nobody is ready yet");
    fail(&mut site, 2, Stage::Starting);
    site.node(0).runs = report(&[("web", 2, Stage::Ready, 1, 1)]);
    assert_eq!(site.plan(), "n0:web2@1 n1:web2@1 n2:web1@1 n3:web1@1", "one of two is ready");
    site.obey();
    assert_eq!(site.plan(), "n0:web2@1 n1:web2@1 n2:web2@1 n3:web2@1");
    site.obey();
    assert_eq!(site.settle(), "n0:web2@1 n1:web2@1 n2:web2@1 n3:web2@1");
    assert_eq!(site.said(), 3);
}

#[test]
fn a_version_that_fails_goes_back_and_is_remembered_by_the_next_leader() {
    for (stage, failure) in [(Stage::Failed, Failure::CrashLoop), (Stage::Wedged, Failure::Wedged)]
    {
        let mut site = settled();
        site.apply(FOUR, web(2));
        site.plan();
        fail(&mut site, 2, stage);
        assert_eq!(site.plan(), "n0:web1@1 n1:web1@1 n2:web1@1 n3:web1@1");
        assert_eq!(site.newest.as_ref().unwrap().failed, [(spec("web", 2), failure)].into());
        site.obey();
        site.timers = Timers::default();
        assert_eq!(site.settle(), "n0:web1@1 n1:web1@1 n2:web1@1 n3:web1@1");
        assert_eq!(site.look().failed, [(spec("web", 2), failure)].into());
        site.apply(FOUR, web(2));
        assert_eq!(site.plan(), "n0:web2@1 n1:web2@1 n2:web1@1 n3:web1@1", "another generation");
        assert_eq!(site.look().failed, [].into());
    }
}

#[test]
fn a_version_that_is_not_ready_in_time_goes_back() {
    let mut site = settled();
    site.apply(FOUR, web(2));
    site.plan();
    site.now = 2_000;
    assert_eq!(site.look().deadline, at(62_000), "from when the leader saw that it was its turn");
    site.now = 61_999;
    assert_eq!(site.plan(), "n0:web2@1 n1:web2@1 n2:web1@1 n3:web1@1");
    site.now = 62_000;
    assert_eq!(site.plan(), "n0:web1@1 n1:web1@1 n2:web1@1 n3:web1@1");
    assert_eq!(site.look().failed, [(spec("web", 2), Failure::Deadline)].into());
}

#[test]
fn a_leader_on_the_way_back_is_followed_by_one_that_goes_on() {
    let mut site = settled();
    site.apply(FOUR, web(2));
    site.plan();
    site.obey();
    site.plan();
    // The first two are ready with it, the others fail.
    for number in 2..4 {
        site.node(number).runs = report(&[("web", 2, Stage::Failed, 1, 1)]);
    }
    // No node has the version before any more, and this leader remembers it.
    assert_eq!(site.look().failed.len(), 1);
    assert_eq!(site.plan(), "n0:web1@1 n1:web1@1 n2:web1@1 n3:web1@1");
    site.timers = Timers::default();
    site.obey();
    assert_eq!(site.settle(), "n0:web1@1 n1:web1@1 n2:web1@1 n3:web1@1");
}

#[test]
fn the_generation_before_is_gone_back_to_where_nobody_remembers() {
    let mut site = settled();
    site.apply(FOUR, web(2));
    let all = [(name("web"), spec("web", 1))].into();
    site.newest.as_mut().unwrap().target = site.program.marker;
    for entries in site.newest.as_mut().unwrap().entries.values_mut() {
        let (mut key, amount) = entries.pop_first().unwrap();
        key.spec = spec("web", 2);
        entries.insert(key, amount);
    }
    fail(&mut site, 2, Stage::Failed);
    site.timers = Timers::default();
    assert_eq!(site.plan(), "n0:web2@1 n1:web2@1 n2:web2@1 n3:web2@1", "there is no other");
    site.program.before = all;
    assert_eq!(site.plan(), "n0:web1@1 n1:web1@1 n2:web1@1 n3:web1@1");
}

#[test]
fn a_place_that_a_person_took_says_nothing_of_the_version() {
    let mut site = settled();
    site.apply(FOUR, web(2));
    site.plan();
    site.obey();
    site.node(0).runs = report(&[("web", 2, Stage::Blocked, 1, 1)]);
    site.now = 1_000_000;
    let planned = site.look();
    assert_eq!(planned.failed, [].into());
    assert_eq!(holds(&planned), ["web: a person started a service of this name on n0"]);
}

#[test]
fn a_lost_node_neither_holds_a_version_up_nor_brings_a_failed_one_back() {
    let mut site = Site::new(6, FOUR, web(1));
    site.settle();
    site.apply(FOUR, web(2));
    assert_eq!(site.plan(), "n0:web2@1 n1:web2@1 n2:web1@1 n3:web1@1");
    site.node(0).is_alive = false;
    site.obey();
    site.now = 2_000;
    assert_eq!(
        site.plan(),
        "n0:web2@1 n1:web2@1 n2:web2@1 n3:web1@1",
        "it counts against the step"
    );
    site.now = 32_000;
    site.obey();
    let moved = "n0:web2@1 n1:web2@1 n2:web2@1 n3:web2@1 n4:web2@4";
    assert_eq!(site.plan(), moved, "the lost one does not");
    for number in [3, 4] {
        site.node(number).runs = report(&[("web", 2, Stage::Failed, 1, 1)]);
    }
    let planned = site.plan();
    assert!(
        !planned.contains("n0:"),
        "a lost node keeps nothing of a version that failed: {planned}"
    );
}

#[test]
fn a_version_of_which_nothing_was_before_begins_everywhere() {
    let mut site = Site::new(4, FOUR, web(1));
    assert_eq!(site.plan(), "n0:web1@1 n1:web1@1 n2:web1@1 n3:web1@1");
    site.apply("pick(web, 5, ALL)", web(2));
    site.obey();
    assert_eq!(site.plan(), "n0:web2@1 n0:web2@2 n1:web2@1 n2:web1@1 n3:web1@1");
}
