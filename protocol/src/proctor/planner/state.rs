use std::sync::Arc;

use crux_crdt::Principal;
use crux_crdt::document::Marker;
use crux_crdt::name::Label;
use crux_crdt::record::Pass as Number;

use super::before::Before;
use super::pass::{Input, Pass, pass};
use super::{
    Command, Event, LOOK, Newest, Program, ProgramError, REST, RETRY, Tell, Timers, Trouble, View,
};
use crate::proctor::Held;
use crate::time::Instant;

/// The engine that plans while this node leads. See the module for its invariants.
#[derive(Debug)]
pub struct State {
    me: Principal,
    horde: Label,
    /// The term in which this node leads; none: it does not.
    term: Option<u64>,
    view: Option<View>,
    target: Option<Held>,
    /// The target, checked.
    program: Option<(Marker, Result<Program, ProgramError>)>,
    /// The greatest plan that counts, as it was seen.
    newest: Option<Newest>,
    /// This node's own last plan, from when it is durable.
    said: Option<Newest>,
    /// The plan that is being written.
    flight: Option<Newest>,
    /// The greatest pass that was used in this term; others may have seen it.
    used: u64,
    before: Before,
    timers: Timers,
    /// From when on the next plan may go out.
    rests_until: Instant,
    /// The fence that was to be outbid last, and what people were told last.
    outbid: Option<Number>,
    trouble: Option<Trouble>,
    deadline: Instant,
}

impl State {
    /// An engine for a horde on this node.
    pub fn new(me: Principal, horde: Label) -> Self {
        Self {
            me,
            horde,
            term: None,
            view: None,
            target: None,
            program: None,
            newest: None,
            said: None,
            flight: None,
            used: 0,
            before: Before::default(),
            timers: Timers::default(),
            rests_until: Instant::ORIGIN,
            outbid: None,
            trouble: None,
            deadline: Instant::NEVER,
        }
    }

    /// Takes one event. The commands are to be executed in order.
    pub fn handle(&mut self, event: Event, now: Instant, out: &mut Vec<Command>) {
        match event {
            Event::Seen { view, target, newest } => {
                (self.view, self.target, self.newest) = (Some(view), target, newest);
            }
            Event::Led(term) => self.on_led(term),
            Event::Planned(durable) => self.on_planned(durable, now),
            Event::Read { blob, content } => {
                self.before.on_read(&self.horde, (blob, content), now);
            }
            Event::Wake => {}
        }
        self.deadline = Instant::NEVER;
        if self.term.is_some() {
            self.turn(now, out);
        }
    }

    /// When [`Event::Wake`] has something to do.
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The plan that is in force as far as this node knows.
    pub fn newest(&self) -> Option<&Newest> {
        self.newest.iter().chain(&self.said).max_by_key(|it| it.pass)
    }

    /// How many entries its times have.
    pub fn footprint(&self) -> usize {
        self.timers.footprint()
    }

    fn on_led(&mut self, term: Option<u64>) {
        if self.term.is_none() || term.is_none() {
            // The times of somebody who did not lead are no times of a leader.
            (self.timers, self.before) = <(Timers, Before)>::default();
        }
        if self.term != term {
            (self.used, self.outbid, self.trouble) = (0, None, None);
        }
        self.term = term;
    }

    fn on_planned(&mut self, durable: bool, now: Instant) {
        let flight = self.flight.take();
        if durable {
            self.said = flight;
        } else {
            self.rests_until = now + RETRY;
        }
    }

    /// Plans, if it may now.
    fn turn(&mut self, now: Instant, out: &mut Vec<Command>) {
        let Some(view) = self.view.take() else { return };
        // Deaths are seen at once, also while it rests.
        self.timers.see(&view, now);
        if let Some(program) = self.read_program(now, out) {
            if now < self.rests_until {
                self.deadline = self.rests_until;
            } else if self.flight.is_none()
                && let Some(number) = self.number(out)
            {
                self.plan(&view, &program, number, (now, out));
            }
            self.program = Some((program.marker, Ok(program)));
        }
        self.deadline = self.deadline.min(self.before.deadline());
        self.view = Some(view);
    }

    /// The target that is to be planned; none: there is none that could be.
    fn read_program(&mut self, now: Instant, out: &mut Vec<Command>) -> Option<Program> {
        let held = self.target.as_ref()?;
        let program = match self.program.take() {
            Some((marker, program)) if marker == held.marker => program,
            _ => Program::of(held),
        };
        match program {
            Ok(program) => {
                self.before.want(held.target().map(Arc::as_ref), now, out);
                Some(Program { before: self.before.specs(), ..program })
            }
            Err(error) => {
                self.program = Some((held.marker, Err(error.clone())));
                self.tell(error.into(), out);
                None
            }
        }
    }

    /// The number of the next pass; none: nodes would not obey it.
    fn number(&mut self, out: &mut Vec<Command>) -> Option<Number> {
        let (term, leader) = (self.term?, self.me);
        let newest = self.newest().map(|it| it.pass);
        if let Some(greater) = newest.filter(|it| (it.term, it.leader) > (term, leader)) {
            if self.outbid != Some(greater) {
                self.outbid = Some(greater);
                out.push(Command::Outbid(greater));
            }
            return None;
        }
        let own = newest.filter(|it| (it.term, it.leader) == (term, leader));
        let last = own.map_or(0, |it| it.pass).max(self.used);
        Some(Number { term, leader, pass: last + 1 })
    }

    fn plan(
        &mut self,
        view: &View,
        program: &Program,
        number: Number,
        (now, out): (Instant, &mut Vec<Command>),
    ) {
        let arrived;
        let view = if crux_crdt::planted!(ArrivalPlaces) {
            arrived = view.as_met_by(&self.me);
            &arrived
        } else {
            view
        };
        let newest = self.newest.iter().chain(&self.said).max_by_key(|it| it.pass);
        let input = Input { view, program, newest, number };
        self.rests_until = now + LOOK;
        let planned = match pass(input, &mut self.timers, now) {
            Ok(planned) => planned,
            Err(error) => return self.tell(error.into(), out),
        };
        self.deadline = planned.deadline;
        let next = planned.newest(&input);
        let is_own = |it: &&Newest| (it.pass.term, it.pass.leader) == (number.term, number.leader);
        if newest.filter(is_own).is_some_and(|last| last.says(&next)) {
            self.trouble = None;
            return;
        }
        match next.slots(&self.horde, view.hash()) {
            Ok(slots) => {
                self.trouble = None;
                out.push(Command::Plan(slots));
                self.explain(newest.cloned().as_ref(), &next, planned, out);
                (self.flight, self.used) = (Some(next), number.pass);
                self.rests_until = now + REST;
            }
            Err(error) => self.tell(error.into(), out),
        }
    }

    fn explain(&self, last: Option<&Newest>, next: &Newest, planned: Pass, out: &mut Vec<Command>) {
        out.push(Command::Tell(Tell::Changes { number: next.pass, steps: planned.steps }));
        let last = last.filter(|last| last.target == next.target).map(|last| &last.failed);
        let is_new = |spec| last.is_none_or(|last| !last.contains_key(spec));
        for (spec, failure) in next.failed.iter().filter(|(spec, _)| is_new(*spec)) {
            out.push(Command::Tell(Tell::Failed(*spec, *failure)));
        }
    }

    /// Tells why nothing is planned, once.
    fn tell(&mut self, trouble: Trouble, out: &mut Vec<Command>) {
        if self.trouble.as_ref() != Some(&trouble) {
            self.trouble = Some(trouble.clone());
            out.push(Command::Tell(Tell::Stuck(trouble)));
        }
    }
}
