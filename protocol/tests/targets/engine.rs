//! The leader's engine: one event in, exactly these commands out.

use std::collections::BTreeMap;
use std::sync::Arc;

use crux_crdt::Digest;
use crux_crdt::canon::Canonical as _;
use crux_crdt::document::Target;
use crux_crdt::record::{
    Failure, Frontier, Header, Marker as Incarnation, Pass as Number, Plan, PlanSlot, Profile,
    Record, SlotKind as _, SlotSet, Stage, slots_root,
};
use crux_crdt::sign::{Identity, Signed};
use crux_protocol::proctor::planner::{Command, Event, Newest, State, Step, Tell, Trouble};
use crux_protocol::proctor::{Content, Held, Reach};
use crux_protocol::time::Instant;

use super::rig::*;

/// The engine of node n0.
struct Rig {
    state: State,
    site: Site,
    target: Held,
    newest: Option<Newest>,
}

impl Rig {
    fn new() -> Self {
        let configs = || vec![plain("web", 1)];
        Self {
            state: State::new(node(0), horde()),
            site: Site::new(3, "pick(web, 2, ALL)", configs()),
            target: held(1, "pick(web, 2, ALL)", configs()),
            newest: None,
        }
    }

    /// One that leads in term 3, and whose first plan is durable.
    fn leading() -> Self {
        let mut rig = Self::new();
        rig.see();
        let out = rig.tell(Event::Led(Some(3)));
        assert!(matches!(out[0], Command::Plan(_)), "{out:?}");
        assert_eq!(rig.tell(Event::Planned(true)), []);
        rig.site.now += 1_000;
        assert_eq!(rig.tell(Event::Wake), []);
        rig.site.now += 100;
        rig
    }

    fn tell(&mut self, event: Event) -> Vec<Command> {
        let mut out = Vec::new();
        self.state.handle(event, at(self.site.now), &mut out);
        out
    }

    fn see(&mut self) -> Vec<Command> {
        let (view, target) = (self.site.view.clone(), Some(self.target.clone()));
        let newest = self.newest.clone();
        self.tell(Event::Seen { view, target, newest })
    }
}

/// A record with these slots.
fn record(set: &SlotSet) -> Record {
    let slots: BTreeMap<_, _> = set.slots().map(|it| (it.id(), Arc::new(it.clone()))).collect();
    let profile = Profile { version: "test".to_owned(), ..Profile::default() };
    let header = Header {
        marker: Incarnation { incarnation: 1, nonce: [1; 16], seq: 1 },
        slots_root: slots_root(slots.keys()),
        profile_hash: profile.hash(),
        acts: Frontier::default(),
    };
    let header = Signed::sign(header, &Digest([7; 32]), &Identity::from_seed(&[1; 32]));
    Record::new(header, profile, slots).unwrap()
}

/// The plan in a set of slots.
fn read(set: &SlotSet) -> Newest {
    let record = record(set);
    Newest::of(&Plan::of(&record).unwrap().unwrap(), &horde()).unwrap()
}

fn numbered(out: &[Command]) -> Vec<(u64, u64)> {
    let head = |command: &Command| {
        let Command::Plan(set) = command else { return None };
        set.slots().find_map(|slot| match PlanSlot::of(slot) {
            Some(PlanSlot::Head(head)) => Some((head.term, head.pass)),
            _ => None,
        })
    };
    out.iter().filter_map(head).collect()
}

fn changes(out: &[Command]) -> Vec<String> {
    let line = |step: &Step| step.to_string().split(';').next().unwrap().to_owned();
    let of = |command: &Command| match command {
        Command::Tell(Tell::Changes { steps, .. }) => steps.iter().map(line).collect(),
        _ => Vec::new(),
    };
    out.iter().flat_map(of).collect()
}

#[test]
fn it_plans_once_it_leads_and_knows_a_target() {
    let mut rig = Rig::new();
    assert_eq!(rig.tell(Event::Led(Some(3))), []);
    let nothing = Event::Seen { view: rig.site.view.clone(), target: None, newest: None };
    assert_eq!(rig.tell(nothing), []);
    let out = rig.see();
    assert_eq!(numbered(&out), [(3, 1)]);
    assert_eq!(changes(&out), ["start 1 of 'web' on n0", "start 1 of 'web' on n1"]);
    let Command::Plan(set) = &out[0] else { panic!("{out:?}") };
    let plan = read(set);
    assert_eq!(plan.entries.len(), 2);
    assert_eq!((plan.target, plan.pass.term, plan.pass.pass), (marker(1), 3, 1));
    assert_eq!(rig.see(), [], "one plan at a time");
    assert_eq!(rig.tell(Event::Planned(true)), []);
    rig.site.now += 1_000;
    assert_eq!(rig.tell(Event::Wake), [], "the same is not said again");
    assert_eq!(rig.state.deadline(), at(rig.site.now + 300_000), "that is late for a version");
    let mut rig = Rig::new();
    assert_eq!(rig.see(), [], "it does not lead");
    assert_eq!(rig.state.deadline(), Instant::NEVER);
}

#[test]
fn it_says_something_at_most_once_a_second() {
    let mut rig = Rig::leading();
    rig.target = held(2, "pick(web, 1, ALL)", vec![plain("web", 1)]);
    assert_eq!(numbered(&rig.see()), [(3, 2)]);
    rig.tell(Event::Planned(true));
    rig.site.now += 10;
    rig.target = held(3, "pick(web, 3, ALL)", vec![plain("web", 1)]);
    assert_eq!(rig.see(), []);
    assert_eq!(rig.state.deadline(), at(rig.site.now + 990));
    rig.site.now += 990;
    assert_eq!(numbered(&rig.tell(Event::Wake)), [(3, 3)]);
}

#[test]
fn a_new_leader_continues_the_newest_plan_under_its_own_number() {
    let mut rig = Rig::leading();
    let plan = rig.state.newest().unwrap().clone();
    let mut next = Rig::new();
    next.newest = Some(plan.clone());
    next.state = State::new(node(2), horde());
    next.see();
    let out = next.tell(Event::Led(Some(4)));
    assert_eq!(numbered(&out), [(4, 1)]);
    assert_eq!(changes(&out), [""; 0], "nothing moves, and the predecessor is obeyed no more");
    let Command::Plan(set) = &out[0] else { panic!("{out:?}") };
    assert_eq!(read(set).entries, plan.entries);
    next.tell(Event::Planned(true));
    next.site.now += 5_000;
    assert_eq!(next.tell(Event::Wake), []);
    // The other one does not lead any more, and plans nothing.
    rig.newest = next.state.newest().cloned();
    assert_eq!(rig.tell(Event::Led(None)), []);
    rig.target = held(2, "pick(web, 3, ALL)", vec![plain("web", 1)]);
    assert_eq!(rig.see(), []);
}

#[test]
fn under_a_greater_plan_it_asks_for_a_greater_term() {
    let mut rig = Rig::leading();
    let greater = Number { term: 3, leader: node(2), pass: 9 };
    let plan = Newest { pass: greater, ..rig.state.newest().unwrap().clone() };
    rig.newest = Some(plan);
    rig.target = held(2, "pick(web, 3, ALL)", vec![plain("web", 1)]);
    assert_eq!(rig.see(), [Command::Outbid(greater)]);
    assert_eq!(rig.see(), [], "once");
    assert_eq!(numbered(&rig.tell(Event::Led(Some(4)))), [(4, 1)]);
}

#[test]
fn a_plan_that_is_not_durable_is_tried_again_under_another_number() {
    let mut rig = Rig::new();
    rig.see();
    assert_eq!(numbered(&rig.tell(Event::Led(Some(3)))), [(3, 1)]);
    assert_eq!(rig.tell(Event::Planned(false)), []);
    assert_eq!(rig.state.deadline(), at(rig.site.now + 5_000));
    rig.site.now += 5_000;
    assert_eq!(numbered(&rig.tell(Event::Wake)), [(3, 2)]);
}

#[test]
fn a_target_that_cannot_be_planned_leaves_everything_as_it_is() {
    let mut rig = Rig::leading();
    rig.target = held(2, "pick(web, 2, nowhere)", vec![plain("web", 1)]);
    let out = rig.see();
    let [Command::Tell(Tell::Stuck(Trouble::Program(error)))] = &out[..] else { panic!("{out:?}") };
    assert!(error.to_string().contains("nowhere"), "{error}");
    assert_eq!(rig.see(), [], "it is told once");
    rig.target = Held { marker: marker(3), content: Content::Unreadable };
    let out = rig.see();
    assert!(matches!(&out[..], [Command::Tell(Tell::Stuck(_))]), "{out:?}");
    rig.target = Held { marker: marker(4), content: Content::Deleted };
    let stops = ["stop 1 of 'web' on n0", "stop 1 of 'web' on n1"];
    assert_eq!(changes(&rig.see()), stops, "of the service that nobody names any more");
    assert!(rig.state.newest().is_some());
}

#[test]
fn two_nodes_of_one_name_are_told() {
    let mut rig = Rig::leading();
    rig.site.node(1).name = "n0".to_owned();
    let out = rig.see();
    assert!(matches!(&out[..], [Command::Tell(Tell::Stuck(Trouble::World(_)))]), "{out:?}");
}

#[test]
fn deaths_count_from_when_this_leader_saw_them() {
    let mut rig = Rig::leading();
    rig.site.node(1).is_alive = false;
    assert_eq!(rig.see(), []);
    let lost = at(rig.site.now + 30_000);
    assert_eq!(rig.state.deadline(), lost);
    rig.site.now += 29_999;
    assert_eq!(rig.tell(Event::Led(None)), []);
    assert_eq!(rig.tell(Event::Led(Some(5))).len(), 2);
    rig.tell(Event::Planned(true));
    rig.site.now += 1_000;
    assert_eq!(rig.tell(Event::Wake), [], "a new leader begins again");
    rig.site.now += 29_000;
    assert_eq!(changes(&rig.tell(Event::Wake)), ["move 1 of 'web' from n1 to n2"]);
}

#[test]
fn the_generation_before_is_read_and_a_failure_is_told() {
    let mut rig = Rig::leading();
    let target = |version, earlier| {
        let (program, configs) = ("pick(web, 2, ALL)".to_owned(), vec![plain("web", version)]);
        Target::new(&horde(), program, configs, String::new(), earlier).unwrap()
    };
    let before = target(1, Vec::new());
    let (blob, next) = (before.blob(), target(2, before.history(1, node(9))));
    rig.target = Held { marker: marker(2), content: Content::Target(Arc::new(next)) };
    let out = rig.see();
    assert_eq!(out[0], Command::Read(blob));
    assert_eq!(changes(&out).len(), 1, "{out:?}");
    rig.tell(Event::Planned(true));
    rig.site.now += 1_000;
    assert_eq!(rig.tell(Event::Read { blob, content: None }), []);
    assert_eq!(rig.state.deadline(), at(rig.site.now + 5_000));
    rig.site.now += 5_000;
    assert_eq!(rig.tell(Event::Wake), [Command::Read(blob)]);
    assert_eq!(rig.tell(Event::Read { blob, content: Some(before.to_canonical()) }), []);
    rig.site.node(0).runs = report(&[("web", 2, Stage::Failed, 1, 1)]);
    assert_eq!(rig.see(), [], "it looked just now");
    assert_eq!(rig.state.deadline(), at(rig.site.now + 100));
    rig.site.now += 100;
    let out = rig.tell(Event::Wake);
    let failed = Command::Tell(Tell::Failed(spec("web", 2), Failure::CrashLoop));
    assert_eq!(out.last(), Some(&failed));
}

#[test]
fn the_newest_plan_is_the_greatest_that_counts() {
    let mut rig = Rig::leading();
    rig.site.now += 1;
    let newest = rig.state.newest().unwrap().clone();
    let slots = newest.slots(&horde(), Digest::default()).unwrap();
    let record = record(&slots);
    let among = |horde: &str, reach, generation| {
        let reach = Reach::up_to(reach);
        Newest::among([&record], &horde.parse().unwrap(), reach, marker(generation))
    };
    assert_eq!(among("main", 3, 1).map(|it| it.entries), Some(newest.entries));
    assert_eq!(among("other", 3, 1), None);
    assert_eq!(among("main", 2, 1), None, "a term that nobody may have");
    assert_eq!(among("main", 3, 0), None, "a document that is not here");
}
