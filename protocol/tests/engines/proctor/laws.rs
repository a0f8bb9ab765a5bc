//! Laws of the enactor, under whatever a replica, a picket and a disk may do.

use std::collections::VecDeque;

use crux_crdt::canon::Canonical as _;
use crux_crdt::document::Target;
use crux_crdt::record::{Pass, Stage};
use crux_protocol::proctor::enactor::{Command, Event, State};
use crux_protocol::proctor::{Assignment, Goal, Held, Order, Owned};
use proptest::prelude::*;

use super::rig::*;
use crate::fixture::{at, principal};

/// A thing that happens.
#[derive(Debug, Clone)]
enum Happens {
    /// The replica has this generation, and plans: the target, the term, the pass, the image of `web`, its count.
    Sees(u64, Vec<(u64, u64, u64, u8, u16)>),
    /// The oldest command that waits for an answer is answered: well, or not.
    Answers(bool),
    /// The picket's list: the image and the stage of what runs.
    Runs(u8, Stage),
    /// So many milliseconds pass.
    Passes(u64),
}

fn happens() -> impl Strategy<Value = Happens> {
    let plan = (1..5_u64, 1..3_u64, 1..5_u64, 0..5_u8, 1..3_u16);
    let stage = prop::sample::select(vec![Stage::Starting, Stage::Ready, Stage::Failed]);
    prop_oneof![
        (1..5_u64, prop::collection::vec(plan, 0..3))
            .prop_map(|(target, plans)| Happens::Sees(target, plans)),
        prop::bool::weighted(0.8).prop_map(Happens::Answers),
        prop::bool::weighted(0.8).prop_map(Happens::Answers),
        (1..5_u8, stage).prop_map(|(number, stage)| Happens::Runs(number, stage)),
        (1..6_000_u64).prop_map(Happens::Passes),
    ]
}

/// The targets by generation: each has `web` with the image of its number, and names those before it.
fn generation(number: u64) -> Target {
    let configs = vec![config("web", u8::try_from(number).unwrap())];
    let earlier: Vec<_> = (1..number).rev().map(generation).collect();
    target(configs, &earlier.iter().collect::<Vec<_>>())
}

/// A node, whose shell answers when it is told to, and what it was seen to do.
struct Node {
    state: State,
    now: u64,
    waiting: VecDeque<Command>,
    /// The greatest target marker that it saw.
    seen: u64,
    accepted: Option<Order>,
    rows: Vec<(u8, Stage)>,
    last_said: Option<u64>,
    history: Vec<Command>,
}

impl Node {
    fn new() -> Self {
        let state = State::new("main".parse().unwrap(), crux_crdt::service::Machine::X86_64);
        let (waiting, rows, history) = (VecDeque::new(), Vec::new(), Vec::new());
        Self {
            state,
            now: 10_000,
            waiting,
            seen: 0,
            accepted: None,
            rows,
            last_said: None,
            history,
        }
    }

    fn event(&mut self, happens: &Happens) -> Option<Event> {
        match happens {
            Happens::Passes(millis) => self.now += millis,
            Happens::Sees(target, plans) => {
                self.seen = self.seen.max(*target);
                let target = Some(held(*target, generation(*target)));
                return Some(Event::Seen { target, plans: plans.iter().map(planned).collect() });
            }
            Happens::Runs(number, stage) => {
                self.rows = vec![(*number, *stage)];
                return Some(self.owned());
            }
            Happens::Answers(well) => return self.answer(*well),
        }
        Some(Event::Wake)
    }

    fn owned(&self) -> Event {
        let rows = self.rows.iter().map(|(number, stage)| row("web", *number, *stage, 1)).collect();
        Event::Owned(Owned { order: self.accepted, rows })
    }

    fn answer(&mut self, well: bool) -> Option<Event> {
        Some(match self.waiting.pop_front()? {
            Command::Fetch(blob) if well => Event::Fetched(image(blob.0[0])),
            Command::Fetch(blob) => Event::FetchFailed(blob),
            Command::Read(blob) => {
                let targets = (1..5).map(generation);
                let found = targets.filter(|_| well).find(|target| target.blob() == blob);
                Event::Read { blob, content: found.map(|target| target.to_canonical()) }
            }
            Command::Hand(goals) => {
                let accepts = well && self.accepted.is_none_or(|held| held <= goals.order());
                if accepts {
                    self.accepted = Some(goals.order());
                }
                Event::Answered(accepts)
            }
            Command::Say(_) => Event::Said(well),
            Command::Unfit(_) | Command::Full(_) => Event::Wake,
        })
    }

    fn tell(&mut self, event: Event) -> Result<usize, TestCaseError> {
        let mut out = Vec::new();
        self.state.handle(event, at(self.now), &mut out);
        for command in &out {
            self.check(command)?;
            self.waiting.push_back(command.clone());
            self.history.push(command.clone());
        }
        Ok(out.len())
    }

    fn check(&mut self, command: &Command) -> Result<(), TestCaseError> {
        match command {
            Command::Hand(goals) => {
                let order = goals.order();
                prop_assert!(self.accepted <= Some(order), "an order never decreases");
                prop_assert!(order.target.generation <= self.seen, "nor exceeds what was seen");
                let in_flight = self.waiting.iter().any(|it| matches!(it, Command::Hand(_)));
                prop_assert!(!in_flight, "one at a time");
                for goal in goals.services().values() {
                    let Goal::Run(run) = goal else { continue };
                    let mut signed = (1..=self.seen).map(generation);
                    prop_assert!(
                        signed.any(|target| target.config(run.spec()).is_some()),
                        "signed"
                    );
                }
            }
            Command::Say(_) => {
                prop_assert!(self.last_said.is_none_or(|last| self.now - last >= 1_000));
                self.last_said = Some(self.now);
            }
            Command::Fetch(_) | Command::Read(_) | Command::Unfit(_) | Command::Full(_) => {}
        }
        Ok(())
    }
}

fn planned((target, term, number, image, count): &(u64, u64, u64, u8, u16)) -> Assignment {
    let pass = Pass { term: *term, leader: principal(1), pass: *number };
    let order = Order { target: marker(*target), pass };
    let entries = [("web", *image, 1, *count, *count)];
    plan(order, if *image == 0 { &[] } else { &entries })
}

proptest! {
    #[test]
    fn orders_never_decrease_and_only_what_is_signed_runs(
        all in prop::collection::vec(happens(), 1..40),
    ) {
        let (mut node, mut again) = (Node::new(), Node::new());
        let start = node.owned();
        node.tell(start.clone())?;
        again.tell(start)?;
        for happens in &all {
            for node in [&mut node, &mut again] {
                if let Some(event) = node.event(happens) {
                    node.tell(event)?;
                }
            }
            prop_assert!(node.state.footprint().entries <= 1);
        }
        prop_assert_eq!(&node.history, &again.history, "the same events, the same commands");
    }

    /// Once all is answered well, nothing changes any more; and what was handed in is the greatest that counts.
    #[test]
    fn it_settles_on_the_greatest_plan(
        all in prop::collection::vec(happens(), 1..30),
        plans in prop::collection::vec((1..5_u64, 1..3_u64, 1..5_u64, 0..5_u8, 1..3_u16), 1..4),
    ) {
        let mut node = Node::new();
        let start = node.owned();
        node.tell(start)?;
        for happens in &all {
            if let Some(event) = node.event(happens) {
                node.tell(event)?;
            }
        }
        let target: Option<Held> = Some(held(5, generation(5)));
        let before = node.state.assignment().cloned();
        let plans: Vec<_> = plans.iter().map(planned).collect();
        let seen = || Event::Seen { target: target.clone(), plans: plans.clone() };
        node.seen = 5;
        node.tell(seen())?;
        for _ in 0..100 {
            node.now += 6_000;
            node.tell(Event::Wake)?;
            while !node.waiting.is_empty() {
                if let Some(event) = node.answer(true) {
                    node.tell(event)?;
                }
            }
        }
        prop_assert_eq!(node.tell(seen())?, 0, "nothing changes");
        let floor = before.as_ref().map(|before| before.order);
        let best = plans.iter().filter(|plan| Some(plan.order) >= floor);
        let best = best.map(|plan| plan.order).max_by_key(|order| order.pass).or(floor);
        prop_assert_eq!(node.state.assignment().map(|it| it.order), best);
        let accepted = node.accepted.map(|order| (order.target, order.pass.term));
        prop_assert_eq!(accepted, best.map(|order| (order.target, order.pass.term)));
    }
}
