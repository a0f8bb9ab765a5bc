//! What people are shown: what a target would change, how far it is, and why a service runs where it does.

use std::collections::BTreeMap;
use std::sync::Arc;

use crux_crdt::Principal;
use crux_crdt::document::{Target, Usage};
use crux_crdt::record::{Failure, Stage};
use crux_crdt::service::{Config, Fields, Step};
use crux_khan::world::Room;
use crux_protocol::proctor::planner::{
    Explained, Followed, FollowedVersion, Input, Preview, Program, Standing, Timers, explain,
    follow, preview,
};
use crux_protocol::proctor::{Content, Held};

use super::rig::*;

/// The preview of the site's target, on a node that does not lead, with nodes dead since then.
fn seen(site: &Site, program: &Program, dead: &[(u8, u64)]) -> Preview {
    preview(input(site, program), timers(dead), at(site.now)).unwrap()
}

fn input<'a>(site: &'a Site, program: &'a Program) -> Input<'a> {
    let newest = site.newest.as_ref();
    Input { view: &site.view, program, newest, number: number(site.number + 1) }
}

fn timers(dead: &[(u8, u64)]) -> Timers {
    let since: BTreeMap<Principal, _> =
        dead.iter().map(|(number, since)| (node(*number), at(*since))).collect();
    Timers::of_dead(since)
}

fn lines(of: &Preview) -> Vec<String> {
    of.steps.iter().map(|step| step.to_string().split(';').next().unwrap().to_owned()).collect()
}

fn one(program: &str, configs: Vec<Config>) -> Program {
    Program::of(&held(9, program, configs)).unwrap()
}

fn followed(site: &Site) -> Followed {
    let left = seen(site, &site.program, &[]);
    follow(&site.view, &site.program, site.newest.as_ref(), &left)
}

fn whys(site: &Site, service: &str) -> Option<Explained> {
    explain(input(site, &site.program), timers(&[]), at(site.now), &name(service)).unwrap()
}

/// The reasons for each node.
fn reasons(site: &Site, service: &str) -> Vec<String> {
    let explained = whys(site, service).unwrap();
    let line = |it: &crux_protocol::proctor::planner::ExplainedNode| {
        format!("{} {}/{}: {}", it.node, it.present, it.wanted, it.reasons.join(", "))
    };
    explained.nodes.iter().map(line).collect()
}

#[test]
fn a_preview_says_what_a_target_changes_and_changes_nothing() {
    let both = || vec![plain("web", 1), plain("api", 1)];
    let mut site = Site::new(3, "pick(web, 2, ALL) pick(api, 1, ALL)", both());
    site.settle();
    let same = seen(&site, &site.program, &[]);
    assert_eq!(lines(&same), [""; 0]);
    assert_eq!(same.unchanged, [name("api"), name("web")]);
    assert!(same.is_exact);
    let before = (site.view.clone(), site.newest.clone());
    let next = seen(&site, &one("pick(web, 3, ALL)", vec![plain("web", 2)]), &[]);
    let expected = [
        format!("roll 1 of 'web' on n0 from {} to {}", spec("web", 1), spec("web", 2)),
        format!("roll 1 of 'web' on n1 from {} to {}", spec("web", 1), spec("web", 2)),
        "start 1 of 'web' on n2".to_owned(),
        "stop 1 of 'api' on n0".to_owned(),
    ];
    let dropped = next.steps.last().unwrap();
    assert_eq!(dropped.why, "the target does not place it");
    assert!(next.unchanged.is_empty());
    let mut found = lines(&next);
    found.sort();
    let mut expected = Vec::from(expected);
    expected.sort();
    // On which node `api` was is the solver's choice.
    let is_api = |line: &String| line.starts_with("stop 1 of 'api'");
    assert!(found.iter().any(is_api), "{found:?}");
    found.retain(|line| !is_api(line));
    expected.retain(|line| !is_api(line));
    assert_eq!(found, expected, "also the places that later passes roll");
    assert_eq!(next.wanted, BTreeMap::from([(name("web"), 3)]));
    assert_eq!((site.view.clone(), site.newest.clone()), before);
}

#[test]
fn of_a_roll_out_a_leader_takes_a_step_and_a_preview_shows_all() {
    let stepped = |version| config("web", version, |it| it.rollout.step = Step::Nodes(1));
    let mut site = Site::new(4, "pick(web, 4, ALL)", vec![stepped(1)]);
    site.settle();
    site.apply("pick(web, 4, ALL)", vec![stepped(2)]);
    assert_eq!(steps(&site.look()).len(), 1);
    assert_eq!(seen(&site, &site.program, &[]).steps.len(), 4);
}

#[test]
fn a_preview_counts_dead_nodes_as_lost_when_they_are_dead_for_long() {
    let mut site = Site::new(3, "pick(web, 2, ALL)", vec![plain("web", 1)]);
    site.settle();
    site.node(1).is_alive = false;
    site.now = 100_000;
    let dead_since = |since| lines(&seen(&site, &site.program, &[(1, since)]));
    assert_eq!(dead_since(99_000), [""; 0]);
    assert_eq!(dead_since(70_000), ["move 1 of 'web' from n1 to n2"]);
    // It is alive again, whatever was noted.
    site.node(1).is_alive = true;
    let back = lines(&seen(&site, &site.program, &[(1, 1_000)]));
    assert_eq!(back, [""; 0]);
}

#[test]
fn the_id_of_a_plan_is_of_what_the_target_says_of_its_base_and_of_the_steps() {
    let target = |program: &str, note: &str| {
        let configs = vec![plain("web", 1)];
        Arc::new(
            Target::new(&horde(), program.to_owned(), configs, note.to_owned(), vec![]).unwrap(),
        )
    };
    let site = Site::new(3, "pick(web, 2, ALL)", vec![plain("web", 1)]);
    let id = |site: &Site, target: &Arc<Target>, base: Option<u64>| {
        let content = Content::Target(target.clone());
        let program = Program::of(&Held { marker: marker(9), content }).unwrap();
        let id = seen(site, &program, &[]).id(target, base.map(marker)).0;
        (id[..16].to_vec(), id[16..24].to_vec(), id[24..].to_vec())
    };
    let first = id(&site, &target("pick(web, 2, ALL)", "a"), None);
    assert_eq!(id(&site, &target("pick(web, 2, ALL)", "b"), None), first, "the note is no matter");
    let of_base = id(&site, &target("pick(web, 2, ALL)", "a"), Some(4));
    assert_eq!((&of_base.0, &of_base.2), (&first.0, &first.2));
    assert_ne!(of_base.1, first.1);
    // Another text that leads to the same steps.
    let of_text = id(&site, &target("pick(web, 1 + 1, ALL)", "a"), None);
    assert_eq!((&of_text.1, &of_text.2), (&first.1, &first.2));
    assert_ne!(of_text.0, first.0);
    let mut fewer = Site::new(3, "pick(web, 2, ALL)", vec![plain("web", 1)]);
    fewer.node(0).usage = Usage::Cordoned;
    let of_steps = id(&fewer, &target("pick(web, 2, ALL)", "a"), None);
    assert_eq!((&of_steps.0, &of_steps.1), (&first.0, &first.1));
    assert_ne!(of_steps.2, first.2);
}

#[test]
fn a_target_is_settled_when_all_that_it_wants_is_ready_and_nothing_else_runs() {
    let mut site = Site::new(3, "pick(web, 2, ALL)", vec![plain("web", 1)]);
    assert_eq!(followed(&site).standing, Standing::Changing, "no plan yet");
    site.plan();
    let of = followed(&site);
    assert_eq!(
        (of.standing, of.services[0].wanted, of.services[0].ready),
        (Standing::Changing, 2, 0)
    );
    site.obey();
    let of = followed(&site);
    assert_eq!((of.standing, of.services[0].standing), (Standing::Settled, Standing::Settled));
    let version = FollowedVersion { spec: spec("web", 1), is_wanted: true, running: 2, ready: 2 };
    assert_eq!(of.services[0].versions, [version]);
    // One more than the plan has, one that ends, and one that is not ready.
    for (stage, count) in [(Stage::Ready, 1), (Stage::Stopping, 1)] {
        site.node(2).runs = report(&[("web", 1, stage, count, 1)]);
        assert_eq!(followed(&site).standing, Standing::Changing, "{stage:?}");
    }
    site.node(2).runs = None;
    site.node(0).runs = report(&[("web", 1, Stage::Starting, 1, 1)]);
    let of = followed(&site);
    assert_eq!(
        (of.standing, of.services[0].running, of.services[0].ready),
        (Standing::Changing, 2, 1)
    );
    // An earlier target's service, of which nobody knows the name any more.
    site.obey();
    site.node(2).runs = report(&[("old", 1, Stage::Ready, 2, 1)]);
    assert_eq!((followed(&site).standing, followed(&site).leaving), (Standing::Changing, 2));
}

#[test]
fn a_plan_for_an_earlier_target_is_none() {
    let mut site = Site::new(3, "pick(web, 2, ALL)", vec![plain("web", 1)]);
    site.settle();
    site.apply("pick(web, 2, ALL) # the same", vec![plain("web", 1)]);
    assert_eq!(followed(&site).standing, Standing::Changing);
    site.settle();
    assert_eq!(followed(&site).standing, Standing::Settled);
}

#[test]
fn a_service_is_held_with_the_reason_where_nothing_is_on_its_way() {
    let program = "pick(db, 1, ALL) pick(app, 1, ALL) start app after 2 of db";
    let mut site = Site::new(2, program, vec![plain("db", 1), plain("app", 1)]);
    site.settle();
    let of = followed(&site);
    let standings: Vec<_> =
        of.services.iter().map(|it| (it.service.as_str(), it.standing)).collect();
    assert_eq!(standings, [("app", Standing::Held), ("db", Standing::Settled)]);
    assert_eq!(
        (of.standing, &*of.services[0].holds),
        (Standing::Held, &["bad[db.ready: actual(1) < target(2)]".to_owned()][..])
    );
    // Too few nodes.
    let mut site = Site::new(2, "pick(web, 3, ALL, max = 1)", vec![plain("web", 1)]);
    site.settle();
    let web = &followed(&site).services[0];
    assert_eq!((web.standing, web.wanted, web.ready), (Standing::Held, 3, 2));
    assert_eq!(web.holds, ["short by 1: has 1 already: 2"]);
    // A node that is away, and one whose program ends again and again.
    let mut site = Site::new(3, "pick(web, 2, ALL)", vec![plain("web", 1)]);
    site.settle();
    site.node(1).is_alive = false;
    let web = &followed(&site).services[0];
    assert_eq!(
        (web.standing, web.ready, &*web.holds),
        (Standing::Held, 1, &["n1 is away with 1".to_owned()][..])
    );
    site.node(1).is_alive = true;
    site.node(1).runs = report(&[("web", 1, Stage::Failed, 1, 1)]);
    let web = &followed(&site).services[0];
    assert_eq!(
        (web.standing, &*web.holds),
        (Standing::Held, &["n1: 1 in a crash loop".to_owned()][..])
    );
}

#[test]
fn a_lost_node_that_was_replaced_holds_nothing() {
    let mut site = Site::new(4, "pick(web, 2, ALL)", vec![plain("web", 1)]);
    site.settle();
    site.node(1).is_alive = false;
    site.plan();
    site.now = 31_000;
    site.plan();
    assert_eq!(followed(&site).standing, Standing::Changing);
    site.obey();
    let of = followed(&site);
    assert_eq!((of.standing, of.services[0].ready), (Standing::Settled, 2));
}

#[test]
fn a_version_on_its_way_changes_and_one_that_failed_has_failed() {
    let stepped = |version| config("web", version, |it| it.rollout.step = Step::Nodes(1));
    let mut site = Site::new(2, "pick(web, 2, ALL)", vec![stepped(1)]);
    site.settle();
    site.apply("pick(web, 2, ALL)", vec![stepped(2)]);
    site.plan();
    site.obey();
    let web = &followed(&site).services[0];
    assert_eq!((web.standing, web.ready, web.versions.len()), (Standing::Changing, 2, 2));
    assert!(web.versions[0].is_wanted && !web.versions[1].is_wanted);
    let newest = site.newest.as_mut().unwrap();
    newest.failed = BTreeMap::from([(stepped(2).spec_tag(), Failure::Deadline)]);
    let of = followed(&site);
    assert_eq!((of.standing, of.services[0].failed), (Standing::Failed, Some(Failure::Deadline)));
}

#[test]
fn every_node_has_its_reasons() {
    let ssd = |site: &mut Site, number| {
        site.node(number).labels.insert("ssd".into(), String::new());
    };
    let mut site = Site::new(7, "pick(web, 1, LABEL(ssd))", vec![plain("web", 1)]);
    (0..6).for_each(|number| ssd(&mut site, number));
    site.settle();
    site.node(1).usage = Usage::Cordoned;
    site.node(2).usage = draining(None);
    site.node(3).is_alive = false;
    site.node(4).runs = report(&[("web", 1, Stage::Blocked, 1, 1)]);
    assert_eq!(
        reasons(&site, "web"),
        [
            "n0 1/1: has 1 already",
            "n1 0/0: cordoned",
            "n2 0/0: drained",
            "n3 0/0: away",
            "n4 0/0: it could have one, and others are chosen: there less has to change",
            "n5 0/0: it could have one, and others are chosen: there less has to change",
            "n6 0/0: not in the set",
        ]
    );
    assert_eq!(whys(&site, "web").unwrap().wanted, Some(1));
    assert_eq!(whys(&site, "db"), None, "the target does not place it");
}

#[test]
fn room_and_conditions_are_reasons() {
    let limits = |it: &mut Fields<_>| {
        it.limits =
            Some(crux_crdt::service::Limits { memory: Some(64 << 20), ..Default::default() });
    };
    let mut site = Site::new(2, "pick(web, 2, ALL)", vec![config("web", 1, limits)]);
    site.node(1).room = Room([None, Some(1), None]);
    site.settle();
    let expected = ["n0 1/1: has 1 already", "n1 0/0: no room: memory"];
    assert_eq!(reasons(&site, "web"), expected);
    let problem = whys(&site, "web").unwrap().problem.unwrap();
    assert_eq!(problem.missing, 1);
    let program = r#"pick(db, 1, ALL) pick(app, 1, ("n0")) start app after 2 of db"#;
    let mut site = Site::new(1, program, vec![plain("db", 1), plain("app", 1)]);
    site.settle();
    let expected = ["n0 1/1: waits for bad[db.ready: actual(1) < target(2)], has 1 already"];
    assert_eq!(reasons(&site, "app"), expected);
    // What is away keeps its place, and what is drained stays until it is replaced.
    let mut site = Site::new(2, r#"pick(web, 1, ("n0"))"#, vec![plain("web", 1)]);
    site.settle();
    site.node(0).is_alive = false;
    let away = "n0 1/1: away: what it has keeps its place until it is lost, away, has 1 already";
    assert_eq!(reasons(&site, "web")[0], away);
    site.node(0).is_alive = true;
    site.node(0).usage = draining(None);
    let drained = &reasons(&site, "web")[0];
    assert!(
        drained.starts_with("n0 1/1: drained: 1 stay until replacements are ready"),
        "{drained}"
    );
}
